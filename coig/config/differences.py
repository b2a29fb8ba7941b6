"""Compare two configs: which settings that affect results differ."""

from __future__ import annotations

import re
from typing import Any

# keys that may change between two runs of one arm without changing its results
RUN_ONLY = frozenset(
    {
        "study",
        "arm",
        "resume",
        "overwrite",
        "plan",
        "divergence",
        "failures",
        "retries",
        "logger",
        "vary",
        "question",
        "objective",
        "data.cache",
        "data.max_quarantined",
        "trainer.tokens_per_micro_batch",
        "trainer.activation_checkpointing",
        "trainer.compile",
        "trainer.devices",
        "trainer.num_nodes",
        "trainer.checkpoint_every",
        "trainer.checkpoint_minutes",
        "trainer.keep_checkpoint",
        "trainer.answer_at",
        "trainer.enable_progress_bar",
        "trainer.log_every_n_steps",
    }
)
PLACE_OF_DATA = re.compile(r"(budget\.like\.)?data\.((.+\.)?path|queries)")


def list_differences(old: dict[str, Any], new: dict[str, Any], *, same_data: bool = False) -> list[str]:
    """Compare two nested dicts: return `key: old → new`, sorted, for every differing value that affects results.

    A missing key equals null.

    Args:
        same_data: both runs read identical examples, so differing paths of data files are ignored.
    """
    before, after = flatten(old), flatten(new)
    return [
        f"{key}: {before.get(key, '(absent)')} → {after.get(key, '(absent)')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
        and bears_on_results(key)
        and not (same_data and PLACE_OF_DATA.fullmatch(key))
    ]


def bears_on_results(key: str) -> bool:
    """Tell whether a change of this dotted key can change an arm's results: all but those of RUN_ONLY and licences."""
    return not {key, key.partition(".")[0]} & RUN_ONLY and not key.endswith(".licence")


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Return {dotted key: value} for a nested dict; a list is one value, an empty dict is left out.

    Keys begin with `prefix`, if given; a `node` that is no dict gives {prefix: node}.
    """
    if not isinstance(node, dict):
        return {prefix: node}
    children = [flatten(child, f"{prefix}.{key}" if prefix else str(key)) for key, child in node.items()]
    return {key: value for own in children for key, value in own.items()}
