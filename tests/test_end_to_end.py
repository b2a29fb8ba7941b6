"""Studies through the real commands: a whole study, repeats, kills, failing arms, launchers and real data."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED, Command, outside
from tests.forked import Forked
from tests.small_model import SMALL_MODEL
from tests.training.wandb_file import exit_code, group

SHORT = (
    *(*SMALL_MODEL, "model.max_length=160", "data.scale=0.001"),
    *("trainer.max_epochs=2", "trainer.global_batch_size=16"),
)


def succeeded(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Warning:" not in run.stderr  # libraries' warnings are for developers, not for users
    return run.stdout


def read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def read_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    file = tmp_path / "few.jsonl"
    rows = [
        {"id": "q1", "lang": "zh", "genre": "poetry", "query": "写一首诗。"},
        {"id": "q2", "lang": "en", "genre": "poetry", "query": "Write a poem with <|im_end|> in it."},
        {"id": "q3", "lang": "en", "genre": "slogan", "query": "Write a slogan."},
    ]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


def test_a_study_from_sweep_to_report(command: Command, tmp_path: Path, queries: Path) -> None:
    sweep = ("-m", "study=s", "data.ratio=0,general", "divergence=true", *SHORT)
    answer = (f"queries={queries}", "sampling.max_new_tokens=12")
    run = command("train.py", *sweep, fresh=True)
    assert succeeded(run)
    assert (run.stdout + run.stderr).count("W&B: not logged in, runs stay offline") == 1  # before the first arm
    study = tmp_path / "multirun" / "s"
    for arm, groups in {"cw": {"creative": 51}, "general": {"general": 20}}.items():
        manifest = read_json(study / arm / "manifest.json")
        assert (manifest["status"], manifest["seed"], manifest["arm"]) == ("done", 0, arm)
        assert {g["kind"] for g in manifest["data"]["train"]} == set(groups)
        assert sum(g["examples"] for g in manifest["data"]["train"]) == sum(groups.values())
        metrics = read_lines(study / arm / "metrics.jsonl")
        assert sum("train/loss" in line for line in metrics) == {"cw": 8, "general": 4}[arm]
        losses = [line["validation/loss"] for line in metrics if "validation/loss" in line]
        assert len(losses) == 2
        assert (manifest["export"]["dtype"], manifest["export"]["validation_loss"]) == ("float32", losses[-1])
        assert {one["lang"]: one["texts"] for one in manifest["divergence"]} == {"zh": 16, "en": 16}
        assert exit_code(study / arm) == 0

    succeeded(command("generate.py", *answer))  # the latest study
    for arm in ("cw", "general"):
        records = read_lines(study / arm / "generations" / "few.jsonl")
        assert {record["query_id"] for record in records} == {"q1", "q2", "q3"}
        assert all(r["reasoning_tokens"] + r["answer_tokens"] <= 12 for r in records)
        assert {r["finish_reason"] for r in records} <= {"stop", "length"}

    assert str(study / "evaluation" / "report.html") in succeeded(command("evaluate.py", "queries=few"))
    page = (study / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert {f'id="{name}"' in page for name in ("automatic", "contamination", "arms")} == {True}

    # what each sweep writes, the name of the last process, and what W&B's own process writes after ours has ended
    renewed = ("multirun.yaml", "sweep.json", ".lock", "debug-core.log")
    before = {path: path.stat().st_mtime_ns for path in study.rglob("*") if path.is_file() and path.name not in renewed}
    assert succeeded(command("train.py", *sweep)).count("done already, skipped") == 2
    assert succeeded(command("generate.py", *answer)).count("3 answers are there already") == 2
    assert before == {path: path.stat().st_mtime_ns for path in before}

    refused = command("train.py", "study=s", "data.ratio=0", *SHORT, "model.learning_rate=0.1")
    assert refused.returncode == 1
    assert "model.learning_rate: 0.001 → 0.1" in refused.stderr
    refused = command("generate.py", *answer, "seed=1")
    assert refused.returncode == 1
    assert "seed: 0 → 1" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "HYDRA_FULL_ERROR" not in refused.stderr  # our message alone
    late = command("train.py", "-m", "study=s", "data.ratio=1k,0", *SHORT, "model.learning_rate=0.1")
    assert (late.returncode, (study / "cw+1k").exists()) == (1, False)  # refused before its first arm
    assert command("generate.py", *answer, "overwrite=true", "engine.tokens_per_batch=0").returncode == 1
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_answers_survive_a_kill_but_not_another_training(command: Command, tmp_path: Path, queries: Path) -> None:
    answer = (f"queries={queries}", "sampling.max_new_tokens=12", "engine.tokens_per_batch=400")
    succeeded(command("train.py", "study=s", "data.ratio=0", "logger=none", *SHORT))
    succeeded(command("generate.py", *answer))
    file = tmp_path / "multirun" / "s" / "cw" / "generations" / "few.jsonl"
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole[: len(whole.splitlines(keepends=True)[0]) + 30], encoding="utf-8")  # cut inside a line
    succeeded(command("generate.py", *answer))
    assert sorted(file.read_text(encoding="utf-8").splitlines()) == sorted(whole.splitlines())

    longer = ("trainer.max_epochs=3", "resume=true")
    succeeded(command("train.py", "study=s", "data.ratio=0", "logger=none", *SHORT, *longer))
    assert not file.exists()  # they were answers of another model
    rates = [
        line["train/lr"]
        for line in read_lines(tmp_path / "multirun" / "s" / "cw" / "metrics.jsonl")
        if "train/lr" in line
    ]
    assert len(rates) == 12
    # the further epoch follows the longer schedule: 2 steps of warm-up, then down to 0 after 12
    assert rates[8:] == pytest.approx([0.001 * (12 - step) / 10 for step in (8, 9, 10, 11)])
    assert read_json(tmp_path / "multirun" / "s" / "cw" / "manifest.json")["status"] == "done"


def test_two_processes_on_one_arm(command: Command, tmp_path: Path) -> None:
    arguments = ("study=s", "data.ratio=0", "logger=none", *SHORT)
    first = Forked("train.py", arguments, tmp_path, outside(), stop_at="metrics.jsonl")
    arm = tmp_path / "multirun" / "s" / "cw"
    first.wait_until_stopped()
    second = command("train.py", *arguments)
    assert second.returncode == 1
    assert "another process is at work on this arm" in second.stderr
    first.kill(signal.SIGCONT)
    assert first.wait().returncode == 0
    assert read_json(arm / "manifest.json")["status"] == "done"


def test_a_failing_arm_is_recorded_and_the_rest_go_on(command: Command, tmp_path: Path) -> None:
    run = command("train.py", "-m", "study=s", "data.ratio=0", "model.learning_rate=1e30,1e-3", *SHORT)
    assert run.returncode == 1
    assert "is not finite" in run.stderr
    assert "Lower model.learning_rate" in run.stderr
    assert "Traceback" not in run.stderr
    study = tmp_path / "multirun" / "s"
    failed = read_json(study / "cw-learning_rate_1e+30" / "manifest.json")
    assert failed["status"] == "failed"
    assert "is not finite" in failed["error"]
    assert read_json(study / "cw-learning_rate_0.001" / "manifest.json")["status"] == "done"
    arms = {name: study / f"cw-learning_rate_{name}" for name in ("1e+30", "0.001")}
    assert {name: exit_code(arm) for name, arm in arms.items()} == {"1e+30": 1, "0.001": 0}
    assert {group(arm) for arm in arms.values()} == {"s"}

    refused = command("generate.py", "arms=[cw-learning_rate_1e+30]")
    assert refused.returncode == 1
    assert "is not done" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["submitit_local", "joblib"])
def test_arms_by_a_launcher(command: Command, tmp_path: Path, launcher: str) -> None:
    sweep = ("-m", f"launcher={launcher}", "study=s", "data.ratio=0,general", "logger=none", *SHORT)
    succeeded(command("train.py", *sweep, fresh=True))
    for arm in ("cw", "general"):
        manifest = read_json(tmp_path / "multirun" / "s" / arm / "manifest.json")
        assert (manifest["arm"], manifest["status"]) == (arm, "done")
        assert (tmp_path / "multirun" / "s" / arm / "model" / "model.safetensors").exists()


def test_real_input(command: Command, tmp_path: Path) -> None:
    """COIG-Writer's published format and GSM8K's published file are read as docs/data.md says."""
    general = SHARED / "general" / "gsm8k_train.jsonl"
    if not general.exists():
        pytest.skip("../shared/general is not beside this checkout")
    triplets = [
        {
            "id": str(n),
            "query": f"写第{n}个故事。\n\n要短。",
            "thought": f"先想第{n}个人物。" * 5,
            "answer": f"从前有{n}个人。\n",
        }
        for n in range(20)
    ]
    damaged = {"id": "21", "query": "写", "thought": "想", "answer": ""}
    file = tmp_path / "all_human_data.json"
    file.write_text(json.dumps([*triplets, damaged], ensure_ascii=False), encoding="utf-8")
    paths = ("data=local", f"data.creative.path={file}", f"data.general.en.path={general}", "data.max_quarantined=0.1")
    succeeded(
        command(
            "train.py",
            "-m",
            "study=mine",
            *paths,
            "data.ratio='1:2',100",
            "trainer.max_epochs=1",
            "logger=csv",
            *SMALL_MODEL,
        )
    )
    for arm, count in {"cw+1to2": 40, "cw+100": 100}.items():
        folder = tmp_path / "multirun" / "mine" / arm
        data = read_json(folder / "manifest.json")["data"]
        assert [(g["kind"], g["lang"], g["source"], g["examples"]) for g in data["train"]] == [
            ("creative", "zh", "all_human_data", 20),
            ("general", "en", "gsm8k_train", count),
        ]
        assert [(s["pool"], s["rows"], s["quarantined"], s["usable"]) for s in data["sources"]] == [
            ("data.creative", 21, 1, 20),
            ("data.general.en", 7473, 0, 7473),
        ]
        assert data["left_out"] == {"quarantined": 1, "duplicates": 0}
        [row] = read_lines(folder / "quarantine.jsonl")
        assert (row["place"], row["reason"], row["row"]) == (f"{file}:1", "answer: empty", damaged)
