"""Variances are split as they were made, and an arm's error knows of its seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from coig.statistics.crossing import find_crossing
from coig.statistics.intervals import Floats
from coig.statistics.noise import add_seeds, variance_parts
from coig.statistics.power import Design
from coig.statistics.responses import Responses, estimate_responses
from tests.statistics.dose_studies import CURVES, DOSES, interpolated_crossing

TRUE = {"prompts": 0.5, "seeds": 0.3, "raters": 0.2, "answers": 0.4, "rest": 1.0}


def design(arms: int, prompts: int, seeds: int, raters: int) -> dict[str, Any]:
    """Return the indices of a balanced design: every rater judges every seed's answer to every prompt."""
    shape = arms, prompts, seeds, raters
    arm, prompt, seed, rater = (axis.ravel() for axis in np.indices(shape))
    run = arm * seeds + seed
    answer = prompt * arms * seeds + run
    return {"arm": arm, "prompts": prompt, "seeds": run, "raters": rater, "answers": answer}


def draw(of: dict[str, Any], rng: np.random.Generator) -> Floats:
    """Return observations whose variances are those of TRUE; a prompt or rater has an effect of its own in each arm."""
    values: Floats = of["arm"].astype(np.float64)
    for name, variance in TRUE.items():
        levels = of["arm"] * 10_000 + of[name] if name != "rest" else np.arange(len(values))
        code = np.unique(levels, return_inverse=True)[1]
        values = values + np.sqrt(variance) * rng.standard_normal(int(code.max()) + 1)[code]
    return values


@pytest.mark.parametrize("kept", [1.0, 0.6])
def test_variances_are_split_as_they_were_made(kept: float) -> None:
    rng, of = np.random.default_rng(0), design(arms=4, prompts=40, seeds=3, raters=3)
    factors = ("prompts", "seeds", "raters", "answers")
    found = []
    for _ in range(60):
        chosen = rng.random(len(of["arm"])) < kept  # not every rater judges everything
        values = draw(of, rng)[chosen]
        found.append(variance_parts(values, of["arm"][chosen], {name: of[name][chosen] for name in factors}))
    for name, variance in TRUE.items():
        assert np.mean([one[name] for one in found]) == pytest.approx(variance, abs=0.06)


def test_a_balanced_design_gives_the_analysis_of_variance() -> None:
    of = design(arms=1, prompts=12, seeds=3, raters=1)
    values = np.random.default_rng(1).standard_normal(36) + 2 * of["seeds"] + of["prompts"]
    table = values.reshape(12, 3)
    of_prompts, of_seeds = table.mean(axis=1), table.mean(axis=0)
    rest = ((table - of_prompts[:, None] - of_seeds + table.mean()) ** 2).sum() / (11 * 2)
    found = variance_parts(values, of["arm"], {name: of[name] for name in ("prompts", "seeds", "raters", "answers")})
    assert set(found) == {"prompts", "seeds", "rest"}  # one rater; an answer is an observation
    assert found["rest"] == pytest.approx(rest)
    assert found["seeds"] == pytest.approx(of_seeds.var(ddof=1) - rest / 12)
    assert found["prompts"] == pytest.approx(of_prompts.var(ddof=1) - rest / 3)


def responses_of(values: Floats, of: dict[str, Any], shares: bool = False) -> Responses:
    found = estimate_responses(np.arange(float(of["arm"].max() + 1)), values, of["arm"], of["prompts"])
    return add_seeds(found, values, of["arm"], of["prompts"], of["seeds"], are_shares=shares)


def test_one_seed_says_nothing_of_others() -> None:
    of = design(arms=2, prompts=20, seeds=1, raters=1)
    found = responses_of(np.random.default_rng(0).standard_normal(40), of)
    assert found.covariance.of_seeds is None
    assert found.covariance.total is found.covariance.of_prompts


def test_an_arms_error_includes_its_seeds() -> None:
    """Seeds differ by 2, so a mean of two of them has a variance of about 1 besides that of its prompts."""
    of = design(arms=2, prompts=50, seeds=2, raters=1)
    values = np.random.default_rng(0).standard_normal(200) * 0.1 + 2.0 * (of["seeds"] % 2)
    found = responses_of(values, of)
    seeds = found.covariance.of_seeds
    assert seeds is not None
    assert seeds == pytest.approx(np.eye(2), abs=0.05)
    assert found.covariance.seed_freedom == 2
    assert found.half_widths() == pytest.approx([4.3, 4.3], rel=0.05)  # Student's t with 2 degrees of freedom
    above = found.above(0).covariance
    assert above.total[0, 0] == pytest.approx(found.covariance.total.trace(), rel=0.05)


