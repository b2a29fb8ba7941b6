"""The commands as people type them: bad input gets one message, exit code 1, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from coig.config import GenerateConfig, TrainConfig
from coig.config.command_line import check_command_line
from coig.errors import ConfigError
from tests.conftest import ROOT, Command


@pytest.mark.parametrize(
    ("overrides", "messages"),
    [
        (["data.rato=1k"], ["data.rato: unknown key in data; did you mean 'ratio'?"]),
        (["dta=sample"], ["dta: unknown key; did you mean 'data'?"]),
        (["data=foo"], ["data=foo: no such choice; choose from coig_writer, local, sample"]),
        (["model=big", "seeds=1"], ["model=big: no such choice", "seeds: unknown key; did you mean 'seed'?"]),
        (["data.ratio=50%"], ["data.ratio='50%': is a percentage"]),
        (["data=local"], ["data: no creative examples: give data.creative.path=<file>"]),
        (
            ["data=local", "data.creative.path=nowhere.json"],
            ["data.creative.path='nowhere.json': no such file"],
        ),
        (["model.path='~no-such-user/model'"], ["model.path='~no-such-user/model': no such file"]),
        (["-m", "data.ratio=0,1k,1.0"], ["data.ratio=1.0: is a fraction"]),
        (["-m", "data.ratio=1k,1000"], ["data.ratio=1000 and data.ratio=1k are both the arm 'cw+1k'"]),
        (["seeds=1", "data.ratio=50%"], ["seeds: unknown key", "data.ratio='50%': is a percentage"]),
        (["trainer.max_epochs=0"], ["trainer.max_epochs=0: input should be greater than 0"]),
        (["trainer.precision=bf16-true"], ["choose from '32-true' or 'bf16-mixed'"]),
        (["vary=[optimizer.lrr]"], ["vary: optimizer.lrr is no key of this config"]),
        (
            ["experiment=scale_grid", "question.compare=data.rato"],
            ["question.compare: data.rato is no key of this config"],
        ),
        (["question={ask:x,baseline:y}"], ["question.compare: missing"]),
        (["data=local", "data.creative.path=."], ["data.creative.path='.': is a folder"]),
        (["-m", "study=a,b"], ["study: cannot be swept"]),
        (["-m", "length=fast,demo"], ["length: cannot be swept"]),
        (
            ["trainer.max_epoch=1"],
            ["did you mean 'max_epochs'?", "lightning.Trainer takes besides is added with +trainer."],
        ),
        (
            ["data.general.en.columns={prompt: 问题, answer: 答案}"],
            ["\"data.general.en.columns={prompt: '问题', answer: '答案'}\""],
        ),
        (["data.ratio=[1"], ["data.ratio=[1: cannot be read (no viable alternative", "\"data.ratio='[1'\""]),
        (["experiment=null"], ["experiment=None: no such choice", "~experiment"]),
        (["+trainer.accumulate_grad_batches=2"], ["accumulate_grad_batches is not used"]),
        (
            ["source@data.general.en=gsm"],
            ["source@data.general.en=gsm: no such choice; did you mean 'gsm8k'?"],
        ),
        (["+data.general.zh.filters.foo=1"], ["data.general.zh.filters.foo: unknown key; known here: min_score"]),
        (["hydra.job.chdir=true"], ["hydra.job.chdir=true: studies lie in multirun/ of the folder you start in"]),
        (["--config-dir", "nowhere"], ["--config-dir nowhere: no such folder"]),
        (["hydra.mode=MULTIRUN"], ["hydra.mode=MULTIRUN: leave it out; -m makes a command a sweep"]),
        (["-m", "data.ratio=0,1k", "--cfg", "job"], ["--cfg job: shows the config of one job; leave out -m"]),
        (
            ["source=gsm8k"],
            [
                "source=gsm8k: train.py has no group source; it has "
                "source@data.creative, source@data.creative.also.own, source@data.general.en",
            ],
        ),
        (["data=null"], ["data=None: no such choice; choose from coig_writer, local, sample"]),
    ],
)
def test_a_bad_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, overrides: list[str], messages: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", *overrides])
    with pytest.raises((ConfigError, SystemExit)) as refused:  # both end the command with exit code 1
        check_command_line("train", TrainConfig)
    assert all(message in str(refused.value) for message in messages), refused.value
    assert list(tmp_path.iterdir()) == []


def test_files_of_own_configs_are_read_by_each_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--config-dir", "mine", "experiment=own"])
    own = tmp_path / "mine" / "experiment" / "own.yaml"
    own.parent.mkdir(parents=True)
    for study in ("one", "two"):
        own.write_text(f"# @package _global_\nstudy: {study}\n")
        assert [config.study for config in check_command_line("train", TrainConfig)] == [study]


@pytest.mark.parametrize(
    ("overrides", "messages"),
    [
        (["data.rato=1k"], ["data.rato: unknown key in data; did you mean 'ratio'?"]),
        (["optimizer._target_=torch.optim.AdamWW"], ["torch.optim.AdamWW"]),
        (["optimizer.betas=[2,3]"], ["torch.optim.AdamW: Invalid beta parameter at index 0: 2"]),
        (["+trainer.foo=1"], ["lightning.Trainer: ", "unexpected keyword argument 'foo'"]),
        (["model.path=nobody/none"], ["model.path=nobody/none: no tokenizer"]),
        (["data.ratio='1:0.001'"], ["data.ratio=1:0.001: leaves no general example beside 51 creative"]),
        (
            ["+data.creative.colums=1", "data.ratio=0"],
            ["coig.data.sources.local: got an unexpected keyword argument 'colums'"],
        ),
    ],
)
def test_bad_input_of_a_command(command: Command, tmp_path: Path, overrides: list[str], messages: list[str]) -> None:
    run = command("train.py", *overrides)
    assert run.returncode == 1
    assert all(message in run.stderr for message in messages), run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("row", ['{"query": "q", "thought"', '{"query": "q", "answer": "a"}', "[1]"])
def test_a_damaged_row(command: Command, tmp_path: Path, row: str) -> None:
    file = tmp_path / "triplets.jsonl"
    file.write_text('{"query": "q", "thought": "t", "answer": "a"}\n' + row + "\n")
    run = command("train.py", "data=local", f"data.creative.path={file}", "data.ratio=0")
    assert run.returncode == 1
    assert f"{file}:2: " in run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == [file]


def test_a_sweep_reads_its_data_before_the_first_arm(command: Command, tmp_path: Path) -> None:
    good, bad = tmp_path / "triplets.jsonl", tmp_path / "general.jsonl"
    good.write_text('{"query": "q", "thought": "t", "answer": "a"}\n')
    bad.write_text('{"question": "q", "answer": "a\\n#### 1"}\n' * 3 + '{"question": "q", "answer": ""}\n')
    paths = ("data=local", f"data.creative.path={good}", f"data.general.en.path={bad}")
    run = command("train.py", "-m", *paths, "data.ratio=0,1,2")
    assert run.returncode == 1
    assert run.stderr.count(f"{bad}:4: ") == 1
    assert set(tmp_path.iterdir()) == {good, bad}


@pytest.mark.parametrize("script", ["generate.py", "evaluate.py"])
def test_a_later_stage_without_a_study(command: Command, script: str) -> None:
    run = command(script)
    assert run.returncode == 1
    assert "train one first, python train.py" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("model", "refused"), [("mine", True), ("'mine-{arm}'", False), ("null", False)], ids=["one", "named", "none"]
)
def test_a_sweep_of_arms_asks_each_its_own_model(monkeypatch: pytest.MonkeyPatch, model: str, refused: bool) -> None:
    command = ["generate.py", "-m", "arms=cw,general", "engine=openai", f"engine.model={model}"]
    monkeypatch.setattr(sys, "argv", command)
    if refused:
        with pytest.raises(SystemExit, match=r"engine.model=mine: would answer for every arm of the sweep"):
            check_command_line("generate", GenerateConfig)
    else:
        check_command_line("generate", GenerateConfig)


def test_no_torch_on_the_way_to_an_answer(tmp_path: Path) -> None:
    """A typo, and --cfg job, are answered without importing torch."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    for arguments in (["--cfg", "job"], ["data.rato=1k"]):
        run = subprocess.run(
            [sys.executable, str(ROOT / "train.py"), *arguments],
            capture_output=True,
            text=True,
            env=environment,
        )
        assert "torch was imported" not in run.stdout + run.stderr
        assert "ratio" in run.stdout + run.stderr
