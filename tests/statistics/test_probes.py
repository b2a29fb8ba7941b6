import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from coig.statistics.intervals import wilson_interval
from coig.statistics.probes import estimate_bias, estimate_share, estimate_slope


@pytest.mark.parametrize("of_prompt", [[1, 0], [1, 0, 0], [1, 0, 0, 1, 0, 0, 0], [0.1, 0.1]])
def test_prompts_that_are_all_alike_count_one_trial_each(of_prompt: list[float]) -> None:
    """The 12 prompts have equal means, of which some cannot be written exactly: the interval is not of no width."""
    mean, prompts = float(np.mean(of_prompt)), 12
    quantile = float(stats.t(prompts - 1).ppf(0.975))
    found = estimate_share(np.tile(of_prompt, prompts), np.repeat(np.arange(prompts), len(of_prompt)), neutral=0.5)
    assert (found.low, found.high) == pytest.approx(wilson_interval(mean * prompts, prompts, quantile))
    assert found.p == pytest.approx(2 * stats.t(prompts - 1).cdf(-abs(mean - 0.5) / (0.25 / prompts) ** 0.5))


def test_independent_values_have_wilsons_interval() -> None:
    """One value per prompt: as many trials as prompts, less the one that the variance costs."""
    values = np.repeat([1.0, 0.0], [300, 100])
    found = estimate_share(values, np.arange(400), neutral=0.5)
    low, high = wilson_interval(0.75 * 399, 399, float(stats.t(399).ppf(0.975)))
    assert (found.value, found.low, found.high) == pytest.approx((0.75, low, high))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0.5).pvalue)


def test_a_slope_is_that_of_regression_with_clustered_errors() -> None:
    rng = np.random.default_rng(3)
    prompts = np.repeat(np.arange(40), 3)
    covariate = rng.normal(size=120)
    scores = (0.3 * covariate + rng.normal(size=40)[prompts] + rng.normal(size=120) > 0).astype(float)
    found = estimate_slope(scores, covariate, prompts)
    settings = {"groups": prompts, "df_correction": True, "use_correction": False}
    fitted = sm.OLS(scores - 0.5, covariate).fit(cov_type="cluster", cov_kwds=settings, use_t=True)
    error = float(fitted.bse[0]) * (40 / 39) ** 0.5
    assert found is not None
    half = float(stats.t(39).ppf(0.975)) * error
    assert (found.value, found.low, found.high) == pytest.approx(
        (fitted.params[0], fitted.params[0] - half, fitted.params[0] + half)
    )
    assert found.p == pytest.approx(2 * stats.t(39).cdf(-abs(fitted.params[0]) / error))


def test_noise_of_two_raters_is_not_taken_for_a_bias() -> None:
    """People prefer the longer answer and the judge follows their preference alone; else a bias is found."""
    rng = np.random.default_rng(0)
    prompts = np.arange(20_000)
    covariate = rng.choice([-1.0, 1.0], size=len(prompts))
    preference = 0.5 + 0.3 * covariate + rng.uniform(-0.2, 0.2, size=len(prompts))
    scores = (rng.random((len(prompts), 2)) < preference[:, None]).astype(float)
    found = estimate_bias(preference, scores, covariate, prompts)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    naive = sm.OLS(preference - 0.5, np.column_stack([scores.mean(axis=1) - 0.5, covariate])).fit()
    assert naive.params[1] > 0.15 > found.high