def test_seeds_of_the_opponent_are_shared_by_all_arms() -> None:
    of = design(arms=2, prompts=50, seeds=2, raters=1)
    values = np.random.default_rng(0).standard_normal(200) * 0.1 + 2.0 * (of["seeds"] % 2)
    found = estimate_responses(np.array([0.0, 1.0]), values, of["arm"], of["prompts"])
    both = add_seeds(found, values, of["arm"], of["prompts"], of["seeds"], of["seeds"] % 2)
    assert both.covariance.of_seeds == pytest.approx(np.array([[2, 1], [1, 2]]), abs=0.1)


def test_seeds_of_a_rare_event_differ_less() -> None:
    """49 and 63 per cent under two seeds say that 2 per cent may be 1 or 4, not 16."""
    of = design(arms=2, prompts=100, seeds=2, raters=1)
    shares = np.array([[0.49, 0.63], [0.02, 0.02]])
    values = (of["prompts"] * 37 % 100 < 100 * shares[of["arm"], of["seeds"] % 2]).astype(np.float64)
    seeds = responses_of(values, of, shares=True).covariance.of_seeds
    assert seeds is not None
    assert seeds[1, 1] / seeds[0, 0] == pytest.approx(0.02 * 0.98 / (0.56 * 0.44))


def test_prompts_do_not_replace_seeds() -> None:
    design = Design(effect=0.6, raters=4, spread=0.03)
    assert design.prompts_for_new_seeds(1, 4) is None
    assert design.prompts_for_new_seeds(2, 4) is None  # however many prompts there are
    three, eight = design.prompts_for_new_seeds(3, 4), design.prompts_for_new_seeds(8, 4)
    assert three
    assert eight
    assert three > 1.5 * eight > 1.5 * design.prompts(4)
    alike = Design(effect=0.6, raters=4, spread=0.0).prompts_for_new_seeds(100, 4)
    assert alike == pytest.approx(design.prompts(4), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "spread"), [(2, 0.25), (3, 0.25), (3, 0.0)])
def test_intervals_hold_for_new_seeds(seeds: int, spread: float) -> None:
    """Logits of arms differ between seeds by `spread`; without it in the error, the interval would not hold."""
    rng, logits, prompts, studies = np.random.default_rng(0), CURVES["log-linear"](DOSES), 204, 600
    of = design(arms=4, prompts=prompts, seeds=seeds, raters=1)
    where, held, without = interpolated_crossing(logits)[0], 0, 0
    for _ in range(studies):
        shifts = (
            spread * rng.standard_normal(4 * seeds) - spread * rng.standard_normal(seeds)[np.arange(4 * seeds) % seeds]
        )
        liking = 1.7 * rng.standard_normal((4, prompts))[of["arm"], of["prompts"]]  # prompts differ, too
        scale = np.sqrt(1 + 1.7**2 * np.pi / 8)  # of a logistic-normal share
        chance = 1 / (1 + np.exp(-(scale * (logits[of["arm"]] + shifts[of["seeds"]]) + liking)))
        won = (rng.random(len(chance)) < chance).astype(np.float64)
        plain = estimate_responses(DOSES, won, of["arm"], of["prompts"])
        runs, opponents = of["seeds"], of["seeds"] % seeds
        whole = add_seeds(plain, won, of["arm"], of["prompts"], runs, opponents, are_shares=True)
        counts = np.full(4, float(prompts))
        for responses, is_whole in ((whole, True), (plain, False)):
            found = find_crossing(responses.logits(counts))
            hit = bool(found.low <= where <= found.high)
            held, without = held + (hit and is_whole), without + (hit and not is_whole)
    print(f"{seeds} seeds, spread {spread}: held {held / studies:.1%}, without their error {without / studies:.1%}")
    assert held / studies >= 0.93
    assert without / studies < 0.9 or spread == 0
