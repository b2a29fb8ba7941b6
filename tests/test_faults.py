"""Damaged files are read as they were, refused in one message, or read as what they say now; never anything else.

A short run of `python -m benchmarks.faults`, and properties of the readers for any content at all.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.faults.damage import BYTES, VALUES, damage
from benchmarks.faults.outcomes import FORBIDDEN, Trial, count, outcome_of_command, read_log, run_trials
from benchmarks.faults.rater import ACKNOWLEDGED
from benchmarks.faults.readers import Kind, make_kinds, read_damaged, try_reader
from benchmarks.faults.results import compare, results
from benchmarks.faults.study import make_database
from coig.errors import ConfigError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
EACH = settings(max_examples=20)


def test_a_short_run_finds_nothing() -> None:
    found = [try_reader(seed) for seed in range(150)]
    assert [trial for trial in found if trial.outcome in FORBIDDEN] == []
    assert {trial.outcome for trial in found} >= {"equal", "refused", "changed"}


@pytest.mark.parametrize("kind", make_kinds(), ids=lambda kind: kind.name)
@EACH
@given(content=st.binary(max_size=200))
def test_any_bytes(kind: Kind, content: bytes) -> None:
    outcome, said = read_damaged(kind, content)
    assert outcome not in FORBIDDEN or outcome == "wrong number", said  # such as an empty archive


@pytest.mark.parametrize("kind", [kind for kind in make_kinds() if kind.by_lines], ids=lambda kind: kind.name)
@EACH
@given(value=JSON, data=st.data())
def test_any_value_in_a_record(kind: Kind, value: Any, data: st.DataObject) -> None:
    row = json.loads(kind.content.splitlines()[0])
    row[data.draw(st.sampled_from(sorted(row)))] = value
    outcome, said = read_damaged(kind, json.dumps(row).encode() + b"\n")
    assert outcome not in FORBIDDEN, said


def test_a_reader_that_fails_is_found() -> None:
    """The instrument itself: each forbidden outcome of a reader is told from the others."""

    def fail(_: Path) -> None:
        raise KeyError("x")

    def refuse(_: Path) -> None:
        raise ConfigError("one message")

    kinds = make_kinds()
    for read, is_checked, by_lines, outcome in [
        (fail, False, False, "traceback"),
        (refuse, False, False, "refused"),
        (lambda _: [1], True, False, "wrong number"),
        (lambda _: [1], False, True, "lost line"),
        (lambda _: [1], False, False, "changed"),
        (lambda _: [1, 2], False, True, "equal"),
    ]:
        kind = Kind("file", b"a\nb\n", read, by_lines=by_lines, is_checked=is_checked)
        kinds[kind] = [1, 2]
        assert read_damaged(kind, b"a\nb\n")[0] == outcome
        del kinds[kind]


def test_lost_records_and_other_numbers_are_found(tmp_path: Path) -> None:
    """The instrument itself: a lost answer, another one, and a verdict that the server acknowledged and lost."""
    study = tmp_path / "multirun" / "authors"
    answers = study / "cw" / "generations" / "sample.jsonl"
    answers.parent.mkdir(parents=True)
    answers.write_text("1\n2\n")
    (study / "judgments.sqlite").write_bytes(make_database(tmp_path))
    (tmp_path / ACKNOWLEDGED).write_text("key-of-the-task-1\n")
    wanted = results(tmp_path)
    assert compare(results(tmp_path), wanted) == ("equal", "")
    answers.write_text("1\n")
    assert compare(results(tmp_path), wanted)[0] == "lost line"
    answers.write_text("1\n3\n")
    assert compare(results(tmp_path), wanted)[0] == "wrong number"
    answers.write_text("1\n2\n")
    (tmp_path / ACKNOWLEDGED).write_text("key-of-the-task-1\nkey-of-the-task-9\n")
    assert compare(results(tmp_path), wanted) == ("wrong number", "/multirun/authors/judgments.sqlite")


def test_commands_are_told_apart() -> None:
    assert outcome_of_command(0, "done") is None
    assert outcome_of_command(1, "damaged; mend it") == "refused"
    assert outcome_of_command(1, "Traceback (most recent call last):\n  …") == "traceback"


def test_every_damage_changes_something_and_a_seed_repeats_it() -> None:
    content = b'{"a": [1, {"b": "text"}], "c": null}\n' * 4
    seen = set()
    for seed in range(200):
        name, damaged = damage(content, Random(seed), ".jsonl")
        assert damage(content, Random(seed), ".jsonl") == (name, damaged)
        seen.add(name)
    assert seen == {*BYTES, *VALUES}


def test_a_run_goes_on_where_its_log_ends(tmp_path: Path) -> None:
    log = tmp_path / "trials.jsonl"
    made = [trial.seed for trial in run_trials("p", lambda seed: Trial("p", seed, "w", "equal"), 3, 9, log)]
    made += [trial.seed for trial in run_trials("p", lambda seed: Trial("p", seed, "w", "hang"), 5, 9, log)]
    assert made == [0, 1, 2, 3, 4]
    counts = count(read_log(log))
    assert (counts["p"]["equal"], counts["p"]["hang"], sum(counts["p"].values())) == (3, 2, 5)
