"""What W&B is told of an arm, read from its offline files; and that no secret is told to anybody."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from coig.config import EvaluateConfig, GenerateConfig, Node, TrainConfig, command_line
from coig.config.process import PREEMPTED
from coig.errors import ConfigError
from coig.study.arm import Arm
from coig.training.loggers import log_model
from tests.conftest import outside
from tests.forked import Forked
from tests.small_model import SMALL_MODEL
from tests.studies import make_manifest
from tests.training.wandb_file import RunFile, runs_of

SHORT = (
    *(*SMALL_MODEL, "model.max_length=160", "data.scale=0.001"),
    *("trainer.max_epochs=2", "trainer.global_batch_size=16"),
)
SECRET = "5ec2e7" * 7
SCHEMAS: dict[str, type[Node]] = {"train": TrainConfig, "generate": GenerateConfig, "evaluate": EvaluateConfig}


def start(folder: Path, *overrides: str, lines: int = 0) -> Forked:
    """train.py offline, where all the secrets that it could meet are set.

    With `lines` it stops itself in the step after so many lines of metrics.
    """
    secrets = {"HF_TOKEN": f"hf_{SECRET}", "OPENAI_API_KEY": f"sk-{SECRET}", "WANDB_API_KEY": SECRET[:40]}
    places = {"HOME": str(folder / "home"), "NETRC": str(folder / "home" / "netrc"), "WANDB_MODE": "offline"}
    stop_at = "metrics.jsonl" if lines else None
    return Forked("train.py", overrides, folder, outside() | secrets | places, stop_at, lines=lines)


def ended(process: Forked) -> tuple[int, str]:
    """Its exit code, and all that it printed."""
    run = process.wait()
    return run.returncode, run.stdout + run.stderr


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The study of one arm that is trained and one that fails, and what was printed."""
    folder = tmp_path_factory.mktemp("swept")
    subprocess.run(["git", "init", "--quiet", "."], cwd=folder, check=True)
    remote = f"https://{SECRET}:x-oauth-basic@github.com/me/mine.git"
    subprocess.run(["git", "remote", "add", "origin", remote], cwd=folder, check=True)
    run = start(
        folder, "-m", "study=s", "data.ratio=1k", "model.learning_rate=1e-3,1e30", "logger.log_model=true", *SHORT
    )
    code, printed = ended(run)
    assert code == 1, printed
    assert "is not finite" in printed
    return folder / "multirun" / "s", printed


def arm_of(study: Path, rate: str) -> tuple[Path, dict[str, Any], RunFile]:
    """An arm's folder, manifest and only run."""
    folder = study / f"cw+1k-learning_rate_{rate}"
    [run] = runs_of(folder)
    return folder, json.loads((folder / "manifest.json").read_text(encoding="utf-8")), run


def test_a_run_is_found_by_study_arm_and_tags(swept: tuple[Path, str]) -> None:
    folder, manifest, run = arm_of(swept[0], "0.001")
    assert (run.id, run.group, run.name, run.job_type) == (manifest["wandb_run"], "s", folder.name, "train")
    assert run.tags == ["sample", "tiny", "process", "ratio 1k"]


def test_a_run_has_config_and_manifest(swept: tuple[Path, str]) -> None:
    _, manifest, run = arm_of(swept[0], "0.001")
    assert (run.config["seed"], run.config["data"]["ratio"], run.config["model"]["learning_rate"]) == (0, "1k", 0.001)
    of_one_moment = {"status", "error", "times", "model_sha256", "export"}
    assert run.config["manifest"] == {key: fact for key, fact in manifest.items() if key not in of_one_moment}
    assert run.config["manifest"]["machine"]["torch_threads"] > 0


def test_a_run_has_the_losses_of_every_segment_and_the_throughput(swept: tuple[Path, str]) -> None:
    folder, _, run = arm_of(swept[0], "0.001")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 8 + 2
    assert len(run.history) == len(lines)
    for row, line in zip(run.history, lines, strict=True):
        assert row["trainer/global_step"] == line.pop("step")
        assert {key: row[key] for key in line} == pytest.approx(line)
    assert {"train/loss/creative/zh/reasoning", "perf/tokens_per_second"} <= run.history[0].keys()
    assert {"validation/loss/general/en/reasoning", "validation/loss/general/en/answer"} <= run.history[-1].keys()
    assert run.summary["train/loss"] == run.history[-2]["train/loss"]
    assert run.exit_code == 0


