"""Turn scores of single answers into verdicts and rankings, for judges that see one answer at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from coig.config.judging import Asked
from coig.judging.cases import Case, Opinion

SCORED: tuple[Asked, ...] = ("pairs", "ranking")  # what can be said by scores alone


def opinion_by_scores(case: Case, scores: Sequence[float], tie: float, scale: float = 1.0) -> Opinion:
    """Return the opinion of a judge for whom higher scores are better: ranks of a ranking, else a verdict on a pair.

    A verdict has a `soft` probability, a ranking has none. A text's rank is 1 plus the number of texts that are better
    by at least `tie`.

    Args:
        scores: one for each text.
        tie: a smaller difference of two scores is a tie, and so is a difference of 0.
        scale: the probability that the first of a pair wins is the logistic function of scale · (difference), as in the
            Bradley–Terry model (1952, Biometrika 39:324).
    """
    if case.asked == "ranking":
        return Opinion([1 + sum(other - own >= max(tie, 1e-12) for other in scores) for own in scores])
    difference = scores[0] - scores[1]
    soft = 1 / (1 + math.exp(-max(-500.0, min(500.0, scale * difference))))
    value = "tie" if abs(difference) < tie or difference == 0 else "a" if difference > 0 else "b"
    return Opinion(value, soft)
