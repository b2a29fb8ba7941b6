"""Log an arm's answers as a table to Weights & Biases."""

from __future__ import annotations

from coig.config import Constructor
from coig.study.arm import Arm
from coig.study.tracking import logged_run

COLUMNS = ("query_id", "lang", "genre", "sample", "query", "reasoning", "answer", "answer_tokens", "finish_reason")


def log_table(arm: Arm, logger: Constructor, queries: str) -> None:
    """Log all of an arm's answers to one file of queries, failed ones too, in a W&B run of their own.

    There must be at least one answer.

    Args:
        logger: the W&B logger that the arm trained with.
        queries: the name of the file of queries, without suffix.
    """
    answers = arm.answers(queries)
    run_id = f"{arm.manifest().wandb_run}-{queries}"
    with logged_run(logger, run_id, arm.folder, job_type="generate") as run:
        import wandb

        settings = {"queries": queries, "seed": answers[0].seed, "sampling": answers[0].sampling}
        run.config.update(settings, allow_val_change=True)  # overwrite=true answers anew in the same run
        rows = [[getattr(answer, key) for key in COLUMNS] for answer in answers]
        table = wandb.Table(columns=list(COLUMNS), data=rows)
        run.log({"answers": table})
