"""Hold a judge's agreement with people against people's agreement with each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.judges.items import Items, number_prompts
from coig.statistics.intervals import Floats
from coig.statistics.probes import Probed, estimate_share

JUDGE_GENRES: dict[str, Any] = {
    **dict.fromkeys(("lang", "judge", "genre"), pl.String),
    **dict.fromkeys(("prompts", "pairs"), pl.Int64),
    **dict.fromkeys(("agreement", "low", "high", "people", "people_low", "people_high"), pl.Float64),
}
YARDSTICK: dict[str, Any] = {
    **dict.fromkeys(("lang", "judge", "genre"), pl.String),  # genre: null for all
    "pairs": pl.Int64,
    **dict.fromkeys(("agreement", "low", "high"), pl.Float64),
}


def agree_with_people(items: Items) -> Floats:
    """Return the judge's mean agreement with the people who judged each pair, (N,).

    Two verdicts agree by 1 − |difference|: a tie agrees by one half with a win.
    """
    agreement: Floats = 1 - np.nanmean(np.abs(items.people - items.pairs["score"].to_numpy()[:, None]), axis=1)
    return agreement


def agree_among_people(people: Floats) -> Floats:
    """Return the mean agreement of each rater with each other rater of a pair, (N,); needs two raters of each.

    This is the ceiling that leaves one rater out at a time, as in the alternative annotator test (2501.10970).
    """
    differences = np.abs(people[:, :, None] - people[:, None, :])
    counts = np.isfinite(people).sum(axis=1)
    agreement: Floats = 1 - np.nansum(differences, axis=(1, 2)) / (counts * (counts - 1))
    return agreement


def measure_agreement(items: Items) -> tuple[Probed | None, Probed | None, Probed | None]:
    """Return the judge's agreement with a person, a person's with another, and the difference on the same pairs.

    All three are None without pairs, the last two also if no pair was judged by two people.
    """
    if not len(items.people):
        return None, None, None
    prompts, own = items.prompts, agree_with_people(items)
    several = items.raters > 1
    if not several.any():
        return estimate_share(own, prompts), None, None
    people, shared = agree_among_people(items.people[several]), prompts[several]
    difference = estimate_share((own[several] - people + 1) / 2, shared, neutral=0.5)
    return estimate_share(own, prompts), estimate_share(people, shared), _double(difference)


def _double(found: Probed) -> Probed:
    """Turn an estimate of (difference + 1) / 2 into one of the difference; p stays."""
    low, high = (None if end is None else 2 * end - 1 for end in (found.low, found.high))
    return Probed(2 * found.value - 1, low, high, found.p)


def agreement_by_genre(items: Items, lang: str, judge: str) -> list[dict[str, Any]]:
    """Return a row of JUDGE_GENRES for each genre: how often the judge agrees with people, highest first.

    Beside it is how often people agree with each other; None if no pair was judged by two. Pairs without a genre are
    left out. `lang` and `judge` only fill their columns: `items` holds the pairs of this language and judge alone.
    """
    rows = []
    for genre in items.pairs["genre"].drop_nulls().unique(maintain_order=True):
        part = items.select((items.pairs["genre"] == genre).fill_null(value=False).to_numpy())
        own, people, _ = measure_agreement(part)
        assert own is not None
        row = {"lang": lang, "judge": judge, "genre": genre, "pairs": len(part.people)}
        row |= {"prompts": part.pairs["query_id"].n_unique(), "agreement": own.value, "low": own.low, "high": own.high}
        if people is not None:
            row |= {"people": people.value, "people_low": people.low, "people_high": people.high}
        rows.append(row)
    rows.sort(key=lambda row: (-round(row["agreement"], 9), row["genre"]))  # rounding of sums orders no equal ones
    return [{key: row.get(key) for key in JUDGE_GENRES} for row in rows]


def yardstick_table(by_pair: pl.DataFrame) -> pl.DataFrame:
    """Measure how often judges prefer the answer of a yardstick's pairs that people chose; columns as in YARDSTICK.

    A tie counts one half. There is a row for all genres, whose genre is null, and one for each.

    Args:
        by_pair: as `JudgeVerdicts.by_pair` returns it, of the arms `chosen` and `rejected`.
    """
    rows = []
    for (lang, judge), part in by_pair.group_by("lang", "judge", maintain_order=True):
        genres = part.drop_nulls("genre").partition_by("genre", maintain_order=True, as_dict=True)
        for genre, own in [(None, part), *((name, rows) for (name,), rows in sorted(genres.items(), key=str))]:
            share = estimate_share(own["score"].to_numpy(), number_prompts(own))
            rows.append((lang, judge, genre, len(own), share.value, share.low, share.high))
    return pl.DataFrame(rows, schema=YARDSTICK, orient="row")
