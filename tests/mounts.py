"""Mount files and folders onto themselves, so that even root cannot change or delete them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted_on_itself(path: Path, *options: str) -> Iterator[None]:
    """Mount a file or folder onto itself while the block runs, with further options, so that nobody can delete it.

    Skips the test where this user cannot mount.
    """
    mounted = subprocess.run(["mount", "--bind", path, path], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mounting takes root's rights: {mounted.stderr.strip()}")
    try:
        if options:
            subprocess.run(["mount", "-o", ",".join(["remount", "bind", *options]), path], check=True)
        yield
    finally:
        subprocess.run(["umount", path], check=True)
