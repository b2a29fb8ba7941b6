"""The columns of the report's tables on model judges."""

from __future__ import annotations

from coig.display.numbers import NONE, hundredths, interval, number, p_value, percent, whole, yes_or_no
from coig.display.tables import Column, text_column, value_column
from coig.evaluation.report.columns import NEW_RATERS, THESE_RATERS

JUDGES = (
    text_column("judge", "judge"),
    text_column("model", "model"),
    text_column("prompt", "prompt"),
    text_column("sampling", "sampling"),
    text_column("asked for", "asked"),
    value_column("calls", number, "calls"),
    value_column("prompt tokens", number, "prompt_tokens"),
    value_column("reply tokens", number, "reply_tokens"),
)
JUDGE_CARD = (
    text_column("judge", "judge"),
    text_column("figure", "figure"),
    value_column("judge %", percent, "value"),
    value_column("95 %", interval, "low", "high"),
    value_column("people %", percent, "people"),
    value_column("people, 95 %", interval, "people_low", "people_high"),
    Column("alarm", lambda row: NONE if row["alarm"] is None else yes_or_no(row["alarm"])),
    value_column("p (Holm)", p_value, "p_holm"),
    value_column("prompts", number, "prompts"),
    value_column("items", number, "items"),
    text_column("note", "note"),
)
JUDGE_GENRES = (
    text_column("judge", "judge"),
    text_column("genre", "genre"),
    value_column("prompts", number, "prompts"),
    value_column("pairs", number, "pairs"),
    value_column("agrees with a person %", percent, "agreement"),
    value_column("95 %", interval, "low", "high"),
    value_column("a person does %", percent, "people"),
    value_column("people, 95 %", interval, "people_low", "people_high"),
)
JUDGE_WORTH = (
    text_column("predictor", "predictor"),
    value_column("correlation", hundredths, "correlation"),
    value_column("95 %", lambda low, high: interval(low, high, hundredths), "low", "high"),
    value_column("people's prompts", whole, "prompts"),
    value_column("further prompts", whole, "further"),
    value_column("worth of a label", hundredths, "worth"),
    value_column("worth, 95 %", lambda low, high: interval(low, high, hundredths), "worth_low", "worth_high"),
    value_column("replaces prompts", whole, "replaces"),
    value_column("replaces, 95 %", lambda low, high: interval(low, high, whole), "replaces_low", "replaces_high"),
    value_column("at most", whole, "at_most"),
)
PEOPLE_AND_JUDGES = (
    text_column("arm", "arm"),
    text_column("over", "opponent"),
    value_column("prompts", number, "prompts"),
    value_column("further", number, "further"),
    value_column("people %", percent, "people"),
    value_column(THESE_RATERS, interval, "people_low", "people_high"),
    value_column(NEW_RATERS, interval, "people_low_raters", "people_high_raters"),
    value_column("with judges %", percent, "rate"),
    value_column(THESE_RATERS, interval, "low", "high"),
    value_column(NEW_RATERS, interval, "low_raters", "high_raters"),
    value_column("width %", percent, "width"),
)
JUDGE_RATES = (
    text_column("arm", "arm"),
    text_column("over", "opponent"),
    text_column("judge", "judge"),
    value_column("prompts", number, "prompts"),
    value_column("win %, not calibrated", percent, "rate"),
    value_column("95 %, this judge", interval, "low", "high"),
)
JUDGE_FAILURES = (
    text_column("judge", "judge"),
    text_column("arm", "arm"),
    value_column("calls", number, "calls"),
    value_column("without verdict", number, "failed"),
    value_column("attempts", number, "attempts"),
    value_column("unreadable", number, "unread"),
    value_column("unreadable %", percent, "share"),
    value_column("95 %", interval, "low", "high"),
)
YARDSTICK = (
    text_column("judge", "judge"),
    Column("genre", lambda row: row["genre"] or "all genres", left=True),
    value_column("pairs", number, "pairs"),
    value_column("prefers the chosen answer %", percent, "agreement"),
    value_column("95 %", interval, "low", "high"),
)
