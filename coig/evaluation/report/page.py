"""Render the report as one self-contained HTML page, and its summary in Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from coig.display.numbers import LANGUAGE_NAMES, NONE, counted, interval, number, p_value
from coig.display.tables import Row, Table, render_markdown
from coig.evaluation.findings.caveats import MOST_NAMED
from coig.evaluation.findings.registered import RegisteredPlan
from coig.evaluation.findings.rule import excluded_in_words, rule_in_words
from coig.evaluation.findings.thresholds import ASSUMED, SYMBOLS
from coig.evaluation.report.columns import NEW_RATERS, THESE_RATERS
from coig.evaluation.report.opening import opening_lines
from coig.evaluation.report.results import Evaluation, split_by_language
from coig.evaluation.report.sections import DOSE, JUDGES, PLAN, QUESTION, SECTIONS
from coig.evaluation.report.tables import NAMES_IN_FULL, arm_table, name_table, score_table, views_in
from coig.text.language import HAN

MARKS = {"supported": "✓", "not supported": "✕", "inconclusive": "?", "not measured": "–"}
CAPTIONS = {
    "win_rates": "Win rate of the row's arm over the column's in per cent, and its 95 % interval for these raters and "
    "new prompts.",
    "trade_offs": "What the ratio buys and costs: preference, ended answers, answers in the other language, copies, "
    "sameness, scores on other tasks and the distance from the base model, as far as they were measured. Points: arms "
    "with 95 % intervals. Dashed line: general data alone.",
    "dose": "What was measured, by the number of general examples per creative one. Points: arms with 95 % intervals. "
    "Line and band: interpolated between the arms, with its 95 % interval. Dashes: average of the fitted curves. Bar "
    "on the line of general data alone: 95 % interval of R₅₀; below it: the bracket of tested arms.",
    "dose_measures": "The other measures, in the same way.",
    "strengths": "Strength with its 95 % interval; in brackets, the 95 % interval of the rank.",
    "length_control": "Open circles: win rate as judged. Filled circles: win rate estimated for answers of equal "
    "length.",
    "length": "Length of the answers in the model's tokens, without the reasoning. "
    "Box: quartiles; whiskers: 1.5 × the distance between them.",
    "ttr": "Type-token ratio (distinct words / words). It falls with length, "
    "so it cannot be compared between arms whose answers differ in length.",
    "mattr": "Moving-average type-token ratio over 50 words (Covington & McFall 2010): unlike TTR, it does not fall "
    "with length.",
    "contamination": "Share of answers written in the other language, with 95 % Wilson intervals.",
    "behaviour": "Share of each kind of step by position in the reasoning, from its start (0 %) to its end (100 %).",
    "genres": "Win rate of the strongest arm with creative data over general data alone, by genre (number of prompts "
    "in brackets). "
    "Thick line: 95 % interval for these raters and new prompts; thin line: for new raters too.",
}
COPIES_SHOWN = 20  # near copies of each language on the page; the table has all
EXPLORATORY = Markup(' <span class="mark">exploratory</span>')
NO_CONTRAST = "No two arms differ only in what the question compares: train the other arms of the experiment."
QUERY = ("query_id", "lang", "genre", "query")
ANSWER = ("arm", "reasoning", "answer", "tokens", "language", "finished", "contaminated")
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render_page(evaluation: Evaluation, svgs: Mapping[str, bytes]) -> str:
    """Render report.html. Every text of a user or a model is escaped.

    Args:
        svgs: the figures of `draw_figures` as SVG, by name.
    """
    environment = Environment(
        loader=PackageLoader("coig.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"lang": _lang, "language": LANGUAGE_NAMES.get}
    return environment.get_template("report.html.j2").render(
        study=evaluation.study,
        opening=opening_lines(evaluation),
        facts=_facts(evaluation),
        notes=evaluation.notes,
        plan=_plan(evaluation),
        exploratory=EXPLORATORY if _find_plan(evaluation) else "",
        dose=_dose(evaluation, svgs),
        methods=evaluation.methods,
        question=_question(evaluation),
        claims=_claims(evaluation),
        rule=_rule(evaluation),
        sections=_sections(evaluation, svgs),
        copies=_copies(evaluation),
        scores=_scores(evaluation),
        judges=_judges(evaluation),
        names_in_full=NAMES_IN_FULL,
        names=name_table(evaluation.full_names),
        arms=arm_table(evaluation.manifests),
        answers=_answers(evaluation),
    )


def render_summary(evaluation: Evaluation) -> str:
    """Render summary.md: opening, plan, ratios, the question's answers, judges, claims, tables, full names, notes."""
    parts = [f"# Study {evaluation.study}", *opening_lines(evaluation), *_plan_lines(evaluation)]
    parts += [*_dose_lines(evaluation), *question_lines(evaluation)]
    parts += [_to_paragraph(answer.lang, answer.main, answer.others) for answer in evaluation.judges]
    if checked := _claims(evaluation):
        parts.append(_rule(evaluation))
    for lang, counts, claims in checked:
        parts += [f"## {LANGUAGE_NAMES[lang]}: claims ({counts})", "\n".join(map(_item, claims))]
    for view in (view for view in views_in("summary") if view not in PLAN.views):
        for lang, cells in view.fill(evaluation):
            parts += [f"## {LANGUAGE_NAMES[lang]}{view.title}", render_markdown(cells)]
    if evaluation.methods:
        parts += ["## How people judged", evaluation.methods]
    if evaluation.full_names:
        parts += [f"## {NAMES_IN_FULL}", render_markdown(name_table(evaluation.full_names))]
    if evaluation.notes:
        parts.append("\n".join(f"- {note}" for note in evaluation.notes))
    return "\n\n".join(parts) + "\n"


