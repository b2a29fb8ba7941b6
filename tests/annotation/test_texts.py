"""The examples on which raters practise."""

from __future__ import annotations

from pathlib import Path

import pytest

from coig.annotation.texts import read_introduction
from coig.errors import ConfigError
from tests.annotation.studies import make_config

EXAMPLE = '{"prompt": "Write.", "answers": ["a", "b", "c"], "ranks": [2, 3, 1], "why": "So."}\n'


def test_ours_teach_an_order_a_tie_and_an_abstention_in_both_languages() -> None:
    ranking = read_introduction(None, make_config().protocol, practice=True)
    for examples in ranking.practice.values():
        assert [one.ranks for one in examples] == [(2, 1, 3), (1, 1, 3), None]
    assert {lang: own[0]["lang"] for lang, own in ranking.examples().items()} == {"zh": "zh-Hans", "en": "en"}
    assert read_introduction(None, make_config().protocol, practice=False).practice == {}


def test_a_pair_is_the_best_and_the_worst(tmp_path: Path) -> None:
    for lang in ("zh", "en"):
        (tmp_path / f"practice.{lang}.jsonl").write_text(EXAMPLE)
    (pair,) = read_introduction(tmp_path, make_config("protocol=pairs").protocol, practice=True).practice["zh"]
    assert (pair.answers, pair.ranks) == (("b", "c"), (3, 1))
    ours = read_introduction(None, make_config("protocol=pairs").protocol, practice=True).practice["en"]
    assert {len(one.answers) for one in ours} == {2}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "practice.zh.jsonl:2"),
        (EXAMPLE.replace("[2, 3, 1]", "[1, 2]"), "practice.zh.jsonl:2: .*one for each answer"),
        (EXAMPLE.replace("why", "because"), "practice.zh.jsonl:2: why"),
    ],
)
def test_a_line_that_is_no_example_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "practice.zh.jsonl").write_text(EXAMPLE + line)
    (tmp_path / "practice.en.jsonl").write_text(EXAMPLE)
    with pytest.raises(ConfigError, match=message):
        read_introduction(tmp_path, make_config().protocol, practice=True)


def test_both_languages_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "practice.zh.jsonl").write_text(EXAMPLE)
    with pytest.raises(ConfigError, match=r"practice\.en\.jsonl is missing"):
        read_introduction(tmp_path, make_config().protocol, practice=True)
