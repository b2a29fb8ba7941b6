"""How long an evaluation takes at the paper's size, and how long words take beside plain jieba.

python -m benchmarks.evaluation

557 queries answered by five arms at the paper's lengths, texts cut from public-domain novels, ranked by four raters;
all measures, 2,000 bootstraps, figures, tables and the report are made and written. Every measurement is a fresh
process, in turns A B A B. The last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring import CORPUS, goal_states, in_own_process, machine, print_goals, say
from coig.schema import EvaluateConfig
from coig.study import Arm, read_jsonl

QUERIES = {"zh": 204, "en": 353}
ARMS = ("cw", "cw+1k", "cw+5k", "cw+10k", "general")
# mean characters of an answer (paper.md, length table), in the arms' order; reasoning as in the training data
CHARACTERS = {"zh": (960, 950, 1099, 1120, 1137), "en": (3038, 3690, 3988, 4002, 4070)}
REASONING = 1089
RATERS = 4
GOALS = {"seconds": ("<=", 20.0)}


def prepare(folder: Path, corpus: Path) -> None:
    """A study's folder with answers, and a file of rankings beside it."""
    draw = random.Random(0)
    texts = {lang: "\n".join(_texts(corpus / f"{lang}.jsonl")) for lang in QUERIES}
    numbered = [(lang, number) for lang, count in QUERIES.items() for number in range(count)]
    asked = [(lang, f"{lang}-{number}", f"genre {number % 51}") for lang, number in numbered]
    for place, name in enumerate(ARMS):
        arm = Arm(folder / "multirun" / "bench" / name)
        train = [{"kind": "creative", "examples": 1665, "supervised_tokens": 1}]
        facts = {"arm": name, "status": "done", "seed": 0, "times": {"seconds": 60.0}}
        arm.write_manifest(facts | {"data": {"fingerprint": "0", "train": train}})
        (arm.folder / "config.yaml").write_text("logger: null\n")
        file = arm.generations("sample")
        file.parent.mkdir()
        records = [_record(draw, texts[query[0]], name, *query, CHARACTERS[query[0]][place]) for query in asked]
        file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    strength = dict(zip(ARMS, (0.0, 0.4, 0.9, 1.2, 0.8), strict=True))
    rankings = []
    for lang, query, genre in asked:
        for rater in range(RATERS):
            order = sorted(ARMS, key=lambda arm: strength[arm] + draw.gauss(0, 1.5))
            about = {"study": "bench", "query_id": query, "lang": lang, "genre": genre, "kind": "ranking"}
            rankings.append(about | {"arms": order, "value": [5, 4, 3, 2, 1], "rater": f"rater {rater}"})
    (folder / "rankings.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rankings), encoding="utf-8")


def _texts(file: Path) -> list[str]:
    return [json.loads(line)["text"] for _, line in read_jsonl(file)]


def _record(
    draw: random.Random, text: str, arm: str, lang: str, query: str, genre: str, characters: int
) -> dict[str, Any]:
    def cut(mean: int) -> str:
        length = max(20, int(draw.gauss(mean, mean / 4)))
        start = draw.randrange(len(text) - length)
        return text[start : start + length].strip()

    reasoning, answer = cut(REASONING), cut(characters)
    about = {"query_id": query, "lang": lang, "genre": genre, "query": f"query {query}", "arm": arm, "sample": 0}
    counts = {"answer_tokens": len(answer) // (2 if lang == "zh" else 4), "finish_reason": "stop"}
    return about | counts | {"reasoning": reasoning, "answer": answer, "seed": 0, "sampling": {}}


def evaluated(folder: Path) -> float:
    """Seconds of a whole `evaluate.py`, its imports included."""
    os.chdir(folder)
    start = time.perf_counter()
    from coig.evaluation import evaluate

    rankings = str(folder / "rankings.jsonl")
    evaluate(EvaluateConfig(study="bench", arms=None, queries="sample", judgments=(rankings,), answers=(), labels=()))
    return time.perf_counter() - start


def _answers(folder: Path) -> list[str]:
    files = sorted(folder.glob("multirun/bench/*/generations/sample.jsonl"))
    return [json.loads(line)["answer"] for file in files for _, line in read_jsonl(file)]


def our_words(folder: Path) -> float:
    from coig.words import words

    return _seconds(words, folder)


def plain_jieba(folder: Path) -> float:
    import jieba

    return _seconds(jieba.lcut, folder)


def _seconds(cut: Callable[[str], object], folder: Path) -> float:
    answers = _answers(folder)
    cut("热身 to load the dictionary")
    start = time.perf_counter()
    for answer in answers:
        cut(answer)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evaluation", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="of zh.jsonl and en.jsonl")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    if missing := [file for lang in QUERIES if not (file := arguments.corpus / f"{lang}.jsonl").is_file()]:
        sys.exit(f"--corpus: {missing[0]} is missing; give a folder with zh.jsonl and en.jsonl of {{id, text, …}}")
    contestants = {"evaluate": evaluated, "words": our_words, "jieba": plain_jieba}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        prepare(folder, arguments.corpus.resolve())
        for number in range(arguments.rounds):
            for contestant, function in contestants.items():
                seconds[contestant].append(in_own_process(function, folder))
                say(f"round {number + 1}, {contestant}: {seconds[contestant][-1]:.1f} s")
    figures = {
        "seconds": round(median(seconds["evaluate"]), 2),
        "jieba / words": round(median(b / a for a, b in zip(seconds["words"], seconds["jieba"], strict=True)), 2),
    }
    states = goal_states(figures, GOALS)
    print(f"plain jieba takes {figures['jieba / words']:.1f} times as long for the words")
    print_goals(states)
    rounds = {name: [round(one, 2) for one in times] for name, times in seconds.items()}
    print(json.dumps(figures | {"rounds": rounds, "goals": states, **machine(("polars", "numpy", "jieba", "rjieba"))}))


if __name__ == "__main__":
    main()
