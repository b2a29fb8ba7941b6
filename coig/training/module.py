"""The LightningModule: one batch is one optimizer step, its loss normalised over the whole step."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer
from transformers import get_scheduler

from coig.config import ConfigError
from coig.data.batches import MicroBatch
from coig.models.causal_lm import weighted_nll
from coig.schema import Scheduler


class CausalLMModule(LightningModule):
    """A causal LM with manual optimization.

    Loss of a step = Σ nll · weight / Σ weight over all its micro-batches. Lightning's own accumulation would average
    the means of micro-batches, which weighs tokens by the layout.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Optimizer,
        scheduler: Scheduler,
        max_grad_norm: float,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.max_grad_norm = max_grad_norm
        self.validation_sums = [0.0, 0.0]

    def configure_optimizers(self) -> dict[str, Any]:
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = min(math.ceil(self.scheduler.warmup * steps), steps - 1)  # a first step of warm-up has rate 0
        schedule = get_scheduler(self.scheduler.name, self.optimizer, warmup, steps)
        return {"optimizer": self.optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_start(self) -> None:
        """A checkpoint restores the rate that its own schedule set; with more epochs this one's is another."""
        schedule = self.lr_schedulers()
        schedule._last_lr = [
            base * factor(schedule.last_epoch)
            for base, factor in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
        ]
        for group, rate in zip(self.optimizer.param_groups, schedule._last_lr, strict=True):
            group["lr"] = rate

    def training_step(self, step: list[MicroBatch], step_index: int) -> None:
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        total = sum(batch.total_weight for batch in step)
        tokens = sum(batch.supervised_tokens for batch in step)
        loss = torch.zeros((), dtype=torch.float32, device=self.device)
        for batch in step:
            nll = weighted_nll(self.model, batch)
            self.manual_backward(nll / total)
            loss += nll.detach() / total
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.max_grad_norm)
        self._check_finite(loss, norm)
        rate = schedule.get_last_lr()[0]
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        self.log("loss", loss, prog_bar=True, logger=False)
        self.log_dict(
            {"train/loss": loss, "train/grad_norm": norm, "train/lr": rate, "train/supervised_tokens": float(tokens)}
        )

    def _check_finite(self, loss: Tensor, norm: Tensor) -> None:
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            rate = self.lr_schedulers().get_last_lr()[0]
            raise ConfigError(
                f"step {self.global_step}: loss {float(loss)} with gradient norm {float(norm)} at learning rate "
                f"{rate:.3g} is not finite; lower model.learning_rate and start anew with overwrite=true"
            )

    def on_validation_epoch_start(self) -> None:
        self.validation_sums = [0.0, 0.0]

    def validation_step(self, step: list[MicroBatch], step_index: int) -> None:
        for batch in step:
            self.validation_sums[0] += float(weighted_nll(self.model, batch))
            self.validation_sums[1] += batch.total_weight

    def on_validation_epoch_end(self) -> None:
        nll, weight = self.validation_sums
        self.log("validation", nll / weight, prog_bar=True, logger=False)
        self.log("validation/loss", nll / weight)
