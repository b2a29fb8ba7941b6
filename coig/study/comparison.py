"""Find in what arms, their points, studies and the paper differ: settings, data, code, what bears on results first."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coig.config.differences import bears_on_results, flatten
from coig.config.ratio import Ratio
from coig.config.stored import dump_config
from coig.study.arm import Arm
from coig.study.manifest import Git, Manifest
from coig.study.points import Point
from coig.study.provenance import CHECKOUT
from coig.study.roster import PAPER_ARMS, PAPER_CREATIVE, PAPER_LANGUAGES, paper_dose

# what is compared, by falling weight for results; every fact belongs to one of them
TRAINING, SETTINGS, DATA, CODE, VERSIONS, COMPUTER = "training", "setting", "data", "code", "version", "machine"
NO_EFFECT = "setting without effect on results"
SECTIONS = (TRAINING, SETTINGS, DATA, CODE, VERSIONS, COMPUTER, NO_EFFECT)
MOMENT = (TRAINING, "share of the steps")
NAMES = re.compile(r"(study|arm|vary|logger)(\..+)?")  # keys that only name an arm, here or to a logger
CODE_FILES = ("coig", "conf", "pyproject.toml")  # those of a checkout that bear on results
STEPS, LEARNED = "steps", "supervised tokens over all steps"
ABSENT = "–"
SHORT = 12  # characters of a hash that are shown

Facts = dict[tuple[str, str], Any]  # by section and key


@dataclass(frozen=True)
class Difference:
    """A fact in which arms differ, with the value of each as text; `ABSENT` where an arm has none."""

    section: str
    key: str
    values: tuple[str, ...]


def describe(arm: Arm) -> Facts:
    """Return {(section, key): value} of all facts of an arm or point that can be compared; its names are left out.

    Raises ConfigError if config or manifest is damaged.
    """
    manifest = arm.manifest()
    settings = {key: value for key, value in flatten(dump_config(arm.config())).items() if not NAMES.fullmatch(key)}
    facts: Facts = {
        (SETTINGS if bears_on_results(key) else NO_EFFECT, key): _canonical(value) for key, value in settings.items()
    }
    facts[MOMENT] = "1"
    facts |= {(DATA, key): value for key, value in _describe_data(manifest).items()}
    if isinstance(arm, Point):
        facts |= {MOMENT: arm.moment, (DATA, STEPS): arm.facts.step, (DATA, LEARNED): arm.facts.supervised_tokens}
    facts |= {(CODE, key): value for key, value in describe_code(manifest.git).items()}
    facts |= {(VERSIONS, name): version for name, version in (manifest.packages | manifest.versions).items()}
    facts |= {(COMPUTER, key): _canonical(value) for key, value in flatten(manifest.machine).items()}
    return facts


def _describe_data(manifest: Manifest) -> dict[str, Any]:
    """Return what a manifest says of an arm's data and of how long it saw them, by name."""
    data, training = manifest.data, manifest.training
    facts: dict[str, Any] = {
        "fingerprint": data.fingerprint[:SHORT],
        "token fingerprint": data.token_fingerprint and data.token_fingerprint[:SHORT],
        "creative examples": data.examples("creative"),
        "general examples": data.examples("general"),
        "general per creative": _dose(manifest),
        "supervised tokens": data.supervised_tokens,
        "truncated examples": data.truncated,
        "dropped examples": data.dropped,
    }
    for group in data.train:
        facts[f"examples, {group.kind} {group.lang} of {group.source}"] = group.examples
    facts |= {f"left out: {reason}": count for reason, count in data.left_out.items() if count}
    if training:
        facts |= {STEPS: training.steps, LEARNED: training.supervised_tokens}
    return facts


def _dose(manifest: Manifest) -> float | None:
    """Return an arm's general examples per creative one, with two decimals; None without creative ones."""
    creative = manifest.data.examples("creative")
    return round(manifest.data.examples("general") / creative, 2) if creative else None


