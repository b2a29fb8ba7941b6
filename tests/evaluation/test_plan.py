"""Whether further arms and prompts narrow the interval of R₅₀ as the plan says: pytest -m slow"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from coig.evaluation.findings.doses import fit_with_weights
from coig.statistics.crossing import find_crossing
from coig.statistics.intervals import Floats
from coig.statistics.next_arm import add_arm, expect_interval, interval_width, scale_error
from coig.statistics.responses import Covariance, Responses
from tests.statistics.dose_studies import CURVES, DOSES, simulate

PILOTS, STUDIES, PROMPTS, LARGEST = 100, 2_000, 204, 12.0
NEW, MORE = 2.9, 50


def pilots(logits: Floats) -> list[Responses]:
    """Return small studies one by one, each with the average of its fitted curves as its values."""
    found = []
    for study in simulate(logits, PROMPTS, 1, PILOTS, taste=0):
        of_studies = study.responses.covariance.of_prompts
        for values, covariance in zip(study.responses.values, of_studies, strict=True):
            one = Responses(DOSES, values, Covariance(covariance, PROMPTS), are_logits=True)
            fitted = fit_with_weights(one)
            assert fitted is not None
            found.append(replace(one, values=fitted.average(DOSES, DOSES)))
    return found


def realised(curve: Callable[[Floats], Floats], doses: Floats, prompts: int) -> float:
    """Return the mean width of the interval in studies of this design."""
    widths = []
    for study in simulate(curve(doses), prompts, 1, STUDIES, taste=0, doses=doses, seed=1):
        found = find_crossing(study.responses)
        widths.append(interval_width(found.low, found.high, LARGEST))
    return float(np.concatenate(widths).mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["log-linear", "Emax", "quadratic"])
def test_promised_and_realised_widths(name: str) -> None:
    curve = CURVES[name]
    designs = pilots(curve(DOSES))
    for what, change, doses, prompts in (
        ("as it is", lambda one: one, DOSES, PROMPTS),
        ("new arm", lambda one: add_arm(one, NEW, _between(one)), np.insert(DOSES, 2, NEW), PROMPTS),
        ("more prompts", lambda one: scale_error(one, PROMPTS / (PROMPTS + MORE)), DOSES, PROMPTS + MORE),
    ):
        promised = float(np.mean([expect_interval(change(one), LARGEST).width for one in designs]))
        found = realised(curve, doses, prompts)
        print(f"{name}, {what}: promised {promised:.2f}, realised {found:.2f}")
        assert promised == pytest.approx(found, rel=0.15)


def _between(one: Responses) -> float:
    """Return the level of the new arm on the straight line between its neighbours."""
    return float(np.interp(np.log2(1 + NEW), np.log2(1 + DOSES), one.values))


def test_a_further_arm_is_like_the_others() -> None:
    covariance = np.array([[0.04, 0.01], [0.01, 0.02]])
    found = add_arm(Responses(np.array([0.0, 6.0]), np.array([-1.0, 1.0]), Covariance(covariance, 100)), 2.0, 0.3)
    assert found.doses.tolist() == [0, 2, 6]
    assert found.values.tolist() == [-1, 0.3, 1]
    expected = [[0.04, 0.01, 0.01], [0.01, 0.03, 0.01], [0.01, 0.01, 0.02]]
    assert found.covariance.of_prompts == pytest.approx(np.array(expected))


def test_more_prompts_narrow_the_expected_interval() -> None:
    design = Responses(DOSES, np.array([-0.6, -0.3, 0.1, 0.4]), Covariance(0.02 * np.eye(4), 204))
    now, later = (expect_interval(scale_error(design, factor), 12) for factor in (1, 0.25))
    assert later.width == pytest.approx(now.width / 2, rel=0.2)
    assert 0 < now.low < later.low < 5 < later.high < now.high
