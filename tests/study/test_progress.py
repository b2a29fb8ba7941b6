"""watch: in which state an arm is, how far, and how long it still takes, from its files alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coig.errors import ConfigError
from coig.files.lock import locked
from coig.study.__main__ import main
from coig.study.arm import EARLY, LOCK, Arm
from coig.study.manifest import INTERRUPTED
from coig.study.progress import Logged, Progress, estimate_left, has_ended, look_at, read_logged
from coig.study.sweep import find_failed, note_sweep
from tests.studies import make_arm

TRAINING = {"steps": 40, "epochs": 1.0, "supervised_tokens": 9}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("multirun") / "s"


def log(arm: Arm, steps: int) -> None:
    """Write the metrics of so many steps of half a second, and a validation."""
    lines = [{"step": step, "train/loss": 5 - step / 10, "perf/seconds": 0.5} for step in range(steps)]
    text = "".join(json.dumps(line) + "\n" for line in [{"step": 0, "validation/loss": 4.5}, *lines])
    arm.metrics.write_text(text)


def test_every_state(study: Path) -> None:
    running = make_arm(study / "running", status="running", training=TRAINING)
    log(running, 10)
    make_arm(study / "killed", status="running", training=TRAINING)
    make_arm(study / "interrupted", status="failed", error=INTERRUPTED)
    make_arm(study / "failed", status="failed", error="out of memory")
    make_arm(study / "done", training=TRAINING)
    (study / "starting").mkdir()
    note_sweep(study, ["done", "running", "killed", "waiting", "starting"])
    with locked(study / "running" / LOCK), locked(study / "starting" / LOCK):
        shown = {one.arm: one for one in look_at(study)}
    assert [(name, one.state) for name, one in shown.items()] == [
        ("done", "done"),
        ("running", "running"),
        ("killed", "stopped"),
        ("waiting", "waiting"),
        ("starting", "starting"),
        ("failed", "failed"),
        ("interrupted", "stopped"),
    ]
    assert shown["running"].logged == Logged(steps=10, loss=4.1, validation=4.5, seconds=0.5)
    assert shown["running"].left == 15.0
    assert shown["failed"].error == "out of memory"


def test_a_half_written_line_is_not_read(study: Path) -> None:
    arm = make_arm(study / "cw", status="running", training=TRAINING)
    log(arm, 3)
    with arm.metrics.open("a") as file:
        file.write('{"step": 3, "train/lo')
    assert read_logged(arm.metrics).steps == 3
    log(arm, 5)
    assert read_logged(arm.metrics).steps == 5


def test_the_time_that_is_left() -> None:
    done = Progress("a", "done", took=100.0)
    running = Progress("b", "running", steps=40, logged=Logged(steps=20, seconds=5.0), left=100.0)
    waiting = [Progress(name, "waiting") for name in "cd"]
    assert estimate_left([done]) == 0.0
    assert estimate_left(waiting) is None
    assert estimate_left([done, running]) == 100.0
    assert estimate_left([done, running, *waiting]) == 100 + 2 * 150  # the mean of 100 and 200, one after another
    assert estimate_left([done, running, running, *waiting]) == pytest.approx((2 * 100 + 2 * 500 / 3) / 2)


def test_one_line_where_nobody_watches(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arm = make_arm(study / "cw", status="running", training=TRAINING)
    log(arm, 10)
    times = {"ended": "2999-01-01T00:00:00+00:00"}
    make_arm(study / "cw+1k", status="failed", error="out of memory: the largest\nmore", times=times)
    note_sweep(study, ["cw", "cw+1k", "general"])
    with locked(arm.folder / LOCK):
        main(["watch", "s"])
    assert capsys.readouterr().out == (
        "s: 0 of 3 arms done, 1 failed, 1 running, 1 waiting, cw at step 10 of 40, loss 4.100, about 0:00:35 left; "
        "cw+1k failed: out of memory: the largest\n"
    )
    with pytest.raises(ConfigError, match="watch: give one study"):
        main(["watch", "s", "t"])


def test_a_study_whose_first_arm_has_not_begun_is_watched(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note_sweep(study, ["cw", "general"])
    main(["watch"])
    assert capsys.readouterr().out == "s: 0 of 2 arms done, 2 waiting\n"


def test_only_failures_of_the_last_sweep_stop_it(study: Path) -> None:
    make_arm(study / "cw", status="failed", error="of long ago", times={"ended": "2001-01-01T00:00:00+00:00"})
    note_sweep(study, ["cw", "general", "other"])
    assert find_failed(study) is None
    make_arm(study / "general", status="failed", error=INTERRUPTED, times={"ended": "2999-01-01T00:00:00+00:00"})
    assert find_failed(study) is None
    make_arm(study / "other", status="failed", error="now", times={"ended": "2999-01-01T00:00:00+00:00"})
    assert find_failed(study) == "other"


def test_failures_of_an_earlier_sweep_are_not_of_this_one(study: Path) -> None:
    make_arm(study / "cw", status="failed", error="of long ago", times={"ended": "2001-01-01T00:00:00+00:00"})
    (study / "general").mkdir()
    (study / "general" / EARLY).write_text('{"at": "2001-01-01T00:00:00+00:00", "error": "of long ago"}\n')
    assert {one.arm: one.state for one in look_at(study)} == {"cw": "failed"}
    note_sweep(study, ["cw", "general"])
    assert [(one.state, one.error) for one in look_at(study)] == [("waiting", None)] * 2


def test_a_study_has_ended_if_no_further_arm_begins(study: Path) -> None:
    make_arm(study / "cw", status="failed", error="now", times={"ended": "2999-01-01T00:00:00+00:00"})
    (study / "cw+1k").mkdir()
    note_sweep(study, ["cw", "cw+1k", "general"])
    assert not has_ended(study, look_at(study))
    note_sweep(study, ["cw", "cw+1k", "general"], "stop")
    assert has_ended(study, look_at(study))
    with locked(study / "cw+1k" / LOCK):
        assert not has_ended(study, look_at(study))
    note_sweep(study, ["cw+1k", "general"], "stop")  # of another sweep, whose first arm has not begun
    assert not has_ended(study, look_at(study))
    note_sweep(study, ["cw"])
    assert has_ended(study, [one for one in look_at(study) if one.arm == "cw"])


@pytest.mark.parametrize("content", ["{", "[]", '{"at": "2001-01-01"}', '{"at": 1, "error": null}', "\xff"])
def test_a_damaged_reason_is_a_failure(content: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_arm(study / "done")
    note_sweep(study, ["cw"])
    (study / "cw").mkdir()
    (study / "cw" / EARLY).write_bytes(content.encode("latin-1"))
    assert find_failed(study) == "cw"
    assert next((one.state, one.error) for one in look_at(study)) == ("failed", "failure.json is damaged")
    main(["list"])
    assert "s/cw: failure.json is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("line", ['{"train/loss": 1.0', '{"train/loss": 1.0}', '{"step": 1, "train/loss": "low"}'])
def test_a_damaged_line_of_metrics_is_one_message(line: str, study: Path) -> None:
    arm = make_arm(study / "cw", status="running", training=TRAINING)
    arm.metrics.write_text('{"step": 0, "train/loss": 5.0}\n' + line + "\n")
    with pytest.raises(ConfigError, match=r"metrics\.jsonl:2: "):
        look_at(study)
