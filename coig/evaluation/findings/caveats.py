"""Notes on what makes a study's results incomplete, hard to compare or weak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from coig.config.fields import HELD_OUT
from coig.display.numbers import LANGUAGE_NAMES
from coig.evaluation.preferences.judgments import PAPER_SCALE, Judgments
from coig.records.answer import CONSIDERABLE, Answer, find_cut_off
from coig.statistics.intervals import FEWEST

DAMAGED = "\ufffd"
MOST_NAMED = 6  # arms that a note names, or the head of the report


def notes_on_answers(answers: pl.DataFrame, seeds: Mapping[str, int]) -> list[str]:
    """Return notes on arms without answers, with fewer answers than the others, or with other held-out prompts.

    Args:
        answers: the frame of `measure_answers`.
        seeds: each trained arm's seed, by the arm's name.
    """
    answered = {arm: set(part["query_id"]) for (arm,), part in answers.group_by("arm", maintain_order=True)}
    others = set(answers.filter(pl.col("queries").ne_missing(HELD_OUT))["query_id"])
    of_seeds = answers.filter(queries=HELD_OUT).group_by(
        pl.col("arm").replace_strict(seeds, return_dtype=pl.Int64), maintain_order=True
    )
    held_out = {seed: set(part["query_id"]) for (seed,), part in of_seeds}
    notes = [f"{arm} has no answers and is left out." for arm in seeds if arm not in answered]
    for arm in [*seeds, *sorted(answered.keys() - seeds.keys())]:
        asked = others | held_out.get(seeds.get(arm), set())  # held-out triplets differ between seeds
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


def notes_on_damage(answers: pl.DataFrame) -> list[str]:
    """Return a note if some answers hold U+FFFD, which stands for damaged characters; else an empty list.

    At the end of an answer that was cut off it stands for half a character, and is not counted.
    """
    whole = pl.when(~pl.col("finished")).then(pl.col("answer").str.strip_chars_end(DAMAGED)).otherwise("answer")
    damaged = answers.filter(whole.str.contains(DAMAGED, literal=True))
    by_arm = damaged.group_by("arm", maintain_order=True).len().iter_rows()
    counts = {f"{arm} {count}": count for arm, count in by_arm}
    return [f"Answers with damaged characters, shown as {DAMAGED}: {_list_arms(counts)}."] if counts else []


def _list_arms(counts: Mapping[str, int]) -> str:
    """Return phrases on arms in one; of more than MOST_NAMED, those with the highest counts, and how many others.

    Args:
        counts: by phrase, such as `cw 19 of 51`.
    """
    if len(counts) <= MOST_NAMED:
        return ", ".join(counts)
    named = sorted(counts, key=lambda phrase: counts[phrase], reverse=True)[: MOST_NAMED - 1]
    return f"{', '.join(named)}, and {len(counts) - len(named)} more arms"


def notes_on_empty_answers(automatic: pl.DataFrame) -> list[str]:
    """Return a note for each language in which a CONSIDERABLE share of some arm's answers is empty, naming these arms.

    Args:
        automatic: columns as in AUTOMATIC.
    """
    notes = []
    for (lang,), part in automatic.group_by("lang", maintain_order=True):
        rows = part.filter(pl.col("empty") >= CONSIDERABLE * pl.col("queries"))
        columns = rows.select("arm", "empty", "queries").iter_rows()
        counts = {f"{arm} {empty} of {queries}": empty for arm, empty, queries in columns}
        silent = dict(rows.filter(pl.col("contaminated").is_null()).select("arm", "empty").iter_rows())
        unsaid = f" What language they answer in is not measured for {_list_arms(silent)}." if silent else ""
        if counts:
            notes.append(f"{LANGUAGE_NAMES[str(lang)]}: many answers are empty: {_list_arms(counts)}.{unsaid}")
    return notes


def notes_on_cut_off_answers(answered: Mapping[str, Mapping[str, Sequence[Answer]]]) -> list[str]:
    """Return a note for each limit of new tokens that cut off many answers of some arms, with these arms and counts.

    Args:
        answered: {file of queries: {arm: answers}}.
    """
    arms: dict[str, dict[str, int]] = {}
    for by_arm in answered.values():
        for arm, answers in by_arm.items():
            first = [one for one in answers if one.sample == 0 and not one.failed]
            if cut_off := find_cut_off(first):
                arms.setdefault(cut_off[0].limit, {})[f"{arm} {len(cut_off)} of {len(first)}"] = len(cut_off)
    return [
        f"Many answers reached {limit} before they ended: {_list_arms(counts)}. "
        "To let them end, give generate.py more tokens and overwrite=true."
        for limit, counts in arms.items()
    ]


def notes_on_learned(unknown: Mapping[str, str]) -> list[str]:
    """Return a note for each reason why training texts cannot be read; `unknown` has the reason by the arm's name."""
    arms: dict[str, dict[str, int]] = {}
    for arm, reason in unknown.items():
        arms.setdefault(reason, {})[arm] = 1
    return [
        f"What the answers of {_list_arms(names)} copied is not known: the training texts cannot be read ({reason})."
        for reason, names in arms.items()
    ]


