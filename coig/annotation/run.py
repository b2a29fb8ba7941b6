"""Serve a study's answers to raters, or export, import or erase their judgments."""

from __future__ import annotations

from coig.config import AnnotateConfig


def annotate(config: AnnotateConfig) -> None:
    """x."""
