"""The training run itself: encode, fit, export, and a manifest that says what was done."""

from __future__ import annotations

import logging
import secrets
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning import Callback, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from transformers.utils.logging import disable_progress_bar

from coig.config import construct
from coig.data.datamodule import MixtureDataModule
from coig.data.dataset import EncodedSet, encode_mixture
from coig.data.encoding import Encoder
from coig.data.mixture import Mixture
from coig.data.tokenizer import load_tokenizer
from coig.models.causal_lm import export, load_model
from coig.schema import TrainConfig
from coig.study import Arm, now, provenance, write_atomic
from coig.training.module import CausalLMModule
from coig.training.tracking import tracking

log = logging.getLogger(__name__)
COUNTS = ("dropped", "truncated", "validation_dropped", "validation_truncated")


def fit(config: TrainConfig, arm: Arm, mixture: Mixture, *, anew: bool) -> None:
    """Train from the arm's last checkpoint, or anew, and export the model. Nothing is written or deleted until
    everything that the run needs could be made."""
    _quiet_libraries()
    seed_everything(config.seed, workers=True, verbose=False)
    tokenizer = load_tokenizer(config.model)
    encoder = Encoder.of(config.model, tokenizer)
    train, validation = encode_mixture(mixture, config, encoder)
    model = load_model(config.model, config.seed)
    module = CausalLMModule(
        model,
        construct(config.optimizer, model.parameters()),
        config.scheduler,
        config.trainer.max_grad_norm,
    )
    data = MixtureDataModule(
        train,
        validation,
        pad_id=tokenizer.pad_token_id,
        seed=config.seed,
        global_batch_size=config.trainer.global_batch_size,
        tokens_per_micro_batch=config.trainer.tokens_per_micro_batch,
    )
    trainer = _trainer(config, arm, validates=len(validation) > 0)
    if anew:
        arm.clear()
    # answers of a model that is about to change would pass for the new one's
    shutil.rmtree(arm.generations("").parent, ignore_errors=True)
    _keep_quarantine(arm, mixture)
    manifest = _manifest(config, arm, mixture, train, validation, model)
    log.info("%s", _headline(arm, manifest, data.steps_per_epoch))
    with _recorded(arm, manifest), tracking(config, arm, manifest["wandb_run"]) as loggers:
        # after the manifest says "running": a kill in between must not leave a finished arm with settings it never had
        arm.write_settings(config)
        trainer.loggers = loggers
        trainer.fit(module, datamodule=data, ckpt_path=arm.checkpoint if arm.checkpoint.exists() else None)
        export(model, tokenizer, encoder.end_id, arm.model)


def _trainer(config: TrainConfig, arm: Arm, *, validates: bool) -> Any:
    callbacks: list[Callback] = [
        ModelCheckpoint(arm.checkpoint.parent, arm.checkpoint.stem, enable_version_counter=False)
    ]
    if config.trainer.arguments().get("enable_progress_bar", True):
        callbacks.append(ProgressBar())
    return construct(
        config.trainer,
        default_root_dir=str(arm.folder),
        logger=False,  # set when there is something to log
        callbacks=callbacks,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if validates else 0,
    )


class ProgressBar(RichProgressBar):
    """Lightning's bar without the logger's version number."""

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}


def _keep_quarantine(arm: Arm, mixture: Mixture) -> None:
    """Lay the rows that could not be used beside the arm that went without them."""
    rows = b"".join(pool.quarantine.read_bytes() for pool in mixture.pools.values())
    if rows:
        write_atomic(arm.folder / "quarantine.jsonl", rows)


@contextmanager
def _recorded(arm: Arm, manifest: dict[str, Any]) -> Iterator[None]:
    """Keep the manifest's status and times true: running, then done or failed."""
    started = time.monotonic()
    arm.write_manifest(manifest | {"status": "running"})
    status, error = "failed", None
    try:
        yield
        status = "done"
    except (KeyboardInterrupt, SystemExit):  # Lightning turns the first into the second
        error = "interrupted"
        log.error("%s: interrupted; the same command continues from the last checkpoint", arm.folder)
        raise
    except BaseException as problem:
        error = f"{type(problem).__name__}: {problem}"
        log.error("%s: failed, %s", arm.folder, error)
        raise
    finally:
        seconds = manifest["times"]["seconds"] + round(time.monotonic() - started, 1)
        times = {"started": manifest["times"]["started"], "ended": now(), "seconds": seconds}
        arm.write_manifest(manifest | {"status": status, "error": error, "times": times})
    log.info("%s: done in %.0f s, model in %s", arm.name, seconds, arm.model)


def _manifest(
    config: TrainConfig, arm: Arm, mixture: Mixture, train: EncodedSet, validation: EncodedSet, model: Any
) -> dict[str, Any]:
    earlier = arm.manifest()
    return {
        "study": config.study,
        "arm": config.arm,
        "status": "running",
        "seed": config.seed,
        "model": {"name": config.model.name, "parameters": sum(p.numel() for p in model.parameters())},
        "data": {
            "name": config.data.name,
            "ratio": config.data.ratio,
            "fingerprint": mixture.fingerprint,
            "sources": list(mixture.sources),
            "left_out": mixture.left_out,
            **train.counts,
            "train": train.groups,
            "validation": validation.groups,
            **{f"validation_{name}": count for name, count in validation.counts.items()},
        },
        **provenance(),
        "wandb_run": earlier.get("wandb_run") or secrets.token_hex(4),
        "times": earlier.get("times") or {"started": now(), "ended": None, "seconds": 0.0},
    }


def _headline(arm: Arm, manifest: dict[str, Any], steps: int) -> str:
    """The arm's size in one line, with what was left out."""
    data = manifest["data"]
    examples = {
        kind: sum(g["examples"] for g in data["train"] if g["kind"] == kind) for kind in ("creative", "general")
    }
    supervised = sum(group["supervised_tokens"] for group in data["train"])
    facts = [
        f"{examples['creative']} creative + {examples['general']} general examples",
        f"{supervised:,} supervised tokens",
        f"{steps} steps an epoch",
        f"{manifest['model']['parameters'] / 1e6:.1f} M parameters",
        *(f"{data[key]} {key.replace('_', ' ')}" for key in COUNTS if data[key]),
        *(f"{count} rows left out ({reason})" for reason, count in data["left_out"].items() if count),
        *(
            f"{count} creative prompts are test queries too"
            for s in data["sources"]
            if (count := s.get("also_queries"))
        ),
    ]
    return f"{arm.name}: " + ", ".join(facts)


def _quiet_libraries() -> None:
    """One line an arm is ours to print; hints about worker processes and devices are not news here."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (".*does not have many workers.*", ".*LeafSpec.*is deprecated.*"):
        warnings.filterwarnings("ignore", message=message)
    disable_progress_bar()  # of writing one file
