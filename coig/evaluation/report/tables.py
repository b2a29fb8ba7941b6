"""The tables of the report. Each is declared once, with its rows, columns, title, caption and places.

The page's sections, the terminal, `summary.md`, the LaTeX files and Weights & Biases all read these declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
from rich.cells import cell_len

from coig.display.numbers import NONE, percent
from coig.display.tables import Column, Table, drop_empty_columns, fill_table
from coig.evaluation.report import columns, judge_columns, ratio_columns, text_columns
from coig.evaluation.report.results import Evaluation, all_genres, each_pair_once, split_by_language, strongest_by_genre
from coig.study.manifest import Manifest
from coig.study.roster import Roster

NAMES_IN_FULL = "Names in full"
WIDEST_HEADINGS = 40  # columns of a terminal; if the names of all arms are wider together, numbers head the columns
Place = Literal["terminal", "summary", "latex", "wandb"]


@dataclass(frozen=True)
class View:
    """A table of the evaluation as readers see it, one per language.

    frame: name of the evaluation's table. fill_language: turns the rows of one language into a table of text. title:
    heading, which follows the language's name. caption: LaTeX caption, which follows it too. places: where it is
    presented besides the page; the page shows the views of each section.
    """

    frame: str
    fill_language: Callable[[pl.DataFrame, Roster], Table]
    title: str = ""
    caption: str = ""
    places: tuple[Place, ...] = ()

    def fill(self, evaluation: Evaluation) -> list[tuple[str, Table]]:
        """Return (language, table of text) for each language that has rows."""
        frame = evaluation.table(self.frame)
        parts = [] if frame is None else split_by_language(frame)
        filled = [(lang, self.fill_language(part, evaluation.roster)) for lang, part in parts]
        return [(lang, cells) for lang, cells in filled if cells.rows]


def _fill_with(
    shown_columns: Sequence[Column],
    rows: Callable[[pl.DataFrame, Roster], pl.DataFrame] = lambda part, roster: part,
) -> Callable[[pl.DataFrame, Roster], Table]:
    """Return a function (rows of one language, roster) → table of text, with a row for each that `rows` keeps.

    By default `rows` keeps all of them.
    """
    return lambda part, roster: fill_table(rows(part, roster).iter_rows(named=True), shown_columns)


def win_rate_matrix(win_rates: pl.DataFrame, roster: Roster) -> Table:
    """Return the matrix of one language's win rates, in per cent, of the row's arm over the column's arm.

    A pair without verdicts has a dash. If the names are too long for headings, rows are headed by number and name, and
    columns by number.
    """
    rates = {(row["arm"], row["opponent"]): row["rate"] for row in all_genres(win_rates).iter_rows(named=True)}
    names = [arm for arm in roster.names if any(arm in pair for pair in rates)]
    numbered = sum(map(cell_len, names)) > WIDEST_HEADINGS
    headings = [str(place) for place in range(1, len(names) + 1)] if numbered else names
    of_rows = [f"{place} {arm}" for place, arm in zip(headings, names, strict=True)] if numbered else names
    rows = tuple(
        (heading, *(percent(rates.get((arm, other))) for other in names))
        for heading, arm in zip(of_rows, names, strict=True)
    )
    return Table(("win % of row over column", *headings), (True, *[False] * len(names)), rows)


def _fill_used(shown_columns: Sequence[Column]) -> Callable[[pl.DataFrame, Roster], Table]:
    """Return a function (rows of one language, roster) → table of text without the columns that hold only dashes.

    A table without rows loses all columns. The function does not use the roster.
    """
    return lambda part, roster: drop_empty_columns(fill_table(part.iter_rows(named=True), shown_columns))


def _sort_by_rank(part: pl.DataFrame, roster: Roster) -> pl.DataFrame:
    """Return one language's strengths sorted by rank; `roster` is not used."""
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
    _fill_with(columns.WIN_RATES, lambda part, roster: each_pair_once(all_genres(part), roster)),
    places=("wandb",),
)
UNFLAGGED = View(
    "win_rates_unflagged",
    _fill_with(columns.WIN_RATES, lambda part, roster: each_pair_once(all_genres(part), roster)),
    ": win rates without flagged raters",
)
WITHOUT_COPIES = View(
    "win_rates_uncopied",
    _fill_with(text_columns.WITHOUT_COPIES, each_pair_once),
    ": win rates with and without near copies",
    places=("summary",),
)
STRENGTHS = View(
    "strengths",
    _fill_with(columns.STRENGTHS, _sort_by_rank),
    ": strengths",
    "Bradley–Terry strengths with ties (Davidson 1970) and 95 % intervals over prompts.",
    ("summary", "latex", "wandb"),
)
LENGTH_CONTROL = View("length_control", _fill_with(columns.LENGTH_CONTROL, each_pair_once))
RATINGS = View("ratings", _fill_with(columns.RATINGS))
AGREEMENT = View("agreement", _fill_with(columns.AGREEMENT), places=("wandb",))
RATERS = View("raters", _fill_with(columns.RATERS), ": raters")
AUTOMATIC = View(
    "automatic",
    _fill_with(columns.AUTOMATIC),
    ": automatic measures",
    "automatic measures of the answers, without their reasoning.",
    ("terminal", "summary", "latex", "wandb"),
)
DIVERSITY = View("automatic", _fill_with(columns.DIVERSITY), ": lexical diversity")
CONTAMINATION = View("automatic", _fill_with(columns.CONTAMINATION))
COMPARISONS = View("comparisons", _fill_with(columns.COMPARISONS))
MEMORISATION = View(
    "memorisation",
    _fill_used(text_columns.MEMORISATION),
    ": what the answers copied",
    "what the answers copied from the texts that their arm was trained on.",
    ("terminal", "summary", "latex", "wandb"),
)
NEAR_PROMPTS = View("near_prompts", _fill_with(text_columns.NEAR_PROMPTS), ": queries like a training prompt")
SAMENESS = View(
    "sameness",
    _fill_used(text_columns.SAMENESS),
    ": how alike the texts are",
    "how alike an arm's answers are, beside people's texts.",
    ("summary", "latex", "wandb"),
)
RECURRING = View("recurring", _fill_used(text_columns.RECURRING), ": what recurs")
BEHAVIOUR = View("behaviour_shares", _fill_with(columns.BEHAVIOUR), ": whole chains")
TRANSITIONS = View("transitions", _fill_with(columns.TRANSITIONS), ": transitions between steps")
LABEL_AGREEMENT = View("label_agreement", _fill_with(columns.LABEL_AGREEMENT), ": labels of steps compared")
GENRE_WIN_RATES = View("win_rates", _fill_with(columns.GENRE_WIN_RATES, strongest_by_genre), ": win rates")
GENRES = View("genres", _fill_with(columns.GENRES), ": answers")
CONTRASTS = View("contrasts", _fill_used(columns.CONTRASTS), ": the contrasts in full", places=("wandb",))
REGISTERED = View(
    "registered",
    _fill_with(ratio_columns.REGISTERED),
    ": registered hypotheses",
    "the hypotheses that were registered before outcomes existed, and what was found.",
    ("terminal", "summary", "latex", "wandb"),
)
CLAIMS = View("claims", _fill_with(columns.CLAIMS), ": claims", places=("wandb",))
SIGNATURES = View("signatures", _fill_with(columns.SIGNATURES), places=("wandb",))
THRESHOLDS = View(
    "thresholds",
    _fill_used(ratio_columns.THRESHOLDS),
    ": ratios",
    "general examples per creative one at which arms equal general data alone (R₅₀), and where the best is near (R*).",
    ("summary", "latex"),
)
DOSES = View("doses", _fill_used(ratio_columns.DOSES), ": the arms", places=("wandb",))
DOSE_FITS = View("dose_fits", _fill_used(ratio_columns.DOSE_FITS), ": curves")
SHIFTS = View("shifts", _fill_used(ratio_columns.SHIFTS), ": queries compared", places=("summary", "wandb"))
AMOUNT_OR_RATIO = View(
    "amount_or_ratio", _fill_used(ratio_columns.AMOUNT_OR_RATIO), ": amount or ratio", places=("wandb",)
)
ORDERS = View(
    "orders",
    _fill_with(ratio_columns.ORDERS),
    ": does the order of the ratios survive?",
    "agreement of the ratios' orders across settings and across seeds (mean of Kendall's τ).",
    ("terminal", "summary", "latex", "wandb"),
)
LOOK_AHEAD = View(
    "look_ahead",
    _fill_with(ratio_columns.LOOK_AHEAD),
    ": does held-out loss order the arms as raters do?",
    "how far the held-out creative loss orders the arms as raters do (Kendall's τ).",
    ("terminal", "summary", "wandb"),
)
NOISE = View("noise", _fill_with(ratio_columns.NOISE), places=("wandb",))
POINTS = View(
    "points",
    _fill_with(ratio_columns.POINTS),
    ": arms after shares of their training",
    "the arms after shares of their training.",
    ("summary", "wandb"),
)
POINT_RATES = View(
    "point_rates",
    _fill_with(ratio_columns.POINT_RATES),
    ": win rates after shares of the training",
    places=("summary",),
)
JUDGES = View("judges", _fill_used(judge_columns.JUDGES), ": the judges")
JUDGE_CARD = View("judge_card", _fill_used(judge_columns.JUDGE_CARD), ": the judge card", places=("wandb",))
JUDGE_GENRES = View("judge_genres", _fill_used(judge_columns.JUDGE_GENRES), ": agreement by genre")
JUDGE_WORTH = View(
    "judge_worth", _fill_used(judge_columns.JUDGE_WORTH), ": worth in people's labels", places=("summary", "wandb")
)
PEOPLE_AND_JUDGES = View(
    "people_and_judges",
    _fill_used(judge_columns.PEOPLE_AND_JUDGES),
    ": win rates of people, and of people and judges",
    places=("summary", "wandb"),
)
JUDGE_RATES = View("judge_rates", _fill_with(judge_columns.JUDGE_RATES), ": win rates by judges alone, not calibrated")
JUDGE_FAILURES = View("judge_failures", _fill_with(judge_columns.JUDGE_FAILURES), ": replies that could not be read")
YARDSTICK = View("yardstick", _fill_with(judge_columns.YARDSTICK), ": outside yardstick", places=("summary",))

