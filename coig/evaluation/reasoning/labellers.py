"""Hold the cue rules, model judges and people who label steps of reasoning against each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from coig.records.label import BEHAVIOURS, Label
from coig.statistics.agreement import cohen_kappa
from coig.statistics.intervals import FEWEST, Floats, bootstrap_weights, percentile_interval

RULE = "cue rules"
STEP = ["arm", "query_id", "step"]
LABELS = {
    "arm": pl.String,
    "query_id": pl.String,
    "step": pl.Int64,
    **dict.fromkeys(("label", "labeller", "kind"), pl.String),
}
LABEL_AGREEMENT: dict[str, Any] = {
    **dict.fromkeys(("lang", "labeller", "kind", "against"), pl.String),  # kind: person or model
    "labels": pl.Int64,  # steps that both labelled
    **dict.fromkeys(("equal", "equal_low", "equal_high", "kappa", "kappa_low", "kappa_high"), pl.Float64),
    "unmatched": pl.Int64,  # the labeller's labels of steps that do not exist
}


def label_agreement(steps: pl.DataFrame, labels: Sequence[Label]) -> pl.DataFrame:
    """Measure the agreement of each labeller with the rule, and of any two labellers; columns as in LABEL_AGREEMENT.

    Two labellers have one row for each language, none if they share no step. `equal` is the share of equal labels,
    `kappa` Cohen's κ (null if both use a single behaviour), with 95 % intervals over resampled prompts, which are null
    below FEWEST prompts. `unmatched` is null between two labellers. People come before models.

    Args:
        steps: the frame of `label_steps`.
    """
    said = [label.model_dump() | {"kind": "person" if label.judge is None else "model"} for label in labels]
    given = pl.DataFrame(said, schema=LABELS)
    rows = []
    for (lang,), part in steps.partition_by("lang", as_dict=True, maintain_order=True).items():
        of_language = given.join(part, on="query_id", how="semi", maintain_order="left")
        rule = part.select(*STEP, other="behaviour")
        own = of_language.partition_by("kind", "labeller", as_dict=True, maintain_order=True)
        labellers = sorted(own, key=lambda name: name[0] != "person")
        for kind, labeller in labellers:
            both = own[kind, labeller].join(rule, on=STEP, how="left", maintain_order="left")
            facts = {"lang": lang, "labeller": labeller, "kind": kind, "against": RULE}
            rows.append(facts | _agreement(both.drop_nulls("other")) | {"unmatched": both["other"].null_count()})
        known = {name: own[name].join(rule, on=STEP, how="semi", maintain_order="left") for name in labellers}
        for first, second in combinations(labellers, 2):
            both = known[second].join(known[first].select(*STEP, other="label"), on=STEP, maintain_order="left")
            facts = {"lang": lang, "labeller": second[1], "kind": second[0], "against": first[1]}
            rows += [facts | _agreement(both)] if len(both) else []
    return pl.DataFrame(rows, schema=LABEL_AGREEMENT)


def _agreement(both: pl.DataFrame) -> dict[str, Any]:
    """Return the number of rows, the share whose `label` equals `other`, and Cohen's κ, with intervals.

    Keys are columns of LABEL_AGREEMENT; a figure that is not defined is left out, and intervals are None below FEWEST
    prompts.
    """
    if both.is_empty():
        return {"labels": 0}
    prompts, codes = np.unique(both["query_id"].to_numpy(), return_inverse=True)
    counts = np.zeros((len(prompts), len(BEHAVIOURS), len(BEHAVIOURS)))
    for code, label, other in zip(codes, both["label"], both["other"], strict=True):
        counts[code, BEHAVIOURS.index(label), BEHAVIOURS.index(other)] += 1
    drawn: Floats = np.tensordot(bootstrap_weights(len(prompts)), counts, axes=1)
    row: dict[str, Any] = {"labels": len(both)}
    for name, figure in (("equal", _share_of_equal), ("kappa", cohen_kappa)):
        value = float(figure(counts.sum(axis=0)))
        if np.isfinite(value):
            [low], [high] = percentile_interval(figure(drawn)[:, None])
            known = len(prompts) >= FEWEST
            row |= {name: value, f"{name}_low": low if known else None, f"{name}_high": high if known else None}
    return row


def _share_of_equal(counts: Floats) -> Floats:
    """Return the share of items that two labellers label alike, from counts (…, V, V) to (…); NaN without items."""
    share: Floats = np.trace(counts, axis1=-2, axis2=-1) / counts.sum(axis=(-1, -2))
    return share
