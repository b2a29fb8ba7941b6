"""Every arm answers the test queries."""

from coig.generation.run import generate

__all__ = ["generate"]
