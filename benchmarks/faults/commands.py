"""Damaged files through the commands: one file of a finished study is damaged, then a command meets it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from random import Random

from benchmarks.faults.damage import damage
from benchmarks.faults.outcomes import LONGEST_MESSAGE, Trial, outcome_of_command
from benchmarks.faults.results import Results, keep, results
from benchmarks.faults.running import ASK, STUDY, command_of, finish, start, train

MEETING: dict[str, tuple[str, ...]] = {
    "train": ("resume=true", "trainer.max_epochs=2"),  # added to the command that has trained
    "generate": ("generate.py", *ASK, "samples=2"),
    "held out": ("generate.py", *ASK, "queries=held_out"),
    "evaluate": ("evaluate.py", f"study={STUDY}"),
    "show": ("coig/study/__main__.py", "show", STUDY),
    "table": ("coig/study/__main__.py", "table", STUDY),
    "answers": ("coig/generation/show.py", "query_id=zh-001", f"study={STUDY}"),
}
LEFT_ALONE = (".lock", ".html", ".svg", ".png", ".csv", ".md", ".tex")  # what no command reads
CHECKED = (".ckpt", ".safetensors")  # files in which no change may go unnoticed


class Whole:
    """A finished study, made once and kept, and what each command makes of it undamaged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = folder / "whole"
        folder.mkdir(parents=True, exist_ok=True)
        self.wanted: dict[str, Results] = keep(folder / "undamaged.json", self._make)
        files = (file for file in sorted(self.place.rglob("*")) if file.is_file())
        self.files = [
            file.relative_to(self.place) for file in files if file.suffix not in LEFT_ALONE and file.name != ".lock"
        ]

    def _make(self) -> dict[str, Results]:
        """Train, answer and evaluate; return what each command then makes of that."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        for stage in ("train", "generate", "evaluate"):
            code, printed = finish(start(command_of(stage, self.folder), self.place, self.folder)) or (1, "it hangs")
            assert code == 0, printed
        return {name: self._run_undamaged(name) for name in MEETING}

    def _command(self, name: str) -> tuple[str, ...]:
        """Return a command of MEETING in full."""
        return (*train(self.folder), *MEETING[name]) if name == "train" else MEETING[name]

    def _run_undamaged(self, name: str) -> Results:
        """Return what a command makes of the whole study."""
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "work"
            shutil.copytree(self.place, place)
            code, printed = finish(start(self._command(name), place, self.folder)) or (1, "it hangs")
            assert code == 0, printed
            return results(place)

    def try_command(self, seed: int) -> Trial:
        """Damage a random file, run a random command, and compare with what it makes of the whole study."""
        random = Random(seed)
        file, name = random.choice(self.files), random.choice(list(MEETING))
        way, damaged = damage((self.place / file).read_bytes(), random, file.suffix)
        what = f"{file}: {way}, met by {name}"
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "work"
            shutil.copytree(self.place, place)
            (place / file).write_bytes(damaged)
            ended = finish(start(self._command(name), place, self.folder))
            if ended is None:
                return Trial("commands", seed, what, "hang")
            if outcome := outcome_of_command(*ended):
                said = ended[1]
                return Trial(
                    "commands", seed, what, outcome if len(said) < LONGEST_MESSAGE else "traceback", said[-800:]
                )
            if damaged == (self.place / file).read_bytes():
                return Trial("commands", seed, what, "equal")
            return Trial("commands", seed, what, self._compare(name, file, place))

    def _compare(self, name: str, damaged: Path, place: Path) -> str:
        """Return the outcome of a command that succeeded: whether what it made differs, and whether it may."""
        try:
            found = {key: one for key, one in results(place).items() if key != f"/{damaged}"}
        except Exception:  # a file that this command does not read is still damaged
            return "equal"
        whole = {key: one for key, one in self.wanted[name].items() if key != f"/{damaged}"}
        if found == whole:
            return "equal"
        return "wrong number" if damaged.suffix in CHECKED else "changed"
