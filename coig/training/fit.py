"""Run the training of an arm: encode, load, fit, export."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import torch
from lightning import seed_everything
from lightning.pytorch.callbacks import Callback

from coig.config import SPLIT, TrainConfig
from coig.config.loading import construct
from coig.data.datamodule import MixtureDataModule
from coig.data.encoded import encode_mixture
from coig.data.encoding import Encoder
from coig.data.mixture import Mixture
from coig.data.tokenizer import check_length, load_tokenizer
from coig.errors import ConfigError
from coig.models.attention import PATHS, attention_path
from coig.models.export import make_generation_config
from coig.models.flops import TrainingFlops
from coig.models.heap import keep_freed_memory
from coig.models.loading import empty_model, load_model
from coig.models.quantized import quantize_frozen
from coig.study.arm import Arm
from coig.training import ranks
from coig.training.budget import count_steps
from coig.training.checkpoints import Checkpoints, DirectIO, check_checkpoint
from coig.training.divergence import measure_divergence
from coig.training.export_loss import measure_export
from coig.training.exporter import Exporter
from coig.training.failures import DropOnFailure
from coig.training.keep_points import KeepPoints
from coig.training.loggers import log_model, tracking
from coig.training.memory import plan_memory
from coig.training.metrics import StepFigures
from coig.training.module import CausalLMModule
from coig.training.points import check_points, plan_points
from coig.training.quiet import quiet_libraries
from coig.training.reload import device_of
from coig.training.run_record import Prepared, headline, recorded
from coig.training.state import check_encoding
from coig.training.strategies import strategy_of
from coig.training.threads import set_threads
from coig.training.throughput import ProgressBar, Throughput
from coig.training.trainable import make_trainable

log = logging.getLogger(__name__)


def fit_arm(config: TrainConfig, arm: Arm, mixture: Mixture, like: Mixture | None, *, anew: bool) -> None:
    """Train an arm and export its model. The arm's folder changes only after everything that the run needs was built.

    Args:
        like: the data of the arm whose budget this one copies; None if it copies none.
        anew: whether to start from scratch; if not, resume from the last checkpoint.

    All ranks must call it. Raises ConfigError if the arm cannot be trained as configured, Preempted if a signal asked
    the run to stop.
    """
    quiet_libraries()
    seed_everything(config.seed, workers=True, verbose=False)
    set_threads(config.trainer, None if anew else arm)
    if config.trainer.accelerator == "cpu":
        keep_freed_memory()
    check_length(config.model)
    tokenizer = load_tokenizer(config.model)
    encoder = Encoder.of(config.model, tokenizer)
    prepared = _prepare(config, arm, mixture, like, encoder, anew=anew)
    lm, validation, plan = prepared.lm, prepared.validation, prepared.plan
    module = CausalLMModule(make_trainable(lm, config, plan.recomputed_layers), config, prepared.steps, plan)
    flops = TrainingFlops(lm)
    tokens = plan.tokens_per_micro_batch
    data = MixtureDataModule(prepared.train, validation, config.trainer, tokens, flops.attention_cost, config.seed)
    generation = make_generation_config(lm, tokenizer, {encoder.end_id, encoder.document_end_id})
    exporter = Exporter(config, module.model, lm, tokenizer, generation)
    trainer = _make_trainer(config, arm, prepared, flops, KeepPoints(arm, prepared.points, exporter))
    log.info("%s", headline(config, prepared))
    _log_attention(_attention_path(config))
    with recorded(config, arm, prepared, anew=anew) as record, tracking(config, arm, record) as loggers:
        if config.model.is_quantized:  # now that the weights have been counted
            quantize_frozen(lm, torch.bfloat16 if config.trainer.precision == "bf16-mixed" else torch.float32)
        if record:
            record.begin()
        trainer.loggers = loggers
        with ranks.explain_lost_peers():
            trainer.fit(module, datamodule=data, ckpt_path=ranks.first_decides(lambda: arm.checkpoint))
        assert trainer.global_step == prepared.steps
        is_changed = exporter.write(arm.model)
        if record:
            record.exported = measure_export(config, arm, exporter.dtype, validation, plan, is_changed=is_changed)
            if config.divergence:
                record.divergence = measure_divergence(config, arm, validation, plan)
            log_model(config, arm, record.manifest)
    trainer.checkpoint_callback.preemption.stop_if_asked()  # it came in the last step: begin no further arm


def _prepare(
    config: TrainConfig, arm: Arm, mixture: Mixture, like: Mixture | None, encoder: Encoder, *, anew: bool
) -> Prepared:
    """Encode the data, load the model and plan the run, as `fit_arm` is asked to; all ranks must call it.

    Raises ConfigError if something does not fit the config, or a resumed arm cannot go on with it.
    """
    train, validation = ranks.first_before_others(lambda: encode_mixture(mixture, config, encoder))
    if not anew:
        ranks.first_decides(lambda: check_encoding(arm, train))
        ranks.first_decides(lambda: check_checkpoint(arm.checkpoint) if arm.checkpoint else None)
    others = ranks.first_before_others(lambda: encode_mixture(like, config.like, encoder)[0]) if like else None
    steps, longest = count_steps(config, train, others), max(train.longest, validation.longest)
    plan = ranks.first_decides(lambda: plan_memory(config, longest, None if anew else arm.manifest().memory))
    lm = ranks.first_before_others(lambda: load_model(config.model, config.seed), lambda: empty_model(config.model))
    _check_same_weights(lm, config)
    points = plan_points(config, train, steps)
    if not anew:
        ranks.first_decides(lambda: check_points(arm, config, points, steps))
    return Prepared(lm, mixture, like, train, validation, steps, points, plan)


def _check_same_weights(lm: Any, config: TrainConfig) -> None:
    """Raise ConfigError if the first rank's weights have other names or shapes than this rank's.

    The first rank's model was loaded from its files, the others' were built from its config. All ranks must call it.
    """
    weights = {name: tuple(weight.shape) for name, weight in lm.named_parameters()}
    if ranks.first_decides(lambda: weights) != weights:
        raise ConfigError(
            f"model.path={config.model.path}: its files hold other weights than its config.json describes, so several "
            "devices cannot share them; train it on one device"
        )


def _make_trainer(
    config: TrainConfig, arm: Arm, prepared: Prepared, flops: TrainingFlops, keep_points: KeepPoints
) -> Any:
    """Return Lightning's trainer with the callbacks, strategy and plugins of this arm, without loggers yet."""
    throughput = Throughput(flops)
    checkpoints = Checkpoints(arm, config.trainer.checkpoint_every, config.trainer.checkpoint_minutes)
    callbacks: list[Callback] = [throughput, StepFigures(), keep_points, checkpoints, DropOnFailure()]
    if config.trainer.arguments().get("enable_progress_bar", True):
        callbacks.append(ProgressBar(throughput))
    sharded = config.trainer.strategy == "fsdp"
    return construct(
        config.trainer,
        default_root_dir=str(arm.folder),
        logger=False,  # set when there is something to log
        callbacks=callbacks,
        strategy=strategy_of(config.trainer),
        inference_mode=False,  # FSDP2 reuses the memory of gathered weights, and such memory cannot be trained with
        plugins=[] if sharded else [DirectIO()],
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if len(prepared.validation) else 0,
        # a budget can end inside an epoch, which Lightning would count as a whole one when a longer run resumes
        **({} if config.budget.name == "epochs" else {"max_epochs": -1, "max_steps": prepared.steps}),
        # sharded weights are cast by FSDP2 itself
        **({"precision": "32-true"} if sharded else {}),
    )


def _attention_path(config: TrainConfig) -> str:
    """Return the key in PATHS of the attention implementation that computes packed documents."""
    half = config.trainer.precision == "bf16-mixed" or config.optimizer.target in SPLIT
    return attention_path(device_of(config), torch.bfloat16 if half else torch.float32)


@cache
def _log_attention(path: str) -> None:
    """Log the attention implementation, once per process: arms of a sweep do not repeat it."""
    log.info("attention: packed documents, by %s", PATHS[path])
