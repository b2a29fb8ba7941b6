"""Reading W&B's offline run files: records in LevelDB's log format behind a header of seven bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wandb
from wandb.proto import wandb_internal_pb2

HEADER, BLOCK = 7, 32_768
FULL, LAST = 1, 4


@dataclass
class RunFile:
    """What one file tells of a run."""

    id: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: list[Any] = field(default_factory=list)
    exit_code: int | None = None  # None: the run was killed

    @classmethod
    def read(cls, file: Path) -> RunFile:
        run = cls()
        for record in read_records(file):
            match record.WhichOneof("record_type"):
                case "run":
                    run.id, run.name, run.group = record.run.run_id, record.run.display_name, record.run.run_group
                    run.job_type, run.tags = record.run.job_type, list(record.run.tags)
                case "config":
                    run.config |= _values(record.config.update)
                case "history":
                    run.history.append(_values(record.history.item))
                case "summary":
                    run.summary |= _values(record.summary.update)
                case "artifact":
                    run.artifacts.append(record.artifact)
                case "exit":
                    run.exit_code = record.exit.exit_code
        return run


def _values(items: Iterable[Any]) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def read_records(file: Path) -> Iterator[Any]:
    """Every record of a run file, in order."""
    wandb.teardown()  # a run of this process may have finished before its service has written the file
    data, position, parts = file.read_bytes(), HEADER, b""
    while position + HEADER <= len(data):
        left = BLOCK - position % BLOCK
        if left < HEADER:  # too short for a chunk's header: padding
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        parts += data[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (FULL, LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def runs_of(arm: Path) -> list[RunFile]:
    """The arm's offline runs, the earliest first."""
    return [RunFile.read(file) for file in sorted(arm.glob("wandb/offline-run-*/*.wandb"))]


def exit_code(arm: Path) -> int | None:
    """The exit code of the arm's only run."""
    [run] = runs_of(arm)
    return run.exit_code


def group(arm: Path) -> str:
    [run] = runs_of(arm)
    return run.group
