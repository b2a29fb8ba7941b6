"""Measure a run's speed, peak memory and remaining time."""

from __future__ import annotations

import resource
import sys
from time import perf_counter
from typing import Any

import torch
from lightning import Callback
from lightning.pytorch.callbacks import RichProgressBar

from coig.data.steps import Step
from coig.models.flops import TrainingFlops, peak_flops

SMOOTHING = 0.9  # weight of earlier steps in the moving average of seconds per step


class Throughput(Callback):
    """A callback that measures the speed and memory of every step, without an extra synchronization with the device."""

    def __init__(self, flops: TrainingFlops) -> None:
        self.flops = flops
        self.started = 0.0
        self.mean_seconds: float | None = None

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        """Reset the GPU's peak memory, which earlier arms set."""
        if module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(module.device)  # forget the peak of earlier arms

    def on_train_batch_start(self, trainer: Any, module: Any, step: Step, index: int) -> None:
        """Note the time at which a step starts."""
        self.started = perf_counter()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, step: Step, index: int) -> None:
        """Add the step's speed, peak memory and padding to the module's figures; the MFU too if the peak is known."""
        seconds = perf_counter() - self.started
        mean = seconds if self.mean_seconds is None else self.mean_seconds
        self.mean_seconds = SMOOTHING * mean + (1 - SMOOTHING) * seconds
        tokens, supervised = sum(step.lengths), sum(step.group_tokens)
        figures = {
            "seconds": seconds,
            "tokens_per_second": tokens / seconds,
            "supervised_tokens_per_second": supervised / seconds,
            "peak_memory_gb": peak_memory_gb(module.device),
            "padding": step.padding / (tokens + step.padding),
        }
        if peak := peak_flops(module.device):
            figures["mfu"] = self.flops.of(step.lengths, supervised) / seconds / (peak * trainer.world_size)
        module.figures |= {f"perf/{name}": float(figure) for name, figure in figures.items()}
        module.log("tokens/s", tokens / seconds, prog_bar=True, logger=False)

    def time_left(self, trainer: Any) -> str:
        """Return the arm's remaining time as text, estimated from recent steps; empty before the first step."""
        if self.mean_seconds is None:
            return ""
        seconds = (trainer.lightning_module.total_steps - trainer.global_step) * self.mean_seconds
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes:02} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"


class ProgressBar(RichProgressBar):
    """Lightning's progress bar, with the arm's remaining time and without the logger's version number."""

    def __init__(self, throughput: Throughput) -> None:
        super().__init__()
        self.throughput = throughput

    def _get_train_description(self, current_epoch: int) -> str:
        """Return the bar's text for an epoch, without the "/-2" of unlimited epochs."""
        return str(super()._get_train_description(current_epoch)).removesuffix("/-2")  # max_epochs is unlimited here

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:
        """Return the bar's metrics without the version number, with the remaining time."""
        metrics = {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}
        return metrics | {"left": self.throughput.time_left(trainer)}


def peak_memory_gb(device: torch.device) -> float:
    """Return the peak memory in GB (10⁹ bytes): of the GPU's tensors, or of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
