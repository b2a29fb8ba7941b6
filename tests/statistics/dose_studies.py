"""Simulated studies of a dose: Thurstone rankings of four arms and general data alone, at the paper's doses.

A rater's liking of an answer is the arm's strength + what prompt and arm have in common + the rater's taste for the arm
+ noise. The strengths are set so that the arms' win rates over general data alone have the logits of a curve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from coig.statistics.intervals import Floats
from coig.statistics.responses import Covariance, Responses

DOSES = np.array([0.0, 1.2, 6.0, 12.0])
TASTE = 0.18  # standard deviation of a rater's taste for an arm, 5 points of win rate; prompt × arm and noise have 1
BATCH = 250  # studies drawn at once
CURVES: dict[str, Callable[[Floats], Floats]] = {  # logit of the win rate over general data alone, by dose
    "log-linear": lambda dose: -0.6 + 0.25 * np.log2(1 + dose),
    "Emax": lambda dose: -0.8 + 1.3 * dose / (dose + 2.5),
    "quadratic": lambda dose: -0.5 + 0.09 * dose - 0.0025 * dose**2,
    "irregular": lambda dose: np.interp(dose, DOSES, [-0.6, -0.1, -0.25, 0.5]),
    "one step at 4": lambda dose: np.where(dose < 4, -0.45, 0.35),
    "rise inside (6, 12)": lambda dose: np.where(dose < 9, -0.4, 0.4),
    "beyond 12": lambda dose: -1.2 + 0.22 * np.log2(1 + dose),
    "none": lambda dose: np.full_like(dose, -0.5),
}


@dataclass(frozen=True)
class Studies:
    """Responses (logits) of many simulated studies, (S, K), and the logits that their own raters would give in the
    long run, (S, K)."""

    responses: Responses
    of_these_raters: Floats


def simulate(
    logits: Floats, prompts: int, raters: int, studies: int, taste: float = TASTE, doses: Floats = DOSES, seed: int = 0
) -> Iterator[Studies]:
    """Yield `studies` studies in batches, in which every rater ranks the answers to every prompt."""
    rng = np.random.default_rng(seed)
    count = len(doses)
    spread = np.sqrt(2 * (2 + taste**2))
    strengths = spread * ndtri(1 / (1 + np.exp(-logits)))
    for start in range(0, studies, BATCH):
        size = min(BATCH, studies - start)
        tastes = taste * rng.standard_normal((size, 1, raters, count + 1))
        liking = rng.standard_normal((size, prompts, 1, count + 1)) + tastes
        liking = liking + rng.standard_normal((size, prompts, raters, count + 1))
        won = (liking[..., :-1] + strengths > liking[..., -1:]).astype(np.float64)
        leads = strengths + tastes[..., :-1] - tastes[..., -1:]
        theirs = ndtr(leads / 2)[:, 0].mean(axis=1)
        yield Studies(responses_of_verdicts(won, doses), np.log(theirs / (1 - theirs)))


def responses_of_verdicts(won: Floats, doses: Floats) -> Responses:
    """Return the logits and their clustered covariance from verdicts, (S, prompts, raters, K), 1 or 0."""
    _, prompts, raters, count = won.shape
    rates = won.mean(axis=(1, 2))
    rest = (won - rates[:, None, None]) / (prompts * raters)
    by_prompt, by_rater = rest.sum(axis=2), rest.sum(axis=1)
    covariance = Covariance(by_prompt.swapaxes(1, 2) @ by_prompt * prompts / (prompts - 1), prompts)
    if raters > 1:
        cells = rest.reshape(len(won), -1, count)
        number = prompts * raters
        covariance = replace(
            covariance,
            of_raters=by_rater.swapaxes(1, 2) @ by_rater * raters / (raters - 1),
            of_cells=cells.swapaxes(1, 2) @ cells * number / (number - 1),
            raters=raters,
        )
    return Responses(doses, rates, covariance).logits(np.full(count, float(prompts)))


def interpolated_crossing(logits: Floats, doses: Floats = DOSES) -> Floats:
    """Return where straight lines on log₂(1 + dose) between the logits, (S, K), reach zero first; 0 or ∞ if so."""
    places = np.log2(1 + doses)
    found = []
    for row in np.atleast_2d(logits):
        above = np.flatnonzero(row >= 0)
        if not len(above):
            found.append(np.inf)
        elif above[0] == 0:
            found.append(0.0)
        else:
            k = above[0]
            found.append(2 ** np.interp(0, row[k - 1 : k + 1], places[k - 1 : k + 1]) - 1)
    return np.array(found)


def true_crossing(curve: Callable[[Floats], Floats]) -> float:
    """Return the smallest dose up to the last arm at which a curve's logit is zero or more; ∞ if there is none."""
    doses = np.linspace(0, DOSES[-1], 120_001)
    reached = np.flatnonzero(curve(doses) >= 0)
    return float(doses[reached[0]]) if len(reached) else np.inf