def describe_code(git: Git | None) -> dict[str, Any]:
    """Return the revision, the files with changes that were not committed, and a hash of these; {} without `git`."""
    if git is None:
        return {}
    lines = str(git.diff or "").splitlines()
    files = sorted(line.rpartition(" b/")[2] for line in lines if line.startswith("diff --git"))
    changes = hashlib.sha256(json.dumps(git.diff, sort_keys=True).encode()).hexdigest()[:SHORT] if git.diff else None
    return {
        "revision": git.revision[:SHORT],
        "files with uncommitted changes": ", ".join(files) or None,
        "uncommitted changes (sha256)": changes,
    }


def _canonical(value: Any) -> Any:
    """Return a value with lists of texts sorted, such as tags: their order has no meaning. Order of numbers has."""
    return sorted(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value


def describe_paper(other: Facts) -> Facts:
    """Return what the paper states of its arm that has the same `data.ratio` as our arm with the facts `other`.

    If the paper has no such arm, `data.ratio` lists its five ratios, and numbers of examples are left out.
    """
    ratio = str(other.get((SETTINGS, "data.ratio")))
    facts: Facts = {
        MOMENT: "1",
        (SETTINGS, "data.ratio"): " or ".join(PAPER_ARMS.values()),
        (SETTINGS, "data.validation.creative"): 0,  # it trains on every triplet
        (SETTINGS, "model.name"): "qwen2.5-7b-instruct",
        (SETTINGS, "model.learning_rate"): 2e-5,
        (SETTINGS, "scheduler.warmup"): 0.1,
        (SETTINGS, "supervision.name"): "process",
        (SETTINGS, "trainer.max_epochs"): 3,
        (SETTINGS, "trainer.global_batch_size"): 32,
    }
    if ratio in PAPER_ARMS.values():
        parsed = Ratio.parse(ratio)
        facts[SETTINGS, "data.ratio"] = ratio
        facts[DATA, "creative examples"] = PAPER_CREATIVE if parsed.has_creative else 0
        facts[DATA, "general examples"] = round(parsed.general_examples(PAPER_CREATIVE, PAPER_LANGUAGES, 1))
        facts[DATA, "general per creative"] = round(paper_dose(parsed), 2) if parsed.has_creative else None
    return facts


def find_differences(columns: Sequence[Facts], keys: Collection[tuple[str, str]] | None = None) -> list[Difference]:
    """Return the facts in which the columns differ, by section and key; only those of `keys` if they are given.

    A fact that a column lacks equals None.
    """
    every = {fact for column in columns for fact in column} if keys is None else keys
    return [
        Difference(section, key, tuple(_show(column.get((section, key))) for column in columns))
        for section, key in sorted(every, key=lambda fact: (SECTIONS.index(fact[0]), fact[1]))
        if any(column.get((section, key)) != columns[0].get((section, key)) for column in columns[1:])
    ]


def _show(value: Any) -> str:
    """Return a fact's value as text: whole numbers above 9,999 with separators, None as a dash."""
    if value is None:
        return ABSENT
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and value > 9999 else str(value)


def group_differences(pairs: Mapping[str, tuple[Facts, Facts]], *, paper: bool) -> dict[Difference, list[str]]:
    """Return {difference: names of the pairs that have it}, sorted by section and key.

    Args:
        pairs: {arm's name: (facts of the arm in one study, facts of the arm that it is compared with)}.
        paper: whether the second of each pair is the paper, which states few facts; others are not compared.
    """
    found: dict[Difference, list[str]] = {}
    for name, (left, right) in pairs.items():
        for difference in find_differences((left, right), keys=right if paper else None):
            found.setdefault(difference, []).append(name)
    return dict(sorted(found.items(), key=lambda item: (SECTIONS.index(item[0].section), item[0].key)))


def summarize_code_changes(arms: Iterable[Arm], checkout: Path = CHECKOUT) -> str | None:
    """Return git's summary of what changed in the code between the two revisions that the arms were trained with.

    Returns None if they are not two, if the checkout does not know both, or if nothing of CODE_FILES changed. Arms
    without a recorded revision do not count.
    """
    revisions = list(dict.fromkeys(git.revision for arm in arms if (git := arm.manifest().git)))
    if len(revisions) != 2:
        return None
    command = ["git", "-C", str(checkout), "diff", "--stat=100", "--end-of-options", *revisions, "--", *CODE_FILES]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip() or None
    except (OSError, subprocess.CalledProcessError):
        return None
