"""Tell whether the amount of general data or its ratio to the creative data matters, where the study varies both sizes.

Arms are compared with the arm of the same creative data and no general data, so that the creative data's size itself
plays no part. A response is then a weighted sum of log₂(1 + general / mean number of creative examples) (*amount*),
log₂(1 + general / creative) (*ratio*) and log₂(steps / steps of that arm) (*steps*).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.cells import Cell, group_by_setting
from coig.evaluation.findings.responses import BY_JUDGES, PREFERENCE, Measure, estimate_means, observations
from coig.evaluation.findings.series import RATIO, SCALE, SIZE, Amounts, amounts_of
from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.dose_curves import LEVEL, fit_columns, nested_p
from coig.statistics.intervals import FEWEST, Floats
from coig.statistics.responses import Responses
from coig.study.arm import Arm
from coig.text.language_codes import LANGUAGES

AMOUNT_OR_RATIO: dict[str, Any] = {
    **dict.fromkeys(("lang", "setting", "measure", "model"), pl.String),
    **dict.fromkeys(("arms", "parameters"), pl.Int64),
    **dict.fromkeys(("deviance", "p"), pl.Float64),  # p: that the model needs none of the other predictors
    "finding": pl.String,
}


def amount_rows(
    cells: Sequence[Cell],
    arms: Sequence[Arm],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    margin: float,
) -> Iterator[dict[str, Any]]:
    """Yield a row of AMOUNT_OR_RATIO for each setting, measure, language and model, where both sizes are varied.

    A setting has the cells that differ alone in what sets these sizes. A model is *rejected* if the model of all
    predictors fits significantly better.
    """
    if not arms:
        return
    amounts = amounts_of(cells, arms)
    for setting, members in group_by_setting(cells, RATIO, SIZE, SCALE).items():
        known = {cell.name: amounts[cell.name] for cell in members if amounts[cell.name].creative}
        for row in _rows_of_setting(members, known, answers, judgments, margin):
            yield row | {"setting": setting}


def _rows_of_setting(
    cells: Sequence[Cell],
    known: dict[str, Amounts],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    margin: float,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of `amount_rows` for the cells of one setting, without `setting`.

    Args:
        known: what each cell with creative data was trained on.
    """
    bases = {amount.creative: name for name, amount in known.items() if not amount.general}
    dosed = {name: bases[one.creative] for name, one in known.items() if one.general and one.creative in bases}
    if len({known[name].creative for name in dosed}) < 2 or len({round(known[name].dose, 6) for name in dosed}) < 2:
        return
    predictors = _predictors(known, dosed)
    belonging = {arm: cell.name for cell in cells for arm in cell.arms}
    for measure, part in _observe_each(belonging, dosed, answers, judgments, margin):
        for lang in LANGUAGES:
            responses = _subtract_bases(part.filter(lang=lang), dosed, measure)
            if responses is not None and responses.is_regular:
                about = {"lang": lang, "measure": measure.name, "arms": len(dosed)}
                yield from (about | row for row in _models(responses, predictors))


def _predictors(known: dict[str, Amounts], dosed: dict[str, str]) -> dict[str, Floats]:
    """Return the predictors amount, ratio and steps of the arms in `dosed`, (K,), by name.

    Steps are left out if a manifest lacks them, or if they follow from amount and ratio, as with equal epochs.

    Args:
        known: what each arm was trained on. dosed: for each arm with both kinds of data, the one with as many creative
            examples and no general ones.
    """
    mean = float(np.mean([known[name].creative for name in dosed]))
    found = {
        "amount": np.log2([1 + known[name].general / mean for name in dosed]),
        "ratio": np.log2([1 + known[name].dose for name in dosed]),
    }
    steps = [(known[name].steps, known[base].steps) for name, base in dosed.items()]
    if all(own and others for own, others in steps):
        logs = np.log2([float(own or 1) / float(others or 1) for own, others in steps])
        columns = np.column_stack([*found.values(), logs])
        if np.linalg.matrix_rank(columns) == 3:
            found["steps"] = logs
    return found


def _observe_each(
    cells: dict[str, str],
    dosed: dict[str, str],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    margin: float,
) -> Iterator[tuple[Measure, pl.DataFrame]]:
    """Yield each measure with its observations, whose arms are cells; preference is of each dosed cell over its base.

    Args:
        cells: the cell of each arm. dosed: the base of each cell with general data, the cell of as many creative
            examples and no general ones.
        margin: as in `observations`.
    """
    yield from observations(cells, None, answers, judgments, margin)
    verdicts: dict[Measure, list[pl.DataFrame]] = {}
    for base in dict.fromkeys(dosed.values()):
        mine = [arm for arm, own in dosed.items() if own == base]
        for measure, part in observations(cells, base, None, judgments, margin):
            if measure.name in (PREFERENCE, BY_JUDGES):
                verdicts.setdefault(measure, []).append(part.filter(pl.col("arm").is_in(mine)))
    for measure, parts in verdicts.items():
        yield measure, pl.concat(parts)


def _subtract_bases(part: pl.DataFrame, dosed: dict[str, str], measure: Measure) -> Responses | None:
    """Return the responses of the dosed arms minus those of their bases; None if one of them has too few prompts.

    Verdicts are over the base already, so their logits are the responses.
    """
    paired = measure.name in (PREFERENCE, BY_JUDGES)
    names = list(dosed) if paired else [*dosed, *dict.fromkeys(dosed.values())]
    prompts = dict(part.group_by("arm", maintain_order=True).agg(pl.col("query_id").n_unique()).iter_rows())
    if any(prompts.get(name, 0) < FEWEST for name in names):
        return None
    means = estimate_means(part, names, np.arange(len(names), dtype=np.float64).tolist(), measure)
    counts = np.array([prompts[name] for name in names], dtype=np.float64)
    scaled = means.logits(counts) if measure.is_share else means
    if paired:
        return scaled
    matrix = np.eye(len(names))[: len(dosed)]
    for row, base in enumerate(dosed.values()):
        matrix[row, names.index(base)] = -1
    return scaled.combine(matrix, means.doses[: len(dosed)])


def _models(responses: Responses, predictors: dict[str, Floats]) -> Iterator[dict[str, Any]]:
    """Yield a row of AMOUNT_OR_RATIO, without lang, measure and arms, for each subset of predictors, smallest first.

    `p` tests the subset against all predictors; it is None, and the finding empty, for all of them.
    """
    count = len(responses.doses)
    full = fit_columns(responses, np.column_stack(list(predictors.values())))
    for size in range(len(predictors) + 1):
        for names in combinations(predictors, size):
            columns = np.column_stack([np.zeros((count, 0)), *(predictors[name] for name in names)])
            deviance = fit_columns(responses, columns)
            p = nested_p(deviance, full, len(predictors) - size) if size < len(predictors) else None
            finding = "" if p is None else "rejected" if p < LEVEL else "not rejected"
            model = " + ".join(names) or "no effect"
            yield {"model": model, "parameters": size, "deviance": deviance, "p": p, "finding": finding}
