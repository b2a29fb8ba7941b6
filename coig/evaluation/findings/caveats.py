"""What a reader must know before trusting a study's figures."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from coig.config.fields import HELD_OUT
from coig.display.numbers import LANGUAGE_NAMES
from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.intervals import FEWEST


def notes_on_answers(answers: pl.DataFrame, seeds: Mapping[str, int]) -> list[str]:
    """Return notes on what makes arms' answers hard to compare; `seeds` are the arms' own, by name."""
    answered = {arm: set(part["query_id"]) for (arm,), part in answers.group_by("arm")}
    others = set(answers.filter(pl.col("queries").ne_missing(HELD_OUT))["query_id"])
    of_seeds = answers.filter(queries=HELD_OUT).group_by(pl.col("arm").replace_strict(seeds, return_dtype=pl.Int64))
    held_out = {seed: set(part["query_id"]) for (seed,), part in of_seeds}
    notes = [f"{arm} has no answers and is left out." for arm in seeds if arm not in answered]
    for arm, seed in seeds.items():
        asked = others | held_out.get(seed, set())  # each seed holds out its own triplets
        if answered.get(arm, asked) < asked:
            count = f"{len(answered[arm])} of {len(asked)}"
            notes.append(f"{arm} has answered {count} queries: its figures are not comparable with the others'.")
    if len(set(map(frozenset, held_out.values()))) > 1:
        counts = ", ".join(f"seed {seed}: {len(held_out[seed])}" for seed in sorted(held_out))
        notes.append(
            f"Arms of different seeds have answered different held-out prompts ({counts}): in tables of arms, compare "
            "those of one seed only. Differences between arms are over the prompts that both answered."
        )
    return notes


def notes_on_judgments(judgments: Judgments, answers: pl.DataFrame | None) -> list[str]:
    """Return notes on what makes the win rates weaker than they look."""
    notes = []
    judged = set(judgments.comparisons["query_id"]) | set(judgments.ratings["query_id"])
    if answers is not None and (strange := judged - set(answers["query_id"])):
        notes.append(
            f"{len(strange)} of {len(judged)} judged queries have no answers here: {min(strange)}, for example."
        )
    if not judgments.ratings.is_empty():
        low, high = judgments.scale
        notes.append(f"Ratings go from {low:g} to {high:g}.")
    for (lang,), part in judgments.comparisons.group_by("lang", maintain_order=True):
        where = LANGUAGE_NAMES[str(lang)]
        if part["rater"].n_unique() == 1:
            notes.append(f"{where}: one rater only. How others would judge cannot be told.")
        if (part["score"] == 0.5).all():
            notes.append(f"{where}: all verdicts are ties. No arm can be told from another.")
        prompts = part.group_by("arm", "opponent").agg(pl.col("query_id").n_unique())
        most = part["query_id"].n_unique()
        for arm, opponent, count in prompts.sort("arm", "opponent").iter_rows():
            if count < most:
                notes.append(f"{where}: {arm} and {opponent} were compared on {count} of {most} prompts.")
    return notes


def notes_on_strengths(strengths: pl.DataFrame) -> list[str]:
    without = strengths.filter(pl.col("strength").is_null())["lang"].unique(maintain_order=True)
    return [
        f"{LANGUAGE_NAMES[lang]}: no strengths, for some arms never met, or always win or lose, or fewer than {FEWEST} "
        "prompts were judged."
        for lang in without
    ]
