"""Measure a run's speed, peak memory and remaining time."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning import Callback
from lightning.pytorch.callbacks import RichProgressBar
from rich import get_console

from coig.data.steps import Step
from coig.models.flops import TrainingFlops, peak_flops

FORMATS = {"loss": ".2f", "val": ".2f", "tokens/s": ",.0f"}  # of the metrics beside the bar, in their order
OTHER_COLUMNS = 70  # columns of the terminal that all but the bar may take
SHORTEST_BAR = 8  # columns
SMOOTHING = 0.9  # weight of earlier steps in the moving average of seconds per step


class Throughput(Callback):
    """A callback that measures the speed and memory of every step, without an extra synchronization with the device."""

    def __init__(self, flops: TrainingFlops) -> None:
        self.flops = flops
        self.started = 0.0
        self.mean_seconds: float | None = None

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        """Reset the peak memory, which earlier arms of a sweep set."""
        reset_peak_memory(module.device)

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
    """Lightning's progress bar on one line of 80 columns, with the arm's remaining time."""

    def __init__(self, throughput: Throughput) -> None:
        super().__init__()
        self.throughput = throughput

    def configure_columns(self, trainer: Any) -> list[Any]:
        """Return Lightning's columns without times and steps per second; the bar takes the room that is left."""
        description, bar, count, *_ = super().configure_columns(trainer)
        bar.bar_width = min(max(get_console().width - OTHER_COLUMNS, SHORTEST_BAR), bar.bar_width)
        return [description, bar, count]

    @property
    def total_train_batches(self) -> int | float:
        """Return the epoch's steps, fewer where the run ends earlier."""
        batches: int | float = self.trainer.num_training_batches
        left: int | float = self.trainer.lightning_module.total_steps - self.trainer.current_epoch * batches
        return min(batches, left)

    def _get_train_description(self, current_epoch: int) -> str:
        """Return the bar's text for an epoch, counted from 1, with the number of epochs unless that is unlimited."""
        epochs = self.trainer.max_epochs
        text = f"Epoch {current_epoch + 1}" + (f"/{epochs}" if epochs and epochs > 0 else "")
        return text.ljust(len(self.validation_description))  # one width, so that the bar does not jump

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:
        """Return what stands beside the bar: losses in nats a token, speed, and the remaining time."""
        metrics = super().get_metrics(trainer, pl_module)
        shown = {name: format(metrics[name], form) for name, form in FORMATS.items() if name in metrics}
        return shown | {"left": self.throughput.time_left(trainer)}


def reset_peak_memory(device: torch.device) -> None:
    """Let `peak_memory_gb` forget what was before: the GPU's tensors, or this process's memory on Linux."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # see proc(5): resets the peak


def peak_memory_gb(device: torch.device) -> float:
    """Return the peak memory in GB (10⁹ bytes): of the GPU's tensors, or of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
