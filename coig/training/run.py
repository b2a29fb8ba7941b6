"""Training one arm: look at what stands in its folder, then train, continue, or leave it alone."""

from __future__ import annotations

import gc
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext

from coig.config import TrainConfig
from coig.config.fields import MULTIRUN
from coig.data.mixture import Mixture, build_mixture
from coig.errors import ConfigError
from coig.study.arm import Arm
from coig.study.tracking import is_wandb, prepare_wandb
from coig.training import ranks
from coig.training.launch import launch
from coig.training.state import decide_state

log = logging.getLogger(__name__)


def train(config: TrainConfig) -> float | None:
    """Train the arm that `config` describes, unless it is done; returns its `objective`, if it has one.

    Raises ConfigError before anything is written.

    With several devices and no ranks yet, start them; every one of them comes here again. However it ends, nothing of
    it stays in memory for the next arm of a sweep to lack.
    """
    try:
        ranks.check_devices(config.trainer)
        if config.trainer.ranks > 1 and not ranks.is_rank():
            launch(config)
        else:
            with ranks.joined(config.trainer):
                _train(config, _arm(config))
        return _objective(config)
    except BaseException as error:
        _clear_frames(error)
        raise
    finally:
        _free_memory()


def _train(config: TrainConfig, arm: Arm) -> None:
    """On every rank; what is written, the first one writes."""
    with arm.locked() if ranks.is_first() else nullcontext():
        try:
            if ranks.is_first():
                _prepare_logger(config)
            mixture = ranks.first_before_others(
                lambda: build_mixture(config.data, config.seed, config.supervision.needs_reasoning)
            )
            fingerprint = ranks.first_decides(lambda: mixture.fingerprint)
            if mixture.fingerprint != fingerprint:
                raise ConfigError("the nodes have different data (fingerprint); give all of them the same files")
            _check_objective(config, mixture)
            like = ranks.first_before_others(lambda: _like(config))
            state = ranks.first_decides(lambda: decide_state(arm, config, fingerprint, _fingerprint(like)))
            if state == "done":
                log.info("%s: done already, skipped (overwrite=true trains it anew)", arm.folder)
                if ranks.is_first() and config.question:
                    _ask(arm, config)
                return
            _fit()(config, arm, mixture, like, anew=state == "new")
        except BaseException:  # Ctrl-C while libraries are loaded, too
            if ranks.is_first():
                arm.discard_if_empty()
            raise


def _ask(arm: Arm, config: TrainConfig) -> None:
    """Have the report answer another question about an arm that is trained."""
    trained = arm.config()
    if trained.question != config.question:
        arm.write_config(trained.model_copy(update={"question": config.question}))


def _fit() -> Callable[..., None]:
    """The run itself, with torch and all that, imported only where there is something to train.

    Nothing of it is garbage: looking for some costs a second while it is imported, and a quarter after each arm.
    """
    imported_now = "coig.training.fit" not in sys.modules
    if imported_now:
        gc.disable()
    try:
        from coig.training.fit import fit
    finally:
        gc.enable()
    if imported_now:
        gc.freeze()
    return fit


def _check_objective(config: TrainConfig, mixture: Mixture) -> None:
    """Raise ConfigError if there is no example whose loss a search could lower."""
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
    """Read the last value of the loss that a search lowers; None without an objective."""
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
    """Hydra keeps an arm's exception until the sweep ends, whose frames would keep the model. Line numbers stay."""
    chain = [error]
    for one in chain:
        traceback.clear_frames(one.__traceback__)
        chain += [other for other in (one.__cause__, one.__context__) if other and other not in chain]


def _free_memory() -> None:
    """Lightning's trainer and module are a cycle, which nothing else would collect in time."""
    gc.collect()
    if torch := sys.modules.get("torch"):
        torch.cuda.empty_cache()  # does nothing where no GPU was used


def _prepare_logger(config: TrainConfig) -> None:
    if config.logger and is_wandb(config.logger):
        prepare_wandb()


def check(config: TrainConfig) -> None:
    """Raise the ConfigError that `train` would meet in the data, their encoding, the logger or the arm's folder.

    Nothing is written but the cache of what is encoded.
    """
    _prepare_logger(config)
    mixture, like = build_mixture(config.data, config.seed, config.supervision.needs_reasoning), _like(config)
    _check_objective(config, mixture)
    if decide_state(_arm(config), config, mixture.fingerprint, _fingerprint(like)) != "done":
        _encode(config, mixture)


def _encode(config: TrainConfig, mixture: Mixture) -> None:
    """Encode the mixture, which training then finds in the cache, to meet what the chat template refuses."""
    from coig.data.encoded import encode_mixture
    from coig.data.encoding import Encoder
    from coig.data.tokenizer import check_length, load_tokenizer

    check_length(config.model)
    encode_mixture(mixture, config, Encoder.of(config.model, load_tokenizer(config.model)))


def _like(config: TrainConfig) -> Mixture | None:
    """Build the mixture of the arm whose budget this one copies; None if its budget is its own."""
    if config.budget.name == "epochs":
        return None
    try:
        like = config.like
        return build_mixture(like.data, like.seed, like.supervision.needs_reasoning)
    except ConfigError as error:
        raise ConfigError(f"budget.like={config.budget.like}: {error}") from None


def _fingerprint(like: Mixture | None) -> str | None:
    return like.fingerprint if like else None


def _arm(config: TrainConfig) -> Arm:
    return Arm(MULTIRUN / config.study / config.arm)
