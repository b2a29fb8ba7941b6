"""Make reviewed triplets of collected articles, stage by stage, with a history to which rows are only ever added."""

from coig.curation.run import curate

__all__ = ["curate"]
