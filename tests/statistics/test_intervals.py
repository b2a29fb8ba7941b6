import numpy as np
import pytest

from coig.statistics.intervals import share_interval, wilson_interval


def test_wilson_interval_of_the_papers_contamination() -> None:
    """43/353 = 12.18 %; limits from statsmodels' proportion_confint(43, 353, method="wilson")."""
    low, high = wilson_interval(43, 353)
    assert (round(low, 4), round(high, 4)) == (0.0917, 0.1601)
    assert wilson_interval(0, 10)[0] == 0.0


def test_a_share_of_none_or_all_keeps_an_interval() -> None:
    """Of three shares of 10 prompts, the resampled ones are all 0, all 1, and spread; a fourth is not known."""
    spread = np.linspace(0, 1, 41)
    estimates = np.column_stack([np.zeros(41), np.ones(41), spread, np.full(41, np.nan)])
    low, high = share_interval(estimates, np.array([0, 1, 0.5, np.nan]), np.full(4, 10.0))
    assert low == pytest.approx([0, 1 - 0.2775, 0.025, np.nan], abs=5e-5, nan_ok=True)  # 10 / (10 + 1.96²) = 0.7225
    assert high == pytest.approx([0.2775, 1, 0.975, np.nan], abs=5e-5, nan_ok=True)
