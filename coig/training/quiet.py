"""Silence the libraries that training uses."""

from __future__ import annotations

import logging
import warnings

from transformers.utils.logging import disable_progress_bar


def quiet_libraries() -> None:
    """Silence, until the process ends, the libraries' progress bars, info logs and warnings that do not matter here."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    hints = (
        ".*does not have many workers.*",
        ".*LeafSpec.*is deprecated.*",
        ".*is_gradient_checkpointing.*is deprecated.*",
        ".*sync_dist=True.*",  # what is logged is the same on all ranks
    )
    for message in hints:
        warnings.filterwarnings("ignore", message=message)
    disable_progress_bar()  # of writing one file
