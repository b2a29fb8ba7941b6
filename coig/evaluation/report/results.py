"""The results of an evaluation, which every presentation reads, and selections of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from coig.display.numbers import LANGUAGE_NAMES
from coig.evaluation.findings.claims import CLAIMS, SIGNATURES
from coig.evaluation.findings.contrasts import CONTRASTS
from coig.evaluation.findings.doses import TABLES as OF_DOSES
from coig.evaluation.findings.interpret import Findings
from coig.evaluation.findings.judges.examine import TABLES as OF_JUDGES
from coig.evaluation.findings.look_ahead import LOOK_AHEAD
from coig.evaluation.findings.noise import NOISE
from coig.evaluation.findings.orders import ORDERS
from coig.evaluation.findings.over_training import POINT_RATES, POINTS
from coig.evaluation.findings.registered import REGISTERED
from coig.evaluation.findings.scored import SCORES
from coig.evaluation.findings.summary import Summary
from coig.evaluation.measures.answers import SCHEMA as ANSWERS
from coig.evaluation.measures.copying import MEMORISATION, NEAR_COPIES, NEAR_PROMPTS
from coig.evaluation.measures.recurring import RECURRING
from coig.evaluation.measures.sameness import SAMENESS
from coig.evaluation.measures.tables import AUTOMATIC, COMPARISONS, GENRES
from coig.evaluation.preferences.agreement import AGREEMENT, RATERS, RATINGS
from coig.evaluation.preferences.strengths import LENGTH_CONTROL, STRENGTHS
from coig.evaluation.preferences.win_rates import SCHEMA as WIN_RATES
from coig.evaluation.preferences.win_rates import WITHOUT_COPIES
from coig.evaluation.reasoning.behaviour import BEHAVIOUR, BEHAVIOUR_SHARES, TRANSITIONS
from coig.evaluation.reasoning.labellers import LABEL_AGREEMENT
from coig.study.manifest import Manifest
from coig.study.results import MEASURES
from coig.study.roster import Roster

# the columns of every table of an evaluation, in the order in which its files are listed
COLUMNS: dict[str, Mapping[str, Any]] = {
    "answers": ANSWERS,
    "automatic": AUTOMATIC,
    "memorisation": MEMORISATION,
    "near_copies": NEAR_COPIES,
    "near_prompts": NEAR_PROMPTS,
    "sameness": SAMENESS,
    "recurring": RECURRING,
    "scores": SCORES,
    "comparisons": COMPARISONS,
    "genres": GENRES,
    "win_rates": WIN_RATES,
    "win_rates_unflagged": WIN_RATES,
    "win_rates_uncopied": WITHOUT_COPIES,
    "strengths": STRENGTHS,
    "length_control": LENGTH_CONTROL,
    "agreement": AGREEMENT,
    "raters": RATERS,
    "ratings": RATINGS,
    "registered": REGISTERED,
    "claims": CLAIMS,
    "contrasts": CONTRASTS,
    "signatures": SIGNATURES,
    "behaviour": BEHAVIOUR,
    "behaviour_shares": BEHAVIOUR_SHARES,
    "transitions": TRANSITIONS,
    "label_agreement": LABEL_AGREEMENT,
    **OF_DOSES,
    **OF_JUDGES,
    "orders": ORDERS,
    "look_ahead": LOOK_AHEAD,
    "noise": NOISE,
    "measures": MEASURES,
    "points": POINTS,
    "point_rates": POINT_RATES,
    "point_measures": MEASURES,
}


DIGITS = 10  # significant digits of floats in tables; those beyond depend on the processor and the number of threads


def round_tables(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Round all floats to DIGITS significant digits, so that the same study gives the same tables on every machine."""
    return {name: frame.with_columns(pl.selectors.float().round_sig_figs(DIGITS)) for name, frame in tables.items()}


