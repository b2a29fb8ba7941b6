"""Training one arm."""

from coig.training.run import train

__all__ = ["train"]
