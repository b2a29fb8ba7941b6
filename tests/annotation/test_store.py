"""The database of people's judgments: nothing is lost, nothing counts twice, the last verdict counts."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select, update

from coig.annotation.replies import Answered, Sent
from coig.annotation.store import Store, erase_rater
from coig.errors import ConfigError
from coig.records.judgment import Judgment
from coig.records.judgment_database import SETTINGS, read_database
from coig.web.app import UnknownError
from tests.annotation.studies import ARMS, make_questions, make_store, rank

BOTH = ("zh", "en")


def judgments(store: Store, *, history: bool = False) -> list[Judgment]:
    with store.database.reading() as connection:
        return read_database(connection, "demo", history=history)


@pytest.fixture
def store(place: Path | str) -> Store:
    return make_store(place, make_questions(8))


def test_a_ranking_is_what_was_seen(store: Store) -> None:
    ann = store.add_rater("ann", BOTH)
    (task,) = store.next_tasks(ann, 1)
    store.save(ann, rank(task.number, [2], [0, 4], [1], [3], seconds=41.5))
    (one,) = judgments(store)
    order = one.order
    assert order is not None
    assert sorted(order) == sorted(ARMS)
    assert dict(zip(one.arms, one.value, strict=True)) == dict(
        zip((order[2], order[0], order[4], order[1], order[3]), (1, 2, 2, 4, 5), strict=True)
    )
    assert (one.rater, one.kind, one.seconds, one.check) == ("ann", "ranking", 41.5, None)
    text = {answer: arm for arm, answer in store.questions[one.query_id].answers.items()}
    assert tuple(text[answer] for answer in task.answers) == order


def test_the_last_verdict_counts_and_the_history_is_kept(store: Store) -> None:
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 1)
    store.save(ann, rank(1, [0], [1], [2], [3], [4], key="the-first-verdict"))
    store.save(ann, rank(1, [0, 1, 2, 3, 4], key="the-second-verdict"))
    assert [(one.id, set(one.value)) for one in judgments(store)] == [("the-second-verdict", {1.0})]
    first, second = judgments(store, history=True)
    assert (first.supersedes, second.supersedes) == (None, "the-first-verdict")
    assert store.find_task(ann, 1).verdict == {"groups": [[0, 1, 2, 3, 4]], "good": None}


def test_what_is_sent_twice_counts_once(store: Store) -> None:
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 2)
    for _ in range(3):
        store.save(ann, rank(1, [0], [1], [2], [3], [4], key="the-only-key-there"))
    assert len(judgments(store, history=True)) == 1
    with pytest.raises(ValueError, match="another task"):
        store.save(ann, rank(2, [0], [1], [2], [3], [4], key="the-only-key-there"))


def test_orders_are_the_same_after_a_restart(place: Path | str) -> None:
    store = make_store(place, make_questions(8))
    ann = store.add_rater("ann", BOTH)
    before = store.next_tasks(ann, 3)
    store.save_draft(ann, 2, {"groups": [[1]], "at": 5.0})
    store.save_draft(ann, 2, {"groups": [[2]], "at": 9e7})  # by a phone whose clock is a day ahead
    store.save_draft(ann, 2, {"groups": [[1]], "at": 5.0})
    store.save_draft(ann, 2, {"groups": [], "at": 4.0})  # delivered late
    store.database.close()
    again = make_store(place, make_questions(8))
    assert again.add_rater("ann", BOTH) == ann
    after = again.next_tasks(ann, 3)
    assert [(t.number, t.answers) for t in after] == [(t.number, t.answers) for t in before]
    assert [task.draft for task in after] == [None, {"groups": [[1]], "at": 5.0}, None]


def test_an_abstention_is_no_tie_and_goes_to_another_rater(place: Path | str) -> None:
    store = make_store(place, make_questions(1), "raters_per_query=1")
    ann, bob = store.add_rater("ann", BOTH), store.add_rater("bob", BOTH)
    store.next_tasks(ann, 1)
    assert store.next_tasks(bob, 1) == []  # ann is at it
    told = {"number": 1, "key": "a-key-long-enough", "answered": Answered(), "reason": "wrong language"}
    store.save(ann, Sent.model_validate(told | {"about": (3,), "note": "half French"}))
    (one,) = judgments(store)
    assert (one.kind, one.value, one.is_evidence) == ("abstention", "wrong language: half French", False)
    assert one.order is not None
    assert one.arms == (one.order[3],)
    assert store.next_tasks(ann, 1) == []
    assert len(store.next_tasks(bob, 1)) == 1


def test_a_lease_expires(place: Path | str) -> None:
    store = make_store(place, make_questions(1), "raters_per_query=1", "lease_minutes=1e-9")
    ann, bob = store.add_rater("ann", BOTH), store.add_rater("bob", BOTH)
    assert store.next_tasks(ann, 1)
    assert store.next_tasks(bob, 1)
    store.save(ann, rank(1, [0], [1], [2], [3], [4]))  # late, and still counted
    assert len(judgments(store)) == 1


@pytest.mark.parametrize(
    "groups", [[[0], [1], [2], [3]], [[0], [0], [1], [2], [3]], [[0], [1], [2], [3], [5]], [[], [0, 1, 2, 3, 4]]]
)
def test_a_ranking_that_is_not_whole_is_refused(store: Store, groups: list[list[int]]) -> None:
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 1)
    with pytest.raises(ValueError, match=r"placed|twice"):
        store.save(ann, rank(1, *groups))
    assert judgments(store) == []


def test_raters_see_their_own_tasks_only(store: Store) -> None:
    ann, bob = store.add_rater("ann", BOTH), store.add_rater("bob", ("zh",))
    store.next_tasks(ann, 2)
    with pytest.raises(UnknownError):
        store.find_task(bob, 1)
    with pytest.raises(UnknownError):
        store.save(bob, rank(1, [0], [1], [2], [3], [4]))
    with pytest.raises(UnknownError):
        store.find_rater("nobody")


def test_settings_cannot_change_once_somebody_has_judged(place: Path | str) -> None:
    store = make_store(place, make_questions(2))
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 2)
    make_store(place, make_questions(2), "protocol=pairs")  # nobody has judged
    store = make_store(place, make_questions(2))
    store.next_tasks(ann, 1)
    store.save(ann, rank(1, [0], [1], [2], [3], [4]))
    with pytest.raises(ConfigError, match="protocol: people have judged"):
        make_store(place, make_questions(2), "protocol=pairs")


def test_settings_of_an_earlier_version_are_the_same(place: Path | str) -> None:
    store = make_store(place, make_questions(2))
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 1)
    store.save(ann, rank(1, [0], [1], [2], [3], [4]))
    with store.database.writing() as connection:  # its protocol had no `best`
        protocol = connection.execute(select(SETTINGS.c.value).where(SETTINGS.c.key == "protocol")).scalar_one()
        older = {key: value for key, value in protocol.items() if key != "best"}
        connection.execute(update(SETTINGS).where(SETTINGS.c.key == "protocol").values(value=older))
    [kept] = judgments(make_store(place, make_questions(2)))
    assert (kept.rater, kept.placed) == ("ann", None)


def test_a_ranking_of_the_best_leaves_the_others_uncompared(place: Path | str) -> None:
    store = make_store(place, make_questions(2), "protocol.best=2")
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 2)
    with pytest.raises(ValueError, match="not all answers are placed"):
        store.save(ann, rank(1, [3]))
    store.save(ann, rank(1, [3], [0]))
    store.save(ann, rank(2, [0], [1], [2], [3], [4]))
    partial, full = judgments(store)
    assert partial.order is not None
    ranks = dict(zip(partial.arms, partial.value, strict=True))
    assert [ranks[arm] for arm in partial.order] == [2, 3, 3, 1, 3]
    assert (partial.placed, full.placed) == (2, None)
    assert len(list(partial.pairs())) == 7  # of ten; three are among those that were not placed
    assert store.find_task(ann, 1).verdict == {"groups": [[3], [0]], "good": None}


def test_answers_cannot_change_once_somebody_has_judged_them(place: Path | str) -> None:
    questions = make_questions(2)
    store = make_store(place, questions)
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 2)
    store.save(ann, rank(1, [0], [1], [2], [3], [4]))
    (judged,) = (one.query_id for one in judgments(store))
    (waiting,) = (question for question in questions if question.query_id != judged)
    waiting.answers["general"] = "Another text."
    again = make_store(place, questions)
    (task,) = again.next_tasks(ann, 2)
    assert "Another text." in task.answers
    store.questions[judged].answers["general"] += "!"
    with pytest.raises(ConfigError, match=f"general: its answer to query {judged} has changed"):
        make_store(place, questions)


def test_tasks_with_arms_that_are_left_out_are_not_shown(place: Path | str) -> None:
    store = make_store(place, make_questions(2))
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 1)
    fewer = make_store(place, make_questions(2, ARMS[:4]))
    with pytest.raises(UnknownError, match="not served now"):
        fewer.find_task(ann, 1)
    assert {len(task.answers) for task in fewer.next_tasks(ann, 2)} == {4}


def test_a_recorded_probability(place: Path | str) -> None:
    settings = "protocol=pairs", "protocol.pairs_per_query=5", "sample=4"
    store = make_store(place, make_questions(8), *settings)
    ann = store.add_rater("ann", BOTH)
    tasks = store.next_tasks(ann, 100)
    assert len(tasks) == 20
    store.save(ann, rank(1, [1], [0]))
    (one,) = judgments(store)
    assert (one.kind, one.probability) == ("pairwise", 0.25)
    assert one.order is not None
    assert one.value == ("b" if one.arms == one.order else "a")


def test_ratings_are_a_judgment_for_each_arm(place: Path | str) -> None:
    store = make_store(place, make_questions(2), "protocol=rating", "protocol.dimensions=[plot]")
    ann = store.add_rater("ann", BOTH)
    store.next_tasks(ann, 1)
    for key, first in (("the-first-verdict", 0), ("the-second-verdict", 3)):
        answered = Answered(ratings=({"plot": first}, *({"plot": 1},) * 4))
        store.save(ann, Sent(number=1, key=key, answered=answered))
    found = judgments(store)
    assert Counter(one.value["plot"] for one in found) == {3: 1, 1: 4}  # type: ignore[index, call-overload]
    assert len({one.id for one in found}) == 5
    history = judgments(store, history=True)
    assert {one.supersedes for one in history[5:]} == {one.id for one in history[:5]}


def test_checks_come_in_turn_and_do_not_count(place: Path | str) -> None:
    overrides = "checks.every=3", "checks.kinds=[repeat,identical,halved]"
    store = make_store(place, make_questions(12, langs=["zh"]), *overrides)
    ann = store.add_rater("ann", ("zh",))
    while tasks := store.next_tasks(ann, 1):
        store.save(ann, rank(tasks[0].number, [0], [1], [2], [3], [4]))
    found = judgments(store)
    checks = [one for one in found if one.check]
    assert {one.check for one in checks[:3]} == {"halved", "identical", "repeat"}
    assert [place for place, one in enumerate(found) if one.check] == [3, 7, 11, 15]
    assert all(one.care is not None and not one.is_evidence for one in checks)
    assert len({one.query_id for one in found if one.is_evidence}) == 12


def test_everything_of_a_rater_is_erased(store: Store, tmp_path: Path) -> None:
    ann, bob = store.add_rater("Ann Lee", BOTH), store.add_rater("bob", BOTH)
    for code in (ann, bob):
        store.next_tasks(code, 1)
        store.save(code, rank(1, [0], [1], [2], [3], [4], key=f"key-of-{code}"))
    erase_rater(store.database, "Ann Lee")
    assert [one.rater for one in judgments(store)] == ["bob"]
    with pytest.raises(ConfigError, match="no rater"):
        erase_rater(store.database, "Ann Lee")
    store.database.close()
    assert not [file for file in tmp_path.iterdir() if b"Ann Lee" in file.read_bytes()]


def test_raters_at_once(place: Path | str) -> None:
    store = make_store(place, make_questions(24, langs=["zh"]), "raters_per_query=2")
    codes = [store.add_rater(f"rater {number}", ("zh",)) for number in range(6)]

    def judge(code: str) -> None:
        while tasks := store.next_tasks(code, 1):
            store.save(code, rank(tasks[0].number, [0], [1], [2], [3], [4], key=f"{code}-{tasks[0].number}-key"))

    threads = [threading.Thread(target=judge, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = judgments(store)
    assert set(Counter(one.query_id for one in found).values()) == {2}
    for code in {one.rater for one in found}:
        orders = [one.order or () for one in found if one.rater == code]
        for spot in range(5):
            seen = Counter(order[spot] for order in orders)
            assert max(seen.values()) - min(seen.get(arm, 0) for arm in ARMS) <= 1
