"""Fit curves to responses, weigh them, test for a trend, and tell a slope from a step.

A curve is a + b·x(dose), where x is log₂(1 + dose), √dose, the dose itself, dose / (dose + d) (Emax), or 0 below some
arm and 1 from there on (one step). *flat* has b = 0, and *monotone* gives each arm its own level, without a turn. All
are fitted by generalised least squares on the covariance of the arms, so that the dependence of arms that share their
prompts is kept. For logits of shares the weights follow the fitted shares, as in a generalised linear model: if the
arms are independent, the fit is the binomial one (McCullagh & Nelder 1989). A curve's deviance is its weighted sum of
squares (Pearson's), χ² distributed if the curve is right.

Shapes: K arms, C candidate designs, P coefficients; … one entry per data set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from scipy.special import chdtrc, chdtri, stdtrit

from coig.statistics.intervals import Floats
from coig.statistics.responses import Responses

SCALES: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {  # x(dose) and its inverse
    "log-linear": (lambda dose: np.log2(1 + dose), lambda x: 2**x - 1),
    "square root": (np.sqrt, np.square),
    "linear": (lambda dose: dose, lambda x: x),
}
SMOOTH = (*SCALES, "Emax")
PARAMETERS = {"flat": 1, **dict.fromkeys(SCALES, 2), "Emax": 3, "one step": 3}
HALF_DOSES = (0.1, 10)  # Emax: d lies between the first times the smallest dose and the last times the largest
ROUNDS, CANDIDATES = 4, 41  # of the search for d, each round around the best candidate of the one before
REWEIGHTINGS = 8
LARGEST_LOGIT = 12.0
SAME = 1e-9  # deviances that differ by less are equal but for rounding
MOST_ARMS = 12  # of the monotone curve, which tries every partition of the arms
DRAWS = 20_000
LEVEL = 0.05
# how much nearer in deviance than the other a slope, or a step, must be to be named: noise makes a bent slope look like
# a step more often than a step like a slope
SLOPE_LEAD, STEP_LEAD = 2.0, 4.0
Kind = Literal["no dose effect shown", "slope", "step", "neither", "cannot be told"]
KINDS: tuple[Kind, ...] = ("no dose effect shown", "slope", "step", "neither", "cannot be told")


@dataclass(frozen=True)
class Curve:
    """A fitted curve.

    deviance: (…), its weighted sum of squares. parameters: their number, for the AIC. coefficients, covariance:
    (…, P) and (…, P, P). place: (…), d of Emax, or the index of the first arm of the upper level; NaN for others.
    """

    name: str
    deviance: Floats
    parameters: int
    coefficients: Floats
    covariance: Floats
    place: Floats


def fit_curves(responses: Responses) -> dict[str, Curve]:
    """Return by name every curve but *monotone*, fitted to each data set.

    `responses` must be regular and have at least two doses. Raises numpy.linalg.LinAlgError if the covariance of the
    arms is singular.
    """
    doses, count = responses.doses, len(responses.doses)
    ones = np.ones(count)
    curves = {"flat": _best_design("flat", responses, ones[None, :, None], np.array([np.nan]))}
    for name, (scale, _) in SCALES.items():
        curves[name] = _best_design(name, responses, np.stack([ones, scale(doses)], axis=-1)[None], np.array([np.nan]))
    curves["Emax"] = _fit_emax(responses)
    steps = np.arange(1, count)
    upper = (np.arange(count) >= steps[:, None]).astype(np.float64)
    designs = np.stack([np.ones_like(upper), upper], axis=-1)
    curves["one step"] = _best_design("one step", responses, designs, steps.astype(np.float64))
    return curves


def _best_design(name: str, responses: Responses, designs: Floats, places: Floats) -> Curve:
    """Fit candidate designs, (…, C, K, P), and return the curve of the one with the smallest deviance.

    `places`, (…, C), has the value of `Curve.place` of each candidate.
    """
    coefficients, covariance, deviances = _fit_designs(responses, designs)
    best = deviances.argmin(axis=-1)[..., None]

    def pick(of_candidates: Floats) -> Floats:
        """Return the best candidate's entry for each data set; `of_candidates` is (…, C) or has further axes behind."""
        axis = deviances.ndim - 1
        index = best.reshape(*best.shape, *[1] * (of_candidates.ndim - deviances.ndim))
        picked: Floats = np.take_along_axis(of_candidates, index, axis=axis).squeeze(axis)
        return picked

    place = pick(np.broadcast_to(places, deviances.shape))
    return Curve(name, pick(deviances), PARAMETERS[name], pick(coefficients), pick(covariance), place)


def fit_columns(responses: Responses, columns: Floats) -> float:
    """Fit one data set's responses by a weighted sum of columns, (K, P), without an intercept; return the deviance.

    The fit is as in `_fit_designs`. Without columns, the fitted responses are all zero.
    """
    if not columns.shape[1]:
        return float(responses.values @ np.linalg.solve(responses.covariance.total, responses.values))
    return float(_fit_designs(responses, columns[None])[2][0])


