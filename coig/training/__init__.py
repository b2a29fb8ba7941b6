"""Train one arm. This package imports torch only when there is something to train."""

from coig.training.run import check, train

__all__ = ["check", "train"]
