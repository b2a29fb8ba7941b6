"""What is exported can be read again, and judgments made elsewhere go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from coig.annotation.exports import export_judgments, import_judgments
from coig.annotation.replies import Answered, Sent
from coig.annotation.store import Store
from coig.errors import ConfigError, DataError
from coig.records.authors import rater_of_file
from coig.records.judgment import Judgment, read_judgments
from coig.records.judgment_database import ACTS, read_database
from coig.study.items import AnsweredQuery
from tests.annotation.studies import ARMS, make_store, rank

BOTH = ("zh", "en")


def make_authors_questions() -> list[AnsweredQuery]:
    """Return a question of each language, with ids as those of the authors' files."""
    answers = {arm: f"Text of {place}" for place, arm in enumerate(ARMS)}
    return [AnsweredQuery(f"{lang}-7", lang, None, "Task", dict(answers)) for lang in BOTH]


def make_judged(folder: Path, *overrides: str) -> Store:
    """Return a store in which ann has judged twice, changed her mind once, and abstained once."""
    folder.mkdir(exist_ok=True)
    store = make_store(folder / "judgments.sqlite", make_authors_questions(), *overrides)
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 2)
    if store.config.protocol.kind == "rating":
        one = {"plot": 1}
        answered = Answered(ratings=({"plot": 3}, one, one, one, one), seconds=5.0)
        store.save(ann, Sent(number=1, key="key-of-the-ratings", answered=answered))
    else:
        store.save(ann, rank(1, [4], [3], [2], [1], [0], key="the-first-verdict"))
        store.save(ann, rank(1, [0], [1, 2], [3], [4], key="the-second-verdict"))
    store.save(ann, Sent(number=2, key="the-abstention-key", answered=Answered(), reason="empty", about=(1,)))
    return store


def judgments(store: Store) -> list[Judgment]:
    with store.database.reading() as connection:
        return read_database(connection, "demo")


@pytest.mark.parametrize("protocol", ["ranking", "rating"])
def test_json_lines_are_the_judgments_with_pseudonyms(tmp_path: Path, protocol: str) -> None:
    overrides = (f"protocol={protocol}", *(["protocol.dimensions=[plot]"] if protocol == "rating" else []))
    store = make_judged(tmp_path / "demo", *overrides)
    export_judgments(store, tmp_path / "demo", "jsonl", history=False)
    file = tmp_path / "demo" / "exports" / "judgments.jsonl"
    assert "ann" not in json.dumps([line.get("rater") for line in map(json.loads, file.open(encoding="utf-8"))])
    read = [one for _, one in read_judgments(file, "demo")]
    there = judgments(store)
    assert [one.model_copy(update={"rater": "ann"}) for one in read] == there
    other = make_store(tmp_path / "other.sqlite", make_authors_questions(), *overrides)
    for _ in range(2):  # the second time adds nothing
        import_judgments(other, [file], "demo")
    again = judgments(other)
    compared = {"id", "kind", "value", "order", "seconds", "query_id"}
    assert [one.model_dump(include=compared) for one in again] == [one.model_dump(include=compared) for one in there]
    code = other.add_rater(again[0].rater, BOTH)
    assert other.next_tasks(code, 2) == []  # nothing is left for this rater


def test_a_ranking_of_the_best_goes_on_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    store = make_store(tmp_path / "demo" / "judgments.sqlite", make_authors_questions(), "protocol.best=1")
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 1)
    store.save(ann, rank(1, [2, 4]))
    export_judgments(store, tmp_path / "demo", "jsonl", history=False)
    other = make_store(tmp_path / "other.sqlite", make_authors_questions(), "protocol.best=1")
    import_judgments(other, [tmp_path / "demo" / "exports" / "judgments.jsonl"], "demo")
    assert [(one.value, one.placed) for one in judgments(other)] == [(one.value, 2) for one in judgments(store)]
    with pytest.raises(ConfigError, match="of all answers"):
        export_judgments(store, tmp_path / "demo", "authors", history=False)


