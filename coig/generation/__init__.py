"""Let every arm of a study answer the test queries."""

from coig.generation.run import generate

__all__ = ["generate"]
