"""Benchmarks against other libraries, run by hand from the repository root: python -m benchmarks.data, or .training."""
