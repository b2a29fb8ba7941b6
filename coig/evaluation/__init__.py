"""Evaluate a study: answers and judgments in; tables, figures and a report out. Nothing here imports torch."""

from coig.evaluation.run import evaluate

__all__ = ["evaluate"]