def test_the_history_holds_what_was_superseded(tmp_path: Path) -> None:
    store = make_judged(tmp_path / "demo")
    export_judgments(store, tmp_path / "demo", "jsonl", history=True)
    read = [one for _, one in read_judgments(tmp_path / "demo" / "exports" / "judgments.jsonl", "demo")]
    assert [(one.id, one.supersedes) for one in read] == [
        ("the-first-verdict", None),
        ("the-second-verdict", "the-first-verdict"),
        ("the-abstention-key", None),
    ]


def test_the_authors_format_is_read_as_it_was_seen(tmp_path: Path) -> None:
    store = make_judged(tmp_path / "demo")
    export_judgments(store, tmp_path / "demo", "authors", history=False)
    (file,) = (tmp_path / "demo" / "exports" / "authors").iterdir()
    assert rater_of_file(file).startswith("rater ")
    (read,) = (one for _, one in read_judgments(file, "demo"))
    there = next(one for one in judgments(store) if one.kind == "ranking")
    assert read.query_id == there.query_id
    assert dict(zip(read.arms, read.value, strict=True)) == dict(zip(there.arms, there.value, strict=True))
    other = make_store(tmp_path / "other.sqlite", make_authors_questions())
    import_judgments(other, [file], "demo")
    assert [one.value for one in judgments(other)] == [there.value]
    ranked = json.loads(file.read_text(encoding="utf-8"))[0]["ranked_responses"]
    assert [one["rank"] for one in ranked] == [1, 2, 2, 4, 5]
    assert ranked[0]["my_response"].startswith("Text of")
    with store.database.reading() as connection:
        acts = [row.detail for row in connection.execute(select(ACTS))]
    assert acts == ["1 judgments as authors"]  # the abstention is not among them


def test_what_the_authors_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    ratings = make_judged(tmp_path / "demo", "protocol=rating", "protocol.dimensions=[plot]")
    with pytest.raises(ConfigError, match="rankings only"):
        export_judgments(ratings, tmp_path / "demo", "authors", history=False)


def test_an_item_that_waits_on_a_rater_s_page_is_imported(tmp_path: Path) -> None:
    export_judgments(make_judged(tmp_path / "demo"), tmp_path / "demo", "jsonl", history=False)
    other = make_store(tmp_path / "other.sqlite", make_authors_questions())
    exported = tmp_path / "demo" / "exports" / "judgments.jsonl"
    (rater, *_) = (one.rater for _, one in read_judgments(exported, "demo"))
    code = other.add_rater(rater, BOTH)
    assert len(other.next_tasks(code, 2)) == 2
    import_judgments(other, [exported], "demo")
    assert len(judgments(other)) == 2
    assert other.next_tasks(code, 2) == []


def test_nothing_to_write_is_an_error(tmp_path: Path) -> None:
    store = make_judged(tmp_path / "demo")
    with pytest.raises(ConfigError, match=r"history=true: export=authors holds last judgments only"):
        export_judgments(store, tmp_path / "demo", "authors", history=True)
    unjudged = make_store(tmp_path / "other.sqlite", make_authors_questions())
    for form in ("jsonl", "authors"):
        with pytest.raises(ConfigError, match=rf"export={form}: .*other.sqlite has nothing of that kind yet"):
            export_judgments(unjudged, tmp_path / "other", form, history=False)
    assert not (tmp_path / "other").exists()


def test_judgments_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path / "judgments.sqlite", make_authors_questions())
    file = tmp_path / "pairs.jsonl"
    row = {"query_id": "zh-7", "lang": "zh", "arm_a": "cw", "arm_b": "general", "winner": "a", "rater": "bob"}
    file.write_text(json.dumps(row))
    with pytest.raises(DataError, match=r"pairs\.jsonl:1: is no ranking"):
        import_judgments(store, [file], "demo")
    assert judgments(store) == []
