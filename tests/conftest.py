"""Fixtures for all tests: no hub, no W&B account, and the real commands in an empty folder per test."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest

from tests.forked import PATIENCE, Forked, free_port
from tests.forked import ROOT as ROOT
from tests.forked import outside as outside

SHARED = ROOT.parent / "shared"
MEMORY = Path("/dev/shm")  # Linux's file system in memory

# SQLite waits for the disk at each commit, which takes a third of the time of tests with databases
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4e9 and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))  # where pytest makes temporary folders

os.environ.pop("COLUMNS", None)  # which our tables would obey; readline sets it for the children of its process
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_X_SERVICE_WAIT"] = str(PATIENCE)
if "PYTEST_XDIST_WORKER" in os.environ:  # parallel workers already use all cores
    os.environ["OMP_NUM_THREADS"] = "1"

# Nothing is timed: on a busy machine an example may take long, be it to make or to check. All runs try the same ones.
hypothesis.settings.register_profile(
    "repeatable", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("repeatable")

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep all that is imported out of garbage collections, and let them be rare: they take a tenth of many tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000)
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Set COIG_CACHE to a temporary folder that all tests of the session share, in whatever worker; return it."""
    own = tmp_path_factory.getbasetemp()  # with workers, each has one in the session's
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    folder.mkdir(exist_ok=True)
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
    return command_in(tmp_path, tmp_path_factory.mktemp("home"))


def command_in(folder: Path, home: Path) -> Command:
    """Return a function that runs an entry script in a folder, and with another folder, which may be empty, as home."""

    def run(script: str, *overrides: str, fresh: bool = False) -> subprocess.CompletedProcess[str]:
        environment = outside() | {"HOME": str(home), "NETRC": str(home / "netrc"), "COLUMNS": "120"}
        if not fresh:
            return Forked(script, overrides, folder, environment).wait()
        arguments = [sys.executable, str(ROOT / script), *overrides]
        return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)

    return run


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Load the tokenizer of the sample's tiny model."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(ROOT / "coig" / "sample" / "tiny")


@pytest.fixture(scope="session")
def transformers_serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `transformers serve` in a process of its own; return its base URL."""
    port = free_port()
    log = tmp_path_factory.mktemp("serve") / "log"
    program = str(Path(sys.executable).with_name("transformers"))
    command = [program, "serve", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"HF_HUB_CACHE": str(log.parent)}
    with log.open("wb") as stream:
        server = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            try:
                httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(PATIENCE)


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Export the base itself as an arm, which nobody had to train."""
    from coig.config import Model
    from coig.data.tokenizer import load_tokenizer
    from coig.models.export import export, make_generation_config
    from coig.models.loading import load_model
    from tests.generation.asking import SYSTEM
    from tests.studies import make_arm

    model = Model(
        name="tiny", path="sample:tiny", max_length=1024, learning_rate=1, system_prompt=SYSTEM, template_arguments={}
    )
    folder = tmp_path_factory.mktemp("run") / "multirun" / "s" / "cw"
    made = make_arm(folder)
    made.write_config(made.config().model_copy(update={"model": model}))
    lm, tokenizer = load_model(model, seed=0), load_tokenizer(model)
    settings = make_generation_config(lm, tokenizer, ())
    export(lm, lm.state_dict(), None, tokenizer, settings, folder / "model")
    return made
