"""Interpret an evaluation: the paper's claims, the study's question, the curve over the ratio, noise, caveats."""