def _find_plan(evaluation: Evaluation) -> RegisteredPlan | None:
    """Return what became of the study's registered plan; None without one."""
    return evaluation.findings.registered if evaluation.findings else None


def _plan(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the template's variables of the section on the registered plan; None without one."""
    found = _find_plan(evaluation)
    return {"section": PLAN, "found": found, "tables": PLAN.tables(evaluation)} if found else None


def _plan_lines(evaluation: Evaluation) -> list[str]:
    """Return the registered plan as paragraphs of Markdown, then the heading of all other results.

    Without a plan return an empty list.
    """
    if (found := _find_plan(evaluation)) is None:
        return []
    lines = [f"## {PLAN.title}", f"{found.heading} {PLAN.opening}"]
    for heading, cells in PLAN.tables(evaluation):
        lines += [f"**{heading}**", render_markdown(cells)]
    for title, sentences in (("Exclusions", found.exclusions), ("Deviations from the plan", found.deviations)):
        lines += [f"**{title}**", "\n".join(f"- {sentence}" for sentence in sentences) or "None."]
    return [*lines, "## Exploratory results"]


def _dose_lines(evaluation: Evaluation) -> list[str]:
    """Return as Markdown what the ratio buys and costs, then how results depend on it, with links to the figures.

    SYMBOLS stands before the first of them, and ASSUMED is the last paragraph. Without findings on doses return an
    empty list.
    """
    if evaluation.findings is None or not evaluation.findings.doses:
        return []
    lines = [DOSE.opening]
    for answer in evaluation.findings.trade_offs:
        heading = LANGUAGE_NAMES[answer.lang]
        if len(answer.others) > 1:  # a single measure has no figure of its own
            lines.append(f"![{heading}: what the ratio buys and costs](figures/trade_offs_{answer.lang}.png)")
        lines.append(_to_paragraph(answer.lang, answer.main, answer.others))
    lines.append(SYMBOLS)
    for answer in evaluation.findings.doses:
        heading = LANGUAGE_NAMES[answer.lang]
        lines.append(f"![{heading}: results by ratio](figures/dose_{answer.lang}.png)")
        lines.append(_to_paragraph(answer.lang, answer.main, answer.others))
    return [*lines, ASSUMED]


def _to_paragraph(lang: str, main: str, others: Sequence[str]) -> str:
    """Return a paragraph of Markdown: a language's main sentence, and further ones as a list."""
    return "\n".join([f"**{LANGUAGE_NAMES[lang]}: {main}**", "", *(f"- {other}" for other in others)]).strip()


def _judges(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the template's variables of the section on model judges; None without judges."""
    shown = JUDGES.tables(evaluation)
    if not shown:
        return None
    answers = [(LANGUAGE_NAMES[answer.lang], answer) for answer in evaluation.judges]
    return {"section": JUDGES, "answers": answers, "tables": shown}


def _dose(evaluation: Evaluation, svgs: Mapping[str, bytes]) -> dict[str, Any] | None:
    """Return the template's variables of the section on ratios; None if the study has no series of ratios."""
    if evaluation.findings is None or not evaluation.findings.doses:
        return None
    return {
        "section": DOSE,
        "answers": [(LANGUAGE_NAMES[answer.lang], answer) for answer in evaluation.findings.doses],
        "symbols": SYMBOLS,
        "assumed": ASSUMED,
        "trade_offs": _figures(DOSE.figures[:1], svgs),
        "weighed": [(LANGUAGE_NAMES[answer.lang], answer) for answer in evaluation.findings.trade_offs],
        "main": _figures(DOSE.figures[1:2], svgs),
        "others": _figures(DOSE.figures[2:], svgs),
        "tables": DOSE.tables(evaluation),
    }


def question_lines(evaluation: Evaluation, *, short: bool = False) -> list[str]:
    """Return the study's question, its pools' halves and the answers as paragraphs of Markdown; [] without a question.

    Without answers the last paragraph is NO_CONTRAST. `short` leaves out the sentences on single contrasts.
    """
    if (question := _question(evaluation)) is None:
        return []
    answers = [
        "\n".join(
            [f"{heading}: {answer.short}", *(f"- {item}" for item in answer.best + (() if short else answer.contrasts))]
        )
        for heading, answer in question["answers"]
    ]
    return [f"**{question['asked']}**", *question["halves"], *(answers or [NO_CONTRAST])]


def _question(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the template's variables of the question's section; None if the study has no question."""
    findings = evaluation.findings
    if findings is None or findings.question is None:
        return None
    return {
        "asked": findings.question,
        "halves": findings.halves,
        "answers": [(LANGUAGE_NAMES[answer.lang], answer) for answer in findings.question_answers],
        "tables": QUESTION.tables(evaluation),
        "key": QUESTION.key,
        "none": NO_CONTRAST,
    }


def _facts(evaluation: Evaluation) -> list[str]:
    """Return phrases with the study's arms and, where known, its numbers of queries, answers, judgments and raters.

    More than MOST_NAMED arms are told by their number.
    """
    names = f": {', '.join(evaluation.arms)}" if len(evaluation.arms) <= MOST_NAMED else ""
    facts = [f"{counted(len(evaluation.arms), 'arm')}{names}"]
    if (answers := evaluation.table("answers")) is not None:
        queries = answers.unique("query_id", maintain_order=True)
        parts = [f"{len(part):,} {LANGUAGE_NAMES[lang].split()[0]}" for lang, part in split_by_language(queries)]
        genres = counted(queries["genre"].n_unique(), "genre")
        facts.append(f"{counted(len(queries), 'query', 'queries')} ({', '.join(parts)}) of {genres}")
        facts.append(counted(len(answers), "answer"))
    if (raters := evaluation.table("raters")) is not None:
        facts.append(
            f"{counted(int(raters['judgments'].sum()), 'judgment')} by {counted(raters['rater'].n_unique(), 'rater')}"
        )
    return facts


def _sections(evaluation: Evaluation, svgs: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Return for each section with a figure or a table: the section, its figures and its tables."""
    parts = [
        {"section": section, "figures": _figures(section.figures, svgs), "tables": section.tables(evaluation)}
        for section in SECTIONS
    ]
    return [part for part in parts if part["figures"] or part["tables"]]


def _figures(names: Sequence[str], svgs: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Return name, caption and inline SVGs, Chinese before English, of each named figure drawn in any language."""
    drawn = {name: [svgs[f"{name}_{lang}"] for lang in LANGUAGE_NAMES if f"{name}_{lang}" in svgs] for name in names}
    return [
        {"name": name, "caption": CAPTIONS[name], "svgs": [_inline(svg, CAPTIONS[name]) for svg in found]}
        for name, found in drawn.items()
        if found
    ]


def _inline(svg: bytes, caption: str) -> Markup:
    """Return a figure's `<svg>` element with a label, without the XML prologue and matplotlib's ids, which repeat."""
    text = re.sub(r' id="[A-Za-z][\w.]*_\d{1,4}"', "", svg.decode())
    opening = Markup('<svg role="img" aria-label="{}"').format(caption)
    return opening + Markup(text[text.index("<svg") + len("<svg") :])


def _copies(evaluation: Evaluation) -> list[tuple[str, list[dict[str, Any]], int]]:
    """Return (language in words, its COPIES_SHOWN nearest copies as rows, number of all) for each that has any."""
    frame = evaluation.table("near_copies")
    parts = [] if frame is None else split_by_language(frame)
    return [
        (
            LANGUAGE_NAMES[lang],
            part.sort("shared", descending=True, maintain_order=True).head(COPIES_SHOWN).to_dicts(),
            len(part),
        )
        for lang, part in parts
    ]


def _scores(evaluation: Evaluation) -> Table | None:
    """Return the table of scores on other tasks; None without any."""
    frame = evaluation.table("scores")
    return None if frame is None else score_table(frame)


def _claims(evaluation: Evaluation) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return (language, counts of each status in words, claims for the template) for each language with claims."""
    frame = evaluation.table("claims")
    return [
        (lang, _counts(part["status"]), [_claim(row) for row in part.iter_rows(named=True)])
        for lang, part in ([] if frame is None else split_by_language(frame))
    ]


def _rule(evaluation: Evaluation) -> str:
    """Return the rule for claims in words, with the evaluation's margin; "" without findings."""
    return rule_in_words(evaluation.findings.margin) if evaluation.findings else ""


def _counts(statuses: pl.Series) -> str:
    """Return how many claims have each status that occurs, such as "2 supported, 1 inconclusive"."""
    return ", ".join(f"{count} {status}" for status in MARKS if (count := (statuses == status).sum()))


def _claim(row: Row) -> dict[str, Any]:
    """Return a claim for the template, with its figures as (label, text); no figures if nothing was measured."""
    facts = [
        ("effect", row["effect"] or NONE),
        (f"95 %, {THESE_RATERS}", interval(row["low"], row["high"]) + "\u00a0%"),
        (f"95 %, {NEW_RATERS}", interval(row["low_raters"], row["high_raters"]) + "\u00a0%"),
        ("corrected p", p_value(row["p_holm"])),
        ("advantage excluded", excluded_in_words(row["excluded"]) or NONE),
    ]
    if row["prompts_needed"]:
        facts.append(("prompts needed, about", number(row["prompts_needed"])))
    facts = [(label, NONE if text.startswith(NONE) else text) for label, text in facts]
    has_figures = any(text != NONE for _, text in facts)
    return {
        **{name: row[name] for name in ("claim", "status", "why")},
        "mark": MARKS[row["status"]],
        "facts": facts if has_figures else [],
    }


def _item(claim: dict[str, Any]) -> str:
    """Render a claim as a Markdown item, with its figures on one line."""
    figures = "; ".join(f"{label} {text}" for label, text in claim["facts"])
    stated = f"- {claim['mark']} **{claim['status']}**: {claim['claim']}"
    return "  \n  ".join([stated, figures, claim["why"]]) if figures else f"{stated} ({claim['why']})"


def _answers(evaluation: Evaluation) -> Markup | None:
    """Return the queries with the arms' answers as JSON for a <script> element; None without answers.

    Characters that could end the element are escaped.
    """
    frame = evaluation.table("answers")
    if frame is None:
        return None
    place = {arm: number for number, arm in enumerate(evaluation.arms)}
    queries: dict[str, dict[str, Any]] = {}
    order = pl.col("arm").replace_strict(place, default=len(place))
    for row in frame.sort(order, maintain_order=True).select(*QUERY, *ANSWER).iter_rows(named=True):
        query = queries.setdefault(row["query_id"], {**{name: row[name] for name in QUERY}, "answers": []})
        query["answers"].append({name: row[name] for name in ANSWER})
    text = json.dumps(list(queries.values()), ensure_ascii=False, separators=(",", ":"))
    for character, escape in ESCAPES.items():
        text = text.replace(character, escape)
    return Markup(text)


def _lang(text: str) -> Markup:
    """Return the attribute ` lang="zh-Hans"` if a text holds Chinese characters, so that browsers choose their glyphs.

    Else return an empty text.
    """
    return Markup(' lang="zh-Hans"') if HAN.search(text) else Markup("")
