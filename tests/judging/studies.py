"""Answers to judge, in files of the paper authors' shape, which need no trained arm; and judge.py's config."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from coig.config import JudgeConfig
from coig.config.command_line import config_of
from coig.files.atomic import read_jsonl
from coig.records.judgment import Judgment
from coig.text.think_tags import reasoning_block

ARMS = {"cw": "origin", "cw+1k": "1k", "general": "baseline"}  # arm → its name in a file's name
GRADES = {"cw": "good good", "cw+1k": "good", "general": "plain"}  # a word in each answer, by which toy judges judge
ENGLISH = ["The rain came.", "She left the door open.", "Nobody asked why!", "A bird sang.", "Then it stopped."]
CHINESE = ["雨来了。", "她没有关门。", "谁也没问为什么！", "有只鸟在唱。", "后来停了。"]
THOUGHTS = "I will write about rain that falls on the tin roof.\n\nWait, is that too sad for the task?"


def write_answers(folder: Path, queries: int = 2) -> list[str]:
    """Write the answers of three arms to as many queries in each language; return the overrides that name them."""
    for lang, sentences in (("zh", CHINESE), ("en", ENGLISH)):
        for arm, name in ARMS.items():
            answers = {
                str(number): {
                    "prompt": f"Task {number}",
                    "my_response": reasoning_block(THOUGHTS) + " ".join([f"{GRADES[arm]} {number}.", *sentences * 2]),
                }
                for number in range(queries)
            }
            (folder / f"{name}_{lang}.json").write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")
    return ["study=s", "answers=[origin_*.json,1k_*.json,baseline_*.json]"]


@cache
def configure(*overrides: str) -> JudgeConfig:
    """Return the config of `judge.py` with these overrides."""
    return config_of("judge", JudgeConfig, list(overrides))


def read_lines(file: Path) -> list[Judgment]:
    """Return every line of a judge's file, failures included."""
    return [Judgment.model_validate_json(line) for _, line in read_jsonl(file)]
