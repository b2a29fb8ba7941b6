"""Pairs of answers of which people prefer one, in the shapes of public data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coig.errors import DataError
from coig.records.preference import Preference, read_preferences


def write(file: Path, *rows: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "写一首诗", "chosen": "好", "rejected": "坏", "category": "诗歌"},
        {"prompt": "写一首诗", "chosen": {"text": "好", "score": 3}, "rejected": {"text": "坏"}, "genre": "诗歌"},
        {
            **{"query": "写一首诗", "language": "Chinese", "tag": "诗歌"},
            "chosen": [{"role": "user", "content": "写一首诗"}, {"role": "assistant", "content": "好"}],
            "rejected": {"response": "坏"},
        },
    ],
)
def test_pairs_are_read_in_several_shapes(tmp_path: Path, row: dict[str, Any]) -> None:
    [pair] = read_preferences([write(tmp_path / "wpb.jsonl", row)])
    assert pair == Preference(id="wpb-1", lang="zh", genre="诗歌", prompt="写一首诗", chosen="好", rejected="坏")


@pytest.mark.parametrize(
    ("prompt", "lang"), [("诗", "zh"), ("写 haiku", "en"), ("写一首 haiku", "zh"), ("Haiku", "en"), ("42", "en")]
)
def test_the_language_of_a_prompt(tmp_path: Path, prompt: str, lang: str) -> None:
    [pair] = read_preferences([write(tmp_path / "a.jsonl", {"prompt": prompt, "chosen": "a", "rejected": "b"})])
    assert pair.lang == lang


def test_what_is_no_pair_is_named(tmp_path: Path) -> None:
    row = {"prompt": "Write a haiku about Tokyo 東京", "chosen": "good", "rejected": "bad"}
    pairs = read_preferences([write(tmp_path / "a.jsonl", row), write(tmp_path / "b.jsonl", row)])
    assert [(pair.id, pair.lang) for pair in pairs] == [("a-1", "en"), ("b-1", "en")]
    with pytest.raises(DataError, match=r"a.jsonl:2: is no preference; give prompt, chosen and rejected"):
        read_preferences([write(tmp_path / "a.jsonl", row, {"prompt": "p", "chosen": "c"})])
    with pytest.raises(DataError, match=r"a.jsonl:1: rejected: "):
        read_preferences([write(tmp_path / "a.jsonl", row | {"rejected": {"score": 1}})])
    with pytest.raises(DataError, match=r"b.jsonl:1: id '7' stands twice"):
        read_preferences([write(tmp_path / name, row | {"id": 7}) for name in ("a.jsonl", "b.jsonl")])
