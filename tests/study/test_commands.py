"""python -m coig.study: studies at a glance, and gone after a question only."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from coig.__main__ import TOOLS
from coig.config.process import run_tool
from coig.errors import ConfigError
from coig.files.lock import locked
from coig.study.__main__ import main
from coig.study.arm import LOCK
from tests.studies import make_arm, make_group


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    for name, status, ratio in (("cw", "done", "0"), ("cw+1k", "failed", "1k")):
        times = {"ended": "2026-11-22T23:09:36+00:00", "seconds": 3723.4} if status == "done" else {}
        arm = make_arm(
            Path("multirun") / "mine" / name,
            ratio=ratio,
            **{
                "status": status,
                "times": times,
                "error": "training loss nan at step 3" if status == "failed" else None,
            },
            data={"train": [make_group(examples=1665, supervised_tokens=2_500_000, truncated=3)]},
        )
        (arm.folder / "metrics.jsonl").write_text(json.dumps({"train/loss": 1.23456}) + "\n")
    return Path("multirun") / "mine"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(arguments)
    return capsys.readouterr().out


def test_the_list(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = [line.split() for line in printed(capsys, "list").splitlines()]
    assert ["mine/cw", "done", "1,665", "1:02:03", "–", "2026-11-22", "23:09"] in shown
    assert ["mine/cw+1k", "failed", "1,665", "–", "–", "–"] in shown


def test_one_study(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "show", "mine")
    assert "2,500,000" in shown
    assert "1.235" in shown
    assert "cw+1k: training loss nan at step 3" in shown


@pytest.mark.parametrize("columns", [40, 60, 80, 160])
def test_no_figure_is_cut_on_a_narrow_terminal(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for command in (["list"], ["show", "mine"]):
        lines = printed(capsys, *command).splitlines()
        assert max(map(len, lines)) <= max(columns, len(lines[0]))  # the first line of `show` is the folder's path
        cells = {cell for line in lines for cell in line.split("  ")}
        assert "…" not in "".join(cells)
        assert {"1:02:03", "1,665" if command == ["list"] else "2,500,000"} <= {cell.strip() for cell in cells}


def test_reasons_are_not_broken_so_that_commands_in_them_can_be_copied(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert "mine/cw+1k: training loss nan at step 3" in printed(capsys, "list").splitlines()
    assert "cw+1k: training loss nan at step 3" in printed(capsys, "show", "mine").splitlines()


def test_an_arm_is_deleted_after_a_yes_only(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "no")
    with pytest.raises(ConfigError, match="nothing deleted"):
        main(["rm", "mine", "cw"])
    monkeypatch.setattr("builtins.input", lambda _: "y")
    with locked(study / "cw" / LOCK), pytest.raises(ConfigError, match="another process is at work"):
        main(["rm", "mine"])
    assert (study / "cw" / "manifest.json").exists()
    main(["rm", "mine", "cw"])
    assert [folder.name for folder in study.iterdir()] == ["cw+1k"]
    main(["rm", "mine"])
    assert not study.exists()


def test_an_arm_is_named_with_its_study(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "y")
    shown = printed(capsys, "show", "mine/cw")
    assert "1,665" in shown
    assert "cw+1k" not in shown
    assert "deleted multirun/mine/cw\n" in printed(capsys, "rm", "mine/cw")
    assert [folder.name for folder in study.iterdir()] == ["cw+1k"]
    for named in (["rm", "mine/"], ["rm", "mine/cw+1k", "other/cw"]):
        with pytest.raises(ConfigError, match="is no arm of study mine"):
            main(named)
    main(["rm", "mine/cw+1k"])
    assert study.parent.exists()


@pytest.mark.parametrize("arguments", [["--help"], ["rm", "mine", "cw", "--help"], ["list", "-h"]])
def test_help_does_nothing_else(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["coig study", *arguments])
    run_tool(main)
    assert "python -m coig.study rm STUDY [ARM …]" in capsys.readouterr().out
    assert (study / "cw").exists()


@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_has_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    module = importlib.import_module(TOOLS[tool])
    monkeypatch.setattr("sys.argv", [f"coig {tool}", "--help"])
    run_tool(module.main)
    assert f"python -m {TOOLS[tool].removesuffix('.__main__')} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lsit"], "lsit: no such command; did you mean 'list'"),
        (["show"], "of which study"),
        (["show", "mien"], "no such study; did you mean 'mine'"),
        (["show", "mine", "cw+1"], r"arms: cw\+1 is no arm of study mine"),
        (["list", "mine"], "show mine shows one study"),
    ],
)
def test_what_it_does_not_know(study: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        main(arguments)


def test_an_arm_that_is_being_prepared_keeps_its_study(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no manifest yet."""
    monkeypatch.setattr("builtins.input", lambda _: "y")
    (study / "cw+5k").mkdir()
    with locked(study / "cw+5k" / LOCK), pytest.raises(ConfigError, match=r"cw\+5k: another process is at work"):
        main(["rm", "mine"])
    assert {folder.name for folder in study.iterdir()} == {"cw", "cw+1k", "cw+5k"}


def test_what_lies_on_another_disk_is_deleted_too(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "y")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "generations").mkdir(parents=True)
    (study / "cw" / "generations").symlink_to(elsewhere / "generations")
    study.rename(elsewhere / "mine")
    study.symlink_to(elsewhere / "mine")
    main(["rm", "mine"])
    assert list(elsewhere.iterdir()) == []
    assert list(study.parent.iterdir()) == []


def test_a_damaged_manifest_hides_no_other_study(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (study.with_name("broken") / "cw").mkdir(parents=True)
    (study.with_name("broken") / "cw" / "manifest.json").touch()
    shown = printed(capsys, "list")
    assert "mine" in shown
    assert "multirun/broken/cw/manifest.json: damaged" in shown
