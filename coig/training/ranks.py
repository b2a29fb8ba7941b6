"""Coordinate the processes (ranks) that train one arm.

On one node, `python train.py trainer=fsdp trainer.devices=4` starts new ranks for every arm of a sweep (`launch`), from
the resolved config. Lightning would instead repeat the whole command line in each rank, `-m` included. On several nodes
torchrun starts the ranks. Both set the same environment variables.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from coig.config import Trainer
from coig.errors import ConfigError

Result = TypeVar("Result")
PATIENCE = timedelta(hours=3)  # how long ranks wait for the first one, which may have to download a model
GROUPS = itertools.count()  # numbers the process groups of this process


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
    """Join the ranks' process group and leave it at the end; do nothing in a single process.

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
    import torch.distributed as dist
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]
    from torch.distributed.rendezvous import rendezvous

    if not is_first():
        logging.getLogger("coig").setLevel(logging.CRITICAL)
    backend = "cpu:gloo,cuda:nccl" if trainer.accelerator == "gpu" else "gloo"
    store, rank, size = next(iter(rendezvous("env://", timeout=PATIENCE)))
    # torchrun has one store for all arms of a sweep; without a prefix a group would read its predecessor's addresses
    prefixed = PrefixStore(f"arm {next(GROUPS)}", store)
    dist.init_process_group(backend, store=prefixed, rank=rank, world_size=size, timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def first_decides(decide: Callable[[], Result]) -> Result:
    """Call `decide` on the first rank and return its result on all; a ConfigError of it is raised on all."""
    if not is_rank():
        return decide()
    import torch.distributed as dist

    decision: list[Result | ConfigError | None] = [None]
    if is_first():
        try:
            decision = [decide()]
        except ConfigError as error:
            decision = [error]
    dist.broadcast_object_list(decision)
    if isinstance(decision[0], ConfigError):
        raise decision[0]
    return decision[0]  # type: ignore[return-value]


def first_before_others(make: Callable[[], Result]) -> Result:
    """Call `make` on every rank and return its result; the other ranks wait for the first, which fills the cache."""
    made: list[Result] = []
    first_decides(lambda: made.append(make()))
    return made[0] if made else make()
