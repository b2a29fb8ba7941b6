"""Measure how long an evaluation of the paper's size takes, and word segmentation compared with plain jieba.

python -m benchmarks.evaluation
python -m benchmarks.evaluation --smallest      # a test that it runs

Five arms answer 557 queries at the paper's lengths, with texts cut from public-domain novels; four raters rank them.
The evaluation computes all measures with 2,000 resamples, and writes figures, tables and report. Then all answers, of
which every twentieth is copied, are held against as many training texts as the paper's. Each measurement runs in a
fresh process; contestants take turns. The last line of stdout is one JSON object.
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

from benchmarks.measuring import (
    CORPUS,
    goal_states,
    machine,
    parse_arguments,
    peaks_gb,
    print_goals,
    run_in_own_process,
    say,
)
from coig.config import EvaluateConfig, TrainConfig
from coig.config.command_line import config_of
from coig.files.atomic import read_jsonl
from coig.study.arm import Arm
from coig.study.manifest import Manifest

QUERIES = {"zh": 204, "en": 353}
ARMS = {"cw": "0", "cw+1k": "1k", "cw+5k": "5k", "cw+10k": "10k", "general": "general"}  # their ratios
# mean characters of an answer (paper.md, length table), in the arms' order; reasoning as in the training data
CHARACTERS = {"zh": (960, 950, 1099, 1120, 1137), "en": (3038, 3690, 3988, 4002, 4070)}
REASONING = 1089
RATERS = 4
TRAINING = {"zh": 11_665, "en": 10_000}  # texts of the largest mixture
TRAINING_CHARACTERS = {"zh": 1_600, "en": 4_000}  # mean of a text, reasoning and answer
COPIED = 20  # every so many-th answer is copied
SMALLEST = {"scale": 0.05, "rounds": 1}  # enough queries for strengths
GOALS = {"seconds": ("<=", 20.0), "copies, seconds": ("<=", 30.0), "copies, GB": ("<=", 2.0)}


def prepare(folder: Path, corpus: Path, scale: float) -> None:
    """Write the study `multirun/bench` with the arms' answers, and `rankings.jsonl`, into a folder.

    Args:
        corpus: holds zh.jsonl and en.jsonl, from whose texts answers are cut.
        scale: share of the paper's queries.
    """
    draw = random.Random(0)
    whole = {lang: "\n".join(_texts(corpus / f"{lang}.jsonl")) for lang in QUERIES}
    texts = {lang: text[: len(text) // 2] for lang, text in whole.items()}  # what the second half says is learned
    _write_training_texts(draw, folder, {lang: text[len(text) // 2 :] for lang, text in whole.items()}, scale)
    numbered = [(lang, number) for lang, count in QUERIES.items() for number in range(round(count * scale))]
    asked = [(lang, f"{lang}-{number}", f"genre {number % 51}") for lang, number in numbered]
    for place, (name, ratio) in enumerate(ARMS.items()):
        arm = Arm(folder / "multirun" / "bench" / name)
        arm.write_manifest(_manifest(name, ratio))
        arm.write_config(config_of("train", TrainConfig, ["study=bench", f"data.ratio={ratio}", "logger=none"]))
        records = [_record(draw, texts[query[0]], name, *query, CHARACTERS[query[0]][place]) for query in asked]
        file = arm.generations("sample")
        file.parent.mkdir()
        file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    rankings = _rankings(draw, asked)
    (folder / "rankings.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rankings), encoding="utf-8")


def _write_training_texts(draw: random.Random, folder: Path, texts: dict[str, str], scale: float) -> None:
    """Write `training.jsonl`, a text a line, cut from the texts of each language at random."""
    with (folder / "training.jsonl").open("w", encoding="utf-8") as stream:
        for lang, count in TRAINING.items():
            for _ in range(round(count * scale)):
                stream.write(json.dumps(_cut(draw, texts[lang], TRAINING_CHARACTERS[lang]), ensure_ascii=False) + "\n")


def _cut(draw: random.Random, text: str, mean: int) -> str:
    """Return a random piece of a text, of about `mean` characters."""
    length = max(20, int(draw.gauss(mean, mean / 4)))
    start = draw.randrange(len(text) - length)
    return text[start : start + length].strip()


def _manifest(arm: str, ratio: str) -> Manifest:
    """Return the made-up manifest of a finished arm."""
    creative = {"kind": "creative", "lang": "zh", "source": "coig_writer", "examples": 1665}
    creative |= {"tokens": 1, "supervised_tokens": 1}
    facts = {
        "study": "bench",
        "arm": arm,
        "status": "done",
        "seed": 0,
        "model": {"name": "bench", "parameters": 1},
        "data": {"name": "bench", "ratio": ratio, "fingerprint": arm, "train": [creative]},
        "wandb_run": "bench",
        "times": {"seconds": 60.0},
    }
    return Manifest.model_validate(facts)


def _rankings(draw: random.Random, asked: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Return each rater's made-up ranking of the arms for each query, with random errors, as lines of judgments.

    `asked` are the queries as (language, id, genre).
    """
    strength = dict(zip(ARMS, (0.0, 0.4, 0.9, 1.2, 0.8), strict=True))
    rankings = []
    for lang, query, genre in asked:
        for rater in range(RATERS):
            order = sorted(ARMS, key=lambda arm: strength[arm] + draw.gauss(0, 1.5))
            about = {"study": "bench", "query_id": query, "lang": lang, "genre": genre, "kind": "ranking"}
            rankings.append(about | {"arms": order, "value": [5, 4, 3, 2, 1], "rater": f"rater {rater}"})
    return rankings


