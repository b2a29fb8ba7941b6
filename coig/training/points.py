"""Plan after which steps an arm keeps its points (`trainer.answer_at`), and check what it has kept already."""

from __future__ import annotations

from collections.abc import Sequence

from coig.config import TrainConfig
from coig.data.encoded import EncodedSet
from coig.errors import ConfigError
from coig.study.arm import Arm
from coig.study.manifest import PointFacts
from coig.training.budget import supervised_tokens
from coig.training.state import is_longer


def plan_points(config: TrainConfig, train: EncodedSet, steps: int) -> tuple[PointFacts, ...]:
    """Return the points of a run of `steps` optimizer steps: the steps nearest to the shares, but at least 1.

    The share 1 is the arm itself and no point. Raises ConfigError if two shares give the same step.
    """
    shares = {steps: 1.0}
    for share in config.trainer.answer_at:
        step = max(1, round(share * steps))
        if share < 1 and step in shares:
            raise ConfigError(
                f"trainer.answer_at: {shares[step]:g} and {share:g} are both after step {step} of {steps}; leave one "
                "out, or train longer"
            )
        shares[step] = share
    return tuple(
        PointFacts(share=share, step=step, supervised_tokens=supervised_tokens(config, train, step))
        for step, share in shares.items()
        if share < 1
    )


def check_points(arm: Arm, config: TrainConfig, points: Sequence[PointFacts], steps: int) -> None:
    """Raise ConfigError if an arm that is continued up to `steps` is past a point, or would lose one that it has kept.

    A longer run with shares of its own (`trainer.answer_at`) may lose points, since their shares of its steps differ.
    """
    passed = arm.checkpoint_step
    for point in points:
        if point.step < passed and not _is_kept(arm, point):
            raise ConfigError(
                f"{arm.folder}: no export was kept after step {point.step} (trainer.answer_at={point.share:g}), and "
                f"the arm is at step {passed}; leave this share out, or train the arm anew with overwrite=true"
            )
    longer, wanted = is_longer(config, arm.config()), config.trainer.answer_at
    planned = {point.step for point in points}
    lost = [point for point in arm.manifest().points if point.step not in planned and _is_kept(arm, point)]
    if lost and not (longer and wanted):
        shares = sorted({*wanted, *(point.step / steps if longer else point.share for point in lost)})
        raise ConfigError(
            f"{arm.folder}: this run would delete the exports after {', '.join(f'{one.share:g}' for one in lost)} of "
            "the steps (trainer.answer_at), and they cannot be made again; keep them with "
            f"trainer.answer_at=[{','.join(f'{share:.6g}' for share in shares)}], "
            + ("delete them with trainer.answer_at=[1], " if longer else "")
            + "or train the arm anew with overwrite=true"
        )


def _is_kept(arm: Arm, point: PointFacts) -> bool:
    """Tell whether the arm's folder holds the export of a point."""
    return (arm.point_of(point.step) / "model").exists()
