"""Win rates of people and judges together: agreement with ppi-python, exact cases, and intervals that never widen."""

from __future__ import annotations

import numpy as np
import pytest

from coig.statistics.calibration import calibrate
from coig.statistics.raters import estimate_rater_variance
from coig.statistics.rectified import Predictions, Strata, estimate_rate, narrower
from coig.statistics.worth import estimate_correlation, moments_of, worth_in_labels
from tests.statistics.judged_worlds import make_world
from tests.statistics.ppi_python import FIGURES, make_data


@pytest.mark.parametrize("correlation", FIGURES)
def test_one_rater_and_one_judge_give_the_figures_of_ppi_python(correlation: float) -> None:
    verdicts, judged, further = make_data(correlation)
    predictions = calibrate(verdicts, judged[:, None], further[:, None], judges=1)
    found = estimate_rate(verdicts[:, None], predictions)
    ends = float(found.rate), float(found.rate - found.half), float(found.rate + found.half)
    assert ends == pytest.approx(FIGURES[correlation], abs=1e-3)


def test_people_alone_have_the_mean_and_a_t_interval() -> None:
    scores = np.array([[1, 1], [1, 0], [0, 0], [1, 0.5]])
    found = estimate_rate(scores)
    assert float(found.rate) == pytest.approx(4.5 / 8)
    # means of prompts 1, ½, 0, ¾: variance 0.1822917, t of 3 degrees of freedom 3.182446
    assert float(found.half) == pytest.approx(3.182446 * np.sqrt(0.1822917 / 4), rel=1e-5)


def test_predictions_move_the_rate_by_what_the_further_prompts_have_more() -> None:
    scores = np.array([[1.0], [0.0], [1.0], [0.0]])
    predictions = Predictions(np.array([0.3, 0.1, 0.3, 0.1]), np.array([0.3, 0.3, 0.3, 0.1]))
    assert float(estimate_rate(scores, predictions).rate) == pytest.approx(0.5 + 0.25 - 0.2)


def test_strata_weigh_as_much_as_they_have_prompts() -> None:
    scores, nothing = np.array([[1.0], [1.0], [0.0], [0.0]]), Predictions(np.zeros(4), np.zeros(6))
    strata = Strata(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0, 0, 1]))
    assert float(estimate_rate(scores, nothing, strata).rate) == pytest.approx(7 / 10)


def test_an_adversarial_judge_adds_nothing() -> None:
    world = make_world(np.random.default_rng(0), 1, 100, 400, 0.2)
    predictions = calibrate(world.scores.mean(axis=-1), world.judged, world.others, judges=1)
    assert not predictions.judged.any()
    assert not predictions.others.any()


@pytest.mark.parametrize("agreement", [0.2, 0.5, 0.62, 0.8])
def test_no_interval_is_wider_than_that_of_people_alone(agreement: float) -> None:
    world = make_world(np.random.default_rng(1), 200, 20, 500, agreement, taste=0.08)
    alone = estimate_rate(world.scores)
    predictions = calibrate(world.scores.mean(axis=-1), world.judged, world.others, judges=1)
    found = narrower(alone, estimate_rate(world.scores, predictions))
    assert (found.half <= alone.half).all()
    assert (found.half_raters <= alone.half_raters).all()
    same = found.half == alone.half
    assert (found.rate[same] == alone.rate[same]).all()


def test_a_data_set_gives_the_same_alone_and_among_others() -> None:
    world = make_world(np.random.default_rng(2), 3, 30, 60, 0.7)
    together = calibrate(world.scores.mean(axis=-1), world.judged, world.others, judges=1)
    for number in range(3):
        one = calibrate(world.scores[number].mean(axis=-1), world.judged[number], world.others[number], judges=1)
        np.testing.assert_allclose(one.judged, together.judged[number], atol=1e-12)
        np.testing.assert_allclose(one.others, together.others[number], atol=1e-12)


def test_a_prompt_is_predicted_without_its_own_verdict() -> None:
    world = make_world(np.random.default_rng(3), 1, 40, 80, 0.8)
    means = world.scores[0].mean(axis=-1)
    before = calibrate(means, world.judged[0], world.others[0], judges=1).judged
    slopes = before / np.where(world.judged[0, :, 0] == 0, 1, world.judged[0, :, 0])
    changed = means.copy()
    changed[7] = 1 - changed[7]
    after = calibrate(changed, world.judged[0], world.others[0], judges=1).judged
    assert np.isfinite(slopes).all()
    assert abs(after[7] - before[7]) < 0.02 < np.abs(before).max()  # λ alone looks at it, through other predictions