def _texts(file: Path) -> list[str]:
    """Return the texts of a corpus file."""
    return [json.loads(line)["text"] for _, line in read_jsonl(file)]


def _record(
    draw: random.Random, text: str, arm: str, lang: str, query: str, genre: str, characters: int
) -> dict[str, Any]:
    """Return a made-up answer: reasoning and about `characters` characters of answer, cut from `text` at random."""
    reasoning, answer = _cut(draw, text, REASONING), _cut(draw, text, characters)
    about = {"query_id": query, "lang": lang, "genre": genre, "query": f"query {query}", "arm": arm, "sample": 0}
    counts = {"answer_tokens": len(answer) // (2 if lang == "zh" else 4), "finish_reason": "stop"}
    return about | counts | {"reasoning": reasoning, "answer": answer, "seed": 0, "sampling": {}}


def evaluate(folder: Path) -> float:
    """Run what `evaluate.py` runs, and return its seconds, with imports; change to the folder."""
    os.chdir(folder)
    start = time.perf_counter()
    from coig.evaluation import evaluate

    overrides = ["study=bench", f"judgments=[{folder / 'rankings.jsonl'}]"]
    evaluate(config_of("evaluate", EvaluateConfig, overrides))
    return time.perf_counter() - start


def _answers(folder: Path) -> list[str]:
    """Return the texts of all answers that `prepare` wrote."""
    files = sorted(folder.glob("multirun/bench/*/generations/sample.jsonl"))
    return [json.loads(line)["answer"] for file in files for _, line in read_jsonl(file)]


def measure_copying(folder: Path) -> tuple[float, float]:
    """Return the seconds and the gigabytes that it takes to find what the answers copied from the training texts."""
    import numpy as np

    from coig.text.copied_spans import CopiedSpans

    texts = [json.loads(line) for _, line in read_jsonl(folder / "training.jsonl")]
    answers = [texts[place] if place % COPIED == 0 else text for place, text in enumerate(_answers(folder))]
    start = time.perf_counter()
    spans = CopiedSpans(answers, texts)
    for arm in range(len(ARMS)):
        own = range(arm * len(answers) // len(ARMS), (arm + 1) * len(answers) // len(ARMS))
        spans.match(own, np.arange(len(texts)))
    seconds = time.perf_counter() - start
    return seconds, peaks_gb()[0]


def split_with_coig(folder: Path) -> float:
    """Return the seconds that coig's word segmentation takes for all answers."""
    from coig.text.words import split_words

    return _seconds(split_words, folder)


def split_with_jieba(folder: Path) -> float:
    """Return the seconds that jieba's word segmentation takes for all answers."""
    import jieba

    return _seconds(jieba.lcut, folder)


def _seconds(cut: Callable[[str], object], folder: Path) -> float:
    """Return the seconds that `cut` takes for all answers, after a first call that loads its dictionary."""
    answers = _answers(folder)
    cut("热身 to load the dictionary")
    start = time.perf_counter()
    for answer in answers:
        cut(answer)
    return time.perf_counter() - start


CONTESTANTS: dict[str, Callable[[Path], float]] = {
    "evaluate": evaluate,
    "words": split_with_coig,
    "jieba": split_with_jieba,
}


def measure_in_turns(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each round by contestant."""
    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for number in range(rounds):
        for name, function in CONTESTANTS.items():
            seconds[name].append(run_in_own_process(function, folder))
            say(f"round {number + 1}, {name}: {seconds[name][-1]:.1f} s")
    return seconds


def report_of(scale: float, seconds: dict[str, list[float]], copies: tuple[float, float]) -> dict[str, Any]:
    """Return the report's figures as JSON types; `copies` are the figures of `measure_copying`."""
    figures = {
        **{"copies, seconds": round(copies[0], 1), "copies, GB": round(copies[1], 2)},
        "seconds": round(median(seconds["evaluate"]), 2),
        "jieba / words": round(median(b / a for a, b in zip(seconds["words"], seconds["jieba"], strict=True)), 2),
    }
    return {
        "scale": scale,
        **figures,
        "rounds": {name: [round(one, 2) for one in times] for name, times in seconds.items()},
        "goals": goal_states(figures, GOALS) if scale == 1 else {},
        **machine(("polars", "numpy", "jieba", "rjieba")),
    }


def main() -> None:
    """Run the benchmark in a temporary folder and print its report."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        prepare(folder, arguments.corpus.resolve(), arguments.scale)
        copies = run_in_own_process(measure_copying, folder)
        say(f"what {len(ARMS)} arms copied: {copies[0]:.1f} s, {copies[1]:.2f} GB")
        report = report_of(arguments.scale, measure_in_turns(folder, arguments.rounds), copies)
    print(f"plain jieba takes {report['jieba / words']:.1f} times as long for the words")
    print_goals(report["goals"])
    print(json.dumps(report))


def _arguments() -> argparse.Namespace:
    """Parse the command line; exit with a message if a number is out of range or the corpus is missing."""
    description = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation", description=description)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder with zh.jsonl and en.jsonl")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the paper's queries (default: all)")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parse_arguments(parser, SMALLEST)
    if not 0.01 <= arguments.scale <= 1 or arguments.rounds < 1:
        parser.error("--scale is 0.01 (a few queries of each language) to 1, --rounds at least 1")
    if missing := [file for lang in QUERIES if not (file := arguments.corpus / f"{lang}.jsonl").is_file()]:
        sys.exit(f"--corpus: {missing[0]} is missing; give a folder with zh.jsonl and en.jsonl of {{id, text, …}}")
    return arguments


if __name__ == "__main__":
    main()
