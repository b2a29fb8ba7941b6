"""What the arms' answers are like: strings and frames in, tables, figures and a report out. No torch."""

from coig.evaluation.run import evaluate

__all__ = ["evaluate"]
