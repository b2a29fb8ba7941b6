"""Pack a study for others, without weights, names of raters and secrets: python -m coig.study pack STUDY"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import select

from coig.config import TrainConfig
from coig.config.stored import dump_config, render_config
from coig.errors import ConfigError, DataError, first_line
from coig.files.atomic import naming, read_objects
from coig.files.limits import parse_json, read_whole
from coig.files.parquet import read_table
from coig.files.secrets import remove_secrets
from coig.files.tables import write_csv
from coig.records.judgment import read_judgments
from coig.records.judgment_database import DATABASE, TABLES
from coig.records.label import read_labels
from coig.records.record import Record
from coig.study.arm import Arm
from coig.study.find import find_arms, find_study
from coig.study.packed import ABOUT, FOR_READERS, FORMAT, OF_ARM, PACKED_TABLES, PEOPLE
from coig.study.raters import PSEUDONYM, hide_labellers, hide_raters, make_pseudonym
from coig.web.database import open_database

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the time of every file in an archive, so that the same study gives the same bytes
# `generations` and `points` may be links
PARTS_OF_ARM = ("config.yaml", "manifest.json", "metrics.jsonl", "generations/*.jsonl", "points/*/generations/*.jsonl")
REPORT = "evaluation"
PARTS_OF_REPORT = ("", "figures", "judges", "latex")  # its folders; `wandb` is not for others
TEXTS = (".html", ".md", ".svg", ".tex")


def pack(names: Sequence[str]) -> None:
    """Write `<study>.zip` into the working folder; `names` is the study's name.

    It holds settings, manifests, metrics, answers, judgments under pseudonyms, the plan and the report. Raises
    ConfigError for other arguments, for folders that were renamed, or if the last evaluation shows raters' names.
    """
    if len(names) != 1:
        raise ConfigError("pack: give one study, python -m coig.study pack STUDY")
    study = find_study(names[0])
    _check_names(study)
    _check_report(study)
    file = Path(f"{study.name}.zip")
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    count = 0
    try:
        with naming(file), zipfile.ZipFile(partial, "w") as archive:
            for name, content in _contents(study):
                member = zipfile.ZipInfo(name, LONG_AGO)
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, content)
                count += 1
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    print(f"{file}: {count} files, {file.stat().st_size / 1e6:.1f} MB; python evaluate.py study={file} evaluates it")


def _check_names(study: Path) -> None:
    """Raise ConfigError if a folder has another name than its arm's manifest says, which nobody could unpack."""
    for arm in find_arms(study, None):
        manifest = arm.manifest()
        if (manifest.study, manifest.arm) != (study.name, arm.name):
            raise ConfigError(
                f"{arm.folder}: is {manifest.study}/{manifest.arm}, as its manifest.json says; give the folder this "
                "name again, then pack"
            )


def _check_report(study: Path) -> None:
    """Raise ConfigError if the study's last evaluation shows names of people, as `real_names=true` makes it."""
    raters, labellers = (study / REPORT / f"{name}.parquet" for name in ("raters", "label_agreement"))
    people = list(read_table(raters)["rater"]) if raters.exists() else []
    if labellers.exists():
        people += list(read_table(labellers).filter(pl.col("kind") == "person")["labeller"])
    if not all(PSEUDONYM.fullmatch(name) for name in people):
        raise ConfigError(
            f"{study / REPORT}: shows raters' names; python evaluate.py study={study.name} writes it with pseudonyms"
        )


