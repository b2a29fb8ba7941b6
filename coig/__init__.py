"""coig: ablations of process-supervised creative writing with causal language models."""

__version__ = "0.1.0"