VIEWS = (
    REGISTERED,
    *(JUDGES, JUDGE_WORTH, PEOPLE_AND_JUDGES, JUDGE_CARD, JUDGE_GENRES, YARDSTICK, JUDGE_RATES, JUDGE_FAILURES),
    *(THRESHOLDS, SHIFTS, DOSES, DOSE_FITS, AMOUNT_OR_RATIO, POINTS, POINT_RATES, ORDERS, LOOK_AHEAD, NOISE),
    *(CONTRASTS, CLAIMS, MATRIX, WIN_RATES, UNFLAGGED, STRENGTHS, LENGTH_CONTROL, RATINGS, AGREEMENT),
    *(RATERS, AUTOMATIC, WITHOUT_COPIES, MEMORISATION, NEAR_PROMPTS, SAMENESS, RECURRING),
    *(DIVERSITY, COMPARISONS, CONTAMINATION, BEHAVIOUR, TRANSITIONS, LABEL_AGREEMENT, GENRE_WIN_RATES, GENRES),
    SIGNATURES,
)


def views_in(place: Place) -> list[View]:
    """Return the views that are presented at a place, in order."""
    return [view for view in VIEWS if place in view.places]


def name_table(full_names: Mapping[str, str]) -> Table:
    """Return a table of the arms that are shown by a short name: this name, and the full one."""
    return Table(("short name", "name in full"), (True, True), tuple(full_names.items()))


