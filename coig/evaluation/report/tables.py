"""Every table of the report, declared once: what it shows, its title and caption, and who presents it.

The page's sections, the terminal, `summary.md`, the LaTeX files and Weights & Biases all read these declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from coig.display.numbers import NONE, percent
from coig.display.tables import Column, Table, table
from coig.evaluation.report import columns
from coig.evaluation.report.results import Evaluation, all_genres, by_language, each_pair_once, strongest_by_genre
from coig.study.manifest import Manifest
from coig.study.roster import Roster

WIDEST_HEADINGS = 40  # characters; arms with longer names together stand over their columns as numbers
Place = Literal["terminal", "summary", "latex", "wandb"]


@dataclass(frozen=True)
class View:
    """A table of one language as people see it; the page shows every view that a section names.

    frame: the evaluation's table behind it. fill_language: makes cells of a language's rows. title follows the
    language's name, caption too, where a table stands alone. places: who presents it besides the page.
    """

    frame: str
    fill_language: Callable[[pl.DataFrame, Roster], Table]
    title: str = ""
    caption: str = ""
    places: tuple[Place, ...] = ()

    def fill(self, evaluation: Evaluation) -> list[tuple[str, Table]]:
        """Return (language, table) for each language that has rows to show."""
        frame = evaluation.table(self.frame)
        parts = [] if frame is None else by_language(frame)
        filled = [(lang, self.fill_language(part, evaluation.roster)) for lang, part in parts]
        return [(lang, cells) for lang, cells in filled if cells.rows]


def _show(
    shown: Sequence[Column], rows: Callable[[pl.DataFrame, Roster], pl.DataFrame] = lambda part, roster: part
) -> Callable[[pl.DataFrame, Roster], Table]:
    """Return what fills a table of these columns with the rows that `rows` chooses."""
    return lambda part, roster: table(rows(part, roster).iter_rows(named=True), shown)


def win_rate_matrix(win_rates: pl.DataFrame, roster: Roster) -> Table:
    """Return one language's win rates of the row's arm over the column's, in per cent.

    Where the names are too long for headings, the arms are numbered.
    """
    rates = {(row["arm"], row["opponent"]): row["rate"] for row in all_genres(win_rates).iter_rows(named=True)}
    names = [arm for arm in roster.names if any(arm in pair for pair in rates)]
    numbered = sum(map(len, names)) > WIDEST_HEADINGS
    headings = [str(place) for place in range(1, len(names) + 1)] if numbered else names
    of_rows = [f"{place} {arm}" for place, arm in zip(headings, names, strict=True)] if numbered else names
    rows = tuple(
        (heading, *(percent(rates.get((arm, other))) for other in names))
        for heading, arm in zip(of_rows, names, strict=True)
    )
    return Table(("win % of row over column", *headings), (True, *[False] * len(names)), rows)


def _strongest_first(part: pl.DataFrame, roster: Roster) -> pl.DataFrame:
    return part.sort("rank", maintain_order=True)


MATRIX = View(
    "win_rates",
    win_rate_matrix,
    ": win rates",
    "win rate of the row's arm over the column's, per cent.",
    ("terminal", "summary", "latex"),
)
WIN_RATES = View(
    "win_rates",
    _show(columns.WIN_RATES, lambda part, roster: each_pair_once(all_genres(part), roster)),
    places=("wandb",),
)
STRENGTHS = View(
    "strengths",
    _show(columns.STRENGTHS, _strongest_first),
    ": strengths",
    "Bradley–Terry strengths with ties (Davidson 1970) and 95 % intervals over prompts.",
    ("summary", "latex", "wandb"),
)
LENGTH_CONTROL = View("length_control", _show(columns.LENGTH_CONTROL, each_pair_once))
RATINGS = View("ratings", _show(columns.RATINGS))
AGREEMENT = View("agreement", _show(columns.AGREEMENT), places=("wandb",))
RATERS = View("raters", _show(columns.RATERS), ": raters")
AUTOMATIC = View(
    "automatic",
    _show(columns.AUTOMATIC),
    ": automatic measures",
    "automatic measures of the answers, reasoning left out.",
    ("terminal", "summary", "latex", "wandb"),
)
DIVERSITY = View("automatic", _show(columns.DIVERSITY), ": lexical diversity")
CONTAMINATION = View("automatic", _show(columns.CONTAMINATION))
COMPARISONS = View("comparisons", _show(columns.COMPARISONS))
BEHAVIOUR = View("behaviour_shares", _show(columns.BEHAVIOUR), ": whole chains")
TRANSITIONS = View("transitions", _show(columns.TRANSITIONS), ": what follows what")
LABEL_AGREEMENT = View("label_agreement", _show(columns.LABEL_AGREEMENT), ": labels beside the rule")
GENRE_WIN_RATES = View("win_rates", _show(columns.GENRE_WIN_RATES, strongest_by_genre), ": win rates")
GENRES = View("genres", _show(columns.GENRES), ": answers")
CONTRASTS = View("contrasts", _show(columns.CONTRASTS), ": what the answer rests on", places=("wandb",))
CLAIMS = View("claims", _show(columns.CLAIMS), ": claims", places=("wandb",))
SIGNATURES = View("signatures", _show(columns.SIGNATURES), places=("wandb",))

VIEWS = (
    *(CONTRASTS, CLAIMS, MATRIX, WIN_RATES, STRENGTHS, LENGTH_CONTROL, RATINGS, AGREEMENT, RATERS, AUTOMATIC),
    *(DIVERSITY, COMPARISONS, CONTAMINATION, BEHAVIOUR, TRANSITIONS, LABEL_AGREEMENT, GENRE_WIN_RATES, GENRES),
    SIGNATURES,
)


def views_in(place: Place) -> list[View]:
    """Return the views that are presented there, in order."""
    return [view for view in VIEWS if place in view.places]


def arm_table(manifests: Sequence[Manifest]) -> Table:
    """Return what each arm was trained on, from its manifest."""
    return table([_arm_facts(manifest) for manifest in manifests], columns.ARMS)


def _arm_facts(manifest: Manifest) -> dict[str, Any]:
    data, training = manifest.data, manifest.training
    creative, general = data.examples("creative"), data.examples("general")
    return {
        **{"arm": manifest.arm, "creative": creative, "general": general, "seed": manifest.seed},
        "share": f"1:{general / creative:.1f}" if creative and general else NONE,
        "supervised": data.supervised_tokens,
        "steps": training and training.steps,
        "learned": training and training.supervised_tokens,
        "minutes": manifest.times.seconds and manifest.times.seconds / 60,
    }
