"""The same answers, judgments and labels give the same report, in whatever order their lines were written."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from coig.config import EvaluateConfig
from coig.config.command_line import config_of
from coig.evaluation import evaluate
from coig.records.record import append_records
from tests.evaluation.judge_records import ARMS, make_people, write_study
from tests.studies import make_answer, make_arm

RATIOS = dict(zip(ARMS, ("0", "1k", "general"), strict=True))
LANGS = ("zh", "en")
WORDS = {"zh": "雨下了三天巷口的灯一直亮着老周把伞靠在门边", "en": "the rain had not let up for days and then it did"}
LABELS = ("normal writing", "deep reasoning", "self-exploration", "self-reflection")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study with two samples of each answer, verdicts and ratings by people, verdicts by a judge, and labels."""
    monkeypatch.chdir(tmp_path)
    study, chance = Path("multirun") / "s", random.Random(0)
    for name, ratio in RATIOS.items():
        answers = [
            make_answer(name, f"{lang}-{query}", sample=sample, answer=" ".join(chance.choices(WORDS[lang], k=300)))
            for lang in LANGS
            for query in range(12)
            for sample in (0, 1)
        ]
        append_records(make_arm(study / name, ratio=ratio).generations("sample"), answers)
    write_study(study, people=0, calls=12, langs=LANGS)
    verdicts = [row for lang in LANGS for row in make_people(12, lang)]
    ratings = [
        {"query_id": f"{lang}-{query}", "lang": lang, "arm": arm, "rater": rater, "value": chance.randrange(4)}
        for lang in LANGS
        for query in range(12)
        for arm in ARMS
        for rater in ("r0", "r1")
    ]
    write(study / "judgments" / "people.jsonl", chain(verdicts, ratings))
    known = [
        {"query_id": f"zh-{query}", "lang": "zh", "rater": "qwen", "source": "judge", "winner": chance.choice("ab")}
        | {"genre": f"genre {query % 3}", "arm_a": "chosen", "arm_b": "rejected"}
        for query in range(30)
    ]
    write(study / "judgments" / "yardstick" / "qwen.jsonl", known)
    steps = [
        {"arm": arm, "query_id": f"{lang}-{query}", "step": 0, "label": chance.choice(LABELS), "labeller": labeller}
        for arm in ARMS
        for lang in LANGS
        for query in range(12)
        for labeller in ("ann", "bob")
    ]
    write(study / "labels" / "steps.jsonl", steps)
    return study


def write(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def report_of(study: Path) -> dict[str, bytes]:
    """Evaluate the study; return all that was written, by path."""
    evaluate(config_of("evaluate", EvaluateConfig, ["study=s"]))
    files = (file for file in (study / "evaluation").rglob("*") if file.is_file())
    return {str(file.relative_to(study)): file.read_bytes() for file in files}


def test_no_result_depends_on_the_order_of_lines(study: Path) -> None:
    before = report_of(study)
    for file in study.glob("**/*.jsonl"):
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        random.Random(1).shuffle(lines)
        file.write_text("".join(lines), encoding="utf-8")
    after = report_of(study)
    tables = {f"evaluation/{name}.csv" for name in ("sameness", "ratings", "win_rates", "yardstick", "label_agreement")}
    assert tables <= before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []
