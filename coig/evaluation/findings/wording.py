"""A study's question answered in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import polars as pl

from coig.config import Question
from coig.config.fields import LANGUAGES
from coig.display.numbers import interval, number, p_value, percent, signed
from coig.evaluation.findings.contrasts import LOSS, PREFERRED
from coig.evaluation.findings.rule import LEVEL, Finding, excluded_in_words, in_points

SHARES = {"finished": "ended", "contaminated": "foreign"}
NAMES = {**SHARES, "characters": "characters", "ttr_100": "TTR of 100 words", "mattr": "MATTR"}
RANKED = {  # measures by which a value can be the best: their names, and whether more is better
    PREFERRED: ("win rate", True),
    LOSS: ("held-out loss in nats a token", False),
    "finished": ("share of answers that ended", True),
}
ALIKE = "all alike"
NOT_BY_MARGIN: Finding = "not better by the margin"
Row = dict[str, Any]


@dataclass(frozen=True)
class QuestionAnswer:
    """For one language: the answer in a sentence, which value is best, and a sentence on each contrast."""

    lang: str
    short: str
    best: tuple[str, ...]
    contrasts: tuple[str, ...]


def answers_in_words(question: Question, table: pl.DataFrame, margin: float) -> list[QuestionAnswer]:
    """Put the contrasts into words, Chinese queries first. Where several files of queries were answered, each is a
    setting of its own. `margin`: the advantage that matters, as a share."""
    if table["queries"].drop_nulls().n_unique() > 1:  # null: a loss
        parts = pl.col("setting").replace("", None), "queries " + pl.col("queries")
        table = table.with_columns(setting=pl.concat_str(parts, separator=", ", ignore_nulls=True))
    found = []
    for lang in LANGUAGES:
        rows = table.filter(lang=lang).to_dicts()
        pairs = dict.fromkeys((row["setting"], row["arm"], row["opponent"]) for row in rows)
        told = [[row for row in rows if (row["setting"], row["arm"], row["opponent"]) == pair] for pair in pairs]
        if any(row["measure"] != LOSS for row in rows):
            short, best = _short(question, told, margin), tuple(_best(question, rows))
            found.append(QuestionAnswer(lang, short, best, tuple(map(_sentence, told))))
    return found


def _short(question: Question, told: Sequence[Sequence[Row]], margin: float) -> str:
    """Say in one sentence how many contrasts had which result."""
    preferences = [row for rows in told for row in rows if row["measure"] == PREFERRED]
    what = f"{question.compare} against {question.baseline}"
    if preferences:
        counts = {finding: sum(row["finding"] == finding for row in preferences) for finding in get_args(Finding)}
        ended = ", ".join(f"{finding} in {count}" for finding, count in counts.items() if count)
        points = in_points(margin)
        meaning = f" The margin: an advantage of {points} points or more is excluded." * (NOT_BY_MARGIN in ended)
        return f"Of {_comparisons(len(preferences))} of {what} that were judged: {ended}.{meaning}"
    counted = [[row["p_holm"] for row in rows if row["measure"] != LOSS] for rows in told]
    differing = sum(any(p < LEVEL for p in corrected) for corrected in counted)
    compared = _comparisons(sum(map(bool, counted)))
    differ = f"{differing} differ{'s' if differing == 1 else ''}" if differing else "none differs"
    return (
        "Not judged by anyone yet, so which answers are better cannot be told (judgments=FILE). "
        f"Of {compared} of {what}, {differ} beyond chance in something that is counted."
    )


def _comparisons(count: int) -> str:
    return f"{count} comparison{'s' if count > 1 else ''}"


def _sentence(rows: Sequence[Row]) -> str:
    """Say all that is known of one contrast."""
    parts = [_preference(row) for row in rows if row["measure"] == PREFERRED]
    counted = [row for row in rows if row["measure"] in NAMES]
    differing = [_difference(row) for row in counted if row["p_holm"] < LEVEL]
    if counted:
        parts.append(", ".join(differing) or f"no difference found in what was counted ({_counted(counted)})")
    parts += [_loss(row) for row in rows if row["measure"] == LOSS]
    where = f" ({rows[0]['setting']})" if rows[0]["setting"] else ""
    return f"{rows[0]['arm']} against {rows[0]['opponent']}{where}: {'; '.join(parts)}."


def _preference(row: Row) -> str:
    low, high = (None if row[end] is None else row[end] + 0.5 for end in ("low", "high"))
    told = [
        f"{row['finding']}, preferred in {percent(row['of_arm'])} % of {row['n']:,} verdicts {interval(low, high)}, "
        f"corrected p {p_value(row['p_holm'])}"
    ]
    if excluded := excluded_in_words(row["excluded"]):
        told.append(f"advantage excluded: {excluded}")
    if row["prompts_needed"]:
        told.append(f"prompts needed: about {row['prompts_needed']:,}")
    return ", ".join(told)


def _difference(row: Row) -> str:
    if row["measure"] in SHARES:
        change = f"{signed(100 * row['difference'], 1)} points {interval(row['low'], row['high'], _points)}"
    else:
        change = f"{signed(row['difference'])} {interval(row['low'], row['high'], signed)}"
    return f"{NAMES[row['measure']]} {change}"


def _points(value: float | None) -> str:
    return signed(None if value is None else 100 * value, 1)


def _counted(rows: Sequence[Row]) -> str:
    """The differences that were not found to be more than chance, so that their size is known."""
    return ", ".join(_difference(row) for row in rows if row["measure"] in ("finished", "contaminated"))


def _loss(row: Row) -> str:
    return f"held-out loss {number(row['of_arm'], 3)} against {number(row['of_opponent'], 3)} nats a token"


def _best(question: Question, rows: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence for each measure: the best value in each setting, and its lead; none for a single pair."""
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    if len({row["value"] for row in rows}) < 2 and len(settings) < 2:
        return
    for measure, (name, _) in RANKED.items():
        of_setting = {
            setting: [r for r in rows if (r["measure"], r["setting"]) == (measure, setting)] for setting in settings
        }
        firsts = {setting: _first(question, own) for setting, own in of_setting.items() if own}
        if any(firsts.values()):
            told = "; ".join(
                (first.told if first else ALIKE) + (f" ({setting})" if setting else "")
                for setting, first in firsts.items()
            )
            yield f"Best {question.compare} by {name}: {told}. {_how_sure(list(firsts.values()))}"


