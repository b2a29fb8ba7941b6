"""The five dimensions of the rule checks."""

from __future__ import annotations

import pytest

from tests.curation.curations import POEM, STORY, TALE, article, only_text, run_to, write_articles


@pytest.mark.parametrize(
    ("text", "dimension", "reason"),
    [
        (STORY.removesuffix("旧黑伞。"), "completeness", "breaks off at “见他自己撑着一把”"),
        (STORY + "点击阅读全文", "completeness", "goes on elsewhere (“点击阅读全文”)"),
        ("锟斤拷" + STORY, "format", "damaged characters at 0"),
        ("★☆♥★☆♥★☆♥★☆♥" + STORY, "format", "are symbols"),
        (STORY + "见https://a.cn/1 https://a.cn/2 https://a.cn/3 https://a.cn/4。", "format", "4 links"),
        ("「「「" + STORY, "correctness", "3 of 「」 have no partner"),
        (STORY + STORY, "logical consistency", "50% repeats sentences of the text"),
        (f"一、{STORY}\n三、{TALE}", "logical consistency", "a numbered part is missing"),
        ("很好，很好，很好，很好，" * 20 + "。", "creativity", "words are distinct"),
    ],
)
def test_what_is_wrong_is_named(text: str, dimension: str, reason: str) -> None:
    write_articles(article(text))
    run_to("assess")
    found = only_text()
    assert found.state == "unfit"
    assert dimension in found.events[-1].value["failed"]
    [check] = [check for check in found.events[-1].value["checks"] if check["dimension"] == dimension]
    assert reason in check["reason"]


@pytest.mark.parametrize("text", [STORY, TALE, POEM, f"一、{STORY}\n二、{TALE}", "He said: “No.”\n\nSo we left."])
def test_sound_texts_pass(text: str) -> None:
    write_articles(article(text))
    run_to("assess")
    assert only_text().state == "assessed"


def test_few_readers_count_only_where_there_is_a_figure() -> None:
    write_articles(article(STORY, engagement=3))
    run_to("assess", "assess.min_engagement=10")
    assert only_text().events[-1].value["failed"] == ["creativity"]
