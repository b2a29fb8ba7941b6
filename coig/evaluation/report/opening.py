"""The first sentences of a report: what was found in each language, and how sure that is, without symbols."""

from __future__ import annotations

import polars as pl

from coig.display.numbers import LANGUAGE_NAMES, NONE, counted, number, percent
from coig.display.tables import Row
from coig.evaluation.findings.rule import LEVEL
from coig.evaluation.findings.trade_offs import BUYS, COSTS, name_change
from coig.evaluation.report.results import Evaluation, all_genres, select_over_reference, split_by_language, strongest

SETTINGS_SHOWN = 3  # of each language; the section on ratios has all


def opening_lines(evaluation: Evaluation) -> list[str]:
    """Return plain sentences for each language; where no arm can be said to be preferred, a last one on why.

    A language's sentence is on the arm that people preferred most, else on what was counted of the answers, one for
    each setting, else the short answer to the study's question, which says by itself that nobody judged.
    """
    preferred, counted_of, answered = (
        {lang: find(evaluation, lang) for lang in LANGUAGE_NAMES} for find in (_preferred, _counted, _answered)
    )
    found = {lang: preferred[lang] or counted_of[lang] or answered[lang] for lang in LANGUAGE_NAMES}
    lines = [f"{name}: {sentence}" for lang, name in LANGUAGE_NAMES.items() for sentence in found[lang]]
    if not any(preferred.values()) and (any(counted_of.values()) or not lines):
        judged = evaluation.table("raters") is not None
        lines.append("No arm was compared with general data alone." if judged else "Nobody has judged the answers yet.")
    return lines


def _preferred(evaluation: Evaluation, lang: str) -> list[str]:
    """Return a sentence on the strongest arm against the roster's reference; [] if nobody compared the two."""
    frame = evaluation.table("win_rates")
    part = pl.DataFrame() if frame is None else all_genres(frame).filter(lang=lang)
    if part.is_empty() or (arm := strongest(part, evaluation.roster)) is None:
        return []
    over = select_over_reference(part, evaluation.roster)
    row = over.row(by_predicate=pl.col("arm") == arm, named=True)
    several = f", the strongest of {len(over)} arms," if len(over) > 1 else ""
    return [
        f"people preferred {arm}{several} to {row['opponent']} in {percent(row['rate'])} % of "
        f"{counted(row['verdicts'], 'verdict')} on {counted(row['prompts'], 'query', 'queries')}{_sureness(row)}"
    ]


def _sureness(row: Row) -> str:
    """Return the interval of a row of win rates, for new raters too where there are several, and what it shows."""
    for_raters = row["low_raters"] is not None
    low, high = (row["low_raters"], row["high_raters"]) if for_raters else (row["low"], row["high"])
    if NONE in (percent(low), percent(high)):
        return "; that is too few to tell from chance."
    corrected = row["p_holm"] is None or row["p_holm"] < LEVEL
    beyond = corrected and (low > 0.5 or high < 0.5)
    shown = "more than chance explains" if beyond else "which may be chance"
    raters = ", for other raters too" if for_raters else ""
    return f" (95 % interval{raters}: {percent(low)} to {percent(high)} %), {shown}."


def _counted(evaluation: Evaluation, lang: str) -> list[str]:
    """Return what the largest tested ratio changed against the smallest, of all that was counted; [] without ratios.

    There is a sentence for each of the first SETTINGS_SHOWN settings, and one on how many others there are.
    """
    frame = evaluation.table("trade_offs")
    part = pl.DataFrame() if frame is None else frame.filter(lang=lang)
    if part.is_empty():
        return []
    on_queries = _on_queries(evaluation, lang)
    changes = [_change(rows) for _, rows in part.group_by("setting", maintain_order=True)]
    lines = [f"{change} (counted{on_queries}, beyond chance at 95 %)." for change in changes[:SETTINGS_SHOWN]]
    others = len(changes) - len(lines)
    return [*lines, *([f"what changed at {counted(others, 'more setting')} is told below."] if others else [])]


def _change(rows: pl.DataFrame) -> str:
    """Return what changed for better and for worse by one setting's rows of TRADE_OFFS."""
    first, last = (number(rows[name][0], 1).removesuffix(".0") for name in ("first_dose", "last_dose"))
    where = f" ({rows['setting'][0]})" if rows["setting"][0] else ""
    changes = (
        f"with {last} general examples for each creative one instead of {'none' if first == '0' else first}{where}"
    )
    better, worse = (
        ", ".join(name_change(row) for row in rows.filter(finding=finding).iter_rows(named=True))
        for finding in (BUYS, COSTS)
    )
    return f"{changes}: {'; but '.join(filter(None, (better, worse))) or 'no change'}"


def _on_queries(evaluation: Evaluation, lang: str) -> str:
    """Return " on 51 queries", the number of a language's queries; "" if no answers were read."""
    answers = evaluation.table("answers")
    parts = {} if answers is None else dict(split_by_language(answers))
    return f" on {counted(parts[lang]['query_id'].n_unique(), 'query', 'queries')}" if lang in parts else ""


def _answered(evaluation: Evaluation, lang: str) -> list[str]:
    """Return the short answer to the study's question in a language; [] without one."""
    answers = evaluation.findings.question_answers if evaluation.findings else ()
    return [answer.short for answer in answers if answer.lang == lang]
