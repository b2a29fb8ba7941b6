"""coig: ablations of process-supervised creative writing with causal language models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

__version__ = "0.2.0"


def results(*studies: str | Path) -> pl.DataFrame:
    """Return what was measured of studies, a row for each arm, language and measure: see `coig.study.results`."""
    from coig.study.results import results  # imported here, so that `import coig` stays fast

    return results(*studies)
