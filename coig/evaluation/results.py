"""Everything an evaluation found, as plain frames: what the page, the figures and the LaTeX tables show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import polars as pl

from coig.evaluation.formatting import LANGUAGE_NAMES
from coig.evaluation.question import Answer

Frame = pl.DataFrame | None


@dataclass(frozen=True)
class Evaluation:
    """A study's results; a frame that is None or empty was not measured, and nothing is shown of it.

    Rates and shares are 0–1; `low` and `high` are 95 % intervals for these raters and new prompts, `low_raters` and
    `high_raters` for new raters too (null with one rater).
    """

    study: str
    arms: tuple[str, ...]  # in the order shown, general data growing
    # as tables.automatic_table
    automatic: Frame = None
    # lang, arm, genre, query_id, query, reasoning, answer, tokens, characters, ttr, mattr, mtld, language, zh_share,
    # finished, contaminated
    answers: Frame = None
    # lang, metric, arm, opponent, queries, difference, low, high, p, p_holm
    comparisons: Frame = None
    # lang, genre, arm, queries, tokens, characters, ttr, contaminated, finished
    genres: Frame = None
    # lang, genre (null: all), arm, opponent, wins, ties, losses, verdicts, prompts, rate, low, high, low_raters,
    # high_raters, p, p_holm, p_raters, mde, without_rater_low, without_rater_high, clean_rate, clean_verdicts;
    # every pair in both orders
    win_rates: Frame = None
    # lang, arm, strength, low, high, rank, rank_low, rank_high, not_separable_from
    strengths: Frame = None
    # lang, arm, opponent, rate, equal_length_rate, gamma, gamma_low, gamma_high
    length_control: Frame = None
    # lang, kind, raters, items, alpha, alpha_low, alpha_high, kendall_w, mean_spearman, note
    agreement: Frame = None
    # lang, rater, judgments, severity, tie_share
    raters: Frame = None
    # lang, dimension, arm, mean, low, high, ratings, prompts
    ratings: Frame = None
    # lang, claim, status, effect, low, high, low_raters, high_raters, p_holm, mde, why
    claims: Frame = None
    # as contrasts.CONTRASTS: what the study's question compares
    contrasts: Frame = None
    # lang, arm, signature, present, numbers
    signatures: Frame = None
    # lang, arm, decile (0–9), behaviour, share, low, high, steps, prompts
    behaviour: Frame = None
    # lang, arm, behaviour, share, low, high, steps, prompts
    behaviour_shares: Frame = None
    # lang, arm, from, to, share, low, high, transitions (out of `from`), prompts
    transitions: Frame = None
    # lang, labeller, labels, equal, kappa, unmatched
    label_agreement: Frame = None
    question: str | None = None
    question_answers: tuple[Answer, ...] = ()
    halves: tuple[str, ...] = ()  # a sentence on each pool of which a half is used
    notes: tuple[str, ...] = ()
    manifests: Sequence[Mapping[str, Any]] = ()

    def measured(self, name: str) -> Frame:
        """The frame of that name, or None if it is absent or empty."""
        frame: Frame = getattr(self, name)
        return frame if frame is not None and len(frame) else None

    def frames(self) -> dict[str, pl.DataFrame]:
        """Every frame that was measured, by name."""
        found = {field.name: self.measured(field.name) for field in fields(self) if field.type == "Frame"}
        return {name: frame for name, frame in found.items() if frame is not None}


def by_language(frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """The rows of each language that has any, Chinese first."""
    parts = [(lang, frame.filter(pl.col("lang") == lang)) for lang in LANGUAGE_NAMES]
    return [(lang, part) for lang, part in parts if len(part)]


def is_general(arm: str) -> bool:
    """Whether an arm was trained on general data alone."""
    return arm.startswith("general")


def reference(arms: Sequence[str]) -> str | None:
    """The arm that the others are held against: the first trained on general data alone."""
    return next(filter(is_general, arms), None)


def over_reference(win_rates: pl.DataFrame, arms: Sequence[str]) -> pl.DataFrame:
    """The rows whose opponent is the reference; none without one."""
    opponent = reference(arms)
    return win_rates.filter(opponent=opponent) if opponent else win_rates.clear()


def all_genres(win_rates: pl.DataFrame) -> pl.DataFrame:
    return win_rates.filter(pl.col("genre").is_null())


def each_pair_once(frame: pl.DataFrame, arms: Sequence[str]) -> pl.DataFrame:
    """One row per pair of arms, of its two orders the one that wins; equals stand in the arms' order."""
    place = {arm: number for number, arm in enumerate(arms)}
    first, second = (pl.col(name).replace_strict(place, default=len(arms)) for name in ("arm", "opponent"))
    pair = [pl.min_horizontal(first, second).alias("nearer"), pl.max_horizontal(first, second).alias("farther")]
    chosen = frame.with_columns(pair).sort(1 - pl.col("rate"), first, maintain_order=True)
    chosen = chosen.unique(["nearer", "farther"], keep="first", maintain_order=True)
    return chosen.sort(first, second).drop("nearer", "farther")


def strongest(win_rates: pl.DataFrame, arms: Sequence[str]) -> str | None:
    """The arm with creative data that wins most often over the reference."""
    over = over_reference(all_genres(win_rates), arms)
    ranked = over.filter(~pl.col("arm").str.starts_with("general")).sort("rate", descending=True, maintain_order=True)
    return None if ranked.is_empty() else str(ranked["arm"][0])


def strongest_by_genre(win_rates: pl.DataFrame, arms: Sequence[str]) -> pl.DataFrame:
    """That arm's win rates over the reference: genres, the highest first, then all together.

    Empty if no genre was judged.
    """
    arm = strongest(win_rates, arms)
    over = over_reference(win_rates, arms).filter(pl.col("arm") == pl.lit(arm, pl.String))
    genres = over.filter(pl.col("genre").is_not_null()).sort("rate", "genre", descending=[True, False])
    return pl.concat([genres, all_genres(over)]) if len(genres) else genres