def _fit_designs(responses: Responses, designs: Floats) -> tuple[Floats, Floats, Floats]:
    """Fit designs, (…, C, K, P); return coefficients, (…, C, P), their covariance, (…, C, P, P), and deviances, (…, C).

    For logits, the working responses and weights of a generalised linear model are updated REWEIGHTINGS times. The
    correlations between the arms stay as they were estimated.
    """
    precision = np.linalg.inv(responses.covariance.total)[..., None, :, :]
    target = values = responses.values[..., None, :]
    observed, scales = _slopes(values), np.ones_like(values)
    for _ in range(REWEIGHTINGS if responses.are_logits else 1):
        design = designs * scales[..., None]
        turned = design.swapaxes(-1, -2) @ precision
        normal = turned @ design
        solved = np.linalg.solve(normal, turned @ (scales * target)[..., None])
        coefficients = solved[..., 0].astype(np.float64)
        fitted = (designs @ coefficients[..., None])[..., 0]
        rest = scales * (target - fitted)
        if responses.are_logits:
            slopes = _slopes(fitted)
            target, scales = fitted + (_shares(values) - _shares(fitted)) / slopes, np.sqrt(slopes / observed)
    deviances: Floats = ((rest[..., None, :] @ precision)[..., 0, :] * rest).sum(axis=-1)
    covariance: Floats = np.broadcast_to(np.linalg.inv(normal), (*deviances.shape, *normal.shape[-2:]))
    return coefficients, covariance, deviances


def _shares(logits: Floats) -> Floats:
    """Return the shares (0–1) of logits, which are cut off at ±LARGEST_LOGIT."""
    shares: Floats = 1 / (1 + np.exp(-logits.clip(-LARGEST_LOGIT, LARGEST_LOGIT)))
    return shares


def _slopes(logits: Floats) -> Floats:
    """Return the derivative of the shares with respect to their logits, share · (1 − share)."""
    shares = _shares(logits)
    return shares * (1 - shares)


def _fit_emax(responses: Responses) -> Curve:
    """Return the best Emax curve of each data set; its d is looked for between the limits of HALF_DOSES."""
    doses = responses.doses
    low, high = np.log(HALF_DOSES[0] * doses[doses > 0].min()), np.log(HALF_DOSES[1] * doses.max())
    centre, reach = np.full(responses.values.shape[:-1], (low + high) / 2), (high - low) / 2
    for _ in range(ROUNDS):
        logs = np.clip(centre[..., None] + reach * np.linspace(-1, 1, CANDIDATES), low, high)
        half_doses = np.exp(logs)
        rising = doses / (doses + half_doses[..., None])
        curve = _best_design("Emax", responses, np.stack([np.ones_like(rising), rising], axis=-1), half_doses)
        centre, reach = np.log(curve.place), reach * 4 / (CANDIDATES - 1)
    return curve


def fit_monotone(responses: Responses) -> tuple[Floats, float, int] | None:
    """Fit one data set's levels, (K,), so that they never fall, or never rise, whichever is nearer to the responses.

    It is the exact projection (Robertson, Wright & Dykstra 1988), found by trying every division of the arms, in order,
    into groups of one level; of equal ones that of the fewest groups counts. Return the arms' levels, the deviance and
    the number of groups; None for more than MOST_ARMS arms.
    """
    count = len(responses.doses)
    if count > MOST_ARMS:
        return None
    best: tuple[Floats, float, int] | None = None
    for size in range(count):
        cuts = np.array(list(combinations(range(1, count), size)), dtype=np.intp).reshape(comb(count - 1, size), size)
        blocks = (np.arange(count) >= cuts[..., None]).sum(axis=1)
        designs = (blocks[..., None] == np.arange(size + 1)).astype(np.float64)
        levels, _, deviances = _fit_designs(responses, designs)
        gaps = np.diff(levels, axis=-1)
        deviances = np.where((gaps >= 0).all(axis=-1) | (gaps <= 0).all(axis=-1), deviances, np.inf)
        found = int((deviances < deviances.min() + SAME).argmax())
        if best is None or deviances[found] < best[1] - SAME:
            best = designs[found] @ levels[found], float(deviances[found]), size + 1
    return best


def predict(curve: Curve, doses: Floats, arms: Floats) -> Floats:
    """Return a curve's responses at doses, (D,), for one data set; `arms`, (K,), are the doses that were tested."""
    if curve.name == "flat":
        return np.full(len(doses), curve.coefficients[0])
    if curve.name == "Emax":
        x = doses / (doses + curve.place)
    elif curve.name == "one step":
        x = (doses >= arms[int(curve.place)]).astype(np.float64)
    else:
        x = SCALES[curve.name][0](doses)
    predicted: Floats = curve.coefficients[0] + curve.coefficients[1] * x
    return predicted


