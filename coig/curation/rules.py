"""The rules by which a triplet is accepted: six scores, and the decisions of independent reviewers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from coig.config.curation import Accept
from coig.curation.records import SCORES, Decision, State
from coig.curation.store import Text

PAPER_RANGES = {"prompt": (30, 2642), "reasoning": (252, 4094), "article": (12, 31071)}  # characters
OUTCOMES: dict[Decision, State] = {"accept": "accepted", "refine": "refine", "remove": "removed"}


@dataclass(frozen=True)
class ScoreResult:
    """Whether a triplet's scores are high enough.

    `means` are the scorers' means by score, `total` is their sum, `reasons` say what is too low.
    """

    passed: bool
    means: dict[str, float]
    total: float
    reasons: tuple[str, ...]


def judge_scores(given: Sequence[Mapping[str, int]], rules: Accept) -> ScoreResult:
    """Tell whether scores are high enough: each score's mean over the scorers, and the sum of these six means.

    Args:
        given: each scorer's six scores; at least one scorer.
    """
    means = {name: fmean(scores[name] for scores in given) for name in SCORES}
    total = sum(means.values())
    reasons = [f"{name}: {mean:g}, below {rules.least}" for name, mean in means.items() if mean < rules.least]
    if total < rules.least_sum:
        reasons.append(f"sum: {total:g}, below {rules.least_sum}")
    return ScoreResult(not reasons, means, total, tuple(reasons))


def decide(decisions: Sequence[Decision], needed: int) -> Decision | None:
    """Return what reviewers have decided together, None while another decision is wanted.

    If the first `needed` reviewers agree, they decide. Otherwise one more is asked, and the decision of more than half
    counts; if there is none, it is `refine`.

    Args:
        decisions: one of each reviewer of the version.
        needed: how many reviewers are asked at first.
    """
    if len(decisions) < needed:
        return None
    counts = Counter(decisions).most_common()
    if len(counts) == 1:
        return counts[0][0]
    if len(decisions) == needed:
        return None
    return counts[0][0] if counts[0][1] > len(decisions) / 2 else "refine"


def scores_of(text: Text, number: int | None = None) -> dict[str, dict[str, int]]:
    """Return {scorer's name: {name of a score: 1–10}} for the triplet's version `number`; None: for the last version.

    If somebody has scored a version twice, the later scores count.
    """
    return {name: value["scores"] for name, value in _last_of(text, "score", number).items()}


def decisions_of(text: Text, number: int | None = None) -> dict[str, Decision]:
    """Return {reviewer's name: decision} about the triplet's version `number`; None: about the last version.

    If somebody has decided twice about a version, the later decision counts.
    """
    return {name: value["decision"] for name, value in _last_of(text, "review", number).items()}


def _last_of(text: Text, kind: str, number: int | None) -> dict[str, dict[str, Any]]:
    """Return {person's name: value of the person's last event of a kind about the version `number`}.

    None is the last version. Raises IndexError if `number` is None and there is no triplet.
    """
    number = number or text.triplet.number
    return {event.by.name: event.value for event in text.of_kind(kind) if event.version == number}


def former_reviewers(text: Text) -> set[str]:
    """Return the names of all who reviewed the version before the last one, or the latest before it that was reviewed.

    The set is empty in the first round.
    """
    for version in reversed(text.triplets[:-1]):
        if reviewers := set(decisions_of(text, version.number)):
            return reviewers
    return set()


def wanted_reviewers(text: Text, rules: Accept) -> tuple[int, set[str]]:
    """Return how many more reviewers a triplet needs, at least 1, and the names of those who must review it first.

    The names are the reviewers of the round before who have not decided yet; with an empty set anybody may review.
    """
    decided, needed = decisions_of(text), rules.reviewers_of(text.genre)
    missing = former_reviewers(text) - set(decided)
    return max(1, len(missing), needed - len(decided)), missing


def decide_review(text: Text, rules: Accept) -> Decision | None:
    """Return what the reviewers of the last version have decided together, None while another decision is wanted.

    It is None as long as a reviewer of the round before has not decided.
    """
    decided, same = decisions_of(text), former_reviewers(text)
    if same - set(decided):
        return None
    return decide(list(decided.values()), rules.reviewers_of(text.genre))
