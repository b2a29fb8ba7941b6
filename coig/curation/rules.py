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

OUTCOMES: dict[Decision, State] = {"accept": "accepted", "refine": "refine", "remove": "removed"}


@dataclass(frozen=True)
class ScoreResult:
    """Whether a triplet's scores are high enough; `reasons` say what is too low."""

    passed: bool
    total: float
    reasons: tuple[str, ...]


def judge_scores(given: Sequence[Mapping[str, int]], rules: Accept) -> ScoreResult:
    """Apply the rule of scores: the mean of each score over the scorers, and the sum of the means.

    Args:
        given: each scorer's six scores; at least one scorer.
    """
    means = {name: fmean(scores[name] for scores in given) for name in SCORES}
    total = sum(means.values())
    reasons = [f"{name}: {mean:g}, below {rules.least}" for name, mean in means.items() if mean < rules.least]
    if total < rules.least_sum:
        reasons.append(f"sum: {total:g}, below {rules.least_sum}")
    return ScoreResult(not reasons, total, tuple(reasons))


def decide(decisions: Sequence[Decision], needed: int) -> Decision | None:
    """Return what reviewers have decided together, None while another decision is wanted.

    Reviewers who all agree decide. If they do not, one more is asked, and the majority decides; without a majority the
    triplet is refined, for it is neither good enough as it is nor lost.

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
    """Return the six scores that each scorer last gave a version of the triplet, by name; None: of the last version."""
    return {name: value["scores"] for name, value in _last_of(text, "score", number).items()}


def decisions_of(text: Text, number: int | None = None) -> dict[str, Decision]:
    """Return what each reviewer last decided about a version of the triplet, by name; None: about the last version."""
    return {name: value["decision"] for name, value in _last_of(text, "review", number).items()}


def _last_of(text: Text, kind: str, number: int | None) -> dict[str, dict[str, Any]]:
    """Return the value of everybody's last event of a kind about a version of the triplet."""
    number = number or text.triplet.number
    return {event.by.name: event.value for event in text.of_kind(kind) if event.version == number}


def former_reviewers(text: Text) -> set[str]:
    """Return who reviewed the last version before this one that was reviewed; empty in the first round."""
    for version in reversed(text.triplets[:-1]):
        if reviewers := set(decisions_of(text, version.number)):
            return reviewers
    return set()


def wanted_reviewers(text: Text, rules: Accept) -> tuple[int, set[str]]:
    """Return how many more reviewers a triplet needs, and who must be among them; an empty set means anybody.

    In a further round these are the reviewers of the round before; only if they disagree may somebody else join.
    """
    decided, needed = decisions_of(text), rules.reviewers_of(text.genre)
    missing = former_reviewers(text) - set(decided)
    return max(1, len(missing), needed - len(decided)), missing


def decide_review(text: Text, rules: Accept) -> Decision | None:
    """Return what the reviewers of the last version have decided together, None while another decision is wanted."""
    decided, same = decisions_of(text), former_reviewers(text)
    if same - set(decided):
        return None
    return decide(list(decided.values()), rules.reviewers_of(text.genre))
