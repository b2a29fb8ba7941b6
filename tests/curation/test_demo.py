"""The embedded articles go through every stage, and the printed command trains on the result."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from tests.conftest import Command


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_demo_curates_and_what_it_prints_trains(command: Command, tmp_path: Path) -> None:
    curated = command("curate.py", "name=demo", "stage=all")
    assert curated.returncode == 0, curated.stdout + curated.stderr
    export = tmp_path / "curations" / "demo" / "export"
    train, held_out = lines(export / "triplets.jsonl"), lines(export / "held_out.jsonl")
    assert (len(train), len(held_out)) == (10, 2)
    [back] = lines(export / "held_back.jsonl")
    assert str(back["reason"]).startswith("personal data: phone in the article, email in the article")
    for lang, sentence in (("zh", "并非人工撰写"), ("en", "Made by scripts, not by people")):
        card = (export / f"card.{lang}.md").read_text(encoding="utf-8")
        assert sentence in card
        assert "funnel.svg" in card
    assert (export / "funnel.svg").read_bytes().startswith(b"<?xml")

    again = command("curate.py", "name=demo", "stage=all")
    assert again.returncode == 0, again.stdout + again.stderr
    assert lines(export / "triplets.jsonl") == train

    [printed] = [line for line in curated.stdout.splitlines() if line.strip().startswith("python train.py")]
    trained = command("train.py", *shlex.split(printed)[2:], "length=fast", "logger=none")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    manifest = json.loads((tmp_path / "multirun" / "demo-curated" / "cw" / "manifest.json").read_text())
    assert sum(group["examples"] for group in manifest["data"]["train"]) == 10


def test_scripts_curate_no_other_articles(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"text": "雨停了。"}\n', encoding="utf-8")
    refused = command("curate.py", "name=mine", "input=mine.jsonl", "scripted=true")
    assert refused.returncode == 1
    assert "a script is no writer and no reviewer" in refused.stderr
