"""Training one arm. Nothing here imports torch before there is something to train."""

from coig.training.run import check, train

__all__ = ["check", "train"]
