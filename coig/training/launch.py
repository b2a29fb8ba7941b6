"""Start the processes (ranks) that train one arm on the devices of this node."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coig.config import TrainConfig
from coig.config.process import Preempted
from coig.config.stored import dump_config
from coig.errors import ConfigError, OutOfMemoryError
from coig.files.timestamps import now
from coig.study.arm import Arm
from coig.study.manifest import INTERRUPTED

log = logging.getLogger(__name__)

# seconds from SIGTERM to SIGKILL, in which a rank ends its step and writes a checkpoint; one that waits for a GPU's
# exchange does not see SIGTERM
STOPPED_WITHIN = 60
HANDLED = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1,SIGUSR2"  # signals that stop the ranks


class RankFailedError(ConfigError):
    """A process of an arm that failed; `is_passing` if a signal or a lack of memory ended it, and not bad input."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.is_passing = code < 0 or code == OutOfMemoryError.exit_code


def launch(config: TrainConfig, arm: Arm) -> None:
    """Train an arm in new processes of this node, and again if it fails for a passing reason, up to `retries` times.

    An attempt goes on from the last checkpoint of the one before. The last attempt's error is raised; see
    `_launch_once`.
    """
    once, earlier = config.model_copy(update={"retries": 0}), _read_run(arm)
    for _ in range(config.retries):
        try:
            _launch_once(once, arm)
            return
        except RankFailedError as error:
            if not error.is_passing:
                raise
            log.warning("%s; trying again (retries=%d)", error, config.retries)
            if _read_run(arm) != earlier:  # `overwrite` was obeyed, and would delete what this attempt has trained
                once = once.model_copy(update={"overwrite": False})
    _launch_once(once, arm)


def _read_run(arm: Arm) -> str | None:
    """Return the id of an arm's run, which changes as it is trained from scratch; None without a sound manifest."""
    with suppress(ConfigError):
        return arm.manifest().wandb_run
    return None


def _launch_once(config: TrainConfig, arm: Arm) -> None:
    """Train an arm in `trainer.devices` new processes of this node, and wait for them.

    They share the CPU threads of this one. Raises RankFailedError if one of them fails, so that a sweep continues with
    its next arm, and SystemExit if a signal stopped them, so that the sweep stops, too. The SystemExit is Preempted if
    there is a checkpoint and the signal is not Ctrl-C's. Both are written to a manifest that still says "running".
    Raises ConfigError at once if the config asks for several nodes.
    """
    if config.trainer.num_nodes > 1:
        raise ConfigError(
            f"trainer.num_nodes={config.trainer.num_nodes}: start the command on each node with torchrun --nnodes="
            f"{config.trainer.num_nodes} --nproc-per-node={config.trainer.devices} … train.py …, one arm a command"
        )
    import torch
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # the rank has said what is wrong
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(STOPPED_WITHIN))
    os.environ.setdefault("TORCHELASTIC_SIGNALS_TO_HANDLE", HANDLED)
    agent = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=config.trainer.devices,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        run_id=config.arm,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        _omp_threads(max(1, torch.get_num_threads() // config.trainer.devices)),
        _same_handlers_afterwards(),
    ):
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(dump_config(config)), encoding="utf-8")
        try:
            elastic_launch(agent, sys.executable)("-m", "coig.training", str(file))
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            problem = f"process {rank} of {config.trainer.devices} {_describe_end(failure.exitcode)}"
            _mark_failed(arm, problem)
            raise RankFailedError(f"{config.arm}: {problem}; its message is above", failure.exitcode) from None
        except SignalException as error:  # elastic_launch has stopped the processes
            _mark_failed(arm, INTERRUPTED)
            if arm.checkpoint and error.sigval != signal.SIGINT:
                raise Preempted(error.sigval) from None
            raise SystemExit(128 + error.sigval) from None


def _describe_end(code: int) -> str:
    """Return in words how a process ended, by its exit code; a negative one is the signal that ended it."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    return f"was ended by {name}" + (", which the system sends if memory runs out" if name == "SIGKILL" else "")


@contextmanager
def _same_handlers_afterwards() -> Iterator[None]:
    """Put the signal handlers back that the block replaces; submitit's queues a job again."""
    earlier = {number: signal.getsignal(number) for number in map(signal.Signals.__getitem__, HANDLED.split(","))}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextmanager
def _omp_threads(count: int) -> Iterator[None]:
    """Let each process that starts while the block runs compute with `count` threads (OMP_NUM_THREADS)."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _mark_failed(arm: Arm, problem: str) -> None:
    """Write to the manifest that the arm failed, if it still says "running": the first rank was ended too early."""
    if arm.is_known and (manifest := arm.manifest()).status == "running":
        times = manifest.times.model_copy(update={"ended": now()})
        arm.write_manifest(manifest.model_copy(update={"status": "failed", "error": problem, "times": times}))
