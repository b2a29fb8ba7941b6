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

from coig.config.nodes import PASSWORD_IN_URL, SECRET_NAME

CHECKOUT = Path(__file__).parents[2]
PACKAGES = (
    *("coig", "torch", "lightning", "transformers", "tokenizers", "peft", "flash-attn"),
    *("hydra-core", "polars", "wandb"),
)
MAX_DIFF = 1_000_000  # bytes
REMOVED = "[removed]"
# a name and what it is set to, if that looks like a key rather than like code
ASSIGNED = re.compile(r"""(?P<name>[\w-]+)["']?\s*[:=]\s*["']?(?P<value>(?=[\w+/=-]*\d)[\w+/=-]{16,})""")
KNOWN_KEYS = re.compile(r"\b(?:sk-|hf_|gh[pousr]_|github_pat_|glpat-|AKIA|eyJ)[\w.-]{16,}")


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
    """Return a diff as `git apply` takes it, without secrets; of one too long for a manifest, its sha256 and size."""
    if len(diff) > MAX_DIFF:
        return {"sha256": hashlib.sha256(diff).hexdigest(), "bytes": len(diff)}
    return _without_secrets(diff.decode(errors="replace")) or None


def _without_secrets(text: str) -> str:
    """The text without passwords in addresses, keys by the look of them, and values of secret variables."""

    def hidden(found: re.Match[str]) -> str:
        return found[0].replace(found["value"], REMOVED) if SECRET_NAME.search(found["name"]) else found[0]

    for name, value in os.environ.items():
        if SECRET_NAME.search(name) and len(value) >= 8:
            text = text.replace(value, REMOVED)
    return PASSWORD_IN_URL.sub(f"://{REMOVED}@", KNOWN_KEYS.sub(REMOVED, ASSIGNED.sub(hidden, text)))
