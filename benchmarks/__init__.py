"""Measured comparisons with peers, run by hand from the repository root: python -m benchmarks.data, or .training."""
