"""Coordinate the processes (ranks) that train one arm.

On one node, `python train.py trainer=fsdp trainer.devices=4` starts new ranks for every arm of a sweep (`launch`), from
the resolved config. Lightning would instead repeat the whole command line in each rank, `-m` included. On several nodes
torchrun starts the ranks. Both set the same environment variables.

A rank that fails prints its message and exits at once. It must not leave the process group in order, because that can
wait for ranks which wait for this one; torchrun and `launch` end them.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from coig.config import Trainer
from coig.errors import ConfigError, system_problem

Result = TypeVar("Result")
PATIENCE = timedelta(hours=3)  # how long ranks wait for the first one, which may download a model or write a checkpoint
EXCHANGE = timedelta(minutes=10)  # how long an exchange of tensors may take, NCCL's own default
GRACE = 5  # seconds in which the first rank prints an error that all share, and torchrun ends the others
LOST_PEER = re.compile(r"(closed|reset) by peer|Broken pipe|remote process exited")  # of gloo, and of NCCL
GROUPS = itertools.count()  # numbers the process groups of this process

waiting: Any = None  # the process group for long waits, of gloo; None in a single process


def is_rank() -> bool:
    """Tell whether torchrun or `launch` started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_first() -> bool:
    """Tell whether this is the first rank, or the only process; it alone writes files."""
    return not is_rank() or os.environ["RANK"] == "0"


def check_devices(trainer: Trainer) -> None:
    """Raise ConfigError if this node has fewer GPUs than `trainer.devices`."""
    if trainer.accelerator != "gpu":
        return
    import torch

    if (found := torch.cuda.device_count()) < trainer.devices:
        raise ConfigError(f"trainer.devices={trainer.devices}: this machine has {found} GPUs; lower it, or trainer=cpu")


@contextmanager
def joined(trainer: Trainer) -> Iterator[None]:
    """Join the ranks' process group, and leave it once all have reached the end; do nothing in a single process.

    If the block fails, print the error and end this process. Ranks other than the first log nothing from here on.
    Raises ConfigError if the number of started ranks is not the config's.
    """
    if not is_rank():
        yield
        return
    started = int(os.environ["WORLD_SIZE"])
    if started != trainer.ranks:
        raise ConfigError(
            f"trainer.devices={trainer.devices}, trainer.num_nodes={trainer.num_nodes}: {trainer.ranks} processes, but "
            f"torchrun started {started}; make them agree"
        )
    if not is_first():
        logging.getLogger("coig").setLevel(logging.CRITICAL)
    try:
        _join(trainer)
        yield
        wait_for_all()
    except BaseException as error:
        _exit(error)
    _leave()


def _join(trainer: Trainer) -> None:
    """Create the default process group, which exchanges tensors, and the group for long waits."""
    global waiting
    import torch.distributed as dist
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]
    from torch.distributed.rendezvous import rendezvous

    backend = "cpu:gloo,cuda:nccl" if trainer.accelerator == "gpu" else "gloo"
    store, rank, size = next(iter(rendezvous("env://", timeout=PATIENCE)))
    # torchrun has one store for all arms of a sweep; without a prefix a group would read its predecessor's addresses
    prefixed = PrefixStore(f"arm {next(GROUPS)}", store)
    dist.init_process_group(backend, store=prefixed, rank=rank, world_size=size, timeout=EXCHANGE)
    waiting = dist.new_group(backend="gloo", timeout=PATIENCE)


def _leave() -> None:
    """Destroy the process groups."""
    global waiting
    import torch.distributed as dist

    waiting = None
    dist.destroy_process_group()


def _exit(error: BaseException) -> NoReturn:
    """Print an error and end this process, without destructors and exit handlers, which could wait for other ranks.

    Of a SystemExit only a text is printed, of Ctrl-C nothing. Ranks other than the first wait `GRACE` seconds.
    """
    if not is_first():
        time.sleep(GRACE)
    match error:
        case ConfigError() | SystemExit(code=str()):
            print(error, file=sys.stderr)
        case SystemExit() | KeyboardInterrupt():
            pass
        case _:
            print(system_problem(error) or "".join(traceback.format_exception(error)), file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    code = exit_code_of(error)
    os._exit(code if isinstance(code, int) else 1)


def exit_code_of(error: BaseException) -> int | str:
    """Return what a process exits with if `error` ends it: a code, or the text of a SystemExit, which means 1.

    Ctrl-C gives 130, also if Lightning turned it into a SystemExit. A SystemExit with code 0 or none, as Lightning
    exits on SIGTERM, gives 143, so that scripts see a failure.
    """
    if isinstance(error, SystemExit):
        return 130 if isinstance(error.__context__, KeyboardInterrupt) else error.code or 143
    if isinstance(error, KeyboardInterrupt):
        return 130
    return error.exit_code if isinstance(error, ConfigError) else 1


@contextmanager
def explain_lost_peers() -> Iterator[None]:
    """Turn the block's RuntimeError that another rank broke off an exchange into a ConfigError."""
    try:
        yield
    except RuntimeError as error:
        if is_rank() and LOST_PEER.search(str(error)):
            raise ConfigError("another process of this arm ended; its own message says why") from error
        raise


def wait_for_all() -> None:
    """Wait until every rank has called this, up to PATIENCE; do nothing in a single process."""
    if is_rank():
        import torch.distributed as dist

        dist.barrier(group=waiting)


def first_decides(decide: Callable[[], Result]) -> Result:
    """Call `decide` on the first rank only and return its result on all ranks; a ConfigError of it is raised on all.

    All ranks must call this function.
    """
    if not is_rank():
        return decide()
    import torch.distributed as dist

    decision: list[Result | ConfigError | None] = [None]
    if is_first():
        try:
            decision = [decide()]
        except ConfigError as error:
            decision = [error]
    dist.broadcast_object_list(decision, group=waiting)
    if isinstance(decision[0], ConfigError):
        raise decision[0]
    return decision[0]  # type: ignore[return-value]


def first_before_others(make: Callable[[], Result], others: Callable[[], Result] | None = None) -> Result:
    """Call `make` on the first rank, then `others` (None: `make`) on the other ranks; return this rank's own result.

    The first rank fills caches for the others. A ConfigError of it is raised on all. All ranks must call this function.
    """
    made: list[Result] = []
    first_decides(lambda: made.append(make()))
    return made[0] if made else (others or make)()
