"""The columns of the report's tables: their headings and the format of their cells.

Those about ratios, noise and the registered plan are in `ratio_columns.py`.
"""

from __future__ import annotations

from coig.display.numbers import (
    NONE,
    decimals_of,
    interval,
    number,
    p_value,
    percent,
    signed,
    signed_hundredths,
    signed_interval,
    tenths,
    thousandths,
    yes_or_no,
)
from coig.display.tables import Column, text_column, value_column

THESE_RATERS, NEW_RATERS = "these raters, new prompts", "new raters too"


def _wins_ties_losses(wins: int, ties: int, losses: int) -> str:
    """Format counts of verdicts as "wins/ties/losses"."""
    return f"{wins}/{ties}/{losses}"


def _difference_interval(difference: float | None, low: float | None, high: float | None) -> str:
    """Format the interval of a difference with signs and as many decimals as the difference has; a dash if unknown."""
    decimals = 0 if difference is None else decimals_of(difference)
    return interval(low, high, lambda value: signed(value, decimals))


def _ranks(low: int | None, high: int | None) -> str:
    """Format an interval of ranks as "1–3", or "2" if both ends are equal; a dash if unknown."""
    if low is None or high is None:
        return NONE
    return f"{low}" if low == high else f"{low}–{high}"


SOURCES = text_column("creative from", "sources")
ARMS = (
    text_column("arm", "arm"),
    value_column("creative", number, "creative"),
    SOURCES,
    value_column("general", number, "general"),
    value_column("creative : general", str, "share"),
    value_column("supervised tokens", number, "supervised"),
    value_column("steps", number, "steps"),
    value_column("tokens learned", number, "learned"),
    value_column("seed", str, "seed"),
    value_column("minutes", tenths, "minutes"),
)
AUTOMATIC = (
    text_column("arm", "arm"),
    value_column("n", number, "queries"),
    value_column("ended %", percent, "finished"),
    value_column("tokens", tenths, "tokens"),
    value_column("chars", tenths, "characters"),
    value_column("TTR", thousandths, "ttr_mean"),
    value_column("median", thousandths, "ttr_median"),
    value_column("MATTR", thousandths, "mattr_mean"),
    value_column("foreign %", percent, "contaminated"),
    value_column("empty", number, "empty"),
)
DIVERSITY = (
    text_column("arm", "arm"),
    value_column("TTR", thousandths, "ttr_mean"),
    value_column("TTR of 100 words", thousandths, "ttr_100_mean"),
    value_column("MATTR-50", thousandths, "mattr_mean"),
    value_column("of answers", number, "mattr_answers"),
    value_column("MTLD", tenths, "mtld_mean"),
    value_column("of answers", number, "mtld_answers"),
    value_column("HD-D-42", thousandths, "hdd_mean"),
    value_column("distinct-2", thousandths, "distinct_2_mean"),
    value_column("distinct-3", thousandths, "distinct_3_mean"),
    value_column("self-repetition", thousandths, "self_repetition_mean"),
)
RATE = (
    value_column("W/T/L", _wins_ties_losses, "wins", "ties", "losses"),
    value_column("N", number, "verdicts"),
    value_column("prompts", number, "prompts"),
    value_column("win %", percent, "rate"),
    value_column(THESE_RATERS, interval, "low", "high"),
    value_column(NEW_RATERS, interval, "low_raters", "high_raters"),
)
WIN_RATES = (
    text_column("arm", "arm"),
    text_column("over", "opponent"),
    *RATE,
    value_column("p", p_value, "p"),
    value_column("p (Holm)", p_value, "p_holm"),
    value_column("p, new raters", p_value, "p_raters"),
    value_column("MDE, points", percent, "mde"),
    value_column("without one rater", interval, "without_rater_low", "without_rater_high"),
    value_column("clean %", percent, "clean_rate"),
    value_column("clean N", number, "clean_verdicts"),
)
GENRE_WIN_RATES = (
    Column("genre", lambda row: row["genre"] or "all genres", left=True),
    text_column("arm", "arm"),
    text_column("over", "opponent"),
    *RATE,
)
STRENGTHS = (
    text_column("arm", "arm"),
    value_column("strength", signed_hundredths, "strength"),
    value_column("95 %", signed_interval, "low", "high"),
    value_column("rank", number, "rank"),
    value_column("ranks, 95 %", _ranks, "rank_low", "rank_high"),
    text_column("not separable from", "not_separable_from"),
)
LENGTH_CONTROL = (
    text_column("arm", "arm"),
    text_column("over", "opponent"),
    value_column("N", number, "verdicts"),
    value_column("win % of these", percent, "rate"),
    value_column("at equal length %", percent, "equal_length_rate"),
    value_column("γ", signed_hundredths, "gamma"),
    value_column("γ, 95 %", signed_interval, "gamma_low", "gamma_high"),
)
AGREEMENT = (
    text_column("judgment", "kind"),
    value_column("raters", number, "raters"),
    value_column("items", number, "items"),
    value_column("α", thousandths, "alpha"),
    value_column("α, 95 %", lambda low, high: interval(low, high, thousandths), "alpha_low", "alpha_high"),
    value_column("Kendall's W", thousandths, "kendall_w"),
    value_column("mean Spearman", thousandths, "mean_spearman"),
    text_column("note", "note"),
)
RATINGS = (
    text_column("dimension", "dimension"),
    text_column("arm", "arm"),
    value_column("mean", signed_hundredths, "mean"),
    value_column("95 %", lambda low, high: interval(low, high, signed_hundredths), "low", "high"),
    value_column("ratings", number, "ratings"),
    value_column("prompts", number, "prompts"),
)
RATERS = (
    text_column("rater", "rater"),
    value_column("judgments", number, "judgments"),
    value_column("severity", signed_hundredths, "severity"),
    value_column("ties %", percent, "tie_share"),
)
MEASURES = {
    "characters": "chars",
    "ttr": "TTR",
    "ttr_100": "TTR of 100 words",
    "mattr": "MATTR",
    "mtld": "MTLD",
    "hdd": "HD-D",
    "distinct_2": "distinct-2",
    "distinct_3": "distinct-3",
    "self_repetition": "self-repetition",
    "contaminated": "foreign (share)",
    "contaminated_any": "any (share)",
    "finished": "ended (share)",
}
COMPARISONS = (
    Column("measure", lambda row: str(MEASURES.get(row["metric"], row["metric"])), left=True),
    text_column("arm", "arm"),
    text_column("minus", "opponent"),
    value_column("queries", number, "queries"),
    value_column("difference", signed, "difference"),
    value_column("95 %", _difference_interval, "difference", "low", "high"),
    value_column("p", p_value, "p"),
    value_column("p (Holm)", p_value, "p_holm"),
)
CONTAMINATION = (
    text_column("arm", "arm"),
    value_column("n", number, "queries"),
    value_column("foreign %", percent, "contaminated"),
    value_column("95 %", interval, "contaminated_low", "contaminated_high"),
    value_column("with mixed %", percent, "contaminated_any"),
    value_column("with mixed, 95 %", interval, "contaminated_any_low", "contaminated_any_high"),
    *(value_column(label, number, label) for label in ("zh", "en", "mixed", "und")),
    value_column("other script %", percent, "foreign_characters"),
    value_column("begins at %", percent, "foreign_position"),
)
GENRES = (
    text_column("genre", "genre"),
    text_column("arm", "arm"),
    value_column("n", number, "queries"),
    value_column("tokens", number, "tokens"),
    value_column("chars", number, "characters"),
    value_column("TTR", thousandths, "ttr"),
    value_column("foreign %", percent, "contaminated"),
    value_column("ended %", percent, "finished"),
)
BEHAVIOUR = (
    text_column("behaviour", "behaviour"),
    text_column("arm", "arm"),
    value_column("share %", percent, "share"),
    value_column("95 %", interval, "low", "high"),
    value_column("steps", number, "steps"),
    value_column("prompts", number, "prompts"),
)
TRANSITIONS = (
    text_column("from", "from"),
    text_column("to", "to"),
    text_column("arm", "arm"),
    value_column("share %", percent, "share"),
    value_column("95 %", interval, "low", "high"),
    value_column("steps", number, "transitions"),
    value_column("prompts", number, "prompts"),
)
LABEL_AGREEMENT = (
    text_column("labeller", "labeller"),
    text_column("is", "kind"),
    text_column("against", "against"),
    value_column("steps", number, "labels"),
    value_column("same label %", percent, "equal"),
    value_column("95 %", interval, "equal_low", "equal_high"),
    value_column("Cohen's κ", number, "kappa"),
    value_column("κ, 95 %", lambda low, high: interval(low, high, number), "kappa_low", "kappa_high"),
    value_column("without a step", number, "unmatched"),
)
CONTRASTS = (
    text_column("queries", "queries"),
    text_column("setting", "setting"),
    text_column("arm", "arm"),
    text_column("against", "opponent"),
    Column("measure", lambda row: str(MEASURES.get(row["measure"], row["measure"])), left=True),
    value_column("n", number, "n"),
    value_column("arm's value", thousandths, "of_arm"),
    value_column("opponent's value", thousandths, "of_opponent"),
    value_column("difference", signed, "difference"),
    value_column("95 %", _difference_interval, "difference", "low", "high"),
    value_column("p (Holm)", p_value, "p_holm"),
    value_column("excluded from (points)", percent, "excluded"),
    value_column("prompts needed", number, "prompts_needed"),
    text_column("finding", "finding"),
)
SIGNATURES = (
    text_column("signature", "signature"),
    text_column("arm", "arm"),
    Column("present", lambda row: yes_or_no(row["present"]), left=True),
    text_column("figures", "numbers"),
)
CLAIMS = (
    text_column("claim", "claim"),
    text_column("status", "status"),
    text_column("effect", "effect"),
    value_column(THESE_RATERS, interval, "low", "high"),
    value_column(NEW_RATERS, interval, "low_raters", "high_raters"),
    value_column("p (Holm)", p_value, "p_holm"),
    value_column("excluded from (points)", percent, "excluded"),
    value_column("prompts needed", number, "prompts_needed"),
    text_column("why", "why"),
)
