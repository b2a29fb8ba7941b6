"""What a job asks SLURM for: the resolvers of conf/launcher/slurm.yaml, which follow the arm's devices."""

from __future__ import annotations

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
