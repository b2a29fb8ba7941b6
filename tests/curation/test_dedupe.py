"""Which copy is kept, what is compared with what, and what a person can change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coig.curation.dedupe import remove_copies
from coig.curation.near_duplicates import Likeness
from coig.errors import DataError
from tests.curation.curations import (
    STORY,
    TALE,
    act,
    article,
    open_store,
    read_texts,
    run,
    run_to,
    write_articles,
)

COPY = STORY.replace("木箱", "铁箱")


def states() -> list[str]:
    return [text.state for text in read_texts()]


def test_one_copy_is_kept_with_evidence_and_likeness_is_stored() -> None:
    write_articles(article(COPY), article(STORY + "雨停了。"), article(TALE))
    run_to("dedupe")
    assert states() == ["duplicate", "unique", "unique"]
    first, second, _ = read_texts()
    evidence = first.events[-1].value
    assert evidence["kept"] == second.key
    assert 0.5 < evidence["jaccard"] < evidence["containment"] < 1
    store = open_store()
    assert [(row.key, row.other) for row in store.read_likenesses()] == [(second.key, first.key)]
    store.close()


@pytest.mark.parametrize(("rule", "kept"), [("longest", 0), ("earliest", 1), ("most_engaged", 2)])
def test_the_rule_says_which(rule: str, kept: int) -> None:
    write_articles(
        article(STORY + "是啊。", published="2024-03-01", engagement=1),
        article(STORY, published="2024-01-01", engagement=2),
        article(COPY, published="2024-02-01", engagement=3),
    )
    run_to("dedupe", f"dedupe.keep=[{rule}]")
    assert [place for place, state in enumerate(states()) if state == "unique"] == [kept]


def test_a_later_copy_is_compared_with_what_was_kept() -> None:
    write_articles(article(STORY))
    run_to("dedupe")
    write_articles(article(STORY), article(COPY + "雨停了，人散了。"))
    run_to("dedupe")
    assert states() == ["unique", "duplicate"]


@pytest.mark.parametrize(
    "row",
    [
        {"id": "q", "lang": "zh", "genre": "essay", "query": COPY},
        {"query": "q", "thought": "t", "answer": COPY},
        {"prompt": "p", "reasoning": "r", "answer": COPY},
        {"article": COPY},
    ],
)
def test_nothing_comes_in_that_is_tested_or_there_already(row: dict[str, str]) -> None:
    Path("guarded.jsonl").write_text(json.dumps(row) + "\n")
    write_articles(article(STORY), article(TALE))
    run_to("dedupe", "dedupe.against=guarded.jsonl")
    assert states() == ["duplicate", "unique"]
    assert read_texts()[0].events[-1].value["kept"] == "guarded.jsonl:1"


def test_a_guarded_row_without_text_is_an_error() -> None:
    Path("guarded.jsonl").write_text('{"id": 1}\n')
    write_articles(article(STORY))
    with pytest.raises(DataError, match=r"guarded\.jsonl:1: dedupe\.against"):
        run_to("dedupe", "dedupe.against=guarded.jsonl")
    assert states() == ["assessed"]


def test_a_person_can_split_a_cluster() -> None:
    write_articles(article(STORY + "雨停了。"), article(COPY))
    run_to("dedupe")
    copy = read_texts()[1]
    act("split", "li", copy.key, why="另一位作者的改写")
    run("stage=dedupe")
    assert states() == ["unique", "unique"]
    assert read_texts()[1].events[-1].by.name == "li"
    with pytest.raises(ValueError, match="is unique; split needs one that is duplicate"):
        act("split", "li", copy.key, why="again")


def test_a_chain_of_similar_texts_is_no_cluster() -> None:
    def like(first: int, second: int) -> Likeness:
        return Likeness(first, second, 0.6, 0.8)

    removed = remove_copies([0, 1, 2, 3], [like(0, 1), like(1, 2), like(2, 3)], known=0)
    assert removed == {1: like(0, 1), 3: like(2, 3)}  # 2 is like 1 alone, which is not kept


def test_more_than_the_largest_are_compared_by_minhash() -> None:
    pytest.importorskip("rensa")
    write_articles(article(STORY + TALE), article(STORY + TALE + "雨停了。"))
    run_to("dedupe", "dedupe.largest=1")
    assert states() == ["duplicate", "unique"]
