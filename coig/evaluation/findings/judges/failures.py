"""Count by arm the replies of judges that could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from coig.statistics.intervals import wilson_interval
from coig.text.language_codes import LANGUAGES

JUDGE_FAILURES: dict[str, Any] = {
    **dict.fromkeys(("lang", "judge", "arm"), pl.String),
    **dict.fromkeys(("calls", "failed", "attempts", "unread"), pl.Int64),
    **dict.fromkeys(("share", "low", "high"), pl.Float64),  # of the attempts, with Wilson limits
}


def failure_table(asked: pl.DataFrame, arms: Sequence[str]) -> pl.DataFrame:
    """Count calls, calls without any verdict, attempts and unread replies by language, judge and arm.

    Columns are as in JUDGE_FAILURES; `share` is that of the attempts whose reply could not be read.

    An arm whose replies fail more often than others' is judged on other prompts than they are.

    Args:
        asked: columns as in ASKED.
        arms: names, in the order of the rows; others are left out.
    """
    grouped = asked.filter(pl.col("arm").is_in(list(arms))).group_by("lang", "judge", "arm", maintain_order=True)
    counts = grouped.agg(
        calls=pl.len().cast(pl.Int64),
        failed=pl.col("failed").sum().cast(pl.Int64),
        attempts=pl.col("attempts").sum(),
        unread=pl.col("unread").sum(),
    )
    rows = []
    for row in counts.iter_rows(named=True):
        low, high = wilson_interval(row["unread"], row["attempts"])
        rows.append(row | {"share": row["unread"] / row["attempts"], "low": low, "high": high})
    rows.sort(key=lambda row: (LANGUAGES.index(row["lang"]), row["judge"], arms.index(row["arm"])))
    return pl.DataFrame([{key: row[key] for key in JUDGE_FAILURES} for row in rows], schema=JUDGE_FAILURES)