def score_table(scores: pl.DataFrame) -> Table:
    """Return the scores of the arms on other tasks, and their divergence from the base, as a table of text."""
    return fill_table(scores.iter_rows(named=True), text_columns.SCORES)


def arm_table(manifests: Sequence[Manifest]) -> Table:
    """Return a table of what each arm was trained on, a row per manifest.

    If an arm's creative examples are from several sources, a column says how many are from each.
    """
    rows = [_arm_facts(manifest) for manifest in manifests]
    has_several = any(row["sources"] for row in rows)
    return fill_table(rows, [column for column in columns.ARMS if has_several or column is not columns.SOURCES])


def _arm_facts(manifest: Manifest) -> dict[str, Any]:
    """Return the fields of the columns ARMS for one arm; figures of training are None if training did not finish."""
    data, training = manifest.data, manifest.training
    creative, general = data.examples("creative"), data.examples("general")
    sources = data.creative_sources
    told = [f"{name} {count:,} ({percent(count / creative)} %)" for name, count in sources.items() if creative]
    return {
        "arm": manifest.arm,
        "creative": creative,
        "general": general,
        "seed": manifest.seed,
        "sources": ", ".join(told) if len(sources) > 1 else None,
        "share": f"1:{general / creative:.1f}" if creative and general else NONE,
        "supervised": data.supervised_tokens,
        "steps": training and training.steps,
        "learned": training and training.supervised_tokens,
        "minutes": manifest.times.seconds and manifest.times.seconds / 60,
    }
