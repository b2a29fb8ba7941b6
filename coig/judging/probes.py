"""Make checks of a judge: pairs of which the right verdict is known, and questions that are asked again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import get_args

from coig.judging.calls import Call, make_call
from coig.judging.cases import Case
from coig.records.judgment import Check
from coig.statistics.orders import shuffle
from coig.study.defects import FEWEST, Defect, can_be_damaged, plant_defect
from coig.study.items import AnsweredQuery

DAMAGEABLE = f"an answer of at least {FEWEST} sentences, in which any reader would see the defect"
NEEDED: dict[Check, str] = {  # by other probes than planted defects
    **dict.fromkeys(("identical", "empty"), "an answer that is not empty"),
    "wrong_language": "answers of one arm in both languages that are not empty",
}
log = logging.getLogger(__name__)
# makes a probe's text of an arm's answer to a question; None: cannot
Spoil = Callable[[AnsweredQuery, str], str | None]


def make_probes(questions: Sequence[AnsweredQuery], pairs: Sequence[Call], count: int, seed: int) -> list[Call]:
    """Return the calls that check a judge: each kind of check on `count` questions, drawn in turn from each language.

    A probe compares an arm's answer with a text that was made of it: the same text, an empty one, one with a defect, or
    the arm's answer to a query of the other language. It gives two calls, one for each order, or one for the same text.
    A repeat is one of `pairs`, asked again. A kind has fewer questions if too few fit; a warning says why for probes.
    The repeats come last.
    """
    probes: list[Call] = []
    lacking: dict[str, list[str]] = {}
    for kind, spoil in _kinds(questions, seed).items():
        found = (calls for one in _order(questions, seed, kind) if (calls := _make_probe(one, kind, spoil, seed)))
        made = list(islice(found, count))
        if len(made) < count:
            why = f"{len(made)} instead of {count} prompts, as no other prompt has {NEEDED.get(kind, DAMAGEABLE)}"
            lacking.setdefault(why, []).append(kind)
        probes += chain.from_iterable(made)
    for why, kinds in lacking.items():
        log.warning("%s %s: %s", "probe" if len(kinds) == 1 else "probes", ", ".join(kinds), why)
    by_query = {call.query_id: call for call in shuffle(pairs, seed, "repeat")}
    drawn = islice(_order([one for one in questions if one.query_id in by_query], seed, "repeat"), count)
    return probes + [make_call("pairs", one, by_query[one.query_id].order, "repeat") for one in drawn]


def _kinds(questions: Sequence[AnsweredQuery], seed: int) -> dict[Check, Spoil]:
    """Return {kind of probe: function that makes its text from a question and an arm, or returns None if it cannot}."""

    def spoil_by(defect: Defect) -> Spoil:
        """Return the function that plants a defect in an arm's answer; it returns None for an answer too short."""
        return lambda question, arm: (
            plant_defect(defect, text, seed, question.query_id)
            if can_be_damaged(text := question.answers[arm])
            else None
        )

    def foreign(question: AnsweredQuery, arm: str) -> str | None:
        """Return the arm's answer to a random query of another language; None if it has none that is not empty."""
        others = (one for one in shuffle(questions, seed, question.query_id) if one.lang != question.lang)
        return next((text for one in others if (text := one.answers.get(arm))), None)

    return {
        "identical": lambda question, arm: question.answers[arm],
        "empty": lambda question, arm: "",
        **{defect: spoil_by(defect) for defect in get_args(Defect)},
        "wrong_language": foreign,
    }


def _order(questions: Sequence[AnsweredQuery], seed: int, kind: Check) -> Iterator[AnsweredQuery]:
    """Return an iterator over all questions in random order, taking one of each language in turn."""
    mixed = shuffle(questions, seed, "probes", kind)
    of_langs = [[one for one in mixed if one.lang == lang] for lang in sorted({one.lang for one in mixed})]
    return (one for together in zip_longest(*of_langs) for one in together if one is not None)


def _make_probe(question: AnsweredQuery, kind: Check, spoil: Spoil, seed: int) -> list[Call] | None:
    """Return the calls of one probe on a question, for a random arm whose answer fits; None if no answer fits.

    An answer fits if it is not blank and `spoil` makes a text of it.
    """
    written = [arm for arm, text in question.answers.items() if text.strip()]
    for arm in shuffle(written, seed, question.query_id, kind):
        text = spoil(question, arm)
        if text is not None:
            return _make_comparison(question, kind, arm, text)
    return None


def _make_comparison(question: AnsweredQuery, kind: Check, arm: str, made: str) -> list[Call]:
    """Return the calls that compare an arm's answer with `made`, a text that was made of the answer.

    There is one call for each order, but a single one if `kind` is `identical`. In a call's `order`, `kind` is the name
    of the made text.
    """
    texts = {arm: question.answers[arm], kind: made}
    orders = [(arm, kind)] if kind == "identical" else [(arm, kind), (kind, arm)]
    cases = {
        order: Case("pairs", question.lang, question.prompt, tuple(texts[one] for one in order)) for order in orders
    }
    return [Call(case, question.query_id, question.genre, order, kind) for order, case in cases.items()]
