"""Make responses of what has one value and a standard error for each arm: scores on tasks, divergence from the base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.responses import Measure, Observed
from coig.evaluation.findings.series import Series
from coig.records.score import Score
from coig.statistics.intervals import FEWEST
from coig.statistics.responses import Covariance, Responses
from coig.study.arm import Arm
from coig.text.language_codes import LANGUAGES

SCORE = "score: "  # before task and metric
DIVERGENCE = "divergence"
MANY = 10_000  # items where their number is not known; Student's t is then a normal distribution
SCORES: dict[str, Any] = {
    **dict.fromkeys(("lang", "arm", "measure", "label"), pl.String),  # a task's score has no language
    **dict.fromkeys(("is_share", "rises"), pl.Boolean),
    **dict.fromkeys(("value", "stderr"), pl.Float64),
    "n": pl.Int64,
}


def tabulate_scores(arms: Sequence[Arm], scores: Sequence[Score]) -> pl.DataFrame:
    """Return scores, and the divergences that the arms' manifests hold, as a table with the columns of SCORES.

    A task's metric `is_share` if all of its scores lie between 0 and 1.
    """
    shares = {(one.task, one.metric): True for one in scores}
    for one in scores:
        shares[one.task, one.metric] &= 0 <= one.value <= 1
    rows = [
        {
            "arm": one.arm,
            "measure": f"{SCORE}{one.task} {one.metric}",
            "label": f"{one.task} ({one.metric})",
            "is_share": shares[one.task, one.metric],
            "rises": one.rises,
            "value": one.value,
            "stderr": one.stderr,
            "n": one.n,
        }
        for one in scores
    ]
    rows += [
        {
            "lang": one.lang,
            "arm": arm.name,
            "measure": DIVERGENCE,
            "is_share": False,
            "rises": False,
            "label": "KL from the base model on general texts (nats per token)",
            "value": one.nats,
            "stderr": one.stderr,
            "n": one.texts,
        }
        for arm in arms
        for one in arm.manifest().divergence
    ]
    return pl.DataFrame([{key: row.get(key) for key in SCORES} for row in rows], schema=SCORES)


def observe_scores(scores: pl.DataFrame, series: Series) -> Iterator[tuple[str, Measure, Observed]]:
    """Yield (language, measure, its responses) of a series; a task's score, which has no language, comes with each.

    Args:
        scores: columns as in SCORES.
    """
    for (name,), part in scores.group_by("measure", maintain_order=True):
        label, is_share, rises = part.select("label", "is_share", "rises").row(0)
        measure = Measure(str(name), label, f"reach as much in {label}", is_share, rises)
        for lang in LANGUAGES:
            if observed := _observe(part.filter(pl.col("lang").is_null() | (pl.col("lang") == lang)), measure, series):
                yield lang, measure, observed


def _observe(part: pl.DataFrame, measure: Measure, series: Series) -> Observed | None:
    """Return one measure's responses; None if no arm with creative data has a value that can be used.

    A value is used if its error is not 0 and it is of at least FEWEST items, or of an unknown number. The error of the
    mean over an arm's seeds is that of the items, which the seeds share, and that between the seeds.
    """
    means: dict[str, tuple[float, float, int]] = {}
    named = part.filter(pl.col("arm").is_in(list(series.cells))).with_columns(pl.col("arm").replace(dict(series.cells)))
    for (cell,), own in named.group_by("arm", maintain_order=True):
        values, errors = own["value"].to_numpy(), own["stderr"].to_numpy()
        between = values.var(ddof=1) / len(values) if len(values) > 1 else 0.0
        variance = float((errors**2).mean() + between)
        count = own["n"].min()
        if variance > 0:
            means[str(cell)] = float(values.mean()), variance, int(count) if isinstance(count, int) else MANY
    arms = [cell for cell in series.doses if cell in means and means[cell][2] >= FEWEST]
    if not arms:
        return None
    reference = series.reference if series.reference in means else None
    names = [*arms, *([reference] if reference else [])]
    values, variances, counts = (np.array([means[name][place] for name in names]) for place in range(3))
    doses = np.array([*(series.doses[arm] for arm in arms), *([np.inf] if reference else [])])
    whole = Responses(doses, values, Covariance(np.diag(variances), int(counts.min())))
    scaled = whole.logits(counts.astype(np.float64)) if measure.is_share else whole
    return Observed(
        arms=tuple(arms),
        levels=scaled.of_first(len(arms)),
        means=whole.of_first(len(arms)),
        differences=scaled.above(len(arms)) if reference else None,
        reference=float(values[-1]) if reference else None,
        prompts=tuple(counts[: len(arms)].tolist()),
        raters=1,
    )
