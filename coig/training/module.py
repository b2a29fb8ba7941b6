"""The LightningModule: one batch is one optimizer step, whose loss is normalised over the step on all ranks."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn import Parameter
from torch.optim import Optimizer

from coig.config import TrainConfig
from coig.config.loading import construct
from coig.data.steps import GROUPS, MicroBatch, Step
from coig.models.causal_lm import CausalLM
from coig.study.manifest import MemoryPlan
from coig.training.failures import check_finite, check_validation, explain_lack_of_memory
from coig.training.schedule import make_schedule
from coig.training.sharding import replicate, shard


class CausalLMModule(LightningModule):
    """A causal LM with manual optimization.

    Loss of a step = Σ nll · weight / Σ weight over all its micro-batches on all ranks. Lightning's own accumulation
    would average the means of micro-batches, which weighs tokens by the layout.
    """

    def __init__(self, model: CausalLM, config: TrainConfig, total_steps: int, plan: MemoryPlan) -> None:
        super().__init__()
        self.plan = plan
        self.total_steps = total_steps  # asking Lightning for an estimate would reset the position in a resumed epoch
        self.automatic_optimization = False
        # checkpoints omit frozen weights; distributed ones can only be loaded completely, so they keep them
        self.strict_loading = config.model.lora is None or config.trainer.strategy == "fsdp"
        self.model = model
        self.config = config
        self.is_spread = False  # over the ranks
        self.figures: dict[str, float] = {}  # the last step's metrics, by their names in metrics.jsonl
        # built here so that a wrong argument fails before anything is written; ranks get their weights later, and build
        # theirs again then: some optimizers convert the weights that they are given
        trained = self._trained if config.trainer.strategy == "auto" else [Parameter(torch.zeros(1))]
        self.optimizer: Optimizer = construct(config.optimizer, trained)

    @property
    def _trained(self) -> list[Parameter]:
        """Return the weights that are trained."""
        return [weight for weight in self.model.parameters() if weight.requires_grad]

    def configure_model(self) -> None:
        """Spread the model over the ranks and build its optimizer; do nothing on one device or the second time.

        Lightning calls this again before a validation.
        """
        trainer = self.config.trainer
        if trainer.strategy == "auto" or self.is_spread:
            return
        if trainer.strategy == "fsdp":
            shard(self.model, self.device_mesh["data_parallel"], trainer.precision, self.device)
        else:
            replicate(self.model, self.device)
        self.is_spread = True
        self.optimizer = construct(self.config.optimizer, self._trained)

    def configure_optimizers(self) -> dict[str, Any]:
        """Return the optimizer and its schedule, which changes the rate after each step."""
        schedule = make_schedule(self.optimizer, self.config.scheduler, self.total_steps)
        return {"optimizer": self.optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remove frozen weights from the checkpoint if there are adapters; not with fsdp, which loads all weights."""
        if not self.strict_loading:
            trained = {name for name, weight in self.named_parameters() if weight.requires_grad}
            checkpoint["state_dict"] = {name: w for name, w in checkpoint["state_dict"].items() if name in trained}

    def on_train_start(self) -> None:
        """Set the learning rate that this run's schedule has at this step.

        A checkpoint brings the rate of the run that wrote it, which may have been planned with fewer steps.
        """
        schedule = self.lr_schedulers()
        schedule._last_lr = [
            base * factor(schedule.last_epoch)
            for base, factor in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
        ]
        for group, rate in zip(self.optimizer.param_groups, schedule._last_lr, strict=True):
            group["lr"] = rate

    def on_fit_end(self) -> None:
        """Free the optimizer's state."""
        self.optimizer.state.clear()  # already saved; Lightning would copy it to the CPU

    def training_step(self, step: Step, step_index: int) -> None:
        """Train one optimizer step. Raises ConfigError if memory runs out or numbers are not finite."""
        with explain_lack_of_memory(step, self.plan, len(self.model.layers)):
            self._train(step)

    def _train(self, step: Step) -> None:
        """Accumulate the gradients of a step's micro-batches, clip them, update the weights and store the metrics."""
        # seeds dropout by step and rank, so a resumed run gets the same without a stored generator state
        torch.manual_seed((self.config.seed << 32) + self.global_step * self.trainer.world_size + self.global_rank)
        ranks = self.trainer.world_size  # over which ddp and fsdp average gradients
        losses = _Losses(self.device)
        for left, batch in zip(reversed(range(len(step.micro_batches))), step.micro_batches, strict=True):
            with self._exchange(now=left == 0):
                loss, nll = self.model(batch, ranks / step.total_weight)
                self.manual_backward(loss)
            losses.add(loss / ranks, nll, batch)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters(), self.config.trainer.max_grad_norm)
        norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        loss, by_group = losses.sum_over_ranks(self.trainer.strategy, step.group_tokens)
        self._update(loss, by_group, norm, step)

    def _update(self, loss: float, by_group: dict[str, float], norm: Tensor, step: Step) -> None:
        """Update weights and learning rate, and store the step's metrics in `figures`.

        Raises ConfigError before the update if the loss or the gradient norm is not finite.
        """
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        rate = schedule.get_last_lr()[0]
        check_finite(loss, float(norm), rate, self.global_step, step)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        self.log("loss", loss, prog_bar=True, logger=False)
        facts = {"loss": loss, "grad_norm": float(norm), "lr": rate, "supervised_tokens": sum(step.group_tokens)}
        facts |= {f"loss/{group}": loss for group, loss in by_group.items()}
        self.figures = {f"train/{name}": float(fact) for name, fact in facts.items()}

    def _exchange(self, *, now: bool) -> AbstractContextManager[Any]:
        """Return a context in which ddp exchanges gradients only if `now`, that is once a step.

        fsdp always exchanges them, because whole gradients would not fit into memory.
        """
        waits = self.config.trainer.strategy == "ddp" and not now
        return self.trainer.strategy.model.no_sync() if waits else nullcontext()

    def on_train_batch_end(self, outputs: Any, step: Step, step_index: int) -> None:
        """Stop the trainer after the last step."""
        # if the last step lies inside an epoch, Lightning validates after it only with should_stop set
        self.trainer.should_stop = self.global_step == self.total_steps

    def on_validation_epoch_start(self) -> None:
        """Reset the sums of losses, weights and tokens."""
        self.validation = _Losses(self.device)
        self.validation_weight, self.validation_tokens = 0.0, [0] * len(GROUPS)

    def validation_step(self, step: Step, step_index: int) -> None:
        """Add the losses of a step's micro-batches to the sums. Raises ConfigError if memory runs out."""
        with explain_lack_of_memory(step, self.plan, len(self.model.layers)):
            for batch in step.micro_batches:
                loss, nll = self.model(batch, 1.0)
                self.validation.add(loss, nll, batch)
        self.validation_weight += step.total_weight
        self.validation_tokens = [sum(pair) for pair in zip(self.validation_tokens, step.group_tokens, strict=True)]

    def on_validation_epoch_end(self) -> None:
        """Log the weighted validation loss, and the mean −log p per token of each group that has tokens.

        Raises ConfigError if the loss is not finite.
        """
        total, by_group = self.validation.sum_over_ranks(self.trainer.strategy, self.validation_tokens)
        loss = total / self.validation_weight
        check_validation(loss, self.global_step)
        self.log("val", loss, prog_bar=True, logger=False)
        self.log_dict(
            {"validation/loss": loss} | {f"validation/loss/{group}": loss for group, loss in by_group.items()}
        )


class _Losses:
    """Running sums of the loss and of −log p for each of GROUPS, kept on the device to avoid synchronization."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(1 + len(GROUPS), dtype=torch.float32, device=device)

    def add(self, loss: Tensor, nll: Tensor, batch: MicroBatch) -> None:
        """Add a micro-batch's loss and the −log p of its supervised tokens."""
        self.sums[0] += loss.detach()
        self.sums[1:].index_add_(0, batch.groups, nll)

    def sum_over_ranks(self, strategy: Any, group_tokens: list[int]) -> tuple[float, dict[str, float]]:
        """Return, over all ranks, the sum of losses, and the mean −log p per token of each group that has tokens.

        `group_tokens` are the numbers of supervised tokens of each of GROUPS on all ranks. All ranks must call it.
        """
        loss, *groups = strategy.reduce(self.sums, reduce_op="sum").tolist()
        named = zip(GROUPS, groups, group_tokens, strict=True)
        return loss, {group: nll / tokens for group, nll, tokens in named if tokens}
