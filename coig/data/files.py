"""Find a source's files on this machine, or download them from the hub."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from huggingface_hub import hf_hub_download

from coig.config import Hub, Source
from coig.config.fields import matching_files
from coig.errors import DataError, first_line


def locate_files(source: Source, key: str) -> list[Path]:
    """Return the paths of a source's files; those of a hub data set are downloaded unless they are cached.

    Raises DataError if files are missing or unreadable, or if a download fails, with instructions to download by hand.
    `key` is the source's node in the config, named in errors.
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
    return [_download(source.hub, file, key) for file in source.hub.files]


@lru_cache  # all arms of a sweep get the same commit, even if the branch moves meanwhile
def _download(hub: Hub, file: str, key: str) -> Path:
    """Download one file of a hub data set, unless it is cached; return its path. Raises DataError if that fails."""
    try:
        return Path(hf_hub_download(hub.repo, file, repo_type="dataset", revision=hub.revision))
    except Exception as error:  # hub, network and disk libraries each raise their own exceptions
        local = file if len(hub.files) == 1 else re.sub(r"[^/]+$", f"*{Path(file).suffix}", file)
        command = f"hf download {hub.repo} {' '.join(hub.files)} --repo-type dataset --revision {hub.revision}"
        raise DataError(
            f"{key}: cannot download {file} of the hub's data set {hub.repo} ({first_line(error)})\n"
            f"  where the hub can be reached: {command} --local-dir DIR\n"
            f"  then copy DIR to this machine and give {key}.path='DIR/{local}'\n"
            "  if there is a mirror, set HF_ENDPOINT to its address; HF_HUB_OFFLINE=1 forbids downloads"
        ) from None
