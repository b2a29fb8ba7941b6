"""Kill commands at random moments, or let their disk fill up; then run them to their end and compare the results."""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.faults.outcomes import Trial, outcome_of_command
from benchmarks.faults.rater import run_annotate, write_answers
from benchmarks.faults.results import Results, compare, keep, results
from benchmarks.faults.running import command_of, finish, run_command, run_two_ranks, start

BEFORE = {  # stage → the stages before it
    "train": (),
    "train on two processes": (),
    "generate": ("train",),
    "evaluate": ("train", "generate"),
    "annotate": (),
    "curate": (),
}
ON_ONE_PROCESS = ("train", "generate", "evaluate", "curate")


class Undisturbed:
    """The study before and after each stage, made twice without any fault, in `folder`, and kept there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        made = keep(folder / "undisturbed.json", self._make)
        self.seconds: dict[str, float] = made["seconds"]
        self.wanted: dict[str, Results] = made["wanted"]

    def before(self, stage: str) -> Path:
        """Return a folder in which all that `stage` needs is done; it is copied before it is used."""
        return self.folder / f"before {stage}"

    def _make(self) -> dict[str, Any]:
        """Run every stage; return its results, and how long it took the second time, when all caches are warm.

        Raises AssertionError if a stage fails, or gives other results the second time.
        """
        seconds: dict[str, float] = {}
        wanted: dict[str, Results] = {}
        for stage, earlier in BEFORE.items():
            place, done = self.before(stage), self.folder / f"after {stage}"
            shutil.rmtree(place, ignore_errors=True)
            source = self.folder / f"after {earlier[-1]}" if earlier else None
            shutil.copytree(source, place) if source else place.mkdir(parents=True)
            if stage == "annotate":
                write_answers(place)
            for _ in range(2):
                shutil.rmtree(done, ignore_errors=True)
                shutil.copytree(place, done)
                begun = time.monotonic()
                code, printed = self.run(stage, done) or (1, "it hangs")
                assert code == 0, printed
                seconds[stage], found = time.monotonic() - begun, results(done)
                assert wanted.setdefault(stage, found) == found, f"{stage}: two undisturbed runs differ"
        return {"seconds": seconds, "wanted": wanted}

    def run(self, stage: str, place: Path, kill_after: float | None = None) -> tuple[int, str] | None:
        """Run a stage, which may be killed after so many seconds; return what `finish` returns."""
        if stage == "train on two processes":
            return run_two_ranks(place, self.folder, kill_after)
        if stage == "annotate":
            return run_annotate(place, self.folder, kill_after)
        return run_command(stage, place, self.folder, kill_after)

    def run_on_small_disk(self, stage: str, place: Path, after: float, size: int) -> tuple[int, str] | None:
        """Run a stage on one process; after so many seconds no file of its can grow beyond `size` bytes."""
        process = start(command_of(stage, self.folder), place, self.folder)
        time.sleep(after)
        with suppress(ProcessLookupError):  # it has ended
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return finish(process)


def try_kill(seed: int, undisturbed: Undisturbed) -> Trial:
    """Kill a stage at a random moment, run it again to its end, and compare."""
    random = Random(seed)
    stage = random.choice(list(BEFORE))
    after = random.uniform(0, undisturbed.seconds[stage])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "work"
        shutil.copytree(undisturbed.before(stage), place)
        killed = undisturbed.run(stage, place, after)
        return _finish("kills", seed, f"{stage} killed after {after:.2f} s", stage, place, killed, undisturbed)


def try_full_disk(seed: int, undisturbed: Undisturbed) -> Trial:
    """Let the disk of a stage fill up at a random moment, make room, run it to its end, and compare."""
    random = Random(seed)
    stage = random.choice(ON_ONE_PROCESS)
    after, size = random.uniform(0, undisturbed.seconds[stage]), int(10 ** random.uniform(1, 7.5))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "work"
        shutil.copytree(undisturbed.before(stage), place)
        ended = undisturbed.run_on_small_disk(stage, place, after, size)
        what = f"{stage}, no file beyond {size} bytes after {after:.2f} s"
        return _finish("full disks", seed, what, stage, place, ended, undisturbed)


def _finish(
    part: str,
    seed: int,
    what: str,
    stage: str,
    place: Path,
    disturbed: tuple[int, str] | None,
    undisturbed: Undisturbed,
) -> Trial:
    """Run a disturbed stage once more, to its end, and return the trial."""
    if disturbed is None:
        return Trial(part, seed, what, "hang")
    if outcome_of_command(*disturbed) == "traceback":
        return Trial(part, seed, what, "traceback", disturbed[1][-800:])
    again = undisturbed.run(stage, place)
    if again is None:
        return Trial(part, seed, what, "hang", "in the run after it")
    if outcome := outcome_of_command(*again):
        # nothing was wrong any more, so a refusal loses the work
        return Trial(part, seed, what, "traceback" if outcome == "traceback" else "lost line", again[1][-800:])
    return Trial(part, seed, what, *compare(results(place), undisturbed.wanted[stage]))
