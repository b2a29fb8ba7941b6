"""Measure how fast an arm answers queries with engine=hf and with plain `model.generate`, at equal greedy answers.

python -m benchmarks.generation
python -m benchmarks.generation --smallest      # a test that it runs

The embedded model answers prompts of one to eight problems, so prompts and answers differ widely in length. Plain
generate takes padded batches, in the order of the queries, as most scripts do, or sorted by the prompts' length. Each
contestant answers all queries in a fresh process, and contestants take turns; loading is not timed. The last line of
stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring import goal_states, machine, parse_arguments, print_goals, run_in_own_process, say
from coig.config import Sampling
from coig.config.fields import SAMPLE
from coig.errors import ConfigError
from coig.files.atomic import read_jsonl
from coig.generation.completion import Request
from coig.records.query import Query
from coig.study.arm import Arm

OURS = "ours"
BATCH = 32
SMALLEST = {"queries": 4, "max_new_tokens": 40, "rounds": 1}  # tokens: past one stretch of decoding
GOALS = {"ours / arrival": (">=", 1.5)}


@dataclass(frozen=True)
class Job:
    """What each contestant has to do: answer so many queries with the arm's model."""

    folder: Path  # an arm's
    queries: int
    max_new_tokens: int


@dataclass(frozen=True)
class Run:
    """One contestant's time and answers: token ids without the end token, in the order of the queries."""

    seconds: float
    answers: list[list[int]]


def prepare(job: Job) -> None:
    """Export the embedded model into the arm's folder."""
    from coig.config import Model
    from coig.data.tokenizer import load_tokenizer
    from coig.models.export import export, make_generation_config
    from coig.models.loading import load_model

    model = Model(
        name="tiny", path="sample:tiny", max_length=2048, learning_rate=1, system_prompt=None, template_arguments={}
    )
    lm, tokenizer = load_model(model, seed=0), load_tokenizer(model)
    settings = make_generation_config(lm, tokenizer, ())
    export(lm, lm.state_dict(), None, tokenizer, settings, Arm(job.folder).model)


def requests(job: Job, tokenizer: Any) -> list[Request]:
    """Return requests made of the sample's shuffled problems: mostly one per prompt, sometimes up to eight."""
    from coig.data.encoding import Encoder

    rows = [json.loads(line) for lang in ("zh", "en") for _, line in read_jsonl(SAMPLE / f"general_{lang}.jsonl")]
    draw = random.Random(0)
    draw.shuffle(rows)
    encoder = Encoder(tokenizer, None)
    asked = []
    for number in range(job.queries):
        count = draw.choice([1, 1, 1, 1, 2, 4, 8])
        text = "\n\n".join(row["prompt"] for row in (rows * 2)[number : number + count])
        query = Query(id=str(number), lang="en", genre="problem", query=text)
        asked.append(Request(query, 0, encoder.prompt_ids(text)))
    return asked


def answer_with_coig(job: Job) -> Run:
    """Answer all requests with engine=hf; return the answers and the seconds, without those of loading."""
    from transformers import AutoTokenizer

    from coig.generation.hf import HuggingFaceEngine

    greedy = Sampling(
        temperature=0,
        top_p=1,
        top_k=0,
        repetition_penalty=1,
        max_new_tokens=job.max_new_tokens,
        max_reasoning_tokens=None,
        max_answer_tokens=None,
    )
    arm = Arm(job.folder)
    tokenizer = AutoTokenizer.from_pretrained(arm.model)
    asked = requests(job, tokenizer)
    engine = HuggingFaceEngine(tokens_per_batch=None)
    engine.load(arm, tokenizer, greedy, seed=0)
    list(engine.answers(asked[:2]))  # to warm up
    start = time.perf_counter()
    done = {request.query.id: completion for batch in engine.answers(asked) for request, completion in batch}
    seconds = time.perf_counter() - start
    texts = [done[request.query.id].text for request in asked]
    return Run(seconds, [tokenizer(text, add_special_tokens=False).input_ids for text in texts])


