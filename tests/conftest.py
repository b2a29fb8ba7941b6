"""Fixtures for all tests: no hub, no W&B account, and the real commands in an empty folder per test."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forked import PATIENCE, Forked
from tests.forked import ROOT as ROOT
from tests.forked import outside as outside

SHARED = ROOT.parent / "shared"

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"
if "PYTEST_XDIST_WORKER" in os.environ:  # parallel workers already use all cores
    os.environ["OMP_NUM_THREADS"] = "1"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_finish() -> None:
    """Keep all that was imported out of garbage collections, which would visit it again and again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Set COIG_CACHE to a temporary folder that all tests of the session share; return it."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["COIG_CACHE"] = str(folder)
    return folder


@pytest.fixture(autouse=True)
def no_service_of_wandb() -> Iterator[None]:
    """Stop W&B's service after each test; a process of a later test would otherwise join and end it."""
    yield
    if wandb := sys.modules.get("wandb"):
        wandb.teardown()


@pytest.fixture
def command(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Return a function that runs an entry script in an empty folder: command("train.py", "data.ratio=0").

    With `fresh=True` it starts a new Python, which launchers need; otherwise it forks a warm one.
    """

    home = tmp_path_factory.mktemp("home")  # no logins and no libraries' caches

    def run(script: str, *overrides: str, fresh: bool = False) -> subprocess.CompletedProcess[str]:
        environment = outside() | {"HOME": str(home), "NETRC": str(home / "netrc"), "COLUMNS": "120"}
        if not fresh:
            return Forked(script, overrides, tmp_path, environment).wait()
        arguments = [sys.executable, str(ROOT / script), *overrides]
        return subprocess.run(
            arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE
        )

    return run


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Load the tokenizer of the sample's tiny model."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(ROOT / "coig" / "sample" / "tiny")
