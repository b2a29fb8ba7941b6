"""Record what repeating a run needs besides config and data: the code, the versions, the machine."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from pathlib import Path
from typing import Any

from coig.files.secrets import remove_secrets

CHECKOUT = Path(__file__).parents[2]
PACKAGES = (
    *("coig", "torch", "lightning", "transformers", "tokenizers", "peft", "flash-attn"),
    *("hydra-core", "polars", "wandb"),
)
MAX_DIFF = 1_000_000  # bytes
METADATA = ("*.dist-info/METADATA", "*.egg-info/PKG-INFO", "*.egg-info")  # where a package tells its name


def collect_provenance(devices: Mapping[str, Any], checkout: Path = CHECKOUT) -> dict[str, Any]:
    """Return {git, versions, packages, machine} for the manifest; the facts in `devices` are added to the machine's.

    `git` is None if `checkout` is no git checkout of coig.
    """
    return {
        "git": _git(checkout),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "packages": installed_packages(),
        "machine": {
            "platform": platform.platform(),
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            **devices,
        },
    }


def _version(package: str) -> str | None:
    """Return a package's version, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache  # for the arms of a sweep
def installed_packages() -> dict[str, str]:
    """Return the versions of all installed packages by name, sorted; what pip needs to install them again.

    Only names and versions are read; `importlib.metadata`, which parses all that a package says of itself, takes ten
    times as long.
    """
    found: dict[str, str] = {}
    files = (file for place in sys.path for kind in METADATA for file in Path(place).glob(kind) if file.is_file())
    for file in files:
        with file.open(encoding="utf-8", errors="replace") as lines:
            head = list(takewhile(str.strip, lines))
        facts = dict(line.rstrip().split(": ", 1) for line in head if line.startswith(("Name: ", "Version: ")))
        if "Name" in facts:
            found.setdefault(facts["Name"], facts.get("Version", ""))  # of two, Python imports the first
    return dict(sorted(found.items()))


def _cpu() -> str:
    """Return the CPU's model name if the system reports it; otherwise its architecture."""
    file = Path("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.+)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return model[1] if model else platform.processor() or platform.machine()


def _git(checkout: Path) -> dict[str, Any] | None:
    """Return revision, `dirty`, the diff without secrets and the names of untracked files; None outside a checkout.

    A folder with only untracked files is one name. The content of untracked files is not recorded.
    """

    def git(*command: str) -> bytes:
        """Return the output of a git command in the checkout. Raises CalledProcessError if it fails."""
        return subprocess.run(["git", "-C", str(checkout), *command], capture_output=True, check=True).stdout

    try:
        git("ls-files", "--error-unmatch", "coig")  # an installed coig may lie within another project's checkout
        revision = git("rev-parse", "HEAD").decode().strip()
        diff = git("diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD", "--", ".")
        names = git("ls-files", "--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
    except (OSError, subprocess.CalledProcessError):
        return None
    untracked = names.decode(errors="replace").split("\0")[:-1]
    return {"revision": revision, "dirty": bool(diff or untracked), "diff": _limit_diff(diff), "untracked": untracked}


def _limit_diff(diff: bytes) -> str | dict[str, Any] | None:
    """Return a diff as text without secrets, None if it is empty, or its sha256 and size above `MAX_DIFF` bytes."""
    if len(diff) > MAX_DIFF:
        return {"sha256": hashlib.sha256(diff).hexdigest(), "bytes": len(diff)}
    return remove_secrets(diff.decode(errors="replace")) or None
