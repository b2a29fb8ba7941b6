"""Answer a study's question in sentences, from the table of its contrasts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import polars as pl

from coig.config import Question
from coig.display.numbers import interval, number, p_value, percent, signed
from coig.evaluation.findings.contrasts import PREFERRED
from coig.evaluation.findings.rule import LEVEL, Finding, excluded_in_words, in_points
from coig.study.results import LOSS
from coig.text.language_codes import LANGUAGES

SHARES = {"finished": "ended", "contaminated": "foreign"}
NAMES = {**SHARES, "characters": "characters", "ttr_100": "TTR of 100 words", "mattr": "MATTR"}
RANKED = {  # measures that can name a best value: the measure's name, and whether higher is better
    PREFERRED: ("win rate", True),
    LOSS: ("held-out loss in nats per token", False),
    "finished": ("share of answers that ended", True),
}
ALIKE = "all alike"
NOT_BY_MARGIN: Finding = "not better by the margin"
ContrastRow = dict[str, Any]  # a row of the contrast table, by column


@dataclass(frozen=True)
class QuestionAnswer:
    """The answer to a study's question for one language.

    `short` counts the contrasts by result. `best` names the best value by each measure. `contrasts` has a sentence per
    contrast.
    """

    lang: str
    short: str
    best: tuple[str, ...]
    contrasts: tuple[str, ...]


def answers_in_words(question: Question, table: pl.DataFrame, margin: float) -> list[QuestionAnswer]:
    """Answer the question in words for each language that has verdicts or answers, Chinese queries first.

    If several files of queries were answered, the file's name is added to each contrast's setting.

    Args:
        table: the contrasts, columns as in CONTRASTS.
        margin: the smallest advantage that matters, as a share.
    """
    if table["queries"].drop_nulls().n_unique() > 1:  # a held-out loss has no file of queries
        parts = pl.col("setting").replace("", None), "queries " + pl.col("queries")
        table = table.with_columns(setting=pl.concat_str(parts, separator=", ", ignore_nulls=True))
    found = []
    for lang in LANGUAGES:
        rows = table.filter(lang=lang).to_dicts()
        pairs = dict.fromkeys((row["setting"], row["arm"], row["opponent"]) for row in rows)
        by_contrast = [[row for row in rows if (row["setting"], row["arm"], row["opponent"]) == pair] for pair in pairs]
        if any(row["measure"] != LOSS for row in rows):
            short, best = _summarize(question, by_contrast, margin), tuple(_name_best_values(question, rows))
            found.append(QuestionAnswer(lang, short, best, tuple(map(_describe_contrast, by_contrast))))
    return found


def _summarize(question: Question, by_contrast: Sequence[Sequence[ContrastRow]], margin: float) -> str:
    """Return a sentence that counts the judged contrasts by finding.

    Without verdicts, the sentences say so and count the contrasts that differ in an automatic measure.
    """
    preferences = [row for rows in by_contrast for row in rows if row["measure"] == PREFERRED]
    compared = f"{question.compare} against {question.baseline}"
    if preferences:
        counts = {finding: sum(row["finding"] == finding for row in preferences) for finding in get_args(Finding)}
        ended = ", ".join(f"{finding} in {count}" for finding, count in counts.items() if count)
        points = in_points(margin)
        meaning = f" The margin: an advantage of {points} points or more is excluded." * (NOT_BY_MARGIN in ended)
        return f"Of {_count_comparisons(len(preferences))} of {compared} that were judged: {ended}.{meaning}"
    counted = [[row["p_holm"] for row in rows if row["measure"] != LOSS] for rows in by_contrast]
    differing = sum(any(p < LEVEL for p in corrected) for corrected in counted)
    comparisons = _count_comparisons(sum(map(bool, counted)))
    differ = f"{differing} differ{'s' if differing == 1 else ''}" if differing else "none differs"
    return (
        "Not judged by anyone yet, so which answers are better cannot be told (judgments=FILE). "
        f"Of {comparisons} of {compared}, {differ} beyond chance in something that is counted."
    )


def _count_comparisons(count: int) -> str:
    """Return "0 comparisons", "1 comparison", "2 comparisons" and so on."""
    return f"{count} comparison{'' if count == 1 else 's'}"


def _describe_contrast(rows: Sequence[ContrastRow]) -> str:
    """Return a sentence on one contrast, from its rows: win rate, what differs significantly, and held-out loss.

    If no counted measure differs significantly, the differences in the shares of SHARES stand instead.
    """
    parts = [_describe_win_rate(row) for row in rows if row["measure"] == PREFERRED]
    counted = [row for row in rows if row["measure"] in NAMES]
    differing = [_describe_difference(row) for row in counted if row["p_holm"] < LEVEL]
    if counted:
        parts.append(", ".join(differing) or f"no difference found in what was counted ({_describe_shares(counted)})")
    parts += [_describe_loss(row) for row in rows if row["measure"] == LOSS]
    where = f" ({rows[0]['setting']})" if rows[0]["setting"] else ""
    return f"{rows[0]['arm']} against {rows[0]['opponent']}{where}: {'; '.join(parts)}."


def _describe_win_rate(row: ContrastRow) -> str:
    """Return a phrase: finding, win rate, interval, corrected p, the advantage excluded, and the prompts needed."""
    low, high = (None if row[end] is None else row[end] + 0.5 for end in ("low", "high"))
    phrases = [
        f"{row['finding']}, preferred in {percent(row['of_arm'])} % of {row['n']:,} verdicts {interval(low, high)}, "
        f"corrected p {p_value(row['p_holm'])}"
    ]
    if excluded := excluded_in_words(row["excluded"]):
        phrases.append(f"advantage excluded: {excluded}")
    if row["prompts_needed"]:
        phrases.append(f"prompts needed: about {row['prompts_needed']:,}")
    return ", ".join(phrases)


def _describe_difference(row: ContrastRow) -> str:
    """Return a measure's name, difference and interval; differences of shares are in percentage points."""
    if row["measure"] in SHARES:
        change = f"{signed(100 * row['difference'], 1)} points {interval(row['low'], row['high'], _write_points)}"
    else:
        change = f"{signed(row['difference'])} {interval(row['low'], row['high'], signed)}"
    return f"{NAMES[row['measure']]} {change}"


