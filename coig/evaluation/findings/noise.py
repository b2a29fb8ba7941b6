"""Say what results owe to chance: to the prompts, seeds, learning rates and raters that happened to be taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.cells import Cell
from coig.evaluation.findings.responses import number_levels, observations
from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.intervals import FEWEST
from coig.statistics.noise import variance_parts
from coig.statistics.responses import Indices
from coig.text.language_codes import LANGUAGES

LEARNING_RATES = ("model.learning_rate", "optimizer.lr")
NOISE: dict[str, Any] = {
    **dict.fromkeys(("lang", "measure"), pl.String),
    "is_share": pl.Boolean,
    "source": pl.String,
    "levels": pl.Float64,  # mean number in an arm, such as its seeds
    # share: of the variance of one observation. error: what an arm's mean owes to the source, a standard deviation
    **dict.fromkeys(("variance", "share", "error"), pl.Float64),
}


def noise_table(
    cells: Sequence[Cell],
    reference: str | None,
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    margin: float,
) -> pl.DataFrame:
    """Return a row for each language, measure and source of variance; columns as in NOISE.

    If cells differ in their learning rate only, they count as one arm that was trained with several.

    Args:
        reference: the cell that win rates are over, the opponent; None leaves preference out.
        answers: the frame of `measure_answers`; None without answers.
        margin: as in `observations`.
    """
    belonging = {arm: cell.name for cell in cells for arm in cell.arms}
    recipes = {cell.name: _recipe(cell) for cell in cells}
    rows = [
        {"lang": lang, "measure": measure.name, "is_share": measure.is_share} | row
        for measure, part in observations(belonging, reference, answers, judgments, margin)
        for lang in LANGUAGES
        for row in _parts(part.filter(lang=lang), recipes)
    ]
    rows.sort(key=lambda row: LANGUAGES.index(row["lang"]))
    return pl.DataFrame(rows, schema=NOISE)


def _recipe(cell: Cell) -> str:
    """Return a text that is equal for cells that differ in their learning rate only.

    A cell without values of other keys, such as one of an arm that was not trained here, gives its own name.
    """
    values = {key: value for key, value in cell.values.items() if key not in LEARNING_RATES}
    return str(sorted(values.items())) if values else cell.name


def _parts(part: pl.DataFrame, recipes: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the columns of NOISE for each source of variance of one measure in one language.

    Arms below FEWEST prompts are left out. Nothing is yielded without variance, or if only one source can be told.
    """
    prompts = part.group_by("arm", maintain_order=True).agg(pl.col("query_id").n_unique())
    kept = part.filter(pl.col("arm").is_in(prompts.filter(pl.col("query_id") >= FEWEST)["arm"].to_list()))
    if kept.is_empty():
        return
    levels = number_levels(kept)
    arms, cells = (_number(column) for column in (kept["arm"].replace(recipes), kept["arm"]))
    answer = levels["query_id"] * (int(levels["run"].max()) + 1) + levels["run"]
    factors = {"prompts": levels["query_id"], "learning rates": cells, "seeds": levels["run"]}
    factors |= {"raters": levels["rater"], "answers": np.unique(answer, return_inverse=True)[1]}
    variances = variance_parts(kept["value"].to_numpy(), arms, factors)
    total = sum(variances.values())
    for source, variance in variances.items() if total and len(variances) > 1 else ():
        count = _mean_levels(arms, factors.get(source, np.arange(len(arms))))
        shown = {"source": source, "levels": count, "variance": variance, "share": variance / total}
        yield shown | {"error": (variance / count) ** 0.5}


def _number(column: pl.Series) -> Indices:
    """Return the number of each row's value, (N,): distinct values are numbered from 0."""
    return np.unique(column.to_numpy(), return_inverse=True)[1]


def _mean_levels(arms: Indices, factor: Indices) -> float:
    """Return how many levels of a factor an arm has on average."""
    pairs = np.unique(np.stack([arms, factor]), axis=1)
    return float(pairs.shape[1] / (int(arms.max()) + 1))


def note_on_seeds(cells: Sequence[Cell]) -> list[str]:
    """Return a note if every cell was trained with one seed only; else, or with fewer than two cells, an empty list."""
    if len(cells) < 2 or any(len(cell.arms) > 1 for cell in cells):
        return []
    return [
        "One seed an arm: no interval contains how much results differ between seeds, and a difference between two "
        "arms may be one between two runs. seed=0,1,2 trains further ones."
    ]
