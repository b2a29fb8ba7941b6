"""Print how a curation stands: the funnel, the genres against their quotas, and the hours that are left."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from coig.config import CurateConfig
from coig.curation.desk import is_cleared
from coig.curation.store import Store, Text
from coig.curation.summary import (
    PAPER_FIRST_ROUND,
    GenreCount,
    Rate,
    Step,
    count_genres,
    false_rejections,
    first_round,
    hours_left,
    make_funnel,
    score_agreement,
    severities,
)
from coig.display.numbers import interval, number, percent
from coig.display.tables import Column, Table, fill_table, text_column, value_column
from coig.display.terminal import make_console, print_table

BAR = 30  # characters of the longest bar


def print_status(store: Store, config: CurateConfig) -> None:
    """Print the funnel, the genres, the pairs of similar texts if there are any, and sentences about people's work."""
    texts = store.read_texts()
    console = make_console()
    print_table(console, funnel_table(make_funnel(texts, store.count_damaged())), f"{config.name}: the funnel")
    print_table(console, genre_table(count_genres(texts, config.quotas)), "genres")
    if bins := count_likenesses([row.jaccard for row in store.read_likenesses()], config.dedupe.shown):
        title = f"pairs of similar texts (copies: Jaccard from {config.dedupe.jaccard:g})"
        print_table(console, likeness_table(bins), title)
    for line in describe_people(texts, config):
        console.print(line)


def funnel_table(steps: Sequence[Step]) -> Table:
    """Return a table of the funnel with a row for each step.

    Columns: texts that passed the step, their percentage of those that passed the step before, without the % sign (a
    dash if none did), texts that wait for the step, and how many it left out for which reason.
    """
    rows = [
        {"step": step, "before": before.passed if before else None}
        for before, step in zip([None, *steps[:-1]], steps, strict=True)
    ]
    columns = [
        Column("step", lambda row: row["step"].name, left=True),
        Column("texts", lambda row: number(row["step"].passed)),
        Column("of those before", lambda row: percent(row["step"].passed / row["before"] if row["before"] else None)),
        Column("wait for it", lambda row: number(row["step"].waiting)),
        Column("left out", lambda row: describe_counts(row["step"].left_out), left=True),
    ]
    return fill_table(rows, columns)


def describe_counts(counts: dict[str, int]) -> str:
    """Return counts as one text, such as `length 3, date 1`."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def genre_table(genres: Sequence[GenreCount]) -> Table:
    """Return a table with the counts of each genre, its quota and what it lacks."""
    rows = [vars(genre) | {"missing": genre.missing} for genre in genres]
    columns = [
        text_column("genre", "genre"),
        *(value_column(name.replace("_", " "), number, name) for name in ("collected", "in_progress", "accepted")),
        *(value_column(name, number, name) for name in ("quota", "missing")),
    ]
    return fill_table(rows, columns)


def count_likenesses(jaccards: Sequence[float], lowest: float) -> list[tuple[str, int]]:
    """Return (name, number of pairs) for bins of Jaccard similarity of width 0.1 from `lowest` on; [] without pairs.

    The first bin, `excerpts`, counts pairs below `lowest`; the last, `the same`, those of similarity 1.
    """
    if not jaccards:
        return []
    edges = [lowest, *(step / 10 for step in range(10) if step / 10 > lowest + 1e-9), 1.0]
    bins = [(f"{low:.1f}–{high:.1f}", sum(low <= one < high for one in jaccards)) for low, high in pairwise(edges)]
    below, equal = sum(one < lowest for one in jaccards), sum(one == 1 for one in jaccards)
    return [("excerpts", below), *bins, ("the same", equal)]


def likeness_table(bins: Sequence[tuple[str, int]]) -> Table:
    """Return a table of bins (name, number of pairs) with a bar for each."""
    most = max(count for _, count in bins)
    rows = [{"jaccard": name, "pairs": count, "bar": "█" * round(BAR * count / most)} for name, count in bins]
    columns = [text_column("Jaccard", "jaccard"), value_column("pairs", number, "pairs")]
    return fill_table(rows, [*columns, Column("", lambda row: row["bar"], left=True)])


def describe_people(texts: Sequence[Text], config: CurateConfig) -> list[str]:
    """Return sentences about the work that is left, the reviewers, the scorers and the judge.

    A sentence of which nothing is known yet is left out.
    """
    wanted = sum(genre.missing or 0 for genre in count_genres(texts, config.quotas))
    lines = [f"people's work that waits: {number(hours_left(texts, config), 1)} hours, if nothing is sent back"]
    if wanted:
        lines.append(f"the quotas want {wanted:,} more triplets")
    if personal := sum(has_open_personal_data(text) for text in texts if text.state not in ("excluded", "duplicate")):
        lines.append(f"texts that may hold personal data, not exported until somebody clears them: {personal}")
    if rate := first_round(texts):
        lines.append(f"accepted in the first round: {describe_rate(rate)} (the paper: about {PAPER_FIRST_ROUND:.0%})")
    lines += [
        f"the judge rejected what people find fit, {genre}: {describe_rate(rate)}"
        for genre, rate in false_rejections(texts).items()
    ]
    agreement = {name: value for name, value in score_agreement(texts).items() if value is not None}
    if agreement:
        told = ", ".join(f"{name.replace('_', ' ')} {number(value, 2)}" for name, value in agreement.items())
        lines.append(f"agreement (Krippendorff's α): {told}")
    lines += [
        f"{code} scores {number(value, 1)} from the other scorers' mean" for code, value in severities(texts).items()
    ]
    return lines


def describe_rate(rate: Rate) -> str:
    """Return a rate as `12 of 15, 80.0 % [54.8, 93.0]`."""
    return f"{rate.hits} of {rate.trials}, {percent(rate.value)} % {interval(*rate.interval)}"


def has_open_personal_data(text: Text) -> bool:
    """Tell whether possible personal data was found in the article when it was ingested, and nobody has cleared it."""
    return bool(text.of_kind("ingest")[-1].value["personal_data"]) and not is_cleared(text)
