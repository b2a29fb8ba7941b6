"""Screening: failures are failures, quotations are checked, and people look at a sample of the rejected."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coig.curation.records import State
from coig.curation.screen import Screening, check_quotations, screen
from coig.curation.store import Text
from coig.curation.summary import false_rejections
from tests.curation.curations import (
    STORY,
    TALE,
    act,
    article,
    configure,
    open_store,
    read_texts,
    run_to,
    write_articles,
)

FIRST = "巷口修伞的老邓只有一只木箱。"


def reply(quality: int = 9, creativity: int = 9, quotation: str = FIRST) -> Screening:
    return Screening(
        quality=quality, quality_quotation=quotation, creativity=creativity, creativity_quotation=quotation
    )


def screen_all(replies: dict[str, Screening | str], *overrides: str) -> None:
    def judge(texts: list[Text]) -> Iterator[tuple[Text, Screening | str]]:
        for text in texts:
            yield text, replies[text.article]

    store = open_store()
    screen(store, configure(*overrides), judge, "judge")
    store.close()


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (reply(), "screened"),
        (reply(8, 8), "screened"),
        (reply(7, 10), "rejected"),
        (reply(10, 7), "rejected"),
        ("unreadable reply: no JSON object", "unique"),
        (reply(quotation="老邓没有木箱"), "unique"),
        (reply(quotation=""), "unique"),
    ],
)
def test_scores_decide_and_failures_do_not(answer: Screening | str, state: State) -> None:
    write_articles(article(STORY))
    run_to("dedupe")
    screen_all({STORY: answer})
    [text] = read_texts()
    assert text.state == state
    assert bool(text.of_kind("screen_failure")) == (state == "unique")
    assert ("quality" in text.events[-1].value) == (state != "unique")


def test_a_failed_text_is_asked_about_again() -> None:
    write_articles(article(STORY))
    run_to("dedupe")
    screen_all({STORY: "timed out"})
    screen_all({STORY: reply()})
    assert [event.kind for event in read_texts()[0].events[-2:]] == ["screen_failure", "screen"]


@pytest.mark.parametrize("quotation", ["老邓…像医生看片子", "“巷口修伞的 老邓”", "老邓......旧黑伞"])
def test_a_quotation_may_leave_out_a_middle(quotation: str) -> None:
    assert check_quotations(reply(quotation=quotation), STORY) is None


def test_people_look_at_a_random_sample_of_the_rejected() -> None:
    texts = [f"{number}号楼的邻居。{STORY if number % 2 else TALE}{'雨停' * number}。" for number in range(40)]
    write_articles(*(article(text, genre="essay" if number % 2 else "novel") for number, text in enumerate(texts)))
    run_to("dedupe", "assess.max_repeated=1", "dedupe.jaccard=1", "dedupe.containment=1", "dedupe.excerpt=10000")
    screen_all({text: reply(5, 5, text[:5]) for text in texts}, "screen.recheck=0.5")
    rejected = read_texts()
    drawn = [text for text in rejected if text.events[-1].value["drawn"]]
    assert 10 <= len(drawn) <= 30
    assert {text.events[-1].value["probability"] for text in rejected} == {0.5}
    for number, text in enumerate(drawn[:10]):
        act("recheck", "li", text.key, fit=number < 3)
    rates = false_rejections(read_texts())
    assert (rates["all"].hits, rates["all"].trials) == (3, 10)
    assert rates["all"].interval == pytest.approx((0.108, 0.603), abs=0.001)
    assert sum(rate.trials for genre, rate in rates.items() if genre != "all") == 10
    assert sum(text.state == "screened" for text in read_texts()) == 3
    other = next(text for text in rejected if not text.events[-1].value["drawn"])
    with pytest.raises(ValueError, match="was not drawn"):
        act("recheck", "li", other.key, fit=True)
