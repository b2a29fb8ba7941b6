"""The paper's published win rates as a dose and its response, and what other libraries say of the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, isotonic_regression, minimize
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.regression.linear_model import GLS

from coig.statistics.crossing import Crossing, find_crossing, place_weights
from coig.statistics.dose_curves import (
    KINDS,
    SCALES,
    curve_crossing,
    fit_curves,
    fit_monotone,
    nested_p,
    predict,
    tell_slope_from_step,
    trend_p,
    weigh_curves,
)
from coig.statistics.intervals import Floats
from coig.statistics.responses import Covariance, Responses, estimate_responses, responses_of_counts
from tests.statistics.dose_studies import DOSES

PAPER = {"zh": ([73, 86, 102, 128], 204), "en": ([83, 106, 149, 164], 353)}  # wins over general data alone, of verdicts
CORRELATED = np.array([[4.0, 1.5, 1.0, 0.5], [1.5, 3.0, 1.2, 0.4], [1.0, 1.2, 2.0, 0.9], [0.5, 0.4, 0.9, 2.5]]) / 100


def paper(lang: str) -> Responses:
    wins, trials = PAPER[lang]
    return responses_of_counts(DOSES, np.array(wins), trials)


def bent() -> Responses:
    """Return four dependent responses that fall once."""
    return Responses(DOSES, np.array([-0.5, 0.2, -0.1, 0.6]), Covariance(CORRELATED, 200))


@pytest.mark.parametrize(
    ("lang", "expected", "step", "kind"),
    [
        ("zh", {"log-linear": (3.8, 2.0), "square root": (4.3, 1.2), "linear": (5.9, 0.7)}, 8.5, "slope"),
        ("en", {"log-linear": (15.8, 0.3), "square root": (14.0, 1.0), "linear": (12.5, 6.9)}, 5.1, "cannot be told"),
    ],
)
def test_curves_of_the_papers_win_rates(
    lang: str, expected: dict[str, tuple[float, float]], step: float, kind: str
) -> None:
    curves = fit_curves(paper(lang))
    for name, (crossing, deviance) in expected.items():
        found = curve_crossing(curves[name], PAPER[lang][1] - 1)
        assert found is not None
        assert (found[0], float(curves[name].deviance)) == pytest.approx((crossing, deviance), abs=0.1)
    assert float(curves["one step"].deviance) == pytest.approx(step, abs=0.1)
    assert KINDS[int(tell_slope_from_step(curves, 4))] == kind
    assert trend_p(paper(lang)) < 0.001


def bracket_of(found: Crossing) -> tuple[float, float]:
    return float(found.bracket_low), float(found.bracket_high)


def test_where_the_papers_arms_equal_general_data() -> None:
    """Chinese 6.0 (2.3–7.9), tested arms 1.2–12; English > 12 (10.6 to > 12), tested arms 6 to > 12."""
    zh, en = find_crossing(paper("zh")), find_crossing(paper("en"))
    assert [round(float(end), 1) for end in (zh.point, zh.low, zh.high)] == [6.0, 2.3, 7.9]
    assert bracket_of(zh) == (1.2, 12.0)
    assert zh.shown == zh.high  # the lower limit rises above zero where the interval ends
    assert [round(float(end), 1) for end in (en.point, en.low, en.high)] == [np.inf, 10.6, np.inf]
    assert bracket_of(en) == (6.0, np.inf)


def test_limits_of_a_curves_crossing_are_where_its_interval_touches_zero() -> None:
    for name, (scale, _) in SCALES.items():
        curve = fit_curves(paper("zh"))[name]
        found = curve_crossing(curve, 203)
        assert found is not None
        for end in found[1:]:
            row = np.array([1.0, float(scale(np.array(end)))])
            assert abs(row @ curve.coefficients) == pytest.approx(
                1.9717 * np.sqrt(row @ curve.covariance @ row), rel=1e-3
            )


def with_intercept(column: Floats) -> Floats:
    return np.column_stack([np.ones(len(column)), column.astype(np.float64)])


def test_curves_are_those_of_statsmodels() -> None:
    responses = bent()
    for name, (scale, _) in SCALES.items():
        theirs = GLS(responses.values, with_intercept(scale(DOSES)), sigma=CORRELATED).fit()
        curve = fit_curves(responses)[name]
        assert curve.coefficients == pytest.approx(theirs.params, abs=1e-6)
        assert float(curve.deviance) == pytest.approx(misfit(theirs.fittedvalues, responses), abs=1e-6)
        assert curve.covariance == pytest.approx(theirs.normalized_cov_params, abs=1e-6)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_curves_of_counts_are_the_binomial_ones_of_statsmodels(lang: str) -> None:
    wins, trials = PAPER[lang]
    counts = np.column_stack([wins, trials - np.array(wins)])
    curves = fit_curves(paper(lang))
    places = {"one step": lambda dose: dose >= DOSES[int(curves["one step"].place)]}
    for name, scale in [*((name, scale) for name, (scale, _) in SCALES.items()), *places.items()]:
        theirs = GLM(counts, with_intercept(scale(DOSES)), family=Binomial()).fit()
        assert curves[name].coefficients == pytest.approx(theirs.params, abs=1e-4)
        assert float(curves[name].deviance) == pytest.approx(theirs.pearson_chi2, abs=1e-4)
        assert float(curves[name].deviance) == pytest.approx(theirs.deviance, abs=0.05)
        assert curves[name].covariance == pytest.approx(theirs.cov_params(), abs=1e-4)


def misfit(levels: Floats, responses: Responses) -> float:
    rest = responses.values - levels
    return float(rest @ np.linalg.solve(responses.covariance.of_prompts, rest))


def test_emax_and_monotone_are_those_of_scipy() -> None:
    responses = bent()
    curve = fit_curves(responses)["Emax"]
    smallest, largest = np.log([0.12, 120])

    def emax(parameters: Floats) -> float:
        start, rise, log_place = parameters
        return misfit(start + rise * DOSES / (DOSES + np.exp(log_place)), responses)

    starts = [minimize(emax, [-0.5, 1, log], bounds=[(None, None)] * 2 + [(smallest, largest)]) for log in (-1, 1, 4)]
    assert float(curve.deviance) == pytest.approx(min(found.fun for found in starts), abs=1e-4)
    monotone = fit_monotone(responses)
    assert monotone is not None
    rises = LinearConstraint(np.diff(np.eye(4), axis=0), 0, np.inf)
    theirs = minimize(
        misfit, np.linspace(-0.5, 0.5, 4), args=(responses,), constraints=rises, method="SLSQP", tol=1e-12
    )
    assert monotone[0] == pytest.approx(theirs.x, abs=1e-4)
    assert monotone[1] == pytest.approx(theirs.fun, abs=1e-4)


def test_monotone_of_independent_arms_is_the_isotonic_regression() -> None:
    variances = np.array([0.04, 0.01, 0.02, 0.03])
    values = np.array([0.3, 0.1, 0.2, -0.1])
    levels, _, count = fit_monotone(Responses(DOSES, values, Covariance(np.diag(variances), 100))) or (None, 0, 0)
    theirs = isotonic_regression(values, weights=1 / variances, increasing=False)
    assert levels == pytest.approx(theirs.x, abs=1e-9)
    assert count == len(theirs.blocks) - 1


def test_arms_of_equal_responses_are_one_level_of_monotone() -> None:
    """In whatever order the prompts are: with a level each the deviance is the same but for rounding."""
    rng = np.random.default_rng(0)
    verdicts = (rng.random((40, 4)) < [0.2, 0.5, 0.5, 0.8]).astype(np.float64)
    verdicts[:, 2] = rng.permutation(verdicts[:, 1])
    arms, prompts = np.repeat(np.arange(4), 40), np.tile(np.arange(40), 4)
    counts = []
    for _ in range(20):
        values = rng.permutation(verdicts).T.ravel()
        _, _, count = fit_monotone(estimate_responses(DOSES, values, arms, prompts)) or (None, 0, 0)
        counts.append(count)
    assert counts == [3] * 20


def test_dependence_between_arms_is_kept() -> None:
    """Two arms judged on the same prompts by the same answers differ by nothing at all."""
    values = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0] * 2)
    arms, prompts = np.repeat([0, 1], 6), np.tile(np.arange(6), 2)
    found = estimate_responses(np.array([0.0, 1.0]), values, arms, prompts)
    assert found.values == pytest.approx([2 / 3, 2 / 3])
    assert found.covariance.of_prompts == pytest.approx(np.full((2, 2), 2 / 9 / 5))
    assert not found.is_regular
    assert found.above(0).half_widths() == pytest.approx([0])


def test_an_arm_that_always_wins_keeps_an_interval() -> None:
    """Half a success and half a failure more: logit 12.5 / 0.5, variance 1 / 12.5 + 1 / 0.5."""
    values, arms, prompts = np.ones(24), np.repeat([0, 1], 12), np.tile(np.arange(12), 2)
    found = estimate_responses(np.array([0.0, 1.0]), values, arms, prompts).logits(np.array([12.0, 12.0]))
    assert found.values == pytest.approx([np.log(25)] * 2)
    assert found.covariance.of_prompts == pytest.approx(2.08 * np.eye(2))
    assert found.is_regular


def test_raters_of_different_tastes_widen_the_interval() -> None:
    """One rater always prefers the arm and the other never: of other raters nothing is known."""
    values, raters = np.tile([1.0, 0.0], 30), np.tile([0, 1], 30)
    prompts = np.repeat(np.arange(30), 2)
    found = estimate_responses(np.array([0.0]), values, np.zeros(60, dtype=np.intp), prompts, raters)
    assert found.half_widths() == pytest.approx([0])
    assert found.half_widths(new_raters=True)[0] > 5  # Student's t with 1 degree of freedom


@pytest.mark.parametrize(
    ("values", "point", "low", "high", "bracket"),
    [
        ([0.5, 0.6, 0.7, 0.8], 0.0, 0.0, 0.0, (0.0, 0.0)),  # above from the start
        ([-0.8, -0.7, -0.6, -0.5], np.inf, np.inf, np.inf, (12.0, np.inf)),  # below to the end
        ([0.0, 0.0, 0.0, 0.0], 0.0, 0.0, np.inf, (0.0, np.inf)),  # nothing is known
        ([-0.1, -0.5, -0.5, -0.5], np.inf, 0.0, np.inf, (0.0, np.inf)),  # an end that is below excludes no later dose
    ],
)
def test_ends_of_a_crossing(
    values: list[float], point: float, low: float, high: float, bracket: tuple[float, float]
) -> None:
    found = find_crossing(Responses(DOSES, np.array(values), Covariance(0.01 * np.eye(4), 200)))
    assert [float(end) for end in (found.point, found.low, found.high)] == [point, low, high]
    assert bracket_of(found) == bracket


def test_places_between_arms_are_straight_on_the_logarithm() -> None:
    weights, places = place_weights(DOSES)
    assert weights @ np.log2(1 + DOSES) == pytest.approx(places)
    assert weights[[0, 64, 128, 192]] == pytest.approx(np.eye(4))


def test_predictions_weights_and_nested_curves() -> None:
    curves = fit_curves(bent())
    step = predict(curves["one step"], np.array([5.9, 6.0, 11.9, 12.0]), DOSES)
    assert step[0] == step[1] == step[2] < step[3]
    for name in ("flat", "log-linear", "Emax"):
        fitted = predict(curves[name], DOSES, DOSES)
        assert misfit(fitted, bent()) == pytest.approx(float(curves[name].deviance), abs=1e-6)
    assert weigh_curves({"a": 1.0, "b": 1.0}, {"a": 1, "b": 2}) == pytest.approx({"a": 0.7311, "b": 0.2689}, abs=1e-4)
    assert nested_p(5.0, 1.16, 1) == pytest.approx(0.05, abs=0.001)


def test_three_arms_cannot_tell_a_slope_from_a_step() -> None:
    responses = Responses(DOSES[:3], np.array([-0.9, 0.0, 0.1]), Covariance(0.01 * np.eye(3), 200))
    assert KINDS[int(tell_slope_from_step(fit_curves(responses), 3))] == "cannot be told"
