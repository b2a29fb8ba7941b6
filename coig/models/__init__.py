"""Causal language models: loading, attention, loss, adapters, export."""
