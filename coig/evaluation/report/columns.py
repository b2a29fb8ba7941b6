"""The columns of the report's tables: their headings, and how their cells are written."""

from __future__ import annotations

from coig.display.numbers import NONE, decimals_of, interval, number, p_value, percent, signed, yes_or_no
from coig.display.tables import Column, shown, words

THESE_RATERS, NEW_RATERS = "these raters, new prompts", "new raters too"


def _record(wins: int, ties: int, losses: int) -> str:
    return f"{wins}/{ties}/{losses}"


def _difference(difference: float | None, low: float | None, high: float | None) -> str:
    """The interval with as many decimals as the difference."""
    decimals = 0 if difference is None else decimals_of(difference)
    return interval(low, high, lambda value: signed(value, decimals))


def _hundredths(value: float | None) -> str:
    return signed(value, 2)


def _hundredths_interval(low: float | None, high: float | None) -> str:
    return interval(low, high, _hundredths)


def _tenths(value: float | None) -> str:
    return number(value, 1)


def _thousandths(value: float | None) -> str:
    return number(value, 3)


def _ranks(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return NONE
    return f"{low}" if low == high else f"{low}–{high}"


ARMS = (
    words("arm", "arm"),
    shown("creative", number, "creative"),
    shown("general", number, "general"),
    shown("creative : general", str, "share"),
    shown("supervised tokens", number, "supervised"),
    shown("steps", number, "steps"),
    shown("tokens learned", number, "learned"),
    shown("seed", str, "seed"),
    shown("minutes", _tenths, "minutes"),
)
AUTOMATIC = (
    words("arm", "arm"),
    shown("n", number, "queries"),
    shown("ended %", percent, "finished"),
    shown("tokens", _tenths, "tokens"),
    shown("chars", _tenths, "characters"),
    shown("TTR", _thousandths, "ttr_mean"),
    shown("median", _thousandths, "ttr_median"),
    shown("MATTR", _thousandths, "mattr_mean"),
    shown("foreign %", percent, "contaminated"),
    shown("empty", number, "empty"),
)
DIVERSITY = (
    words("arm", "arm"),
    shown("TTR", _thousandths, "ttr_mean"),
    shown("TTR of 100 words", _thousandths, "ttr_100_mean"),
    shown("MATTR-50", _thousandths, "mattr_mean"),
    shown("of answers", number, "mattr_answers"),
    shown("MTLD", _tenths, "mtld_mean"),
    shown("of answers", number, "mtld_answers"),
    shown("HD-D-42", _thousandths, "hdd_mean"),
    shown("distinct-2", _thousandths, "distinct_2_mean"),
    shown("distinct-3", _thousandths, "distinct_3_mean"),
    shown("self-repetition", _thousandths, "self_repetition_mean"),
)
RATE = (
    shown("W/T/L", _record, "wins", "ties", "losses"),
    shown("N", number, "verdicts"),
    shown("prompts", number, "prompts"),
    shown("win %", percent, "rate"),
    shown(THESE_RATERS, interval, "low", "high"),
    shown(NEW_RATERS, interval, "low_raters", "high_raters"),
)
WIN_RATES = (
    words("arm", "arm"),
    words("over", "opponent"),
    *RATE,
    shown("p", p_value, "p"),
    shown("p (Holm)", p_value, "p_holm"),
    shown("p, new raters", p_value, "p_raters"),
    shown("MDE, points", percent, "mde"),
    shown("without one rater", interval, "without_rater_low", "without_rater_high"),
    shown("clean %", percent, "clean_rate"),
    shown("clean N", number, "clean_verdicts"),
)
GENRE_WIN_RATES = (
    Column("genre", lambda row: row["genre"] or "all genres", left=True),
    words("arm", "arm"),
    words("over", "opponent"),
    *RATE,
)
STRENGTHS = (
    words("arm", "arm"),
    shown("strength", _hundredths, "strength"),
    shown("95 %", _hundredths_interval, "low", "high"),
    shown("rank", number, "rank"),
    shown("ranks, 95 %", _ranks, "rank_low", "rank_high"),
    words("not separable from", "not_separable_from"),
)
LENGTH_CONTROL = (
    words("arm", "arm"),
    words("over", "opponent"),
    shown("N", number, "verdicts"),
    shown("win % of these", percent, "rate"),
    shown("at equal length %", percent, "equal_length_rate"),
    shown("γ", _hundredths, "gamma"),
    shown("γ, 95 %", _hundredths_interval, "gamma_low", "gamma_high"),
)
AGREEMENT = (
    words("judgment", "kind"),
    shown("raters", number, "raters"),
    shown("items", number, "items"),
    shown("α", _thousandths, "alpha"),
    shown("α, 95 %", lambda low, high: interval(low, high, _thousandths), "alpha_low", "alpha_high"),
    shown("Kendall's W", _thousandths, "kendall_w"),
    shown("mean Spearman", _thousandths, "mean_spearman"),
    words("note", "note"),
)
RATINGS = (
    words("dimension", "dimension"),
    words("arm", "arm"),
    shown("mean", _hundredths, "mean"),
    shown("95 %", lambda low, high: interval(low, high, _hundredths), "low", "high"),
    shown("ratings", number, "ratings"),
    shown("prompts", number, "prompts"),
)
RATERS = (
    words("rater", "rater"),
    shown("judgments", number, "judgments"),
    shown("severity", _hundredths, "severity"),
    shown("ties %", percent, "tie_share"),
)
MEASURES = {
    **{"characters": "chars", "ttr": "TTR", "ttr_100": "TTR of 100 words", "mattr": "MATTR", "mtld": "MTLD"},
    **{"hdd": "HD-D", "distinct_2": "distinct-2", "distinct_3": "distinct-3", "self_repetition": "self-repetition"},
    **{"contaminated": "foreign (share)", "contaminated_any": "any (share)", "finished": "ended (share)"},
}
COMPARISONS = (
    Column("measure", lambda row: str(MEASURES.get(row["metric"], row["metric"])), left=True),
    words("arm", "arm"),
    words("minus", "opponent"),
    shown("queries", number, "queries"),
    shown("difference", signed, "difference"),
    shown("95 %", _difference, "difference", "low", "high"),
    shown("p", p_value, "p"),
    shown("p (Holm)", p_value, "p_holm"),
)
CONTAMINATION = (
    words("arm", "arm"),
    shown("n", number, "queries"),
    shown("foreign %", percent, "contaminated"),
    shown("95 %", interval, "contaminated_low", "contaminated_high"),
    shown("with mixed %", percent, "contaminated_any"),
    shown("with mixed, 95 %", interval, "contaminated_any_low", "contaminated_any_high"),
    *(shown(label, number, label) for label in ("zh", "en", "mixed", "und")),
    shown("other script %", percent, "foreign_characters"),
    shown("begins at %", percent, "foreign_position"),
)
GENRES = (
    words("genre", "genre"),
    words("arm", "arm"),
    shown("n", number, "queries"),
    shown("tokens", number, "tokens"),
    shown("chars", number, "characters"),
    shown("TTR", _thousandths, "ttr"),
    shown("foreign %", percent, "contaminated"),
    shown("ended %", percent, "finished"),
)
BEHAVIOUR = (
    words("behaviour", "behaviour"),
    words("arm", "arm"),
    shown("share %", percent, "share"),
    shown("95 %", interval, "low", "high"),
    shown("steps", number, "steps"),
    shown("prompts", number, "prompts"),
)
TRANSITIONS = (
    words("from", "from"),
    words("to", "to"),
    words("arm", "arm"),
    shown("share %", percent, "share"),
    shown("95 %", interval, "low", "high"),
    shown("steps", number, "transitions"),
    shown("prompts", number, "prompts"),
)
LABEL_AGREEMENT = (
    words("labeller", "labeller"),
    shown("steps", number, "labels"),
    shown("as the rule %", percent, "equal"),
    shown("Cohen's κ", number, "kappa"),
    shown("no such step", number, "unmatched"),
)
CONTRASTS = (
    words("queries", "queries"),
    words("setting", "setting"),
    words("arm", "arm"),
    words("against", "opponent"),
    Column("measure", lambda row: str(MEASURES.get(row["measure"], row["measure"])), left=True),
    shown("n", number, "n"),
    shown("arm's", _thousandths, "of_arm"),
    shown("other's", _thousandths, "of_opponent"),
    shown("difference", signed, "difference"),
    shown("95 %", _difference, "difference", "low", "high"),
    shown("p (Holm)", p_value, "p_holm"),
    shown("excluded from, points", percent, "excluded"),
    shown("prompts needed", number, "prompts_needed"),
    words("finding", "finding"),
)
SIGNATURES = (
    words("signature", "signature"),
    words("arm", "arm"),
    Column("present", lambda row: yes_or_no(row["present"]), left=True),
    words("figures", "numbers"),
)
CLAIMS = (
    words("claim", "claim"),
    words("status", "status"),
    words("effect", "effect"),
    shown(THESE_RATERS, interval, "low", "high"),
    shown(NEW_RATERS, interval, "low_raters", "high_raters"),
    shown("p (Holm)", p_value, "p_holm"),
    shown("excluded from, points", percent, "excluded"),
    shown("prompts needed", number, "prompts_needed"),
    words("why", "why"),
)