def _write_points(value: float | None) -> str:
    """Return a difference of shares in signed percentage points with one decimal; a dash for None."""
    return signed(None if value is None else 100 * value, 1)


def _describe_shares(rows: Sequence[ContrastRow]) -> str:
    """Return a phrase with the differences in the shares of ended and foreign answers, significant or not."""
    return ", ".join(_describe_difference(row) for row in rows if row["measure"] in ("finished", "contaminated"))


def _describe_loss(row: ContrastRow) -> str:
    """Return the held-out losses of both arms as a phrase, in nats per token."""
    return f"held-out loss {number(row['of_arm'], 3)} against {number(row['of_opponent'], 3)} nats per token"


def _name_best_values(question: Question, rows: Sequence[ContrastRow]) -> Iterator[str]:
    """Yield a sentence for each measure of RANKED: the best value in each setting, its lead, and how certain it is.

    Yield nothing if there is only one value in one setting to compare with the baseline. A measure that was not taken,
    or in which all values are alike in every setting, is left out.
    """
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    if len({row["value"] for row in rows}) < 2 and len(settings) < 2:
        return
    for measure, (name, _) in RANKED.items():
        of_setting = {
            setting: [r for r in rows if (r["measure"], r["setting"]) == (measure, setting)] for setting in settings
        }
        bests = {setting: _find_best(question, own) for setting, own in of_setting.items() if own}
        if any(bests.values()):
            listed = "; ".join(
                (best.text if best else ALIKE) + (f" ({setting})" if setting else "") for setting, best in bests.items()
            )
            yield f"Best {question.compare} by {name}: {listed}. {_say_how_certain(list(bests.values()))}"


@dataclass(frozen=True)
class Best:
    """The best value by one measure in one setting.

    `text` gives the value, its figure and its lead over the second-best value; both values if the lead rounds to 0.
    `certain` tells whether these two were compared with each other and differ significantly.
    """

    value: str
    text: str
    certain: bool


def _find_best(question: Question, rows: Sequence[ContrastRow]) -> Best | None:
    """Find the best value, possibly the baseline, among one measure's rows in one setting; None if all are alike."""
    measure, base = rows[0]["measure"], question.baseline
    _, largest = RANKED[measure]
    of_value = {row["value"]: row for row in rows if row["value"] != base}
    signed_by = 1 if largest else -1  # rounded: means of equal values may differ in the last digit
    gains = {base: 0.0} | {value: round(row["difference"] * signed_by, 9) for value, row in of_value.items()}
    if not any(gains.values()):
        return None
    best, following = sorted(gains, key=lambda value: gains[value], reverse=True)[:2]
    figure = of_value[following]["of_opponent"] if best == base else of_value[best]["of_arm"]
    lead = gains[best] - gains[following]
    names, figures = best, number(figure, 3) if measure == LOSS else f"{percent(figure)} %"
    if measure == PREFERRED:
        figures += f" against {following if base in (best, following) else base}"
    if measure != PREFERRED or base not in (best, following):
        if round(lead, 3) == 0:  # all that would be shown of it
            names = f"{best} and {following}"
        else:
            ahead = number(lead, 3) if measure == LOSS else f"{percent(lead)} points"
            figures += f", {ahead} ahead of {following}"
    # the other values were tested against the baseline, not among themselves
    p = of_value[best if following == base else following]["p_holm"] if base in (best, following) else None
    return Best(best, f"{names} with {figures}", p is not None and p < LEVEL)


def _say_how_certain(bests: Sequence[Best | None]) -> str:
    """Return a sentence on whether the best values are certain, and whether they agree between settings."""
    if not all(best and best.certain for best in bests):
        statement = "it is the same in all settings" if len(bests) > 1 else "that is more than chance"
        return f"Whether {statement} cannot be told from these figures."
    if len(bests) == 1:
        return "That is more than chance."
    verb = "is" if len({best.value for best in bests if best}) == 1 else "is not"
    return f"It {verb} the same in all settings."
