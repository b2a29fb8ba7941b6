"""Find copies among Chinese articles: coig exactly, beside datasketch's MinHash on the same shingles.

    python -m benchmarks.curation [--texts 10000] [--characters 2200] [--corpus ../shared/corpus]

Articles are sentences of public-domain novels in random order, so that thousands of them share sentences, as articles
of the web do. Copies of 300 of them have 1, 2 and 4 % of their characters replaced; 50 others are excerpts. A pair that
is found and was not planted is false. Each contestant has a process of its own.
"""

from __future__ import annotations

import json
import random
import re
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path
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
from coig.curation.near_duplicates import find_alike
from coig.text.shingles import shingles_of

SMALLEST = {"texts": 400, "characters": 600}
GOALS = {"seconds": ("<=", 60.0), "peak_gb": ("<=", 3.0), "missed": ("<=", 0.0), "false": ("<=", 0.0)}
EDITS = (0.01, 0.02, 0.04)
COPIES, EXCERPTS = 300, 50
SENTENCE = re.compile(r"[^。！？\n]{6,80}[。！？]")
JACCARD, CONTAINMENT, EXCERPT = 0.5, 0.7, 96  # the defaults of conf/curate.yaml
Pairs = set[tuple[int, int]]


def make_articles(corpus: Path, count: int, characters: int) -> tuple[list[str], Pairs, Pairs]:
    """Return articles, the planted pairs of copies and those of excerpts; a pair is two places in the list.

    `count` articles of `characters` characters come first, then their copies and excerpts.
    """
    rng = random.Random(0)
    with (corpus / "zh.jsonl").open(encoding="utf-8") as lines:
        sentences = SENTENCE.findall("".join(json.loads(line)["text"] for line in lines))
    texts = []
    for _ in range(count):
        text = ""
        while len(text) < characters:
            text += rng.choice(sentences)
        texts.append(text[:characters])
    letters = sorted(set("".join(sentences[:2000])))
    originals = rng.sample(range(count), min(count // 2, COPIES + EXCERPTS))
    copies, excerpts = set(), set()
    for number, original in enumerate(originals):
        if number >= len(originals) * COPIES // (COPIES + EXCERPTS):
            start = rng.randrange(characters // 2)
            excerpts.add((original, len(texts)))
            texts.append(texts[original][start : start + characters // 4])
            continue
        changed = list(texts[original])
        for place in rng.sample(range(characters), round(EDITS[number % len(EDITS)] * characters)):
            changed[place] = rng.choice(letters)
        copies.add((original, len(texts)))
        texts.append("".join(changed))
    return texts, copies, excerpts


def find_with_coig(texts: list[str]) -> Pairs:
    """Return the pairs of copies and excerpts that coig finds, as places in `texts`, the lower one first."""
    sets = [shingles_of(text) for text in texts]
    found = find_alike(sets, jaccard=JACCARD, containment=CONTAINMENT, excerpt=EXCERPT)
    return {(min(pair.first, pair.second), max(pair.first, pair.second)) for pair in found}


def find_with_datasketch(texts: list[str]) -> Pairs:
    """Return the pairs that datasketch's MinHash LSH with 128 permutations finds at the same Jaccard threshold."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=JACCARD, num_perm=128)
    found: Pairs = set()
    for place, text in enumerate(texts):
        signature = MinHash(num_perm=128)
        signature.update_batch([shingle.tobytes() for shingle in shingles_of(text)])
        found.update((other, place) for other in index.query(signature))
        index.insert(place, signature)
    return found


CONTESTANTS: dict[str, Callable[[list[str]], Pairs]] = {"coig": find_with_coig, "datasketch": find_with_datasketch}


def measure(name: str, corpus: Path, count: int, characters: int) -> dict[str, float]:
    """Let a contestant find the copies; return its seconds, peak GB, and how many pairs it missed or invented.

    The articles are made first, which is not timed but counts in the peak memory.
    """
    texts, copies, excerpts = make_articles(corpus, count, characters)
    start = time.perf_counter()
    found = CONTESTANTS[name](texts)
    seconds = time.perf_counter() - start
    return {
        "seconds": round(seconds, 2),
        "peak_gb": round(peaks_gb()[0], 2),
        "planted": len(copies),
        "missed": len(copies - found),
        "missed_excerpts": len(excerpts - found),
        "false": len(found - copies - excerpts),
    }


def main() -> None:
    """Measure both contestants, print their figures and whether coig meets its goals."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--characters", type=int, default=2_200)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of zh.jsonl")
    arguments = parse_arguments(parser, SMALLEST)
    figures: dict[str, Any] = {}
    for name in CONTESTANTS:
        figures[name] = run_in_own_process(measure, name, arguments.corpus, arguments.texts, arguments.characters)
        say(f"{name}: {figures[name]}")
    states = goal_states(figures["coig"], GOALS)
    print_goals(states)
    print(
        json.dumps({"texts": arguments.texts, **figures, "goals": states, **machine(["datasketch", "scipy", "numpy"])})
    )


if __name__ == "__main__":
    main()
