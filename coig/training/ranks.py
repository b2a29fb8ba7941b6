"""Several processes that train one arm: how they are started, and how they agree.

On one node `python train.py trainer=fsdp trainer.devices=4` starts its ranks itself, afresh for every arm of a sweep,
from the resolved config: Lightning would run the whole command line again in each of them, `-m` included. On many nodes
torchrun starts them; both set the same environment variables.
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
PATIENCE = timedelta(hours=3)  # with the first rank, which may have to download a model
GROUPS = itertools.count()  # that this process has been in


def is_rank() -> bool:
    """Tell whether torchrun, or `launch`, started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_first() -> bool:
    """Tell whether this is the process that writes: the first rank, or the only process."""
    return not is_rank() or os.environ["RANK"] == "0"


def check_devices(trainer: Trainer) -> None:
    """Raise ConfigError if this node has fewer GPUs than are asked for."""
    if trainer.accelerator != "gpu":
        return
    import torch

    if (there := torch.cuda.device_count()) < trainer.devices:
        raise ConfigError(f"trainer.devices={trainer.devices}: this machine has {there} GPUs; lower it, or trainer=cpu")


@contextmanager
def joined(trainer: Trainer) -> Iterator[None]:
    """The ranks' process group; nothing where there is one process only."""
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
    # torchrun keeps one store for all arms of a sweep, in which a group would find the addresses of the one before
    own = PrefixStore(f"arm {next(GROUPS)}", store)
    dist.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def first_decides(decide: Callable[[], Result]) -> Result:
    """Call `decide` on the first rank and return its answer on all of them; its ConfigError is raised on all."""
    if not is_rank():
        return decide()
    import torch.distributed as dist

    answer: list[Result | ConfigError | None] = [None]
    if is_first():
        try:
            answer = [decide()]
        except ConfigError as error:
            answer = [error]
    dist.broadcast_object_list(answer)
    if isinstance(answer[0], ConfigError):
        raise answer[0]
    return answer[0]  # type: ignore[return-value]


def first_before_others(make: Callable[[], Result]) -> Result:
    """Call `make` on the first rank before the others, which then find its files in the cache; return its result."""
    made: list[Result] = []
    first_decides(lambda: made.append(make()))
    return made[0] if made else make()
