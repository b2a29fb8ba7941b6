"""The history is only ever added to, and what is taken down is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from coig.curation.database import ACTORS, DATABASE, DRAFTS, EVENTS, TABLES, VERSIONS
from tests.curation.curations import (
    STORY,
    TALE,
    act,
    article,
    only_text,
    open_store,
    read_texts,
    run,
    run_to,
    set_state,
    write,
    write_articles,
)


@pytest.mark.parametrize("table", [one for one in TABLES.sorted_tables if one is not DRAFTS], ids=lambda one: one.name)
def test_no_row_is_changed_or_deleted(table: object) -> None:
    write_articles(article(STORY), article(STORY + "雨停了。"), "no JSON")
    run_to("dedupe")
    store = open_store()
    column = next(iter(table.c))  # type: ignore[attr-defined]
    with pytest.raises(DBAPIError, match="rows are only ever added"), store.database.writing() as connection:
        connection.execute(update(table).values({column: column}))  # type: ignore[arg-type]
    if table.name != "contents":  # type: ignore[attr-defined]
        with pytest.raises(DBAPIError, match="rows are only ever added"), store.database.writing() as connection:
            connection.execute(delete(table))  # type: ignore[arg-type]
    store.close()


def test_who_ran_a_stage_with_which_settings_is_kept() -> None:
    write_articles(article(STORY))
    run("stage=ingest", "by=zhang")
    store = open_store()
    with store.database.reading() as connection:
        [row] = connection.execute(text("select stage, settings, name from runs join actors on runs.by = actors.id"))
    store.close()
    assert (row.stage, row.name) == ("ingest", "zhang")
    assert '"min_characters": 12' in row.settings


def test_what_is_taken_down_leaves_a_tombstone_and_no_word() -> None:
    write_articles(article(STORY, author="林溪", url="https://example.org/1"), article(TALE))
    run_to("dedupe")
    set_state("screened")
    gone, stays = read_texts()
    write("wen", text=gone.key, article=STORY + "雨停了。", why="林溪笔下的老邓，结尾加一句")
    assert read_texts()[0].triplet.why == "林溪笔下的老邓，结尾加一句"
    act("take_down", "li", gone.key, why="作者要求")
    gone, stays = read_texts()
    assert gone.state == "taken_down"
    assert (gone.article, gone.about, gone.triplet.content) == ("", {}, {})
    assert [event.kind for event in gone.events] == ["ingest", "assess", "dedupe", "screen", "write", "take_down"]
    assert stays.article == TALE
    for file in Path("curations/mine").glob(f"{DATABASE}*"):
        content = file.read_bytes()
        words = [word.encode(coding) for word in ("老邓", "林溪", "修伞人") for coding in ("utf-8", "unicode_escape")]
        assert not any(word in content for word in words)
    run("stage=ingest")  # it does not come back
    assert [text.state for text in read_texts()] == ["taken_down", "screened"]


def test_a_take_down_leaves_what_other_texts_share_until_they_are_taken_down_too() -> None:
    row = article(STORY, url="https://example.org/1", licence="CC BY 4.0")
    write_articles(row)
    run_to("dedupe")
    write_articles({**row, "text": STORY + "雨停了。"})  # a corrected text in the same place
    run_to("dedupe")
    first, second = read_texts()
    assert first.about == second.about
    act("take_down", "li", first.key, why="作者要求")
    first, second = read_texts()
    assert (first.article, first.about) == ("", {})
    assert (second.about["licence"], second.about["place"]) == ("CC BY 4.0", "articles.jsonl:1")
    act("take_down", "li", second.key, why="作者要求")
    store = open_store()
    with store.database.reading() as connection:
        assert connection.exec_driver_sql("select count(*) from contents").scalar_one() == 0
    store.close()


def test_what_was_taken_down_stays_empty_when_its_row_comes_again_with_another_text() -> None:
    row = article(STORY, url="https://example.org/1")
    write_articles(row)
    run_to("dedupe")
    act("take_down", "li", why="作者要求")
    write_articles({**row, "text": TALE})
    run_to("dedupe")
    first, second = read_texts()
    assert (first.state, first.about) == ("taken_down", {})
    assert second.about["url"] == "https://example.org/1"


def test_people_have_pseudonyms_and_rules_their_names() -> None:
    write_articles(article(STORY))
    run_to("dedupe")
    set_state("screened")
    write("文老师")
    actor = only_text().triplet.by
    assert actor.name == "文老师"
    assert actor.code.startswith("person-")
    assert only_text().events[0].by.code == "rules of ingestion"
    assert {ACTORS.name, EVENTS.name, VERSIONS.name} <= set(TABLES.tables)
