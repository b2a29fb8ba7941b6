"""Agreement beside `krippendorff`'s figures and scipy's, and where it cannot be told."""

import krippendorff
import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from coig.evaluation.preferences.agreement import agreement_table, rater_table, rating_table
from coig.evaluation.preferences.judgments import RANK, RATING, VERDICT, Judgments
from coig.statistics.agreement import kendall_w, mean_spearman

NO_JUDGMENTS = Judgments(pl.DataFrame(schema=VERDICT), pl.DataFrame(schema=RANK), pl.DataFrame(schema=RATING))


def ratings(table: list[list[float | None]]) -> Judgments:
    """Return a table of (raters, answers) as ratings, every answer of a query of its own."""
    rows = [
        (f"q{answer}", "zh", f"r{rater}", "cw", "overall", value)
        for rater, values in enumerate(table)
        for answer, value in enumerate(values)
        if value is not None
    ]
    return Judgments(NO_JUDGMENTS.verdicts, NO_JUDGMENTS.ranks, pl.DataFrame(rows, schema=RATING, orient="row"))


# Krippendorff (2011), section C: four observers, twelve units
OBSERVERS: list[list[float | None]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def test_alpha_of_the_published_example() -> None:
    [row] = agreement_table(ratings(OBSERVERS)).to_dicts()
    assert row["alpha"] == pytest.approx(0.815, abs=5e-4)
    table = [[np.nan if value is None else value for value in values] for values in OBSERVERS]
    expected = krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal")
    assert row["alpha"] == pytest.approx(expected, abs=1e-9)
    assert row["alpha_low"] < row["alpha"] < row["alpha_high"]
    assert (row["raters"], row["items"], row["kendall_w"]) == (4, 12, None)


def test_alpha_of_random_ratings_is_the_librarys() -> None:
    draw = np.random.default_rng(0)
    for _ in range(5):
        table = draw.integers(0, 4, (3, 40)).astype(float)
        [row] = agreement_table(ratings(table.tolist()), resamples=10).to_dicts()
        expected = krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal")
        assert row["alpha"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("table", "note"),
    [([[1.0, 2.0, 3.0]], "no item has two raters"), ([[2.0, 2.0], [2.0, 2.0]], "no variation to agree on")],
)
def test_what_cannot_be_told_is_said(table: list[list[float | None]], note: str) -> None:
    [row] = agreement_table(ratings(table)).to_dicts()
    assert note in row["note"]
    assert row["alpha"] is row["alpha_low"] is row["kendall_w"] is None


def test_the_mean_of_spearmans_is_scipys_and_that_of_concordance() -> None:
    """Kendall's W gives the same mean without ties only."""
    draw = np.random.default_rng(1)
    for ties in (False, True):
        ranks = draw.integers(1, 4, (4, 6)).astype(float) if ties else np.array([draw.permutation(6) for _ in range(4)])
        w = kendall_w(ranks)
        assert w is not None
        mean = np.mean([spearmanr(ranks[a], ranks[b]).statistic for a in range(4) for b in range(a)])
        assert mean_spearman(ranks) == pytest.approx(mean, abs=1e-9)
        assert ties or (4 * w - 1) / 3 == pytest.approx(mean, abs=1e-9)
    assert kendall_w(np.ones((3, 4))) is None
    assert kendall_w(np.array([[1, 2, 3]] * 3)) == 1.0
    assert mean_spearman(np.array([[1, 2, 3], [1, 1, 1], [3, 2, 1]])) == pytest.approx(-1)  # of the two who rank
    assert mean_spearman(np.array([[1, 2, 3], [1, 1, 1]])) is None


def test_random_rankings_have_a_w_of_one_over_raters_and_a_rho_of_none() -> None:
    draw = np.random.default_rng(2)
    rows = [
        (f"q{query}", "en", f"r{rater}", arm, float(rank))
        for query in range(200)
        for rater in range(4)
        for arm, rank in zip("abcde", draw.permutation(5) + 1, strict=True)
    ]
    ranks = pl.DataFrame(rows, schema=RANK, orient="row")
    [row] = agreement_table(Judgments(NO_JUDGMENTS.verdicts, ranks, NO_JUDGMENTS.ratings)).to_dicts()
    assert row["kendall_w"] == pytest.approx(0.25, abs=0.02)
    assert row["mean_spearman"] == pytest.approx(0, abs=0.03)
    assert row["alpha_low"] < 0 < row["alpha_high"]


def test_a_severe_rater_is_seen() -> None:
    table = rater_table(ratings([[2, 3, 2], [1, 2, 1], [2, 3, 2]]))
    assert dict(table.select("rater", "severity").iter_rows()) == pytest.approx({"r0": -0.5, "r1": 1.0, "r2": -0.5})
    assert rater_table(ratings([[2, 3, 2]]))["severity"].to_list() == [None]


def test_raters_who_rank_the_same_arms_need_not_rank_all() -> None:
    rows = [
        (f"q{query}", "en", rater, arm, float(rank))
        for query in range(6)
        for rater in ("ann", "bob")
        for rank, arm in enumerate("abc" if query % 2 else "abd", 1)
    ]
    ranks = pl.DataFrame(rows, schema=RANK, orient="row")
    [row] = agreement_table(Judgments(NO_JUDGMENTS.verdicts, ranks, NO_JUDGMENTS.ratings)).to_dicts()
    assert (row["kendall_w"], row["mean_spearman"]) == pytest.approx((1, 1))
    assert row["note"] == ""


def test_means_of_ratings() -> None:
    [row] = rating_table(ratings([[0, 1, 2, 3, 3, 3, 2], [1, 1, 2, 3, 3, 2, 2]]).ratings, ["cw"]).to_dicts()
    assert (row["dimension"], row["arm"], row["ratings"], row["prompts"]) == ("overall", "cw", 14, 7)
    assert row["low"] < row["mean"] == 2.0 < row["high"]
    [few] = rating_table(ratings([[0, 3]]).ratings, ["cw"]).to_dicts()
    assert (few["mean"], few["low"]) == (1.5, None)
