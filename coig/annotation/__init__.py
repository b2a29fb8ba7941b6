"""People compare the answers of a study blind, on a page that this stage serves."""

from coig.annotation.run import annotate

__all__ = ["annotate"]
