"""What a ratio buys and costs: scores and divergence get curves, and words that their intervals allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coig.evaluation.findings.cells import group_by_seed
from coig.evaluation.findings.doses import dose_tables
from coig.evaluation.findings.responses import Measure, Observed
from coig.evaluation.findings.scored import tabulate_scores
from coig.evaluation.findings.trade_offs import order_measures, trade_offs_in_words, weigh_change
from coig.records.score import Score
from coig.statistics.responses import estimate_responses
from coig.study.arm import Arm
from tests.studies import make_arm, make_group

VALUES = {"cw": (0.5, 2.0), "cw+1k": (0.45, 1.5), "cw+5k": (0.35, 1.2), "general": (0.3, 0.8)}  # score, KL


@pytest.fixture
def arms(tmp_path: Path) -> list[Arm]:
    ratios = {"cw": "0", "cw+1k": "1k", "cw+5k": "5k", "general": "general"}
    general = {"cw": 0, "cw+1k": 60, "cw+5k": 300, "general": 300}
    found = []
    for name, ratio in ratios.items():
        groups = [make_group(examples=51)] if name != "general" else []
        groups += [make_group("general", general[name])] if general[name] else []
        far = [{"lang": "zh", "nats": VALUES[name][1], "stderr": 0.05, "texts": 16, "tokens": 900}]
        found.append(make_arm(tmp_path / "s" / name, ratio=ratio, data={"train": groups}, divergence=far))
    return found


def test_scores_and_divergence_have_curves(arms: list[Arm]) -> None:
    scores = [
        Score(arm=arm, task="gsm8k", metric="exact_match", value=value, stderr=0.01, n=1000)
        for arm, (value, _) in VALUES.items()
    ]
    table = tabulate_scores(arms, scores)
    found = dose_tables(group_by_seed(arms), arms, None, None, 0.1, table)
    doses = found["doses"].filter(lang="zh", measure="score: gsm8k exact_match")
    assert doses["dose"].to_list() == [0, pytest.approx(60 / 51), pytest.approx(300 / 51), None]
    assert doses["value"].to_list() == [0.5, 0.45, 0.35, 0.3]
    assert doses["low"][0] == pytest.approx(0.5 - 1.96 * 0.01, abs=0.002)
    assert set(found["doses"]["measure"]) == {"score: gsm8k exact_match", "divergence"}
    assert found["doses"].filter(lang="en")["measure"].unique().to_list() == ["score: gsm8k exact_match"]
    rows = {row["measure"]: row for row in found["trade_offs"].filter(lang="zh").iter_rows(named=True)}
    score, far = rows["score: gsm8k exact_match"], rows["divergence"]
    assert (score["finding"], score["change"]) == ("costs", pytest.approx(-0.15))
    assert score["high"] == pytest.approx(-0.15 + 1.96 * 0.01 * 2**0.5, abs=0.001)
    assert (far["finding"], far["first"], far["last"]) == ("buys", 2.0, 1.2)
    [chinese, english] = trade_offs_in_words(found["trade_offs"])
    assert chinese.main == (
        "From R = 0 to 5.9, more general data buys: a smaller distance from the base model (KL). "
        "It costs: less in gsm8k (exact_match)."
    )
    assert english.others == ("Gsm8k (exact_match): 50.0 → 35.0 % (−15.0 points [−17.8, −12.2]), worse.",)


def test_a_change_within_chance_is_not_named(arms: list[Arm]) -> None:
    scores = [
        Score(arm=arm, task="mmlu", metric="acc", value=value, stderr=0.2, n=30) for arm, (value, _) in VALUES.items()
    ]
    found = dose_tables(group_by_seed(arms), arms, None, None, 0.1, tabulate_scores([], scores))
    assert found["trade_offs"]["finding"].to_list() == ["not shown", "not shown"]
    assert "buys: nothing shown. It costs: nothing shown." in trade_offs_in_words(found["trade_offs"])[0].main


@pytest.mark.parametrize(("last", "ends", "finding"), [(0, (-0.2775, 0.2775), "not shown"), (1, (0.608, 1), "buys")])
def test_shares_that_do_not_vary_leave_the_change_in_doubt(last: int, ends: tuple[float, float], finding: str) -> None:
    """Wilson's limits of 0 and of 10 of 10 lie 0.2775 inside; two such limits make 1 − 0.2775 · √2 = 0.608."""
    arms, prompts = np.repeat([0, 1], 10), np.tile(np.arange(10), 2)
    means = estimate_responses(np.array([0.0, 12.0]), np.where(arms, last, 0.0), arms, prompts)
    observed = Observed(("cw", "cw+10k"), means, means, None, None, (10, 10), raters=1)
    row = weigh_change(observed, Measure("finished", "answers that ended", "end as many answers"))
    assert (row["low"], row["high"]) == pytest.approx(ends, abs=1e-3)
    assert row["finding"] == finding


def test_preference_comes_first_and_scores_last() -> None:
    measures = ["score: mmlu acc", "characters", "sameness", "rating: logic", "preference", "copied"]
    assert order_measures(measures) == ["preference", "copied", "sameness", "score: mmlu acc"]
