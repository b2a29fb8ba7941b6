"""Optimizers that split weights train sharded ones, on two ranks, as they train whole ones."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from coig.training.eight_bit import SplitAdamW8bit
from coig.training.optimizers import SplitAdamW, sharded_like
from tests.forked import PATIENCE
from tests.training.test_optimizers import flat, random

OPTIMIZERS = {"adamw_split": SplitAdamW, "adamw_8bit": SplitAdamW8bit}


def network() -> nn.Sequential:
    """A network whose rows do not divide by two, the last layer with fewer rows than ranks."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 1))


def train(model: nn.Module, optimizer: SplitAdamW, rank: int, ranks: int) -> None:
    """Take 20 steps of two micro-batches, each shared among the ranks."""
    for step, inputs in enumerate(random(20, 8, 7).bfloat16()):
        torch.manual_seed(step)
        for micro_batch in inputs.chunk(2):
            outputs = model(micro_batch.chunk(ranks)[rank]).float()
            torch.autograd.backward((outputs - 1).square().mean() / 2)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def train_shards(rank: int, folder: Path, name: str) -> None:
    """Train on one of two ranks; the first one stores the whole weights."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    model, mesh = network(), init_device_mesh("cpu", (2,))
    policy = MixedPrecisionPolicy(reduce_dtype=torch.float32, cast_forward_inputs=False)
    for part in (model[0], model[2], model):
        fully_shard(part, mesh=mesh, mp_policy=policy)
    optimizer = OPTIMIZERS[name](model.parameters(), lr=1e-2)
    train(model.to("cpu"), optimizer, rank, 2)  # Lightning, too, calls `to` after the optimizer is built
    shards = [sharded_like(param, optimizer.master(param)) for param in model.parameters()]
    whole = [shard.full_tensor() for shard in shards if isinstance(shard, DTensor)]
    if rank == 0:
        torch.save(whole, folder / "weights")
    dist.destroy_process_group()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_ranks_follow_the_trajectory_of_one(name: str, tmp_path: Path) -> None:
    ranks = [
        get_context("forkserver").Process(target=train_shards, args=(rank, tmp_path, name), daemon=True)
        for rank in (0, 1)
    ]
    for process in ranks:
        process.start()
    model = network()
    start = flat(model.parameters()).clone()
    optimizer = OPTIMIZERS[name](model.parameters(), lr=1e-2)
    train(model, optimizer, 0, 1)
    for process in ranks:
        process.join(PATIENCE)
        assert process.exitcode == 0
    weights: list[Tensor] = torch.load(tmp_path / "weights")
    end = flat(map(optimizer.master, model.parameters()))
    assert [weight.shape for weight in weights] == [param.shape for param in model.parameters()]
    assert float((flat(weights) - end).norm() / (end - start).norm()) < 0.1