def test_a_failed_arm_is_marked(swept: tuple[Path, str]) -> None:
    _, manifest, run = arm_of(swept[0], "1e+30")
    assert (manifest["status"], run.exit_code, run.artifacts) == ("failed", 1, [])


def test_the_model_is_an_artifact_that_lies_where_it_was_exported(swept: tuple[Path, str]) -> None:
    folder, manifest, run = arm_of(swept[0], "0.001")
    [artifact] = run.artifacts
    assert (artifact.type, artifact.name) == ("model", "s-cw_1k-learning_rate_0.001")
    assert {content.local_path for content in artifact.manifest.contents} == {
        str(file) for file in (folder / "model").iterdir()
    }
    facts = json.loads(artifact.metadata)
    assert (facts["arm"], facts["data"]["fingerprint"]) == (folder.name, manifest["data"]["fingerprint"])


def test_a_model_that_cannot_be_logged_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    arm = Arm(tmp_path / "cw")
    with caplog.at_level(logging.WARNING):
        log_model(config_of("train", "logger.log_model=true"), arm, make_manifest("cw"))
    assert "model: not logged to W&B" in caplog.text


def test_no_secret_is_written_or_printed(swept: tuple[Path, str]) -> None:
    study, printed = swept
    files = [file for file in study.parent.parent.rglob("*") if file.is_file() and ".git" not in file.parts]
    assert {"config.yaml", "manifest.json", "multirun.yaml", "metrics.jsonl", "debug.log"} <= {f.name for f in files}
    assert any(file.suffix == ".wandb" for file in files)
    assert [file for file in files if SECRET[:40].encode() in file.read_bytes()] == []
    assert SECRET[:40] not in printed


def config_of(root: str, *overrides: str) -> Any:
    return command_line.config_of(root, SCHEMAS[root], list(overrides))


@pytest.mark.parametrize(
    ("root", "override", "key"),
    [
        ("train", f"+logger.api_key={SECRET}", "logger: api_key"),
        ("train", f"+logger.token={SECRET}", "logger: token"),
        ("train", f"+logger.settings.WANDB_API_KEY={SECRET}", "logger: settings.WANDB_API_KEY"),
        ("train", f"+optimizer.client_secret={SECRET}", "optimizer: client_secret"),
        ("train", f"+data.creative.hf_token={SECRET}", "data.creative: hf_token"),
        ("train", f"+logger.tracking_uri='http://me:{SECRET}@host/x'", "logger: tracking_uri"),
        ("generate", f"+engine.api_key={SECRET}", "engine: api_key"),
        ("generate", f"engine.base_url='https://:{SECRET}@host:8000/v1'", "engine: base_url"),
    ],
)
def test_a_secret_in_the_config_is_refused_and_not_repeated(root: str, override: str, key: str) -> None:
    engine = ["engine=openai"] if root == "generate" else []
    with pytest.raises(ConfigError, match=f"{key} holds a secret, .*set it in the environment instead") as error:
        config_of(root, *engine, override)
    assert SECRET not in str(error.value)


def test_names_like_those_of_secrets_pass() -> None:
    assert config_of("generate", "engine.tokens_per_batch=4000")
    assert config_of("generate", "engine=openai", "engine.base_url='http://[::1]:8000/v1?at=a:b@c'")
    harmless = ("pad_token='<pad>'", "max_tokens=5", "key=x", "token=null", "password=''", "monkey=1", "tokenizer=x")
    assert config_of("train", *(f"+logger.{argument}" for argument in harmless))