def notes_on_judgments(judgments: Judgments, answers: pl.DataFrame | None) -> list[str]:
    """Return notes on judgments of queries without answers, and on ratings on another scale than the paper's.

    For each language there are notes on verdicts by one rater only, on verdicts that are all ties, and on pairs of arms
    that were judged on fewer prompts than others.
    """
    notes = []
    judged = set(judgments.verdicts["query_id"]) | set(judgments.ratings["query_id"])
    if answers is not None and (strange := judged - set(answers["query_id"])):
        notes.append(
            f"{len(strange)} of {len(judged)} judged queries have no answers here: {min(strange)}, for example."
        )
    if not judgments.ratings.is_empty() and judgments.scale != PAPER_SCALE:
        low, high = judgments.scale
        notes.append(f"Ratings go from {low:g} to {high:g}.")
    for (lang,), part in judgments.verdicts.group_by("lang", maintain_order=True):
        where = LANGUAGE_NAMES[str(lang)]
        if part["rater"].n_unique() == 1:
            notes.append(f"{where}: one rater only. How other raters would judge is unknown.")
        if (part["score"] == 0.5).all():
            notes.append(f"{where}: all verdicts are ties, so the arms cannot be told apart.")
        notes += [f"{where}: {note}" for note in _incomplete_pairs(part)]
    return notes


def _incomplete_pairs(verdicts: pl.DataFrame) -> list[str]:
    """Return a note if some pairs of arms were judged on fewer prompts than were judged in all; else an empty list."""
    most = verdicts["query_id"].n_unique()
    prompts = verdicts.group_by("arm", "opponent", maintain_order=True).agg(count=pl.col("query_id").n_unique())
    pairs = prompts.filter(pl.col("count") < most).sort("count", "arm", "opponent").rows()
    if not pairs:
        return []
    (arm, opponent, fewest), (*_, largest) = pairs[0], pairs[-1]
    if len(pairs) == 1:
        return [f"{arm} and {opponent} were compared on {fewest} of {most} prompts."]
    counts = f"{fewest}" if fewest == largest else f"{fewest} to {largest}"
    return [
        f"{len(pairs)} of {len(prompts)} pairs of arms were compared on fewer than all {most} prompts: on {counts}, "
        f"{arm} and {opponent} on {fewest}."
    ]


def notes_on_failures(answered: Mapping[str, Mapping[str, Sequence[Answer]]]) -> list[str]:
    """Return a note for each file of queries of which every arm failed, in its first sample, to answer the same query.

    Args:
        answered: {file of queries: {arm: answers}}.
    """
    notes = []
    for queries, by_arm in answered.items():
        failed = [{one.query_id for one in answers if one.failed and one.sample == 0} for answers in by_arm.values()]
        if failed and (everywhere := set.intersection(*failed)):
            notes.append(
                f"{len(everywhere)} queries of {queries} failed in every arm and are left out, {min(everywhere)} for "
                "example: generate.py asks for them again."
            )
    return notes


def notes_on_engines(answered: Mapping[str, Mapping[str, Sequence[Answer]]]) -> list[str]:
    """Return a note for each sampling setting that an engine did not obey, with the arms whose answers it concerns.

    Args:
        answered: {file of queries: {arm: answers}}.
    """
    arms: dict[str, dict[str, None]] = {}
    for by_arm in answered.values():
        for arm, answers in by_arm.items():
            for setting in {setting for one in answers if one.engine for setting in one.engine.not_obeyed}:
                arms.setdefault(setting, {})[arm] = None
    return [f"Not obeyed in answers of {', '.join(names)}: {setting}." for setting, names in sorted(arms.items())]


def notes_on_strengths(strengths: pl.DataFrame) -> list[str]:
    """Return a note for each language in which the strengths could not be fitted (are null)."""
    without = strengths.filter(pl.col("strength").is_null())["lang"].unique(maintain_order=True)
    return [
        f"{LANGUAGE_NAMES[lang]}: no strengths could be fitted: some arms were never compared, or one always wins or "
        f"loses, or fewer than {FEWEST} prompts were judged."
        for lang in without
    ]
