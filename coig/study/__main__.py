"""List, show, compare and delete studies and their arms; register a study's plan; put all in one table.

python -m coig.study list                     # every study: its arms, their status, hours, answers
python -m coig.study watch [STUDY]            # how far its arms are, live; one line if the output is no terminal
python -m coig.study show STUDY               # one study's arms: data, model, losses, times, revision
python -m coig.study compare STUDY [ARM …]    # in what its arms differ: data, settings, code, versions
python -m coig.study compare A B              # two studies, arms (STUDY/ARM …), or one of them and `paper`
python -m coig.study compare STUDY/ARM@SHARE STUDY/ARM   # what an arm was after a share of its steps, and the arm
python -m coig.study rerun STUDY/ARM [--run]  # what training it again needs, what differs today; --run does it
python -m coig.study pack STUDY               # STUDY.zip for others: no weights, names or secrets; show STUDY.zip
python -m coig.study upload STUDY             # its offline runs to W&B, each as one run
python -m coig.study publish STUDY/ARM[@SHARE] OWNER/NAME   # its model to the Hugging Face hub, with a card
python -m coig.study rm STUDY [ARM …]         # delete, after a question; also STUDY/ARM, as in show
python -m coig.study register STUDY plan.yaml # fix hypotheses and sample size before outcomes exist
python -m coig.study table 'multirun/*' -o results.parquet   # every arm, language and measure; or results.csv
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter, ValidationError
from rich.text import Text

from coig.config.command_line import show_messages
from coig.config.fields import MULTIRUN, FolderName
from coig.config.process import run_tool
from coig.display.numbers import NONE, counted, number, thousandths, whole
from coig.display.tables import Column, drop_empty_columns, fill_table, text_column, value_column
from coig.display.terminal import make_console, print_table, strip_controls
from coig.errors import ConfigError, suggestion
from coig.files.atomic import read_jsonl, remove_folder, write_atomic
from coig.files.tables import write_csv
from coig.study.arm import EARLY, LOCK, Arm
from coig.study.compare import compare
from coig.study.find import find_arms, find_study, is_arm, last_change
from coig.study.pack import pack
from coig.study.points import list_points
from coig.study.publish import publish
from coig.study.registration import FILE, register
from coig.study.rerun import rerun
from coig.study.results import results
from coig.study.upload import find_offline_runs, upload
from coig.study.watch import watch

COLOURS = {"done": "green", "running": "yellow", "failed": "red"}


def main(arguments: Sequence[str]) -> None:
    """Run the command that the first argument names with the other arguments; without arguments, `list`.

    Raises ConfigError for an unknown command, or a study's name that is missing or must not be given.
    """
    show_messages()
    command, names = (arguments[0], arguments[1:]) if arguments else ("list", [])
    if command not in COMMANDS:
        raise ConfigError(f"{command}: no such command" + suggestion(command, list(COMMANDS)))
    if command == "list" and names:
        raise ConfigError(f"list {names[0]}: takes no name; show {names[0]} shows one study")
    if command not in ("list", "watch", "table") and not names:
        raise ConfigError(f"{command}: of which study? python -m coig.study list names them")
    COMMANDS[command](names)


def _list(_: Sequence[str]) -> None:
    """Print every arm of every study, the study trained last at the end, then why arms failed and studies are damaged.

    Raises ConfigError if there is no study.
    """
    studies = sorted({file.parent.parent for file in MULTIRUN.glob("*/*/manifest.json")}, key=last_change)
    if not studies:
        raise ConfigError(f"no study in {MULTIRUN.absolute()}: train one first, python train.py")
    rows: list[dict[str, Any]] = []
    problems, notes = [], []
    for study in studies:
        try:
            arms = find_arms(study, None)
        except ConfigError as error:  # of one study, which must not hide the others
            problems.append(str(error))
            continue
        if offline := [arm.name for arm in arms if find_offline_runs(arm)]:
            notes.append(f"{study.name}: W&B lacks {', '.join(offline)}; python -m coig.study upload {study.name}")
        problems += [f"{study.name}/{name}: {reason}" for name, reason in _reasons(study, arms)]
        for arm in arms:
            manifest = arm.manifest()
            rows.append(
                {
                    "arm": f"{study.name}/{arm.name}",
                    "status": manifest.status,
                    "examples": sum(group.examples for group in manifest.data.train),
                    "seconds": manifest.times.seconds,
                    "answers": _count_answers(arm),
                    "ended": manifest.times.ended,
                }
            )
    console = make_console()
    print_table(console, fill_table(rows, LISTED), colours=COLOURS)
    for problem in problems:
        console.print(Text(problem, "red"), soft_wrap=True)
    for note in notes:
        console.print(Text(note, "dim"), soft_wrap=True)  # a command in it can be copied


def _reasons(study: Path, arms: Sequence[Arm]) -> Iterator[tuple[str, str]]:
    """Yield the name of each failed arm and the first line of why, also of those that failed before their manifest."""
    for arm in arms:
        if error := arm.manifest().error:
            yield arm.name, error.partition("\n")[0]
    for file in sorted(study.glob(f"*/{EARLY}")):
        if failure := Arm(file.parent).early_failure:
            yield file.parent.name, failure.error.partition("\n")[0]


def _show(names: Sequence[str]) -> None:
    """Print the arms of a study with their data, losses, times and revisions, then their points and why some failed."""
    study, arms, _ = _choose_arms(names)
    rows = []
    for arm in arms:
        manifest = arm.manifest()
        data, git = manifest.data, manifest.git
        rows.append(
            {
                "arm": arm.name,
                "status": manifest.status,
                "creative": data.examples("creative"),
                "general": data.examples("general"),
                "tokens": data.supervised_tokens,
                "truncated": sum(group.truncated for group in data.train),
                "model": manifest.model.name,
                "loss": arm.last_metric("train/loss"),
                "validation": arm.last_metric("validation/loss"),
                "seed": manifest.seed,
                "seconds": manifest.times.seconds,
                "revision": git and f"{git.revision[:8]}{' +' if git.dirty else ''}",
            }
        )
    console = make_console()
    console.print(Text(str(study.absolute()), "dim"), soft_wrap=True)
    print_table(console, fill_table(rows, SHOWN), colours=COLOURS)
    for arm in arms:
        if kept := ", ".join(point.moment for point in list_points(arm)):
            console.print(Text(f"{arm.name}: exports after shares of its steps: {kept}", "dim"))
        if error := arm.manifest().error:
            console.print(Text.assemble((f"{arm.name}: ", "red"), strip_controls(error)), soft_wrap=True)


def _register(names: Sequence[str]) -> None:
    """Register the plan of a file for a study, and print its hash; `names` are the study's name and the file.

    Raises ConfigError for other arguments, or a plan that cannot be registered.
    """
    if len(names) != 2:
        raise ConfigError(
            "register: give the study and the file of its plan, python -m coig.study register STUDY plan.yaml"
        )
    name, file = names
    try:
        TypeAdapter(FolderName).validate_python(name)
    except ValidationError as error:
        raise ConfigError(f"register {name}: {error.errors()[0]['ctx']['error']}") from None
    found = register(MULTIRUN / name, Path(file))
    hypotheses = counted(len(found.plan.hypotheses), "hypothesis", "hypotheses")
    print(f"{MULTIRUN / name / FILE}: {hypotheses}, at {found.registered.isoformat()}")
    print(f"sha256 {found.sha256}")
    print("Publish this hash, in a repository or a mail: it shows later that the plan was there, and is unchanged.")


def _tabulate(arguments: Sequence[str]) -> None:
    """Write what was measured of the named studies to the file after -o, Parquet or CSV; print it without one.

    Without names, of all studies. Raises ConfigError if -o is not followed by one such file, at the end, or if nothing
    was measured.
    """
    names, file = list(arguments), None
    if "-o" in names:
        place = names.index("-o")
        if len(names[place:]) != 2 or not names[-1].endswith((".parquet", ".csv")):
            raise ConfigError("table: end with -o and one file, results.parquet or results.csv")
        names, file = names[:place], Path(names[-1])
    frame = results(*names)
    if frame.is_empty():
        raise ConfigError(
            f"table: nothing has been measured of {', '.join(names) or 'any study'}; run evaluate.py first"
        )
    if file is None:
        table = fill_table(frame.iter_rows(named=True), [_column(name, kind) for name, kind in frame.schema.items()])
        print_table(make_console(), drop_empty_columns(table))
        return
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    write_atomic(file, buffer.getvalue() if file.suffix == ".parquet" else write_csv(frame))
    print(f"{file}: {counted(len(frame), 'row')} of {counted(frame['study'].n_unique(), 'study', 'studies')}")


def _column(name: str, kind: pl.DataType) -> Column:
    """Return a column of a frame as it is printed: numbers are aligned to the right."""
    return value_column(name, number, name) if kind.is_numeric() else text_column(name, name)


def _remove(names: Sequence[str]) -> None:
    """Ask, then delete the named arms of a study, or the whole study if no arm is named.

    Raises ConfigError, and deletes nothing, if the answer is not yes or an arm is in use.
    """
    study, arms, whole = _choose_arms(names)
    folders = [study] if whole else [arm.folder for arm in arms]
    size = sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file()) / 1e9
    what = ", ".join(map(str, folders))
    try:
        agreed = input(f"delete {what} ({size:.2f} GB, answers and judgments included)? [y/N] ")
    except EOFError:
        agreed = ""
    if agreed.strip().lower() not in ("y", "yes"):
        raise ConfigError("nothing deleted")
    if whole:  # also an arm without a manifest, which a process may be preparing
        arms = [
            Arm(folder)
            for folder in sorted({path.parent for name in (LOCK, "manifest.json") for path in study.glob(f"*/{name}")})
        ]
    with ExitStack() as held:
        for arm in arms:
            held.enter_context(arm.locked())  # if a process works on one of them, nothing is deleted
        for arm in arms:
            arm.remove()
        if whole:
            remove_folder(study)
    print(f"deleted {what}")


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "list": _list,
    "watch": watch,
    "show": _show,
    "compare": compare,
    "rerun": rerun,
    "pack": pack,
    "upload": upload,
    "publish": publish,
    "rm": _remove,
    "register": _register,
    "table": _tabulate,
}


def _choose_arms(names: Sequence[str]) -> tuple[Path, list[Arm], bool]:
    """Return the folder of the study `names[0]`, its arms `names[1:]`, and False; without these, all arms and True.

    Arms may also be named as STUDY/ARM, the first one, too.
    """
    name, slash, first = names[0].partition("/") if is_arm(names[0]) else (names[0], "", "")
    arms = tuple(arm.removeprefix(f"{name}/") for arm in ((first, *names[1:]) if slash else names[1:]))
    study = find_study(name)
    return study, find_arms(study, arms or None), not arms


def _duration(seconds: float | None) -> str:
    """Return a duration as h:mm:ss; a dash for None."""
    return NONE if seconds is None else str(timedelta(seconds=round(seconds)))


def _minute(time: str | None) -> str:
    """Return the date, hour and minute of a time in ISO format; a dash for None."""
    return NONE if time is None else time.replace("T", " ")[:16]


def _count_answers(arm: Arm) -> int | None:
    """Return the number of lines in an arm's files of answers, failed ones included; None for none."""
    return sum(1 for file in arm.folder.glob("generations/*.jsonl") for _ in read_jsonl(file)) or None


LISTED = [  # the columns of `list`
    text_column("arm", "arm"),
    text_column("status", "status"),
    value_column("examples", whole, "examples"),
    value_column("hours", _duration, "seconds"),
    value_column("answers", whole, "answers"),
    value_column("ended", _minute, "ended"),
]
SHOWN = [  # the columns of `show`
    text_column("arm", "arm"),
    text_column("status", "status"),
    *(value_column(heading, whole, heading) for heading in ("creative", "general")),
    value_column("supervised tokens", whole, "tokens"),
    value_column("truncated", whole, "truncated"),
    text_column("model", "model"),
    *(value_column(heading, thousandths, heading) for heading in ("loss", "validation")),
    value_column("seed", str, "seed"),
    value_column("hours", _duration, "seconds"),
    text_column("revision", "revision"),
]


if __name__ == "__main__":
    run_tool(main)