def _contents(study: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file of a study's archive, in a fixed order."""
    about = {"format": FORMAT, "study": study.name, "coig": version("coig")}
    yield ABOUT, json.dumps(about).encode()
    for arm in find_arms(study, None):
        yield from _contents_of_arm(arm)
    if (plan := study / "plan.yaml").exists():
        yield plan.name, _clean(plan)
    for name, records in _read_judged(study):
        yield name, _write_lines(record.model_dump() for record in records)
    yield from _contents_of_report(study / REPORT)
    if (study / DATABASE).exists():
        yield PEOPLE, _write_lines(_rows(study))


def _contents_of_arm(arm: Arm) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content, without secrets, of each file of an arm that is packed.

    The settings lack the logger. A file of answers with a name that `unpack` would refuse is skipped.
    """
    for file in (path for part in PARTS_OF_ARM for path in sorted(arm.folder.glob(part))):
        name = f"{arm.name}/{file.relative_to(arm.folder).as_posix()}"
        if not OF_ARM.fullmatch(name):
            continue
        if file.name == "config.yaml":
            settings = remove_secrets({**dump_config(arm.config()), "logger": None})
            yield name, render_config(TrainConfig.model_validate(settings)).encode()
        elif file.suffix == ".json":
            yield name, _clean_json(file)
        else:
            yield name, _write_lines(row for _, row in read_objects(file))


def _read_judged(study: Path) -> Iterator[tuple[str, Sequence[Record]]]:
    """Yield each file of judgments and of labels, with people under pseudonyms, as (name in the archive, records).

    A file's own name may be a rater's, so its number takes its place, which keeps the order.
    """
    for folder, of_study in (("judgments", study.name), ("judgments/yardstick", None)):
        for number, file in enumerate(sorted(study.glob(f"{folder}/*.jsonl")), 1):
            judgments = (one for _, one in read_judgments(file, of_study))
            yield f"{folder}/{number:04}.jsonl", hide_raters(judgments, study)
    for number, file in enumerate(sorted(study.glob("labels/*.jsonl")), 1):
        yield f"labels/{number:04}.jsonl", hide_labellers(read_labels(file), study)


def _contents_of_report(report: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content, without secrets, of each table, text, JSON file and PNG that evaluate.py wrote.

    Other files and links are skipped; each table gives a parquet and a CSV file.
    """
    for file in sorted(path for part in PARTS_OF_REPORT for path in (report / part).glob("[!.]*.*")):
        name = file.relative_to(report.parent)
        if file.is_symlink() or not file.is_file() or not FOR_READERS.fullmatch(name.as_posix()):
            continue
        if file.suffix == ".parquet":
            yield from _clean_table(file, name)
        elif file.suffix == ".json":
            yield name.as_posix(), _clean_json(file)
        elif file.suffix in TEXTS:
            yield name.as_posix(), _clean(file)
        elif file.suffix == ".png":
            yield name.as_posix(), file.read_bytes()


def _rows(study: Path) -> Iterator[dict[str, Any]]:
    """Yield {table, row} for every row of PACKED_TABLES in the study's database.

    Raters have pseudonyms as names, and codes that open no link.
    """
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


def _clean(file: Path) -> bytes:
    """Return a text file without secrets, and with the user's home folder as `~`."""
    return str(remove_secrets(read_whole(file))).encode()


def _clean_json(file: Path) -> bytes:
    """Return the content of a JSON file without secrets. Raises DataError if the file is no JSON."""
    try:
        found = parse_json(read_whole(file))
    except ValueError as error:
        raise DataError(f"{file}: damaged ({first_line(error)}); bring the file back or write it anew") from None
    return json.dumps(remove_secrets(found), ensure_ascii=False, indent=1).encode() + b"\n"


def _clean_table(file: Path, name: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of a table without secrets, first as CSV beside `name`, then as parquet."""
    frame = read_table(file)
    texts = [pl.Series(one.name, remove_secrets(one.to_list()), pl.String) for one in frame if one.dtype == pl.String]
    clean, buffer = frame.with_columns(texts), io.BytesIO()
    clean.write_parquet(buffer)
    yield name.with_suffix(".csv").as_posix(), write_csv(clean).encode()
    yield name.as_posix(), buffer.getvalue()


def _write_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return rows without secrets as lines of JSON."""
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in remove_secrets(list(rows))).encode()
