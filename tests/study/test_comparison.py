"""compare and rerun: in what arms differ, what bears on results first, and what training one again needs."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from coig.config import TrainConfig
from coig.config.command_line import config_of
from coig.errors import ConfigError
from coig.study.__main__ import main
from coig.study.arm import Arm
from coig.study.comparison import ABSENT, describe, describe_paper, find_differences, summarize_code_changes
from coig.study.rerun import _find_changes
from tests.conftest import ROOT, Command, outside
from tests.small_model import SMALL_MODEL
from tests.studies import make_arm, make_group

STUDY = Path("multirun")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def differences(*arms: Arm) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.section, one.key, one.values) for one in find_differences([describe(arm) for arm in arms])]


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[list[str]]:
    """Return the words of each printed line, without the table's heading."""
    main(["compare", *arguments])
    return [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_what_bears_on_results_comes_first() -> None:
    git = {"revision": "a" * 40, "dirty": False}
    one = make_arm(STUDY / "s" / "cw", git=git, versions={"torch": "2.8"}, machine={"cores": 2})
    other = make_arm(
        STUDY / "s" / "cw+1k",
        *("trainer.compile=true", "model.learning_rate=0.5"),
        ratio="1k",
        git=git | {"revision": "b" * 40},
        versions={"torch": "2.9"},
        machine={"cores": 4},
        data={"fingerprint": "g", "train": [make_group(), make_group("general", 7)]},
    )
    assert differences(one, other) == [
        ("setting", "data.ratio", ("0", "1k")),
        ("setting", "model.learning_rate", ("0.001", "0.5")),
        ("setting", "optimizer.lr", ("0.001", "0.5")),
        ("data", "examples, general zh of made up", (ABSENT, "7")),
        ("data", "fingerprint", ("f", "g")),
        ("data", "general examples", ("0", "7")),
        ("data", "general per creative", ("0.0", "2.33")),
        ("data", "supervised tokens", ("30", "100")),
        ("code", "revision", ("a" * 12, "b" * 12)),
        ("version", "torch", ("2.8", "2.9")),
        ("machine", "cores", ("2", "4")),
        ("setting without effect on results", "trainer.compile", ("False", "True")),
    ]


def test_the_order_of_texts_and_of_keys_makes_no_difference(folder: Path) -> None:
    adapters = "model/lora=rank16"
    one = make_arm(STUDY / "s" / "a", adapters, "model.lora.targets=[q_proj,v_proj]", packages={"a": "1", "b": "2"})
    other = make_arm(STUDY / "s" / "b", adapters, "model.lora.targets=[v_proj,q_proj]", packages={"b": "2", "a": "1"})
    text = (other.folder / "config.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    (other.folder / "config.yaml").write_text("".join([*text[1:2], text[0], *text[2:]]), encoding="utf-8")
    assert differences(one, other) == []
    swapped = make_arm(STUDY / "s" / "c", adapters, "model.lora.targets=[q_proj,v_proj]", "optimizer.betas=[0.999,0.9]")
    assert [key for _, key, _ in differences(one, swapped)] == ["optimizer.betas", "a", "b"]


def test_uncommitted_changes_are_a_difference_of_the_code() -> None:
    diff = "diff --git a/coig/data/steps.py b/coig/data/steps.py\n+x = 1\n"
    one, other = (
        make_arm(STUDY / "s" / name, git={"revision": "a" * 40, "dirty": True, "diff": diff + end})
        for name, end in (("a", ""), ("b", "+y = 2\n"))
    )
    [(section, key, values)] = differences(one, other)
    assert (section, key) == ("code", "uncommitted changes (sha256)")
    assert values[0] != values[1]


def test_the_paper_is_compared_in_what_it_states() -> None:
    like_it = make_arm(
        STUDY / "qwen" / "cw+10k",
        *("data=coig_writer", "model=qwen2.5-7b-instruct", "trainer.threads=3"),
        ratio="10k",
        data={"train": [make_group(examples=1665), make_group("general", examples=20_000)]},
    )
    facts = describe(like_it)
    assert find_differences((facts, describe_paper(facts)), keys=describe_paper(facts)) == []
    other = describe(make_arm(STUDY / "qwen" / "cw+2k", ratio="2k"))
    found = {
        one.key: one.values for one in find_differences((other, describe_paper(other)), keys=describe_paper(other))
    }
    assert found["data.ratio"] == ("2k", "0 or 1k or 5k or 10k or general")
    assert found["model.learning_rate"] == ("0.001", "2e-05")
    assert "trainer.threads" not in found


def test_the_command_compares_arms_studies_and_the_paper(capsys: pytest.CaptureFixture[str]) -> None:
    for study, rate in (("one", "0.5"), ("two", "0.25")):
        for name, ratio in (("cw", "0"), ("cw+1k", "1k")):
            make_arm(STUDY / study / name, f"model.learning_rate={rate}", ratio=ratio)
    make_arm(STUDY / "two" / "general", ratio="general")
    assert rows(capsys, "one", "two")[2:] == [
        ["model.learning_rate", "setting", "0.5", "0.25", "all"],
        ["optimizer.lr", "setting", "0.5", "0.25", "all"],
        ["only", "in", "two:", "general"],
    ]
    assert rows(capsys, "one/cw", "two/cw")[2:] == [
        ["model.learning_rate", "setting", "0.5", "0.25"],
        ["optimizer.lr", "setting", "0.5", "0.25"],
    ]
    assert rows(capsys, "one", "cw", "cw+1k")[2:] == [["data.ratio", "setting", "0", "1k"]]
    assert rows(capsys, "one")[2:] == [["data.ratio", "setting", "0", "1k"]]
    same = ["these", "arms", "do", "not", "differ", "in", "anything", "that", "is", "recorded"]
    assert rows(capsys, "one", "cw")[0] == same
    assert ["model.learning_rate", "setting", "0.5", "2e-05"] in rows(capsys, "one/cw", "paper")
    with pytest.raises(ConfigError, match="give two studies, or two arms as STUDY/ARM"):
        main(["compare", "one", "two/cw"])
    with pytest.raises(ConfigError, match="twoo: no such study; did you mean 'two'"):
        main(["compare", "one", "twoo"])


def git_in(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=me", "-c", "user.email=me@here")
    command = ["git", "-C", str(folder), *names, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_what_changed_in_the_code_between_two_revisions(folder: Path) -> None:
    git_in(folder, "init", "--quiet")
    revisions = []
    (folder / "coig").mkdir()
    for text in ("old\n", "new\nlines\n"):
        (folder / "coig" / "steps.py").write_text(text)
        git_in(folder, "add", "coig")
        git_in(folder, "commit", "--quiet", "-m", "step")
        revisions.append(git_in(folder, "rev-parse", "HEAD"))
    arms = [
        make_arm(STUDY / "s" / name, git={"revision": revision, "dirty": False})
        for name, revision in zip(("a", "b"), revisions, strict=True)
    ]
    assert "coig/steps.py | 3 ++-" in str(summarize_code_changes(arms, folder))
    assert summarize_code_changes(arms[:1], folder) is None


@pytest.mark.parametrize("revision", ["--output=stolen", "-oSomething", "a" * 6, "main", "a" * 40 + "\n", "HEAD;rm"])
def test_a_revision_is_no_option_of_git(revision: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A received manifest may name anything, and `git diff --output=FILE` overwrites the file."""
    for name, own in (("a", "a" * 40), ("b", "b" * 40)):
        file = make_arm(STUDY / "s" / name, git={"revision": own, "dirty": False}).folder / "manifest.json"
        if name == "b":
            file.write_text(json.dumps(json.loads(file.read_text()) | {"git": {"revision": revision, "dirty": False}}))
    for arguments in (("compare", "s"), ("rerun", "s/b")):
        with pytest.raises(ConfigError, match=r"b/manifest\.json: damaged \(git\.revision: "):
            main(arguments)
    assert not Path("stolen").exists()
    assert "checkout" not in capsys.readouterr().out


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(["rerun", *arguments])
    return capsys.readouterr().out


def test_rerun_says_what_it_needs_and_what_differs_today(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = folder / "mine.jsonl"
    data.write_text("{}\n")
    make_arm(
        STUDY / "s" / "cw",
        "model.learning_rate=0.5",
        git={"revision": "a" * 40, "dirty": True, "diff": "diff --git a/coig/x b/coig/x\n+secretly changed\n"},
        versions={"python": "3.11.1"},
        packages={"torch": "0.1", "gone": "7"},
        data={"sources": [{"pool": "data.creative", "files": [{"path": str(data), "sha256": "0" * 64}]}]},
        command=("data.ratio=0", "model.learning_rate=0.25", "study=s", "launcher=slurm", "overwrite=true"),
    )
    text = shown(capsys, "s/cw")
    assert f"git checkout {'a' * 40}" in text
    assert "+secretly changed" in text
    assert "with Python 3.11.1:\npip install torch==0.1 gone==7\n" in text
    assert "python train.py data.ratio=0 model.learning_rate=0.25 study=s-rerun" in text
    today = text.partition("Today differs:")[2]
    about_code = ["revision", "files with uncommitted changes", "uncommitted changes (sha256)"]
    assert [line.strip(" -").partition(":")[0] for line in today.splitlines()[1:4]] == about_code
    assert "torch 0.1 → " in today
    assert "gone 7 → None" in today
    assert "model.learning_rate: 0.5 → 0.25" in today
    assert f"{data}: has another content" in today
    data.unlink()
    assert f"{data}: no such file" in shown(capsys, "s/cw")
    with pytest.raises(ConfigError, match="name one arm as STUDY/ARM"):
        main(["rerun", "s"])


@pytest.mark.parametrize(("study", "arm"), [("my study", "cw"), ("it's", "1e3"), ("1_0", "cw+1k, again")])
def test_the_command_can_be_composed_whatever_the_names(
    study: str, arm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_arm(STUDY / study / arm, command=("data.ratio=0",))
    printed = shown(capsys, f"{study}/{arm}").partition("Command: ")[2].splitlines()[0]
    config = config_of("train", TrainConfig, shlex.split(printed)[2:])
    assert (config.study, config.arm) == (f"{study}-rerun", arm)


def test_files_in_the_home_folder_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "mine.jsonl").touch()
    files = [{"path": f"~/{name}.jsonl", "sha256": None} for name in ("mine", "gone")]
    arm = make_arm(STUDY / "s" / "cw", data={"sources": [{"pool": "data.creative", "files": files}]})
    changes = list(_find_changes(arm, arm.manifest()))
    assert f"{folder}/gone.jsonl: no such file" in changes
    assert not [change for change in changes if "mine.jsonl" in change]


def test_an_arm_is_trained_again_only_once() -> None:
    make_arm(STUDY / "s" / "cw+1k", command=("data.ratio=1k",))
    make_arm(STUDY / "s-rerun" / "cw+1k")
    with pytest.raises(ConfigError, match=r"was trained again before; python -m coig\.study rm s-rerun cw\+1k deletes"):
        main(["rerun", "s/cw+1k", "--run"])


def test_a_received_arm_is_only_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file that it names is looked at, and what it says cannot write over what was printed before."""
    erase = "\x1b[2J\x9b2Jseen\r"
    files = [{"path": "/etc/hostname", "sha256": "0" * 64}, {"path": "/nowhere", "sha256": "0" * 64}]
    make_arm(
        STUDY / "s" / "cw",
        model={"name": f"tiny{erase}", "parameters": 1},
        status="failed",
        error=f"no{erase}",
        command=(f"data.ratio=0{erase}",),
        git={"revision": "a" * 40, "dirty": True, "diff": f"diff --git a/x b/x\n+{erase}\n"},
        data={"sources": [{"pool": "data.creative", "files": files}]},
    )
    main(["pack", "s"])
    for command in (["rerun", "s.zip/cw"], ["show", "s.zip"], ["compare", "s.zip", "s"]):
        with suppress(ConfigError):
            main(command)
        printed = capsys.readouterr().out
        assert not set(printed) & set("\x1b\x9b\r"), command
        assert "no such file" not in printed
        assert "has another content" not in printed


def test_an_arm_of_an_earlier_version_has_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    make_arm(STUDY / "s" / "cw", versions={"python": "3.11.1", "torch": "0.1"})
    assert "Command: not recorded" in shown(capsys, "s/cw")
    with pytest.raises(ConfigError, match="has no command in its manifest"):
        main(["rerun", "s/cw", "--run"])


@pytest.mark.slow
def test_an_arm_that_is_trained_again_has_the_same_weights(command: Command, folder: Path) -> None:
    """Its command is that of a job of a sweep, with the sweep's values."""
    small = ("data.creative.size=8", "data.validation.general=1", "model.max_length=160", "trainer.global_batch_size=4")
    length = ("trainer.max_steps=2", "trainer.answer_at=[0.5]", "logger=none")
    swept = command("train.py", "-m", "study=s", "seed=3", "data.ratio=0", *small, *length, *SMALL_MODEL)
    assert swept.returncode == 0, swept.stderr
    manifest = json.loads((STUDY / "s" / "cw-s3" / "manifest.json").read_text(encoding="utf-8"))
    assert {"seed=3", "data.ratio=0", "study=s"} <= set(manifest["command"])
    assert manifest["packages"]["torch"] == manifest["versions"]["torch"]
    again = [sys.executable, "-m", "coig", "study", "rerun", "s/cw-s3", "--run"]
    environment = outside() | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(again, cwd=folder, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    assert "Nothing that is recorded differs today." in run.stdout
    assert "multirun/s-rerun/cw-s3: has the very weights of multirun/s/cw-s3, points included" in run.stdout
    manifest["points"][0]["model_sha256"] = "0"
    (STUDY / "s" / "cw-s3" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    Arm(STUDY / "s-rerun" / "cw-s3").remove()
    run = subprocess.run(again, cwd=folder, capture_output=True, text=True, env=environment)
    assert "has other weights than multirun/s/cw-s3 (cw-s3@0.5); what may explain it" in run.stdout
