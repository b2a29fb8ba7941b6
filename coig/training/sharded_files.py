"""Read sharded checkpoints without running what they hold: torch would unpickle them, and a pickle can run any code."""

from __future__ import annotations

import pickle
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.planner import ReadItem

from coig.errors import ConfigError, first_line

METADATA, REST = ".metadata", "meta.pt"  # REST: all of a checkpoint but weights and optimizer states
PARTS = "torch.distributed.checkpoint"
# every class that torch writes to `.metadata`; none does anything when it is made
KNOWN = {
    *((f"{PARTS}.metadata", name) for name in ("Metadata", "MetadataIndex", "StorageMeta", "TensorStorageMetadata")),
    *((f"{PARTS}.metadata", name) for name in ("BytesStorageMetadata", "ChunkStorageMetadata", "TensorProperties")),
    *((f"{PARTS}.metadata", "_MEM_FORMAT_ENCODING"), (f"{PARTS}.filesystem", "_StorageInfo")),
    *(("torch.serialization", "_get_layout"), ("torch", "Size"), ("pathlib", "PosixPath")),
    *(("torch", name) for name in ("float64", "float32", "bfloat16", "float16", "int64", "int32", "int16", "int8")),
    *(("torch", name) for name in ("uint8", "bool")),
}
PART = re.compile(r"__\d+_\d+\.distcp")  # the name of a file beside `.metadata`


class _PlainUnpickler(pickle.Unpickler):
    """An unpickler that makes only what torch writes to `.metadata`."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a known class. Raises UnpicklingError for any other name, before anything of it is imported."""
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"names {module}.{name}, which no checkpoint needs")
        return super().find_class(module, name)


class PlainReader(FileSystemReader):
    """A reader of sharded checkpoints that unpickles nothing but plain values."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """Return the content of `.metadata`. Raises ConfigError if it is damaged or names anything else."""
        metadata = read_metadata(Path(self.path))
        assert metadata.storage_meta
        metadata.storage_meta.load_id = self.load_id
        return metadata


class PlainPlanner(DefaultLoadPlanner):
    """A planner that loads values other than tensors as torch loads tensors: without running anything."""

    def load_bytes(self, read_item: ReadItem, value: BytesIO) -> None:
        """Put a plain value, such as a learning rate, where it belongs."""
        loaded = torch.load(value, map_location="cpu", weights_only=True)
        super().load_bytes(read_item, _repack(loaded))


def _repack(value: Any) -> BytesIO:
    """Return a value that was loaded safely as the bytes that the planner of torch reads once more."""
    stream = BytesIO()
    torch.save(value, stream)
    stream.seek(0)
    return stream


def read_metadata(folder: Path) -> Metadata:
    """Return which tensors a sharded checkpoint holds, and in which of its files.

    Raises ConfigError if `.metadata` is missing, damaged, names code, or files elsewhere.
    """
    try:
        with (folder / METADATA).open("rb") as stream:
            metadata = _PlainUnpickler(stream).load()
        if not isinstance(metadata, Metadata) or not metadata.storage_meta:
            raise ValueError("is no list of tensors")
        for part in (metadata.storage_data or {}).values():
            if not PART.fullmatch(part.relative_path):
                raise ValueError(f"names a file {part.relative_path!r}")
        repr(metadata)  # reads every field, which a damaged pickle may lack
    except Exception as error:  # a damaged pickle may raise anything
        raise ConfigError(
            f"{folder / METADATA}: damaged, or not written by coig ({first_line(error)}); overwrite=true trains this "
            "arm anew"
        ) from None
    return metadata
