"""What can happen to a reader or a command that meets a fault, and the record of what did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

ALLOWED = (
    "equal",  # the result of an undisturbed run
    "refused",  # in one message
    "changed",  # read as what the file now says: damage that made another valid file, of a kind without checksums
)
FORBIDDEN = (
    "traceback",
    "hang",
    "wrong number",  # another result than an undisturbed run's, although a checksum could have told
    "lost line",  # fewer records than whole lines
)
LONGEST_MESSAGE = 3000  # characters of one refusal


@dataclass(frozen=True)
class Trial:
    """One trial; `seed` and `part` repeat it. `what` says which file and damage, or which command and fault."""

    part: str
    seed: int
    what: str
    outcome: str
    detail: str = ""


def outcome_of_command(code: int, printed: str) -> str | None:
    """Return the outcome of a command by its exit code and output; None if it succeeded, so that its results tell."""
    if "Traceback (most recent call last)" in printed:
        return "traceback"
    return "refused" if code else None


def run_trials(part: str, trial: Callable[[int], Trial], rounds: int, seconds: float, log: Path) -> Iterator[Trial]:
    """Run trials with the seeds that `log` lacks of `rounds`, append each to it, and yield it; stop after `seconds`."""
    done, end = {one.seed for one in read_log(log) if one.part == part}, monotonic() + seconds
    for seed in (seed for seed in range(rounds) if seed not in done):
        if monotonic() > end:
            return
        found = trial(seed)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(found), ensure_ascii=False) + "\n")
        yield found


def read_log(log: Path) -> list[Trial]:
    """Return the trials of a log; none without the file."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [Trial(**json.loads(line)) for line in lines]


def count(trials: list[Trial]) -> dict[str, dict[str, int]]:
    """Return the number of trials by part and outcome, every outcome named."""
    return {
        part: {outcome: found[outcome] for outcome in (*ALLOWED, *FORBIDDEN)}
        for part in dict.fromkeys(trial.part for trial in trials)
        if (found := Counter(trial.outcome for trial in trials if trial.part == part))
    }
