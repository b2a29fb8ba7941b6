"""Lightning's strategies for several ranks: what they wait for, and how a sharded checkpoint is written."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.optim import Optimizer

from coig.config import Trainer
from coig.errors import ConfigError, first_line
from coig.training.ranks import PATIENCE, wait_for_all
from coig.training.sharded_files import REST, PlainPlanner, PlainReader


class _Waiting:
    """A part of a strategy: its barrier, at which ranks wait for the first one as long as `ranks.PATIENCE`."""

    def barrier(self, name: str | None = None) -> None:
        """Wait for all ranks."""
        wait_for_all()


class _Replicated(_Waiting, DDPStrategy):
    """DDP: every rank holds the whole model."""


class Sharded(_Waiting, ModelParallelStrategy):
    """FSDP2: every rank holds a part of each weight; `sharding` makes the parts.

    Ranks write checkpoints together in the background. Each copies its part to the host's memory and trains on, while a
    thread writes the copy. `writing` is the last write; it is done once all ranks have written their parts.
    """

    writing: Future[Any] | None = None

    def setup_environment(self) -> None:
        """Set up as Lightning does, and make a process group for the writing threads, so as not to disturb training."""
        super().setup_environment()
        self.writers = dist.new_group(backend="gloo", timeout=PATIENCE)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Return the weights where they are; Lightning would copy them to the host, which `async_save` does."""
        return get_model_state_dict(self.model)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """Return the optimizer's state where it is, not copied to the host."""
        return get_optimizer_state_dict(self.model, optimizer)

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        """Copy this rank's part of a checkpoint, and begin to write it to the folder `filepath`; Lightning can load it.

        Weights and optimizer states are removed from `checkpoint`; the first rank writes the rest at once.
        """
        folder = Path(filepath)
        folder.mkdir(exist_ok=True)
        tensors = {"state_dict": checkpoint.pop("state_dict")}
        tensors |= {f"optimizer_{number}": state for number, state in enumerate(checkpoint.pop("optimizer_states"))}
        if self.is_global_zero:
            with (folder / REST).open("wb") as stream:  # torch's own error, if it cannot be opened, is no OSError
                torch.save(checkpoint, stream)
        writing = async_save(tensors, checkpoint_id=folder, process_group=self.writers)
        assert isinstance(writing, Future)  # by default the copy is complete, and may not change any more
        self.writing = writing

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Load model and optimizers of all ranks from a folder, and return the rest of the checkpoint.

        Lightning's own would unpickle what the folder holds. Raises ConfigError if it is damaged.
        """
        folder = Path(self.broadcast(checkpoint_path))
        try:
            return self._load(folder)
        except (CheckpointException, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{folder}: damaged ({first_line(error)}); overwrite=true trains this arm anew"
            ) from error

    def _load(self, folder: Path) -> dict[str, Any]:
        """Do the work of `load_checkpoint`, whose errors it may raise in any form."""
        weights = {"state_dict": get_model_state_dict(self.model)}
        load(weights, storage_reader=PlainReader(folder), planner=PlainPlanner())
        assert self.model is not None
        self.model.load_state_dict(weights["state_dict"])
        for number, optimizer in enumerate(self.optimizers):
            key = f"optimizer_{number}"
            state = {key: get_optimizer_state_dict(self.model, optimizer)}
            load(state, storage_reader=PlainReader(folder), planner=PlainPlanner())
            options = StateDictOptions(cpu_offload=True)
            set_optimizer_state_dict(self.model, optimizer, optim_state_dict=state[key], options=options)
        rest: dict[str, Any] = torch.load(folder / REST, weights_only=True)
        return rest


def strategy_of(trainer: Trainer) -> Strategy | str:
    """Return Lightning's strategy for `trainer.strategy`; its name if that is neither fsdp nor ddp."""
    match trainer.strategy:
        case "fsdp":
            return Sharded(data_parallel_size=trainer.ranks, tensor_parallel_size=1)
        case "ddp":
            return _Replicated(gradient_as_bucket_view=True)
        case other:
            return other