@dataclass(frozen=True)
class First:
    """The value that comes out first, in words with its figure and its lead over the next one; `certain`: the two were
    compared and differ beyond chance."""

    value: str
    told: str
    certain: bool


def _first(question: Question, rows: Sequence[Row]) -> First | None:
    """Find the best value of one measure in one setting; None if all are alike. It may be the baseline."""
    measure, base = rows[0]["measure"], question.baseline
    _, largest = RANKED[measure]
    of_value = {row["value"]: row for row in rows if row["value"] != base}
    gains = {base: 0.0} | {value: row["difference"] * (1 if largest else -1) for value, row in of_value.items()}
    if not any(gains.values()):
        return None
    best, following = sorted(gains, key=lambda value: gains[value], reverse=True)[:2]
    figure = of_value[following]["of_opponent"] if best == base else of_value[best]["of_arm"]
    lead = gains[best] - gains[following]
    if measure == LOSS:
        told = f"{number(figure, 3)}, {number(lead, 3)} ahead of {following}"
    elif measure == PREFERRED and base in (best, following):
        told = f"{percent(figure)} % against {following}"
    else:
        against = f" against {base}" if measure == PREFERRED else ""
        told = f"{percent(figure)} %{against}, {percent(lead)} points ahead of {following}"
    # the other values were tested against the baseline, not among themselves
    p = of_value[best if following == base else following]["p_holm"] if base in (best, following) else None
    return First(best, f"{best} with {told}", p is not None and p < LEVEL)


def _how_sure(firsts: Sequence[First | None]) -> str:
    """Say whether the best value is certain, and the same in all settings."""
    if not all(first and first.certain for first in firsts):
        what = "it is the same in all settings" if len(firsts) > 1 else "that is more than chance"
        return f"Whether {what} cannot be told from these figures."
    if len(firsts) == 1:
        return "That is more than chance."
    verb = "is" if len({first.value for first in firsts if first}) == 1 else "is not"
    return f"It {verb} the same in all settings."
