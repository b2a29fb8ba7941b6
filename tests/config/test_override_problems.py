"""What was typed wrong is said in the words of the one who typed it, with what to type instead."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from coig.__main__ import STAGES
from coig.config.command_line import check_command_line
from coig.config.overrides import quote_unreadable
from coig.errors import suggestion

ONE = "The configuration has a problem:\n  - "


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train seed=0,1", ONE + "seed=0,1: has several values; add -m to run it once for each"),
        (
            "train model=tiny,tiny_random",
            ONE + "model=tiny,tiny_random: has several values; add -m to run it once for each",
        ),
        ("train seed=range(0,3)", ONE + "seed=range(0,3): has several values; add -m to run it once for each"),
        ("train seeds=0,1", ONE + "seeds: unknown key; did you mean 'seed'?"),
        (
            "train trainer.answer_at=0.1,0.5",
            ONE + "trainer.answer_at=0.1,0.5: a list is written in brackets, 'trainer.answer_at=[0.1,0.5]'",
        ),
        ("generate arms=cw,general", ONE + "arms=cw,general: a list is written in brackets, 'arms=[cw,general]'"),
        ("annotate raters=ann,bob", ONE + "raters=ann,bob: a list is written in brackets, 'raters=[ann,bob]'"),
        ("annotate port=1,2", ONE + "port=1,2: has several values; give one"),
        ("generate model=tiny", ONE + "model=tiny: generate.py has no group model; it has engine, launcher, sampling"),
        ("train data.ratio 1k", ONE + "data.ratio: = is missing: data.ratio=1k"),
        ("train data.ratio", ONE + "data.ratio: = is missing: data.ratio=…"),
        ("train --ratio 1k", "--ratio: no such option; settings are written data.ratio=1k, without dashes"),
        ("train --ratio=1k", "--ratio=1k: no such option; settings are written data.ratio=1k, without dashes"),
        ("train --rato=1k", "--rato=1k: no such option; settings are written rato=1k, without dashes"),
        ("generate -help", "-help: write it with two dashes, --help"),
        ("train --config-dir", "--config-dir: expected one argument; --hydra-help lists the options"),
        ("train ratio=1k", ONE + "ratio: unknown key; did you mean 'data.ratio'?"),
        (
            "train data.ratio=1k --config-name train seed=1",
            "seed=1: stands apart from the other settings; give all of them before or after the options",
        ),
        (
            "train model=Qwen/Qwen2.5-0.5B-Instruct",
            ONE
            + "model=Qwen/Qwen2.5-0.5B-Instruct: no such choice; did you mean 'qwen2.5-0.5b-instruct'? Another model "
            "is given as model=qwen2.5-0.5b-instruct model.path=Qwen/Qwen2.5-0.5B-Instruct model.revision=null",
        ),
        (
            "train model=./mine",
            ONE + "model=./mine: no such choice. Another model is given as model=<similar> model.path=./mine "
            "model.revision=null",
        ),
        ("train model=qwen2.5-7b", ONE + "model=qwen2.5-7b: no such choice; did you mean 'qwen2.5-7b-instruct'?"),
        (
            "train model=qwen2.5",
            ONE + "model=qwen2.5: no such choice; did you mean one of qwen2.5-0.5b-instruct, qwen2.5-1.5b-instruct, "
            "qwen2.5-14b-instruct, qwen2.5-7b-instruct?",
        ),
        (
            "train data=local data.creative.path=sample:creative.jsonl",
            ONE + "data: ratio 10k (the default) asks for general data: give data.general.<zh|en>.path=<file> or "
            "source@data.general.<zh|en>=<source>, or data.ratio=0 for the creative examples alone",
        ),
    ],
)
def test_what_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    name, *arguments = command.split()
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    with pytest.raises(SystemExit) as refused:
        check_command_line(name, STAGES[name].schema)
    assert refused.value.code == message


def test_a_chinese_path_needs_no_quotes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "我的数据（一）").mkdir()
    file = tmp_path / "我的数据（一）" / "训练 新.jsonl"
    file.touch()
    path = str(file.relative_to(tmp_path))
    monkeypatch.setattr(sys, "argv", ["train.py", "data=local", f"data.creative.path={path}", "data.ratio=0"])
    [config] = check_command_line("train", STAGES["train"].schema)
    assert config.model_dump()["data"]["creative"]["path"] == path
    assert sys.argv[2] == f"data.creative.path='{path}'"  # which Hydra reads again


@pytest.mark.parametrize(
    "line",
    [
        *(
            "data.ratio=1k",
            "study=my study",
            "arms=[雪（一）]",
            "study='雪（一）'",
            "study=雪（一）,b",
            "~data",
            "--config-dir=雪（一）",
        ),
        *("study=", "data.ratio", "study=雪（一）\\", "雪（一）=1"),
    ],
)
def test_only_what_cannot_be_read_is_quoted(line: str) -> None:
    assert quote_unreadable(line) == line


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("cw+2k", ["cw", "cw+1k", "cw+5k", "cw+10k", "general"], "; known here: cw, cw+1k, cw+5k, cw+10k, general"),
        ("zh-01", ["zh-001", "zh-101", "zh-201"], "; known here: zh-001, zh-101, zh-201"),
        ("zh-01", [f"zh-{n}01" for n in range(10)], "; known here: " + ", ".join(f"zh-{n}01" for n in range(10))),
        (
            "zh-10",
            [f"zh-{n:03}" for n in range(98, 104)],
            "; known here: zh-098, zh-099, zh-100, zh-101, zh-102, zh-103",
        ),
        ("Geneal", ["cw", "general"], "; did you mean 'general'?"),
        ("gen", ["cw", "general"], "; did you mean 'general'?"),
        ("", ["cw", "general"], "; known here: cw, general"),
        ("tiny", ["tiny", "tiny_random"], "; did you mean 'tiny'?"),
        ("x", [], "; known here: "),
    ],
)
def test_only_what_is_clearly_nearest_is_suggested(word: str, known: list[str], said: str) -> None:
    assert suggestion(word, known) == said
