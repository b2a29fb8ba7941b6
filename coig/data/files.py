"""Where a source's files are, downloaded if need be."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from huggingface_hub import hf_hub_download

from coig.config import Hub, Source
from coig.config.fields import matching_files
from coig.errors import DataError, first_line


def located(source: Source, key: str) -> list[Path]:
    """The source's files on this machine, downloaded if need be.

    Raises DataError that says, for the node `key` of the config, what to download and where to put it.
    """
    if source.path is not None:
        files = matching_files(source.path)
        if missing := [file for file in files if not file.exists()]:
            raise DataError(
                f"{key}.path: {missing[0].absolute()} is no longer there; bring it back, or name another file"
            )
        if not files:
            raise DataError(f"{key}.path={source.path}: no file has a name of this pattern any more")
        if unreadable := [file for file in files if not os.access(file, os.R_OK)]:
            raise DataError(f"{key}: {unreadable[0]} cannot be read; look at its permissions")
        return files
    assert source.hub is not None
    return [_downloaded(source.hub, file, key) for file in source.hub.files]


@lru_cache  # a branch that moves must not do so between the arms of a sweep
def _downloaded(hub: Hub, file: str, key: str) -> Path:
    try:
        return Path(hf_hub_download(hub.repo, file, repo_type="dataset", revision=hub.revision))
    except Exception as error:  # of the hub, of the network, of the disk, each library with its own
        local = file if len(hub.files) == 1 else re.sub(r"[^/]+$", f"*{Path(file).suffix}", file)
        command = f"hf download {hub.repo} {' '.join(hub.files)} --repo-type dataset --revision {hub.revision}"
        raise DataError(
            f"{key}: cannot download {file} of the hub's data set {hub.repo} ({first_line(error)})\n"
            f"  where the hub can be reached: {command} --local-dir DIR\n"
            f"  then copy DIR to this machine and give {key}.path='DIR/{local}'\n"
            "  if there is a mirror, set HF_ENDPOINT to its address; HF_HUB_OFFLINE=1 forbids downloads"
        ) from None
