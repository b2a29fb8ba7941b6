"""Shared by all tests: no hub, no W&B account, and the real commands in a folder of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forked import PATIENCE, Forked
from tests.forked import ROOT as ROOT

SHARED = ROOT.parent / "shared"

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"
if "PYTEST_XDIST_WORKER" in os.environ:  # the tests share the cores already
    os.environ["OMP_NUM_THREADS"] = "1"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def outside() -> dict[str, str]:
    """The environment without W&B's variables: a process must not join the service of a test's own run."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the tests' own, shared by them."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["COIG_CACHE"] = str(folder)
    return folder


@pytest.fixture(autouse=True)
def no_service_of_wandb() -> Iterator[None]:
    """W&B names its running service in the environment: a process of a later test would join it, and end it."""
    yield
    if wandb := sys.modules.get("wandb"):
        wandb.teardown()


@pytest.fixture
def command(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Run an entry script as a user does, in an empty folder: command("train.py", "data.ratio=0").

    `fresh=True` starts Python anew, as launchers need it.
    """

    home = tmp_path_factory.mktemp("home")  # nobody is logged in, and libraries' caches stay out of the way

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
    """The sample's own tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(ROOT / "coig" / "sample" / "tiny")
