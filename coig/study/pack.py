"""Pack a study for others, without weights, names of raters and secrets: python -m coig.study pack STUDY"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import select

from coig.config.stored import render_config
from coig.errors import ConfigError
from coig.files.atomic import naming, read_jsonl
from coig.files.secrets import remove_secrets
from coig.records.judgment_database import DATABASE, TABLES
from coig.study.arm import Arm
from coig.study.find import find_arms, find_study
from coig.study.packed import ABOUT, COPIED, FOR_READERS, FORMAT, OF_ARM, PACKED_TABLES, PEOPLE
from coig.study.raters import make_pseudonym
from coig.web.database import open_database

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the time of every file in an archive, so that the same study gives the same bytes
RATERS_TABLE = Path("evaluation") / "raters.csv"


def pack(names: Sequence[str]) -> None:
    """Write `<study>.zip` into the working folder; `names` is the study's name.

    It holds settings, manifests, metrics, answers, judgments under pseudonyms, the plan and the report. Raises
    ConfigError for other arguments, or if the last evaluation shows raters' names.
    """
    if len(names) != 1:
        raise ConfigError("pack: give one study, python -m coig.study pack STUDY")
    study = find_study(names[0])
    people = _names_of_people(study)
    _check_report(study, people)
    file = Path(f"{study.name}.zip")
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    count = 0
    try:
        with naming(file), zipfile.ZipFile(partial, "w") as archive:
            for name, content in _contents(study, people):
                member = zipfile.ZipInfo(name, LONG_AGO)
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, content)
                count += 1
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    print(f"{file}: {count} files, {file.stat().st_size / 1e6:.1f} MB; python evaluate.py study={file} evaluates it")


def _contents(study: Path, people: set[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file of a study's archive, in a fixed order."""
    about = {"format": FORMAT, "study": study.name, "coig": version("coig")}
    yield ABOUT, json.dumps(about).encode()
    for arm in find_arms(study, None):
        yield from _contents_of_arm(arm)
    for file in sorted(path for path in study.rglob("*") if path.is_file()):
        name = file.relative_to(study).as_posix()
        if COPIED.fullmatch(name):
            content = file.read_text(encoding="utf-8") if name == "plan.yaml" else _pseudonymized(file, study, people)
            yield name, _publishable(content)
        elif FOR_READERS.fullmatch(name):
            yield name, file.read_bytes()
    if (study / DATABASE).exists():
        yield PEOPLE, _publishable("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in _rows(study)))


def _contents_of_arm(arm: Arm) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file of an arm that is packed; its settings without the logger."""
    for file in sorted(path for path in arm.folder.rglob("*") if path.is_file()):
        name = f"{arm.name}/{file.relative_to(arm.folder).as_posix()}"
        if not OF_ARM.fullmatch(name):
            continue
        if file.name == "config.yaml":
            yield name, _publishable(render_config(arm.config().model_copy(update={"logger": None})))
        else:
            yield name, _publishable("".join(f"{line}\n" for _, line in read_jsonl(file)))


def _publishable(text: str) -> bytes:
    """Return a text without secrets, and with the user's home folder as `~`."""
    return str(remove_secrets(text)).encode()


def _pseudonymized(file: Path, study: Path, people: set[str]) -> str:
    """Return the lines of a file of judgments or labels with people's names replaced by their pseudonyms."""
    lines = []
    for _, line in read_jsonl(file):
        row = json.loads(line)
        for key in ("rater", "labeller"):
            if row.get(key) in people:
                row[key] = make_pseudonym(row[key], study)
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines)


def _rows(study: Path) -> Iterator[dict[str, Any]]:
    """Yield {table, row} for every row of the study's database that is packed, raters under pseudonyms and no links."""
    database = open_database(study / DATABASE, TABLES)
    with database.reading() as connection:
        for name in PACKED_TABLES:
            table = TABLES.tables[name]
            for row in connection.execute(select(table).order_by(*table.primary_key)).mappings():
                facts = dict(row)
                if name == "raters":
                    facts |= {"name": make_pseudonym(facts["name"], study), "code": f"packed {facts['id']}"}
                yield {"table": name, "row": facts}
    database.close()


def _names_of_people(study: Path) -> set[str]:
    """Return the names of the people who judged or labelled, from the database and from files in the study's folder."""
    found: set[str] = set()
    if (study / DATABASE).exists():
        database = open_database(study / DATABASE, TABLES)
        with database.reading() as connection:
            found |= set(connection.execute(select(TABLES.tables["raters"].c.name)).scalars())
        database.close()
    judgments, labels = ([*study.glob(f"{part}/**/*.jsonl")] for part in ("judgments", "labels"))
    rows = [json.loads(line) for file in (*judgments, *labels) for _, line in read_jsonl(file)]
    found |= {row["rater"] for row in rows if row.get("source") == "human"}
    return found | {row["labeller"] for row in rows if "labeller" in row and not row.get("judge")}


def _check_report(study: Path, people: set[str]) -> None:
    """Raise ConfigError if the study's last evaluation shows names of people, as `real_names=true` makes it."""
    file = study / RATERS_TABLE
    if file.exists() and people & set(pl.read_csv(file)["rater"].cast(pl.String)):
        raise ConfigError(
            f"{study / 'evaluation'}: shows raters' names; python evaluate.py study={study.name} writes it with "
            "pseudonyms"
        )
