"""Train one arm: look at its folder, then train from scratch, resume or skip it."""

from __future__ import annotations

import gc
import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from coig.config import TrainConfig
from coig.config.fields import MULTIRUN
from coig.config.slurm import is_queued_again, job_id
from coig.config.wait_policy import tell_policy
from coig.data.mixture import Mixture, build_mixture
from coig.errors import ConfigError
from coig.study.arm import Arm
from coig.study.tracking import is_wandb, prepare_wandb
from coig.training import ranks
from coig.training.launch import launch
from coig.training.state import State, check_encoding, decide_state

if TYPE_CHECKING:
    from coig.data.encoded import EncodedSet

log = logging.getLogger(__name__)


def train(config: TrainConfig) -> float | None:
    """Train the arm that `config` describes, unless it is done; return the value of its `objective`, None without one.

    With `config.plan`, only print how it would use the memory of the usual GPUs, and return None.

    With several devices, or `retries`, start a process (rank) for each device; each rank calls this function again.
    Afterwards all memory is freed for the next arm of a sweep. Raises ConfigError for wrong settings or data before
    anything is written.
    """
    if _was_queued_again(_arm(config)):  # `overwrite` was obeyed, and would delete what this job has trained
        config = config.model_copy(update={"overwrite": False})
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # its import warns of kernels for inference on CPUs
    try:
        if config.plan:
            _show_plan(config)
            return None
        if config.trainer.accelerator == "gpu":
            _let_segments_grow()
        ranks.check_devices(config.trainer)
        if (config.trainer.ranks > 1 or config.retries) and not ranks.is_rank():
            if not _is_done(config, _arm(config)):
                tell_policy()
                launch(config, _arm(config))
        else:
            with ranks.joined(config.trainer):
                _train(config, _arm(config))
        return _objective(config)
    except BaseException as error:
        _clear_frames(error)
        raise
    finally:
        _free_memory()


def _was_queued_again(arm: Arm) -> bool:
    """Tell whether SLURM has queued this job again after it had begun to train the arm."""
    if is_queued_again():
        with suppress(ConfigError):  # the arm has no sound manifest
            return arm.manifest().slurm_job == job_id()
    return False


def _show_plan(config: TrainConfig) -> None:
    """Print how the arm would use the memory of the usual GPUs, and delete the empty folder that Hydra made for it.

    Raises ConfigError on a CPU.
    """
    if config.trainer.accelerator == "cpu":
        raise ConfigError("plan=true: plans a GPU's memory; add trainer=gpu or trainer=fsdp")
    from coig.training.memory import show_plan
    from coig.training.quiet import quiet_libraries

    quiet_libraries()
    try:
        show_plan(config)
    finally:
        _arm(config).discard_if_untrained()