def test_the_command_refuses_a_secret_before_anything_is_written(tmp_path: Path) -> None:
    code, printed = ended(start(tmp_path, "-m", "study=s", f"+logger.api_key={SECRET}"))
    assert (code, (tmp_path / "multirun").exists()) == (1, False)
    assert "logger: api_key holds a secret" in printed
    assert SECRET not in printed


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("logger.log_model=all", "logger: log_model=all: true, for the trained model as an artifact, or false"),
        (f"logger.tags=[{'x' * 65}]", "logger: tags: W&B takes 1 to 64 characters"),
    ],
)
def test_what_wandb_does_not_take_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of("train", override)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        (("WANDB_MODE", "ofline"), "WANDB_MODE=ofline: input should be 'online', 'offline', "),
        (("WANDB_BASE_URL", "nowhere"), "WANDB_BASE_URL=nowhere: "),
    ],
)
def test_a_wrong_setting_of_wandb_is_known_first(variable: tuple[str, str], message: str, tmp_path: Path) -> None:
    environment = outside() | dict([variable])
    run = Forked("train.py", ["data.ratio=0", "study=s"], tmp_path, environment).wait()
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.glob("multirun/*"))


def test_a_server_out_of_reach_is_said_once_and_runs_stay_offline(tmp_path: Path) -> None:
    online = {"WANDB_MODE": "online", "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": SECRET[:40]}
    sweep = ("-m", "study=s", "data.ratio=0", "seed=0,1", "data.creative.size=8", "trainer.max_steps=1", *SHORT[:3])
    run = Forked("train.py", sweep, tmp_path, outside() | online).wait()
    assert run.returncode == 0, run.stderr
    assert (run.stdout + run.stderr).count("http://127.0.0.1:9 cannot be reached") == 1
    for arm in ("cw", "cw-s1"):
        assert len(runs_of(tmp_path / "multirun" / "s" / arm)) == 1


def test_a_run_that_was_stopped_after_its_last_step_keeps_its_history(tmp_path: Path) -> None:
    command = ("study=s", "data.ratio=0", "data.creative.size=8", "trainer.max_steps=1", *SHORT[:3])
    arm = tmp_path / "multirun" / "s" / "cw"
    assert ended(start(tmp_path, *command))[0] == 0
    [whole] = runs_of(arm)
    manifest = json.loads((arm / "manifest.json").read_text(encoding="utf-8"))
    (arm / "manifest.json").write_text(json.dumps(manifest | {"status": "running"}))  # as kill -9 while exporting
    code, printed = ended(start(tmp_path, *command))
    assert code == 0, printed
    [again] = runs_of(arm)
    assert len(again.history) == 2
    assert [{**row, "_timestamp": 0, "_runtime": 0} for row in again.history] == [
        {**row, "_timestamp": 0, "_runtime": 0} for row in whole.history
    ]


@pytest.mark.parametrize("uploaded", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_stopped_run_goes_on_in_wandb_without_doubled_or_lost_steps(uploaded: bool, tmp_path: Path) -> None:
    """kill -9 takes the end of the offline file along; what `wandb sync` has uploaded is not logged again."""
    steps = (
        *SHORT[:3],
        "trainer.global_batch_size=4",
        "trainer.max_epochs=2",
        "trainer.checkpoint_every=3",
    )
    command = ("study=s", "data.ratio=0", "data.creative.size=20", *steps)
    arm = tmp_path / "multirun" / "s" / "cw"
    run = start(tmp_path, *command, lines=6)  # 5 steps, a validation
    run.wait_until_stopped()
    run.kill(signal.SIGTERM if uploaded else signal.SIGKILL)
    run.kill(signal.SIGCONT)
    assert ended(run)[0] == (PREEMPTED if uploaded else -9)
    [stopped] = runs_of(arm)
    assert stopped.exit_code == (1 if uploaded else None)
    if uploaded:  # the mark that `wandb sync` leaves
        [file] = arm.glob("wandb/offline-run-*/*.wandb")
        file.with_suffix(".wandb.synced").touch()

    code, printed = ended(start(tmp_path, *command))
    assert code == 0, printed
    *earlier, last = runs_of(arm)
    assert [run.id for run in earlier] == ([stopped.id] if uploaded else [])
    assert (last.id, last.exit_code) == (json.loads((arm / "manifest.json").read_text())["wandb_run"], 0)
    rows = [row for run in (*earlier, last) for row in run.history]
    assert [row["trainer/global_step"] for row in rows if "train/loss" in row] == list(range(10))
    assert [row["trainer/global_step"] for row in rows if "validation/loss" in row] == [4, 9]
