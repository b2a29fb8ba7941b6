"""Tell whether the held-out creative loss, which needs no answers, orders the arms as people do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import comb
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.contrasts import held_out_conditions
from coig.evaluation.findings.responses import BY_JUDGES, PREFERENCE
from coig.evaluation.findings.rule import LEVEL
from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.intervals import FEWEST, Floats, bootstrap_weights, percentile_interval
from coig.statistics.ranks import kendall_tau, permutation_p
from coig.study.arm import Arm
from coig.text.language_codes import LANGUAGES

FEWEST_ARMS = 3
LOOK_AHEAD: dict[str, Any] = {
    **dict.fromkeys(("lang", "measure"), pl.String),
    **dict.fromkeys(("arms", "prompts", "pairs", "alike"), pl.Int64),  # alike: pairs in the same order by both
    **dict.fromkeys(("tau", "low", "high", "p"), pl.Float64),  # the interval is over prompts, p over orders of the arms
    "finding": pl.String,
}


def look_ahead_table(arms: Sequence[Arm], judgments: Judgments | None) -> pl.DataFrame:
    """Compare the arms' order by held-out loss with that by preference, their mean score against the others.

    There is a row, with the columns of LOOK_AHEAD, for each language and kind of raters (people, judges) with at least
    FEWEST_ARMS arms and FEWEST prompts. `tau` is positive if arms with a lower loss are preferred. Only the largest
    group of arms with equal `held_out_conditions` is compared.
    """
    rows: list[dict[str, Any]] = []
    if judgments is not None and len(arms) >= FEWEST_ARMS:
        conditions = {arm.name: held_out_conditions(arm) for arm in arms}
        [(most, _)] = Counter(conditions.values()).most_common(1)
        losses = {arm.name: arm.held_out_losses(LANGUAGES) for arm in arms if conditions[arm.name] == most}
        by_judge = pl.col("rater").is_in(list(judgments.judges))
        for measure, chosen in ((PREFERENCE, ~by_judge), (BY_JUDGES, by_judge)):
            part = judgments.verdicts.filter(chosen)
            for lang in LANGUAGES:
                known = {name: own[lang] for name, own in losses.items() if lang in own}
                rows += [{"lang": lang, "measure": measure} | row for row in _compare(part.filter(lang=lang), known)]
    return pl.DataFrame(rows, schema=LOOK_AHEAD)


def _compare(verdicts: pl.DataFrame, losses: dict[str, float]) -> Iterator[dict[str, Any]]:
    """Yield the row of one language and kind of raters; nothing below FEWEST_ARMS arms or FEWEST prompts.

    `losses` has the held-out loss of each arm by name.
    """
    pairs = verdicts.filter(pl.all_horizontal(pl.col("arm", "opponent").is_in(list(losses))))
    judged = set(pairs["arm"]) | set(pairs["opponent"])
    names = [name for name in losses if name in judged]
    if len(names) < FEWEST_ARMS or pairs["query_id"].n_unique() < FEWEST:
        return
    sums, counts = _score(pairs, names)
    weights = bootstrap_weights(len(sums))
    with np.errstate(invalid="ignore"):
        drawn = (weights @ sums) / (weights @ counts)
    rates, liking = sums.sum(axis=0) / counts.sum(axis=0), -np.array([losses[name] for name in names])
    tau = float(kendall_tau(rates, liking))
    [low], [high] = percentile_interval(kendall_tau(drawn, liking)[:, None])
    left, right = np.triu_indices(len(names), 1)
    alike = int(((rates[left] - rates[right]) * (liking[left] - liking[right]) > 0).sum())
    found = {"arms": len(names), "prompts": len(sums), "pairs": comb(len(names), 2), "alike": alike}
    p = permutation_p(rates, liking)
    yield found | {"tau": tau, "low": float(low), "high": float(high), "p": p, "finding": _conclude(low, high, p)}


def _score(verdicts: pl.DataFrame, names: Sequence[str]) -> tuple[Floats, Floats]:
    """Return the sums of each arm's scores on each prompt, and the numbers of scores summed, both (prompts, arms)."""
    place = {name: index for index, name in enumerate(names)}
    prompts = np.unique(verdicts["query_id"].to_numpy(), return_inverse=True)[1]
    sums, counts = np.zeros((2, int(prompts.max()) + 1, len(names)))
    scores = verdicts["score"].to_numpy()
    for side, own in (("arm", scores), ("opponent", 1 - scores)):
        columns = verdicts[side].replace_strict(place, return_dtype=pl.Int64).to_numpy()
        np.add.at(sums, (prompts, columns), own)
        np.add.at(counts, (prompts, columns), 1)
    return sums, counts


def _conclude(low: float, high: float, p: float) -> str:
    """Return in words whether arms may be chosen by their loss.

    Args:
        low, high: 95 % limits of τ over prompts. p: of an order of the arms by chance.
    """
    if low > 0 and p < LEVEL:
        return "a lower loss goes with being preferred"
    if high < 0:
        return "a lower loss goes with being preferred less: do not choose arms by it"
    return "not shown to order the arms as the raters do: do not choose arms by it"