def _let_segments_grow() -> None:
    """Let CUDA's allocator extend its segments, so that less memory is lost to fragments.

    Sets the environment variable PYTORCH_ALLOC_CONF; does nothing if the user has set it.
    """
    if not {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"} & os.environ.keys():
        os.environ["PYTORCH_ALLOC_CONF"] = "expandable_segments:True"  # read when CUDA is first used


def _train(config: TrainConfig, arm: Arm) -> None:
    """Train the arm on this rank, unless it is done; only the first rank writes to its folder."""
    with arm.locked() if ranks.is_first() else nullcontext():
        if ranks.is_first():
            _prepare_logger(config)
        if work := _find_work(config, arm):
            tell_policy()
            mixture, like, state = work
            _import_fit()(config, arm, mixture, like, anew=state == "new")


def _is_done(config: TrainConfig, arm: Arm) -> bool:
    """Tell whether the arm is done, so that no ranks need to start; lock it meanwhile."""
    with arm.locked():
        return _find_work(config, arm) is None


def _find_work(config: TrainConfig, arm: Arm) -> tuple[Mixture, Mixture | None, State] | None:
    """Return the arm's data, those of the arm whose budget it copies, and its state; None if it is done.

    All ranks must call it. If the arm is done, log that, and store the config's question, if it has one, in the arm's
    config. Raises ConfigError if nodes have different data, or the data or the arm's folder do not fit the config.
    """
    mixture = ranks.first_before_others(
        lambda: build_mixture(config.data, config.seed, config.supervision.needs_reasoning)
    )
    fingerprint = ranks.first_decides(lambda: mixture.fingerprint)
    if mixture.fingerprint != fingerprint:
        raise ConfigError("the nodes have different data (fingerprint); give all of them the same files")
    _check_objective(config, mixture)
    like = ranks.first_before_others(lambda: _like(config))
    state = ranks.first_decides(lambda: decide_state(arm, config, fingerprint, _fingerprint(like)))
    if state != "done":
        return mixture, like, state
    log.info("%s: done already, skipped (overwrite=true trains it anew)", arm.folder)
    if ranks.is_first() and config.question:
        _store_question(arm, config)
    return None


def _store_question(arm: Arm, config: TrainConfig) -> None:
    """Replace the question in a trained arm's stored config if `config` asks another one; the report answers it."""
    trained = arm.config()
    if trained.question != config.question:
        arm.write_config(trained.model_copy(update={"question": config.question}))


def _import_fit() -> Callable[..., None]:
    """Import torch and the training run, and return `fit_arm`.

    The libraries stay loaded, so collecting garbage during their import (1 s) and after each arm (0.25 s) is wasted:
    switch it off, then freeze what was loaded.
    """
    imported_now = "coig.training.fit" not in sys.modules
    if imported_now:
        gc.disable()
    try:
        from coig.training.fit import fit_arm
    finally:
        gc.enable()
    if imported_now:
        gc.freeze()
    return fit_arm


def _check_objective(config: TrainConfig, mixture: Mixture) -> None:
    """Raise ConfigError if no example belongs to the loss that `config.objective` names; without one, do nothing."""
    if config.objective is None:
        return
    part, _, *group = config.objective.split("/")
    lines = mixture.validation if part == "validation" else mixture.train
    if group:
        lines = lines.filter(kind=group[0], lang=group[1])
    if lines.is_empty():
        raise ConfigError(
            f"objective={config.objective}: no example of that kind is there; name another loss, or hold examples out "
            "(data.validation)"
        )


def _objective(config: TrainConfig) -> float | None:
    """Return the last logged value of the objective, a loss that a search minimizes; None without an objective.

    Raises ConfigError if the arm's metrics.jsonl has no value of it.
    """
    if config.objective is None:
        return None
    value = _arm(config).last_metric(config.objective)
    if value is None:
        raise ConfigError(
            f"objective={config.objective}: {_arm(config).metrics} has none: that segment is beyond model.max_length, "
            "or the supervision leaves it out; name another loss, or change them"
        )
    return value


def _clear_frames(error: BaseException) -> None:
    """Clear the local variables in the tracebacks of an error and its causes; their line numbers stay.

    Hydra keeps an arm's exception until the sweep ends, and the variables would keep the model in memory.
    """
    chain = [error]
    for one in chain:
        traceback.clear_frames(one.__traceback__)
        chain += [other for other in (one.__cause__, one.__context__) if other and other not in chain]


def _free_memory() -> None:
    """Collect garbage, since Lightning's trainer and module refer to each other, and empty the GPU's cache."""
    gc.collect()
    if torch := sys.modules.get("torch"):
        torch.cuda.empty_cache()  # does nothing if no GPU was used


def _prepare_logger(config: TrainConfig) -> None:
    """Check the login and settings of W&B; do nothing if the arm does not log there."""
    if config.logger and is_wandb(config.logger):
        prepare_wandb()


def check(config: TrainConfig) -> None:
    """Raise the ConfigError that `train` would meet in data, their encoding, `objective`, points or the arm's folder.

    Of the logger, only W&B's settings are checked. Writes nothing but the data cache. Does nothing with `config.plan`.
    """
    if config.plan:
        return
    _prepare_logger(config)
    mixture, like = build_mixture(config.data, config.seed, config.supervision.needs_reasoning), _like(config)
    _check_objective(config, mixture)
    state = decide_state(_arm(config), config, mixture.fingerprint, _fingerprint(like))
    if state == "done":
        return
    train = encode(config, mixture)
    if state == "unfinished":
        check_encoding(_arm(config), train)
    _check_points(config, train, like, state)


def _check_points(config: TrainConfig, train: EncodedSet, like: Mixture | None, state: State) -> None:
    """Raise ConfigError if two points are after one step, or an unfinished arm is past a point or would lose one."""
    from coig.training.budget import count_steps
    from coig.training.points import check_points, plan_points

    others = encode(config.like, like) if like else None
    steps = count_steps(config, train, others)
    points = plan_points(config, train, steps)
    if state == "unfinished":
        check_points(_arm(config), config, points, steps)


def encode(config: TrainConfig, mixture: Mixture) -> EncodedSet:
    """Return the encoded training examples, also kept in the cache. Raises DataError for what the template refuses."""
    from coig.data.encoded import encode_mixture
    from coig.data.encoding import Encoder
    from coig.data.tokenizer import check_length, load_tokenizer

    check_length(config.model)
    return encode_mixture(mixture, config, Encoder.of(config.model, load_tokenizer(config.model)))[0]


def _like(config: TrainConfig) -> Mixture | None:
    """Build and return the mixture of the arm whose budget this one copies; None if it copies none.

    Raises ConfigError that names `budget.like` if its data cannot be used.
    """
    if config.budget.name == "epochs":
        return None
    try:
        like = config.like
        return build_mixture(like.data, like.seed, like.supervision.needs_reasoning)
    except ConfigError as error:
        raise ConfigError(f"budget.like={config.budget.like}: {error}") from None


def _fingerprint(like: Mixture | None) -> str | None:
    """Return a mixture's fingerprint, None for None."""
    return like.fingerprint if like else None


def _arm(config: TrainConfig) -> Arm:
    """Return the arm that the config names, in `multirun/<study>/<arm>`."""
    return Arm(MULTIRUN / config.study / config.arm)
