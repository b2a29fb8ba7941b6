"""Measure how long it takes to read a model judge's verdicts and to compute its card: python -m benchmarks.judging

A judge has compared all ten pairs of five arms' answers to 557 queries in both orders, and has been probed with 104
queries in each language; four raters have ranked the answers to 204 of the queries. Each round runs in a fresh process,
with imports. The last line of stdout is one JSON object.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from argparse import ArgumentParser
from itertools import combinations, permutations
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring import goal_states, machine, parse_arguments, print_goals, run_in_own_process, say

QUERIES = {"zh": 204, "en": 353}
ARMS = ("cw", "cw+1k", "cw+5k", "cw+10k", "general")
RATERS, JUDGED_BY_PEOPLE, PROBED = 4, 102, 104  # the last two in each language
CHECKS = ("shuffled", "halved", "repeated_text", "empty", "cut_off", "wrong_language")
GENRES = 51
SMALLEST = {"scale": 0.06, "rounds": 1}
GOALS = {"seconds": ("<=", 10.0)}
Row = dict[str, Any]


def prepare(folder: Path, scale: float) -> None:
    """Write made-up files: judge.jsonl with the judge's lines, people.jsonl with rankings, answers.json with facts.

    `scale` is the share of the paper's queries.
    """
    draw = random.Random(0)
    queries = [(lang, number) for lang, count in QUERIES.items() for number in range(round(count * scale))]
    _write(folder / "judge.jsonl", [row for query in queries for row in _make_judgments(draw, *query, scale)])
    ranked = [query for query in queries if query[1] < JUDGED_BY_PEOPLE * scale]
    _write(folder / "people.jsonl", [row for query in ranked for row in _make_rankings(draw, *query)])
    answers = [_answer(draw, arm, *query) for arm in ARMS for query in queries]
    (folder / "answers.json").write_text(json.dumps(answers), encoding="utf-8")


def _write(file: Path, rows: list[Row]) -> None:
    """Write rows as JSON lines."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _make_judgments(draw: random.Random, lang: str, number: int, scale: float) -> list[Row]:
    """Return a judge's made-up lines on one query: all pairs in both orders, and probes if it is an early query."""
    query = f"{lang}-{number}"
    facts: Row = {
        "query_id": query,
        "lang": lang,
        "genre": f"genre {number % GENRES}",
        "kind": "pairwise",
        "rater": "judge",
    }
    facts |= {"source": "judge", "attempts": 1, "prompt_tokens": 2_000, "reply_tokens": 30}
    facts |= {"judge": {"model": "Qwen/Qwen3-8B", "prompt": "0" * 16, "sampling": {"temperature": 0.0}}}
    rows = []
    for arms in permutations(ARMS, 2):
        soft = min(1.0, max(0.0, draw.gauss(0.5 + 0.06 * (ARMS.index(arms[0]) - ARMS.index(arms[1])), 0.3)))
        said = {"arms": arms, "order": arms, "value": "a" if soft > 0.5 else "b", "soft": round(soft, 3)}
        rows.append(facts | said | {"id": f"judge/{query}/{'>'.join(arms)}"})
    if number < PROBED * scale:
        for check in CHECKS:
            for order in (("cw", check), (check, "cw")):
                said = {"arms": ("cw", check), "order": order, "value": draw.choice("aaab"), "check": check}
                rows.append(facts | said | {"id": f"judge/{query}/{'>'.join(order)}"})
    return rows


def _make_rankings(draw: random.Random, lang: str, number: int) -> list[Row]:
    """Return each rater's made-up ranking of the answers to one query."""
    facts = {"query_id": f"{lang}-{number}", "lang": lang, "kind": "ranking", "value": [1, 2, 3, 4, 5]}
    orders = [sorted(ARMS, key=lambda arm: ARMS.index(arm) + draw.gauss(0, 3)) for _ in range(RATERS)]
    return [facts | {"arms": order, "rater": f"rater {rater}"} for rater, order in enumerate(orders)]


def _answer(draw: random.Random, arm: str, lang: str, number: int) -> Row:
    """Return made-up facts about an arm's answer to a query: what the card needs to know of it."""
    return {
        **{
            "arm": arm,
            "query_id": f"{lang}-{number}",
            "answer": "text",
            "tokens": draw.randrange(200, 2_000),
            "words": 9,
        },
        **{
            "contaminated_any": draw.random() < 0.2,
            "finished": draw.random() < 0.9,
            "self_repetition": draw.random() / 3,
        },
    }


def examine(folder: Path) -> float:
    """Read all lines and compute the card; print its sentences to stderr; return the seconds, with imports."""
    start = time.perf_counter()
    import polars as pl

    from coig.evaluation.findings.judges.card import People
    from coig.evaluation.findings.judges.examine import examine_judges
    from coig.evaluation.preferences.judges import tabulate_judges
    from coig.evaluation.preferences.judgments import collect_judgments, tabulate_judgments

    collected = collect_judgments([folder / "judge.jsonl", folder / "people.jsonl"], "bench", set(ARMS), {})
    by_people = [one for one in collected if one.source == "human"]
    judges = tabulate_judges([one for one in collected if one.source == "judge"], ARMS, {})
    people = People(tabulate_judgments(by_people, ARMS, {}).verdicts, by_people, ())
    answers = pl.DataFrame(json.loads((folder / "answers.json").read_text(encoding="utf-8")))
    found = examine_judges(judges, None, people, answers, dict.fromkeys(ARMS, "Qwen/Qwen2.5-7B"), ARMS)
    say(" ".join(answer.main for answer in found.answers))
    return time.perf_counter() - start


def main() -> None:
    """Run the benchmark and print its report."""
    parser = ArgumentParser(prog="python -m benchmarks.judging", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the paper's queries (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parse_arguments(parser, SMALLEST)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        prepare(folder, arguments.scale)
        lines = sum(1 for _ in (folder / "judge.jsonl").open(encoding="utf-8"))
        seconds = [run_in_own_process(examine, folder) for _ in range(arguments.rounds)]
    figures = {"seconds": round(median(seconds), 2)}
    goals = goal_states(figures, GOALS) if arguments.scale == 1 else {}
    pairs = len(list(combinations(ARMS, 2)))
    report = {"scale": arguments.scale, "pairs": pairs, "lines": lines, **figures}
    report |= {"rounds": [round(one, 2) for one in seconds], "goals": goals, **machine(("polars", "numpy", "pydantic"))}
    print(f"{lines:,} lines are read and the card is computed in {figures['seconds']:.1f} s")
    print_goals(goals)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
