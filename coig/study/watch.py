"""Show how far a study is: a live table in a terminal, one line elsewhere: python -m coig.study watch [STUDY]"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import get_args

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from coig.config.fields import MULTIRUN
from coig.display.terminal import make_console, make_table
from coig.errors import ConfigError
from coig.study.find import find_study
from coig.study.progress import Progress, State, estimate_left, has_ended, look_at
from coig.study.sweep import FILE

EVERY = 1  # seconds
COLOURS: dict[State, str] = {"done": "green", "failed": "red", "stopped": "red"}  # the others are yellow


def watch(names: Sequence[str]) -> None:
    """Show the progress of a study; without a name, of the one trained last.

    In a terminal a table is live until the arms have ended; elsewhere one line is printed.

    Raises ConfigError for several names, or if there is no such study.
    """
    if len(names) > 1:
        raise ConfigError("watch: give one study, or none for the one trained last")
    study = _find(names[0] if names else None)
    if not sys.stdout.isatty():
        print(describe(study, look_at(study)))
        return
    with Live(console=make_console(), auto_refresh=False) as live:
        told: set[str] = set()
        while True:
            arms = look_at(study)
            for arm in arms:
                if arm.error and arm.arm not in told:
                    told.add(arm.arm)
                    live.console.print(Text.assemble((f"{arm.arm}: ", "red"), arm.error))
            live.update(Group(_tabulate(arms), Text(describe(study, arms), "bold")), refresh=True)
            if has_ended(study, arms):
                return
            time.sleep(EVERY)


def _find(name: str | None) -> Path:
    """Return a study's folder, also of one whose first arm has not begun; without a name, of the one begun last.

    Raises ConfigError if there is none.
    """
    begun = list(MULTIRUN.glob(f"*/{FILE}"))
    if name is not None and MULTIRUN / name / FILE in begun:
        return MULTIRUN / name
    if name is None and begun:
        newest = max(begun, key=lambda file: (file.stat().st_mtime, file)).parent
        manifests = [file.stat().st_mtime for file in MULTIRUN.glob("*/*/manifest.json")]
        if not manifests or (newest / FILE).stat().st_mtime > max(manifests):
            return newest
    return find_study(name)


def describe(study: Path, arms: Sequence[Progress]) -> str:
    """Return one line: how many arms are in which state, where those that run are, the time left, the first failure."""
    counts = Counter(arm.state for arm in arms)
    states = [f"{counts[state]} {state}" for state in reversed(get_args(State)) if counts[state] and state != "done"]
    parts = [f"{study.name}: {counts['done']} of {len(arms)} arms done", *states]
    for arm in arms:
        if arm.state == "running":
            loss = "" if arm.logged.loss is None else f", loss {arm.logged.loss:.3f}"
            parts.append(f"{arm.arm} at step {arm.logged.steps} of {arm.steps}{loss}")
    left = estimate_left(arms)
    if left:
        parts.append(f"about {_duration(left)} left")
    failures = [f"; {arm.arm} failed: {arm.error.splitlines()[0]}" for arm in arms if arm.error]
    return ", ".join(parts) + "".join(failures[:1])


def _tabulate(arms: Sequence[Progress]) -> Table:
    """Return a table with a row for each arm: state, step, losses, time left."""
    table = make_table()
    for heading in ("arm", "state", "step", "loss", "validation", "left"):
        is_text = heading in ("arm", "state")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=heading != "arm", overflow="fold")
    for arm in arms:
        losses = ["–" if loss is None else f"{loss:.3f}" for loss in (arm.logged.loss, arm.logged.validation)]
        step = "–" if arm.steps is None else f"{arm.logged.steps:,} of {arm.steps:,}"
        left = "–" if arm.left is None else _duration(arm.left)
        table.add_row(arm.arm, Text(arm.state, COLOURS.get(arm.state, "yellow")), step, *losses, left)
    return table


def _duration(seconds: float) -> str:
    """Return a duration as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))