def answer_with_transformers(job: Job, by_length: bool) -> Run:
    """Answer all requests with `model.generate` on left-padded batches of 32; return the answers and the seconds.

    Loading is not timed.

    Args:
        by_length: sort the prompts by length first.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = Arm(job.folder).model
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    asked = [request.prompt for request in requests(job, tokenizer)]
    lm = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    ends = set(lm.generation_config.eos_token_id)

    def answer(prompts: list[list[int]]) -> Iterator[list[int]]:
        """Yield the answer to each prompt of a batch, as token ids up to the first end token."""
        inputs = tokenizer.pad({"input_ids": prompts}, return_tensors="pt")
        with torch.inference_mode():
            output = lm.generate(**inputs, max_new_tokens=job.max_new_tokens, do_sample=False)
        for row in output[:, inputs["input_ids"].shape[1] :].tolist():
            yield row[: next((index for index, token in enumerate(row) if token in ends), None)]

    list(answer(asked[:2]))  # to warm up
    order = sorted(range(len(asked)), key=lambda number: len(asked[number]) if by_length else number)
    answers: list[list[int]] = [[] for _ in asked]
    start = time.perf_counter()
    for first in range(0, len(order), BATCH):
        batch = order[first : first + BATCH]
        for number, ids in zip(batch, answer([asked[number] for number in batch]), strict=True):
            answers[number] = ids
    seconds = time.perf_counter() - start
    texts = [tokenizer.decode(ids, skip_special_tokens=False) for ids in answers]
    return Run(seconds, [tokenizer(text, add_special_tokens=False).input_ids for text in texts])


CONTESTANTS: dict[str, Callable[[Job], Run]] = {
    OURS: answer_with_coig,
    "arrival": partial(answer_with_transformers, by_length=False),
    "sorted": partial(answer_with_transformers, by_length=True),
}


def measure_in_turns(job: Job, rounds: int) -> dict[str, list[Run]]:
    """Return the runs of all rounds by contestant."""
    runs: dict[str, list[Run]] = {name: [] for name in CONTESTANTS}
    for number in range(rounds):
        for name, function in CONTESTANTS.items():
            run = run_in_own_process(function, job)
            runs[name].append(run)
            say(f"round {number + 1}, {name}: {job.queries / run.seconds:.2f} queries/s")
    return runs


def report_of(job: Job, runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Return the report's figures as JSON types."""
    first = runs[OURS][0].answers
    equal = {name: sum(a == b for a, b in zip(first, run[0].answers, strict=True)) for name, run in runs.items()}
    ratios = {
        f"ours / {name}": round(median(b.seconds / a.seconds for a, b in zip(runs[OURS], runs[name], strict=True)), 3)
        for name in CONTESTANTS
        if name != OURS
    }
    lengths = sorted(len(ids) for ids in first)
    return {
        "queries": job.queries,
        "max_new_tokens": job.max_new_tokens,
        "answer_tokens": {"shortest": lengths[0], "median": median(lengths), "longest": lengths[-1]},
        "queries_per_second": {
            name: round(median(job.queries / run.seconds for run in rounds), 3) for name, rounds in runs.items()
        },
        "equal_answers": equal,
        "ratios": ratios,
        "goals": goal_states(ratios, GOALS),
        **machine(("torch", "transformers")),
    }


def print_table(report: dict[str, Any]) -> None:
    """Print speeds, ratios, shares of equal answers, and goals."""
    print(f"{'':10}  queries/s  ours /  answers equal to ours")
    for name, speed in report["queries_per_second"].items():
        over = report["ratios"].get(f"ours / {name}", 1.0)
        print(f"{name:10}{speed:11.2f}{over:8.2f}  {report['equal_answers'][name]} of {report['queries']}")
    print_goals(report["goals"])


def main() -> None:
    """Run the benchmark and print its report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.generation", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--queries", type=int, default=128)
    parser.add_argument("--max-new-tokens", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parse_arguments(parser, SMALLEST)
    if min(arguments.queries, arguments.max_new_tokens, arguments.rounds) < 1:
        parser.error("all numbers must be at least 1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        with tempfile.TemporaryDirectory() as folder:
            job = Job(Path(folder), arguments.queries, arguments.max_new_tokens)
            run_in_own_process(prepare, job)
            report = report_of(job, measure_in_turns(job, arguments.rounds))
    except ConfigError as error:
        sys.exit(str(error))
    print_table(report)
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
