from coig.statistics.intervals import wilson_interval


def test_wilson_interval_of_the_papers_contamination() -> None:
    """43/353 = 12.18 %; limits from statsmodels' proportion_confint(43, 353, method="wilson")."""
    low, high = wilson_interval(43, 353)
    assert (round(low, 4), round(high, 4)) == (0.0917, 0.1601)
    assert wilson_interval(0, 10)[0] == 0.0