def test_two_judges_are_worth_more_than_either() -> None:
    rng = np.random.default_rng(4)
    world = make_world(rng, 1, 400, 800, 0.7)
    means = world.scores[0].mean(axis=-1)
    second = means - 0.5 + rng.normal(size=400)  # another judge, with errors of its own
    both = np.column_stack([world.judged[0, :, 0], second])
    codes = np.zeros(400, dtype=np.intp)
    worths = [
        estimate_correlation(moments_of(means, features - features.mean(axis=0), features.shape[1], codes))[0]
        for features in (both[:, :1], both[:, 1:], both)
    ]
    assert worths[2] > max(worths[:2]) + 0.03


@pytest.mark.parametrize(("agreement", "worth"), [(0.54, 1.01), (0.62, 1.06), (0.68, 1.15), (0.75, 1.33), (0.8, 1.56)])
def test_worth_of_a_judge_of_balanced_verdicts(agreement: float, worth: float) -> None:
    assert worth_in_labels(2 * agreement - 1, 200, np.inf) == pytest.approx(worth, abs=0.005)


def test_a_judge_against_people_is_worth_nothing() -> None:
    assert worth_in_labels(-0.6, 200, 1000) == 1.0


def test_variance_between_raters_of_a_full_table_is_that_of_mean_squares() -> None:
    scores = np.random.default_rng(5).random((30, 4)) + np.array([0.0, 0.1, 0.2, 0.4])
    found = estimate_rater_variance(scores)
    assert found is not None
    of_raters = 30 * scores.mean(axis=0).var(ddof=1)
    residuals = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    noise = (residuals**2).sum() / (29 * 3)
    assert float(found.variance) == pytest.approx((of_raters - noise) / 30)
    assert found.freedom == 3


def test_variance_between_raters_who_share_few_prompts() -> None:
    rng, found = np.random.default_rng(6), []
    for _ in range(400):
        scores = rng.normal(size=(60, 1)) + 0.5 * rng.normal(size=(1, 6)) + rng.normal(size=(60, 6))
        for row, kept in zip(scores, rng.permuted(np.tile(np.arange(6), (60, 1)), axis=1) < 2, strict=True):
            row[~kept] = np.nan
        between = estimate_rater_variance(scores)
        assert between is not None
        found.append(float(between.variance))
    assert np.mean(found) == pytest.approx(0.25, abs=0.03)


def test_one_rater_does_not_tell_of_others() -> None:
    assert estimate_rater_variance(np.ones((9, 1))) is None
    assert np.isnan(estimate_rate(np.arange(8.0)[:, None] % 2).half_raters)


def test_raters_who_differ_as_much_as_noise_explains_do_not_differ() -> None:
    """In whatever order the prompts are: the mean squares are equal, and only rounding decides which is larger."""
    verdicts = ("010", "010", "011", "011", "100", "100", "110")
    scores = np.array([[float(one) for one in prompt] for prompt in verdicts])
    halves = set()
    for seed in range(20):
        shuffled = np.random.default_rng(seed).permutation(scores)
        between = estimate_rater_variance(shuffled)
        assert between is not None
        assert float(between.variance) == 0
        halves.add(round(float(estimate_rate(shuffled).half_raters), 9))
    assert len(halves) == 1


@pytest.mark.parametrize("verdict", [0.0, 0.5, 1.0])
def test_verdicts_that_do_not_vary_have_no_width(verdict: float) -> None:
    """Their interval is then not taken for one of no width: sums of 1/n are not always 1."""
    assert {float(estimate_rate(np.full((prompts, 3), verdict)).half) for prompts in range(8, 100)} == {0.0}


def test_a_judge_who_always_says_the_same_is_worth_nothing() -> None:
    verdicts = np.random.default_rng(7).random(60)
    for prompts in range(8, 60):
        features = np.full((prompts, 1), 0.2)
        moments = moments_of(verdicts[:prompts], features - features.mean(axis=0), 1, np.zeros(prompts, np.intp))
        assert estimate_correlation(moments)[0] == 0
