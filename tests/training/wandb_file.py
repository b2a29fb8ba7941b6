"""Reading W&B's offline run files: records in LevelDB's log format behind a header of seven bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

HEADER, BLOCK = 7, 32_768
FULL, LAST = 1, 4


def read_records(file: Path) -> Iterator[Any]:
    """Every record of a run file, in order."""
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


def exit_code(arm: Path) -> int:
    """The exit code of the arm's only run."""
    [file] = arm.glob("wandb/offline-run-*/*.wandb")
    [code] = [record.exit.exit_code for record in read_records(file) if record.HasField("exit")]
    return int(code)


def group(arm: Path) -> str:
    [file] = arm.glob("wandb/offline-run-*/*.wandb")
    return str(next(record.run.run_group for record in read_records(file) if record.HasField("run")))