def curve_crossing(curve: Curve, freedom: float) -> tuple[float, float, float] | None:
    """Return the dose at which a rising curve reaches zero, and its 95 % limits (Fieller), for one data set.

    The dose may lie beyond the tested ones; it is 0 if the curve begins at zero or above, ∞ if Emax never reaches zero.
    Limits are 0 and ∞ if the slope may be zero, and NaN for Emax. Return None for a curve that is flat or a step, or
    does not rise. `freedom`: degrees of freedom of the curve's covariance.
    """
    if curve.name not in SMOOTH or curve.coefficients[1] <= 0:
        return None
    start, rise = map(float, curve.coefficients)
    x = max(0.0, -start / rise)
    if curve.name == "Emax":
        return (float(curve.place * x / (1 - x)) if x < 1 else np.inf), np.nan, np.nan
    back = SCALES[curve.name][1]
    square_of_t = float(stdtrit(freedom, 0.975)) ** 2
    of_start, of_both, of_rise = map(float, curve.covariance[[0, 0, 1], [0, 1, 1]])
    square, half = rise**2 - square_of_t * of_rise, start * rise - square_of_t * of_both
    root = max(0.0, half**2 - square * (start**2 - square_of_t * of_start)) ** 0.5
    if square <= 0:  # the slope may be zero, so the crossing may lie anywhere beyond
        return float(back(np.array(x))), 0.0, np.inf
    low, high = (float(back(np.array(max(0.0, (-half + sign * root) / square)))) for sign in (-1, 1))
    return float(back(np.array(x))), low, high


def weigh_curves(deviances: Mapping[str, float], parameters: Mapping[str, int]) -> dict[str, float]:
    """Return the Akaike weights of curves by name, from deviances and numbers of parameters by name; they sum to 1.

    Burnham & Anderson 2002, Model Selection and Multimodel Inference.
    """
    criteria = np.array([deviances[name] + 2 * parameters[name] for name in deviances])
    weights = np.exp(-(criteria - criteria.min()) / 2)
    return dict(zip(deviances, map(float, weights / weights.sum()), strict=True))


def trend_p(responses: Responses, seed: int = 0) -> float:
    """Test one data set for any dose effect with the best contrast for each candidate shape; return a two-sided p.

    It is the first step of MCP-Mod (Bretz, Pinheiro & Branson 2005, Biometrics 61:738). The largest contrast is
    compared with DRAWS draws of the multivariate t distribution of all contrasts.
    """
    doses, count = responses.doses, len(responses.doses)
    smallest = doses[doses > 0].min()
    shapes = [scale(doses) for scale, _ in SCALES.values()] + [doses / (doses + smallest)]
    shapes += [(np.arange(count) >= step).astype(np.float64) for step in range(1, count)]
    precision = np.linalg.inv(responses.covariance.total)
    column = precision.sum(axis=1)
    contrasts = np.array([precision @ (shape - column @ shape / column.sum()) for shape in shapes])
    covariance = contrasts @ responses.covariance.total @ contrasts.T
    errors = np.sqrt(np.diag(covariance))
    observed = np.abs(contrasts @ responses.values / errors).max()
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((DRAWS, count)) @ np.linalg.cholesky(responses.covariance.total).T
    freedom = responses.covariance.prompts - 1
    largest = np.abs(noise @ contrasts.T / errors).max(axis=1) / np.sqrt(rng.chisquare(freedom, DRAWS) / freedom)
    return float((1 + (largest >= observed).sum()) / (1 + DRAWS))


def tell_slope_from_step(curves: Mapping[str, Curve], arms: int) -> Floats:
    """Return for each data set the place in KINDS of what the deviances of its curves show, (…).

    1. *No dose effect shown* if flat is not rejected. 2. *Slope* if the best step is rejected and the best smooth curve
    is nearer by more than SLOPE_LEAD; *step* the other way round, by more than STEP_LEAD. 3. Else *neither* if both are
    rejected, and it *cannot be told* if one of them is not. Fewer than four arms cannot tell the two apart.

    Args:
        curves: by name, as `fit_curves` returns them. arms: K; the degrees of freedom follow from it.
    """
    step, smooth = curves["one step"].deviance, best_smooth(curves)
    flat = curves["flat"].deviance <= chdtri(max(1, arms - 1), LEVEL)
    if arms < 4:
        return np.where(flat, KINDS.index("no dose effect shown"), KINDS.index("cannot be told"))
    no_step, no_slope = step > chdtri(arms - 2, LEVEL), smooth > chdtri(arms - 3, LEVEL)
    found = [flat, no_step & (step - smooth > SLOPE_LEAD), no_slope & (smooth - step > STEP_LEAD), no_step & no_slope]
    return np.select(found, list(range(len(found))), KINDS.index("cannot be told"))


def best_smooth(curves: Mapping[str, Curve]) -> Floats:
    """Return the smallest deviance of the smooth curves, (…)."""
    smallest: Floats = np.minimum.reduce([curves[name].deviance for name in SMOOTH])
    return smallest


def nested_p(deviance: float, full: float, freedom: int) -> float:
    """Return p of the hypothesis that none of the `freedom` coefficients that the full curve adds is needed (χ²).

    `deviance` is of the curve without these coefficients, `full` of the curve with them.
    """
    return float(chdtrc(freedom, max(0.0, deviance - full)))
