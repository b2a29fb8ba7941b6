"""What it takes to repeat a run besides its config and data: the code, the versions, the machine."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
PACKAGES = (
    *("coig", "torch", "lightning", "transformers", "tokenizers", "peft", "flash-attn"),
    *("hydra-core", "polars", "wandb"),
)
MAX_DIFF = 1_000_000  # bytes


def provenance(devices: Mapping[str, Any], checkout: Path = CHECKOUT) -> dict[str, Any]:
    """For a manifest; `devices` is what the framework that computes knows of the machine."""
    return {
        "git": _git(checkout),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "machine": {
            "platform": platform.platform(),
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            **devices,
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """Its model, where the system tells."""
    file = Path("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.+)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return model[1] if model else platform.processor() or platform.machine()


def _git(checkout: Path) -> dict[str, Any] | None:
    """The revision of this checkout of coig, and what was changed since; None outside a checkout.

    Of files that git does not know the names are told, a folder's own for a folder of them, but not what they hold.
    """

    def git(*command: str) -> bytes:
        return subprocess.run(["git", "-C", str(checkout), *command], capture_output=True, check=True).stdout

    try:
        git("ls-files", "--error-unmatch", "coig")  # an installed coig may lie within another project's checkout
        revision = git("rev-parse", "HEAD").decode().strip()
        diff = git("diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD", "--", ".")
        names = git("ls-files", "--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
    except (OSError, subprocess.CalledProcessError):
        return None
    untracked = names.decode(errors="replace").split("\0")[:-1]
    return {"revision": revision, "dirty": bool(diff or untracked), "diff": _shown(diff), "untracked": untracked}


def _shown(diff: bytes) -> str | dict[str, Any] | None:
    """What `git apply` takes; of one that is too long for a manifest, what it is recognised by."""
    if len(diff) > MAX_DIFF:
        return {"sha256": hashlib.sha256(diff).hexdigest(), "bytes": len(diff)}
    return diff.decode(errors="replace") or None
