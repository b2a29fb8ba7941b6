"""Present an evaluation as a page, tables, figures, on the terminal and in Weights & Biases."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from coig.config import Constructor
from coig.evaluation.report.files import write_evaluation
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.short_names import shorten_names
from coig.evaluation.report.terminal import print_evaluation
from coig.evaluation.report.tracking import log_evaluation
from coig.study.arm import Arm
from coig.study.tracking import best_effort

__all__ = ["Evaluation", "report"]
log = logging.getLogger(__name__)


def report(evaluation: Evaluation, arms: Sequence[Arm], logger: Constructor | None, folder: Path) -> None:
    """Write an evaluation into `folder`, log it to W&B by the logger of an arm, if any, and print its main tables.

    A failure to log to W&B does not stop the rest. Other files in `folder` are deleted, as `write_evaluation` says.
    """
    figures = write_evaluation(evaluation, folder)
    if logger:
        with best_effort(folder):
            log_evaluation(evaluation, list(figures), arms, logger, folder)
    print_evaluation(shorten_names(evaluation))
    log.info("Report: %s", (folder / "report.html").absolute())
