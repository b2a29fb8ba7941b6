"""What is taken in, what is not, and why."""

from __future__ import annotations

import json

import pytest

from coig.errors import ConfigError, DataError
from tests.curation.curations import STORY, TALE, article, only_text, open_store, read_texts, run, write_articles


def test_an_article_comes_with_all_that_an_audit_needs() -> None:
    about = {"url": "https://example.org/1", "author": "林溪", "licence": "CC BY 4.0", "collector": "li"}
    write_articles(article(STORY, **about, engagement=12, title="伞"))
    run("stage=ingest", "by=zhang")
    text = only_text()
    assert text.state == "ingested"
    assert text.lang == "zh"
    assert text.about == {
        **about,
        "title": "伞",
        "lang": None,
        "genre": "essay",
        "published": "2024-05-01",
        "engagement": 12.0,
        "place": "articles.jsonl:1",
    }


def test_a_file_with_other_columns_is_refused_with_their_names() -> None:
    write_articles({"body": STORY, "link": "https://example.org/1"})
    with pytest.raises(DataError, match=r"its columns \(body, link\) .* 'ingest.columns=\{text: body\}'"):
        run("stage=ingest")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (article("雨停了。"), "length: 4 characters, fewer than 12"),
        (article(""), "length: 0 characters, fewer than 12"),
        (article(" \n "), "length: 0 characters, fewer than 12"),
        (article("雨" * 31_072), "length: 31,072 characters, more than 31,071"),
        (article("长" * 4_000_000), "length: 4,000,000 characters, more than 31,071"),
        (article(STORY, published="2022年10月31日"), "date: 2022-10-31, not after 2022-10-31"),
        (article(STORY, published=None), "date: not given"),
        (article(STORY, lang="en"), "language: said to be en, written in another script"),
        (article(STORY, lang="fr"), "language: fr, not zh or en"),
        (article("1234567890 1234567890"), "language: neither Chinese nor Latin script"),
    ],
)
def test_what_is_outside_the_rules_is_kept_with_the_reason(row: dict[str, object], reason: str) -> None:
    write_articles(row)
    run("stage=ingest")
    text = only_text()
    assert text.state == "excluded"
    assert reason in text.events[0].value["reasons"]


def test_damaged_rows_are_counted_and_the_others_taken_in() -> None:
    bad = ['{"text": "没写完', "[1]", article(STORY, published="昨天"), {"title": "无文"}, {"text": 7}]
    write_articles(article(STORY), *bad, json.dumps(article("\ud83d" + STORY)), article(TALE))
    run("stage=ingest")
    run("stage=ingest")
    store = open_store()
    assert store.count_damaged() == 6
    assert [text.state for text in store.read_texts()] == ["ingested", "ingested"]
    store.close()


def test_a_file_of_other_columns_is_one_message_with_the_remedy() -> None:
    write_articles({"content": STORY})
    with pytest.raises(DataError, match=r"ingest.columns=\{text: content\}"):
        run("stage=ingest")
    run("stage=ingest", "ingest.columns={text: content}", "ingest.published_after=null")
    assert only_text().article == STORY


def test_html_becomes_a_second_version() -> None:
    write_articles(article(f"<p>{STORY}</p>"))
    run("stage=ingest")
    text = only_text()
    assert [version.content["text"] for version in text.articles] == [f"<p>{STORY}</p>", STORY]
    assert [version.why for version in text.articles] == ["as it was collected", "without HTML"]


def test_personal_data_is_flagged_with_its_place() -> None:
    write_articles(article(STORY + "电话13800138000。"))
    run("stage=ingest")
    [found] = only_text().events[0].value["personal_data"]
    assert (found["kind"], found["start"]) == ("phone", len(STORY) + 2)


def test_the_same_file_again_adds_only_what_is_new() -> None:
    write_articles(article(STORY))
    run("stage=ingest")
    write_articles(article(STORY), article(TALE))
    run("stage=ingest")
    assert [text.article for text in read_texts()] == [STORY, TALE]


def test_other_stages_begin_with_ingest() -> None:
    write_articles(article(STORY))
    with pytest.raises(ConfigError, match="begin with stage=ingest"):
        run("stage=status")
