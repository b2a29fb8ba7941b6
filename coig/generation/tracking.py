"""Log an arm's answers as a table to Weights & Biases."""

from __future__ import annotations

from coig.study.arm import Arm
from coig.study.tracking import is_wandb, logged_run

COLUMNS = ("query_id", "lang", "genre", "sample", "query", "reasoning", "answer", "answer_tokens", "finish_reason")


def log_table(arm: Arm, queries: str) -> None:
    """Log an arm's answers to one file of queries in a W&B run of their own; do nothing unless it trained with W&B.

    Args:
        queries: the name of the file of queries, without suffix.
    """
    logger = arm.config().logger
    if logger is None or not is_wandb(logger):
        return
    answers = arm.answers(queries)
    with logged_run(logger, f"{arm.manifest().wandb_run}-{queries}", job_type="generate") as run:
        import wandb

        settings = {"queries": queries, "seed": answers[0].seed, "sampling": answers[0].sampling}
        run.config.update(settings, allow_val_change=True)  # overwrite=true answers anew in the same run
        rows = [[getattr(answer, key) for key in COLUMNS] for answer in answers]
        table = wandb.Table(columns=list(COLUMNS), data=rows)
        run.log({"answers": table})
