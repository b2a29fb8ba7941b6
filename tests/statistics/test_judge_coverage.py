"""How often the 95 % intervals of people and judges together hold the true win rate, beside people alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from coig.statistics.calibration import calibrate
from coig.statistics.rectified import Rate, Strata, estimate_rate, narrower
from tests.statistics.judged_worlds import World, make_world

STUDIES, AT_ONCE = 4_000, 250
CELLS = [*product((20, 50, 204), (0.5, 0.62, 0.8, 0.2), (0.0, 0.08))]


def simulate(prompts: int, further: int, agreement: float, **options: float) -> dict[str, float]:
    """Return the coverage of people alone and together, for these raters and for new ones, and the mean width."""
    rng = np.random.default_rng(round(1_000 * agreement) + prompts)
    found = []
    for _ in range(STUDIES // AT_ONCE):
        world = make_world(rng, AT_ONCE, prompts, further, agreement, **options)
        alone, both = estimate_both(world, prompts)
        held = [abs(rate.rate - world.these) <= rate.half for rate in (alone, both)]
        held += [abs(rate.rate - world.rate) <= rate.half_raters for rate in (alone, both)]
        found.append(np.stack([*held, both.half / alone.half]))
    names = ("alone", "together", "alone, new raters", "together, new raters", "width")
    return dict(zip(names, np.concatenate(found, axis=1).mean(axis=1).tolist(), strict=True))


def estimate_both(world: World, prompts: int) -> tuple[Rate, Rate]:
    several = world.strata.max() > 0
    strata = Strata(world.strata[:prompts], world.strata[prompts:]) if several else None
    predictions = calibrate(world.scores.mean(axis=-1), world.judged, world.others, 1, strata)
    alone = estimate_rate(world.scores)
    return alone, narrower(alone, estimate_rate(world.scores, predictions, strata))


def missed_goals(found: dict[str, float]) -> list[str]:
    """Return the goals that simulated intervals miss."""
    reached = {
        "these raters": 0.93 <= found["together"] <= 0.97,
        "new raters": 0.925 <= found["together, new raters"] <= 0.975,
        "never wider": found["width"] <= 1,
    }
    for name in ("", ", new raters"):
        reached[f"as people alone{name}"] = found[f"together{name}"] >= found[f"alone{name}"] - 0.015
    return [goal for goal, is_reached in reached.items() if not is_reached]


@pytest.mark.slow
@pytest.mark.parametrize(("prompts", "agreement", "taste"), CELLS)
def test_people_and_a_judge_cover_the_truth(prompts: int, agreement: float, taste: float) -> None:
    found = simulate(prompts, 557 - prompts, agreement, taste=taste)
    print(prompts, agreement, taste, found)
    assert missed_goals(found) == [], found
    assert found["width"] > 0.99 if agreement <= 0.5 else found["width"] < 0.99


@pytest.mark.slow
@pytest.mark.parametrize(("prompts", "agreement"), [*product((20, 50, 204), (0.62, 0.8))])
def test_with_very_many_further_prompts(prompts: int, agreement: float) -> None:
    found = simulate(prompts, 2_000, agreement, taste=0.08)
    assert missed_goals(found) == [], found


@pytest.mark.slow
@pytest.mark.parametrize("agreement", [0.5, 0.8])
def test_strata_that_differ(agreement: float) -> None:
    found = simulate(204, 353, agreement, taste=0.08, strata=3)
    assert missed_goals(found) == [], found
