"""Hammer the product: kills, full disks and damaged files, each compared with an undisturbed run.

python -m benchmarks.faults --rounds 100                       # of each part
python -m benchmarks.faults --part readers --rounds 10000 --seconds 280   # goes on from where the log ends
python -m benchmarks.faults --part commands --seed 17          # repeat one trial, and print what was said

Parts: kills (kill -9 of train on one and two processes, generate, evaluate, curate, and of annotate while a rater
judges), full disks, readers (a damaged file of every kind, in this process), commands (a damaged file of a study). The
log keeps every trial with its seed; the table and the JSON in the last line count the whole log. What undisturbed runs
made is kept beside it: give another --folder after a change of the code that changes results. Exits with 1 if a
forbidden outcome is among them.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.commands import Whole
from benchmarks.faults.kills import Undisturbed, try_full_disk, try_kill
from benchmarks.faults.outcomes import ALLOWED, FORBIDDEN, Trial, count, read_log, run_trials
from benchmarks.faults.readers import try_reader
from benchmarks.measuring import parse_arguments, say

PARTS = ("readers", "kills", "full disks", "commands")
SMALLEST = {"rounds": 2}


def main() -> None:
    """Run the trials that the command line asks for; print the table, and the counts as JSON."""
    options = _parse()
    options.folder.mkdir(parents=True, exist_ok=True)
    log = options.folder / "trials.jsonl"
    for part in options.part or PARTS:
        trial = _make_trial(part, options.folder)
        if options.seed is not None:
            print(json.dumps(vars(trial(options.seed)), ensure_ascii=False, indent=1))
            continue
        for found in run_trials(part, trial, options.rounds, options.seconds, log):
            if found.outcome in FORBIDDEN:
                say(f"{found.outcome}: --part '{part}' --seed {found.seed}: {found.what}\n{found.detail}")
    counts = count(read_log(log))
    print("| | " + " | ".join((*ALLOWED, *FORBIDDEN)) + " |\n" + "| --- " * (1 + len(ALLOWED + FORBIDDEN)) + "|")
    for part, outcomes in counts.items():
        print(f"| {part} | " + " | ".join(map(str, outcomes.values())) + " |")
    print(json.dumps(counts))
    sys.exit(any(outcomes[name] for outcomes in counts.values() for name in FORBIDDEN))


def _make_trial(part: str, folder: Path) -> Callable[[int], Trial]:
    """Prepare a part, which may run the commands once without a fault; return its function from a seed to a trial."""
    if part == "readers":
        return try_reader
    if part == "commands":
        return Whole(folder / "commands").try_command
    undisturbed = Undisturbed(folder / "kills")
    attempt = try_kill if part == "kills" else try_full_disk
    return lambda seed: attempt(seed, undisturbed)


def _parse() -> Namespace:
    """Parse the command line."""
    parser = ArgumentParser(prog="python -m benchmarks.faults")
    parser.add_argument("--rounds", type=int, default=100, help="trials of each part, those in the log included")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop each part after so long")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be given again")
    parser.add_argument("--seed", type=int, help="repeat one trial and print it")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/coig-faults"), help="of the log and the studies")
    return parse_arguments(parser, SMALLEST)


if __name__ == "__main__":
    main()