@dataclass(frozen=True)
class Evaluation:
    """The results of a study. A table that is absent or empty was not measured, and presentations leave it out.

    Rates and shares are 0–1; `low` and `high` are 95 % intervals for these raters and new prompts, `low_raters` and
    `high_raters` for new raters too (null with one rater).
    """

    study: str
    roster: Roster  # the arms in their order of presentation
    tables: Mapping[str, pl.DataFrame]  # by the names of COLUMNS
    findings: Findings | None = None
    notes: tuple[str, ...] = ()
    manifests: Sequence[Manifest] = ()
    methods: str = ""  # how people judged, as a paragraph for a paper; empty without annotate.py
    judges: Sequence[Summary] = ()  # what the model judges are worth, for each language; empty without judges
    varied: Sequence[str] = ()  # the keys whose values stand in arms' names (`vary`)
    full_names: Mapping[str, str] = field(default_factory=dict)  # by short name, of the arms that are shown by one

    @property
    def arms(self) -> tuple[str, ...]:
        """Return the names of the arms, in their order of presentation."""
        return self.roster.names

    def table(self, name: str) -> pl.DataFrame | None:
        """Return the table of that name, None if it is absent or empty; `name` must be one of COLUMNS."""
        assert name in COLUMNS, name
        frame = self.tables.get(name)
        return frame if frame is not None and len(frame) else None

    def nonempty_tables(self) -> dict[str, pl.DataFrame]:
        """Return the tables that have rows, by name."""
        found = {name: self.table(name) for name in COLUMNS}
        return {name: frame for name, frame in found.items() if frame is not None}


def split_by_language(frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Split a frame into (language, rows) for each language that has rows, Chinese first."""
    parts = [(lang, frame.filter(pl.col("lang") == lang)) for lang in LANGUAGE_NAMES]
    return [(lang, part) for lang, part in parts if len(part)]


def select_over_reference(win_rates: pl.DataFrame, roster: Roster) -> pl.DataFrame:
    """Select the win rates over the roster's reference arm; no rows if the roster has no reference."""
    return win_rates.filter(opponent=roster.reference) if roster.reference else win_rates.clear()


def all_genres(win_rates: pl.DataFrame) -> pl.DataFrame:
    """Select the win rates over all genres together, whose genre is null."""
    return win_rates.filter(pl.col("genre").is_null())


def each_pair_once(frame: pl.DataFrame, roster: Roster) -> pl.DataFrame:
    """Keep one row per pair of arms: that in which `arm` has the higher rate, or the earlier arm if rates are equal.

    Rows are sorted by the places of `arm` and `opponent` in the roster.
    """
    place = {arm: number for number, arm in enumerate(roster.names)}
    first, second = (pl.col(name).replace_strict(place, default=len(place)) for name in ("arm", "opponent"))
    pair = [pl.min_horizontal(first, second).alias("nearer"), pl.max_horizontal(first, second).alias("farther")]
    chosen = frame.with_columns(pair).sort(1 - pl.col("rate"), first, maintain_order=True)
    chosen = chosen.unique(["nearer", "farther"], keep="first", maintain_order=True)
    return chosen.sort(first, second).drop("nearer", "farther")


def strongest(win_rates: pl.DataFrame, roster: Roster) -> str | None:
    """Return from one language's win rates the arm with creative data that has the highest one over the reference.

    Return None if no such arm was compared with the reference, or the roster has no reference.
    """
    over = select_over_reference(all_genres(win_rates), roster)
    general = [arm for arm in roster.names if roster.is_general(arm)]
    ranked = over.filter(~pl.col("arm").is_in(general)).sort("rate", descending=True, maintain_order=True)
    return None if ranked.is_empty() else str(ranked["arm"][0])


def strongest_by_genre(win_rates: pl.DataFrame, roster: Roster) -> pl.DataFrame:
    """Select from one language's win rates those of the strongest arm (see `strongest`) over the reference.

    Returns a row per genre, the highest first, then the row of all genres; no rows if no genre was judged.
    """
    arm = strongest(win_rates, roster)
    over = select_over_reference(win_rates, roster).filter(pl.col("arm") == pl.lit(arm, pl.String))
    genres = over.filter(pl.col("genre").is_not_null()).sort("rate", "genre", descending=[True, False])
    return pl.concat([genres, all_genres(over)]) if len(genres) else genres
