"""Causal language models: loading, loss, export."""
