"""Records of people and of a model judge about made-up answers, as files of a study."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coig.records.judgment import Judgment
from coig.records.record import append_records

FACTS = {"model": "Qwen/Qwen3-8B", "prompt": "0123456789abcdef", "sampling": {"temperature": 0}}
ARMS = ("cw", "cw+1k", "general")


def make_calls(
    prompts: int, lang: str = "zh", judge: str = "qwen", arms: Sequence[str] = ARMS, seed: int = 0, follows: float = 0.9
) -> list[Judgment]:
    """Return a judge's verdicts on all pairs of arms in both orders, right (see `better`) with a chance `follows`."""
    rng = np.random.default_rng([seed, sum(map(ord, judge))])
    found = []
    for query in range(prompts):
        for first in arms:
            for second in arms:
                if first == second:
                    continue
                right = rng.random() < follows
                won = first == better(query, first, second)
                soft = 0.9 if won == right else 0.1
                found.append(
                    call(f"{lang}-{query}", lang, (first, second), "a" if soft > 0.5 else "b", judge, soft=soft)
                )
    return found


def better(query: int, first: str, second: str) -> str:
    """Return the arm whose answer to a query is better: the later one in ARMS in two of three queries."""
    early, late = sorted((first, second), key=ARMS.index)
    return early if query % 3 == 0 else late


def call(query: str, lang: str, arms: Sequence[str], value: str, judge: str = "qwen", **fields: Any) -> Judgment:
    """Return a judge's verdict on a pair as shown."""
    mark = f"/{fields['check']}" if "check" in fields else ""
    facts: dict[str, Any] = {
        **{"id": f"{judge}/{query}/{'>'.join(fields.get('order', arms))}{mark}", "query_id": query, "lang": lang},
        **{"kind": "pairwise", "arms": arms, "order": arms, "value": value, "rater": judge, "source": "judge"},
        **{"genre": "poetry", "judge": FACTS, "attempts": 1, "prompt_tokens": 900, "reply_tokens": 20},
    }
    return Judgment.model_validate(facts | fields)


def make_people(prompts: int, lang: str = "zh", raters: int = 3, seed: int = 0) -> list[dict[str, Any]]:
    """Return rankings of ARMS by raters, who see the better answer in 80 % of pairs."""
    rng = np.random.default_rng(seed)
    rows = []
    for query in range(prompts):
        for rater in range(raters):
            for number, first in enumerate(ARMS):
                for second in ARMS[number + 1 :]:
                    right = rng.random() < 0.8
                    winner = "a" if (better(query, first, second) == first) == right else "b"
                    rows.append(
                        {"query_id": f"{lang}-{query}", "lang": lang, "arm_a": first, "arm_b": second, "winner": winner}
                        | {"rater": f"r{rater}"}
                    )
    return rows


def write_study(folder: Path, people: int, calls: int, langs: Sequence[str] = ("zh",)) -> Path:
    """Write a study's judgments/qwen.jsonl and a file of people's verdicts; return the latter."""
    for lang in langs:
        append_records(folder / "judgments" / "qwen.jsonl", make_calls(calls, lang))
    rows = [row for lang in langs for row in make_people(people, lang)]
    file = folder / "people.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file
