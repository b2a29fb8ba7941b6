"""Log an evaluation as one run in Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from coig.config import Constructor
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.tables import views_in
from coig.study.arm import Arm
from coig.study.tracking import logged_run

DOSES = ("r50", "r50_low", "r50_high", "r_min", "r_best")
SCALARS = ("finished", "tokens", "ttr_mean", "mattr_mean", "contaminated")


def log_evaluation(
    evaluation: Evaluation, figures: Sequence[str], arms: Sequence[Arm], logger: Constructor, folder: Path
) -> None:
    """Log scalars, tables and figures as one run in the study's group; a later evaluation continues the same run.

    Args:
        arms: at least one; the run's id comes from theirs.
        logger: the W&B logger that one of the arms trained with.
        figures: the figures' names; figure `name` is `folder`/figures/`name`.png.
    """
    first = min(arm.manifest().wandb_run for arm in arms)
    about: dict[str, Any] = {"group": evaluation.study, "name": "evaluation", "job_type": "evaluate", "tags": None}
    with logged_run(logger, f"{first}-evaluation", folder, **about) as run:
        import wandb

        run.summary.update(_scalars(evaluation))
        run.log(
            {name: wandb.Table(columns=frame.columns, data=frame.rows()) for name, frame in _tables(evaluation).items()}
        )
        run.log({f"figures/{name}": wandb.Image(str(folder / "figures" / f"{name}.png")) for name in figures})


def _tables(evaluation: Evaluation) -> Mapping[str, Any]:
    """Return the evaluation's tables whose place is "wandb", by name; empty ones are left out."""
    frames = {view.frame: evaluation.table(view.frame) for view in views_in("wandb")}
    return {name: frame for name, frame in frames.items() if frame is not None}


def _scalars(evaluation: Evaluation) -> dict[str, float]:
    """Return the main figures by `language/arm/measure`, such as `zh/cw/tokens` or `zh/cw/strength`.

    Doses are by language, setting if any, measure and figure, such as `zh/preference/r50`. Figures that are unknown and
    doses beyond the largest tested one are left out.
    """
    scalars: dict[str, float] = {}
    for name, keys in (("automatic", SCALARS), ("strengths", ("strength",))):
        frame = evaluation.table(name)
        for row in frame.iter_rows(named=True) if frame is not None else ():
            scalars |= {f"{row['lang']}/{row['arm']}/{key}": row[key] for key in keys if row[key] is not None}
    thresholds = evaluation.table("thresholds")
    for row in thresholds.iter_rows(named=True) if thresholds is not None else ():
        name = "/".join(filter(None, (row["lang"], row["setting"], row["measure"])))
        known = {key: row[key] for key in DOSES if row[key] is not None and isfinite(row[key])}
        scalars |= {f"{name}/{key}": dose for key, dose in known.items()}
    return scalars
