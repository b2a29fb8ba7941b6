"""What a job asks SLURM for, by the resolvers of conf/launcher/slurm.yaml, and what SLURM tells it."""

from __future__ import annotations

import os

from omegaconf import DictConfig, OmegaConf


def gpus_of_job(*, _root_: DictConfig) -> int | None:
    """Return how many GPUs a job asks for: the arm's devices, 1 for generate.py, None for an arm trained on CPUs."""
    if OmegaConf.select(_root_, "trainer.accelerator", default="gpu") == "cpu":
        return None
    return _devices(_root_)


def per_device(each: int, base: int = 0, *, _root_: DictConfig) -> int:
    """Return `base` plus `each` times the number of the arm's devices, which is 1 for generate.py."""
    return base + each * _devices(_root_)


def _devices(root: DictConfig) -> int:
    """Return the config's `trainer.devices`; 1 if it has no trainer."""
    devices: int = OmegaConf.select(root, "trainer.devices", default=1)
    return devices


def job_id() -> str | None:
    """Return the id of the SLURM job that this process belongs to; None outside SLURM."""
    return os.environ.get("SLURM_JOB_ID")


def is_queued_again() -> bool:
    """Tell whether SLURM has queued this process's job again, after a first run."""
    return "SLURM_RESTART_COUNT" in os.environ
