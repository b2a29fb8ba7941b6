"""What chance does to results: seeds and learning rates, the held-out loss as a look ahead, other files of queries."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from coig.evaluation.findings.cells import group_by_seed
from coig.evaluation.findings.doses import dose_tables
from coig.evaluation.findings.look_ahead import look_ahead_table
from coig.evaluation.findings.noise import noise_table, note_on_seeds
from coig.evaluation.findings.orders import order_table
from coig.evaluation.findings.thresholds import doses_in_words
from coig.evaluation.preferences.judgments import RATING, VERDICT, Judgments
from coig.statistics.crossing import same_crossing_p
from coig.statistics.intervals import Floats
from coig.statistics.ranks import kendall_tau, permutation_p
from coig.statistics.responses import Covariance, Responses
from coig.study.arm import Arm
from tests.statistics.dose_studies import DOSES
from tests.studies import compose_config, make_arm, make_group, make_manifest

RATIOS = ("0", "1k", "10k", "general")
RATES = (0.001, 0.002)


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> list[Arm]:
    """Arms of four ratios, two learning rates and two seeds; one config is composed, as that takes long."""
    folder, made = tmp_path_factory.mktemp("grid"), []
    usual = compose_config("vary=[model.learning_rate]")
    for ratio, rate, seed in product(RATIOS, RATES, (0, 1)):
        count = {"0": 0, "1k": 60, "10k": 600, "general": 600}[ratio]
        creative = [] if ratio == "general" else [make_group(examples=50)]
        data = {"train": [*creative, *([make_group("general", examples=count)] if count else [])]}
        arm = Arm(folder / f"{ratio}-{rate}{'-s1' if seed else ''}")
        model, of_ratio = usual.model.model_copy(update={"learning_rate": rate}), {"ratio": ratio}
        changed = {"arm": arm.name, "seed": seed, "model": model, "data": usual.data.model_copy(update=of_ratio)}
        arm.write_config(usual.model_copy(update=changed))
        arm.write_manifest(make_manifest(arm.name, ratio, seed=seed, data=data))
        made.append(arm)
    return made


def answers(shares: dict[str, float], queries: str = "sample", count: int = 100, lang: str = "en") -> pl.DataFrame:
    """Return answers of which these shares ended."""
    rows = [
        {
            **{"arm": arm, "lang": lang, "query_id": f"{queries}{number}", "queries": queries, "contaminated": False},
            **{
                "finished": (number * 37 + place) % count < share * count,
                "characters": 100,
                "copied": None,
                "sameness": None,
            },
        }
        for place, (arm, share) in enumerate(shares.items())
        for number in range(count)
    ]
    missing = ("tokens", "ttr", "ttr_100", "mattr", "mtld", "hdd", "distinct_2", "distinct_3", "self_repetition")
    empty = [pl.lit(None, pl.Float64).alias(name) for name in (*missing, "contaminated_any")]
    return pl.DataFrame(rows).with_columns(empty)


def shares_of(arms: list[Arm], turned: bool = False, by_seed: float = 0.0) -> dict[str, float]:
    """Return shares that rise with general data, or fall with it at the second learning rate; seeds differ."""
    found = {}
    for arm in arms:
        config = arm.config()
        place = RATIOS.index(config.data.ratio)
        place = 3 - place if turned and config.model.learning_rate == RATES[1] else place
        found[arm.name] = 0.3 + 0.15 * place + by_seed * config.seed
    return found


def orders(arms: list[Arm], shares: dict[str, float]) -> dict[str, dict[str, Any]]:
    table = order_table(group_by_seed(arms), arms, answers(shares), None, 0.1).filter(measure="finished")
    return {row["across"]: row for row in table.to_dicts()}


def test_an_order_that_is_kept(arms: list[Arm]) -> None:
    found = orders(arms, shares_of(arms))
    assert set(found) == {"model.learning_rate", "seed"}
    for row in found.values():
        assert (row["lang"], row["ratios"], row["comparisons"], row["tau"]) == ("en", 4, 2, 1.0)
        assert 0.5 < row["low"] <= row["high"] == 1
        assert row["finding"] == "the order is kept beyond chance"


def test_an_order_that_another_learning_rate_turns(arms: list[Arm]) -> None:
    found = orders(arms, shares_of(arms, turned=True))
    assert found["model.learning_rate"]["tau"] == -1
    assert found["model.learning_rate"]["finding"] == "the order changes more than between seeds"
    assert found["seed"]["tau"] == 1


def test_an_arm_that_differs_in_a_key_besides_is_in_no_order(arms: list[Arm], tmp_path: Path) -> None:
    odd, like = Arm(tmp_path / "longer"), arms[4]
    config = like.config()
    longer = config.model.model_copy(update={"max_length": config.model.max_length * 2})
    odd.write_config(config.model_copy(update={"arm": odd.name, "model": longer}))
    odd.write_manifest(like.manifest().model_copy(update={"arm": odd.name}))
    assert group_by_seed([*arms, odd])[-1].values == {**group_by_seed([like])[0].values, "arm": "longer"}
    assert orders([*arms, odd], shares_of(arms) | {odd.name: 0.99}) == orders(arms, shares_of(arms))


def test_settings_that_share_no_ratio_and_seed_are_not_compared(arms: list[Arm]) -> None:
    apart = [arm for arm in arms if (arm.config().model.learning_rate == RATES[0]) == (arm.config().seed == 0)]
    assert order_table(group_by_seed(apart), apart, answers(shares_of(apart)), None, 0.1).is_empty()


def test_preference_is_over_general_data_of_the_same_setting(arms: list[Arm]) -> None:
    """The general data of the other learning rate would beat every arm."""
    rows = []
    for one in (arm for arm in arms if arm.config().data.ratio != "general"):
        config = one.config()
        wins = 20 + 25 * RATIOS.index(config.data.ratio)
        for rate in RATES:
            opponent = f"general-{rate}{'-s1' if config.seed else ''}"
            same = rate == config.model.learning_rate
            rows += [(f"q{n}", "en", None, one.name, opponent, "ann", float(same and n < wins)) for n in range(100)]
    judged = Judgments(pl.DataFrame(rows, schema=VERDICT, orient="row"), pl.DataFrame(), pl.DataFrame(schema=RATING))
    table = order_table(group_by_seed(arms), arms, None, judged, 0.1)
    assert table.select("measure", "across", "tau").rows() == [
        ("preference", "model.learning_rate", 1.0),
        ("preference", "seed", 1.0),
    ]


def test_noise_of_seeds_and_learning_rates(arms: list[Arm]) -> None:
    """Seeds differ by 20 points: a variance of 0.02, and an arm of two rates and two seeds has four runs."""
    noise = noise_table(group_by_seed(arms), None, answers(shares_of(arms, by_seed=0.2)), None, 0.1)
    found = {row["source"]: row for row in noise.filter(measure="finished").to_dicts()}
    assert {"prompts", "learning rates", "seeds", "rest"} >= set(found) >= {"prompts", "seeds", "rest"}
    assert found["seeds"]["variance"] == pytest.approx(0.02, rel=0.5)
    assert found["seeds"]["levels"] == 4
    assert found["seeds"]["error"] == pytest.approx((found["seeds"]["variance"] / 4) ** 0.5)
    assert sum(row["share"] for row in found.values()) == pytest.approx(1)


def test_one_seed_an_arm_is_said(arms: list[Arm]) -> None:
    cells = group_by_seed(arms)
    assert note_on_seeds(cells) == []
    [note] = note_on_seeds(group_by_seed([arm for arm in arms if arm.config().seed == 0]))
    assert note.startswith("One seed an arm: no interval contains how much results differ between seeds")


def test_the_threshold_of_several_seeds_has_a_wider_interval(arms: list[Arm]) -> None:
    slow = [arm for arm in arms if arm.config().model.learning_rate == RATES[0]]
    shares = shares_of(slow)
    levels = [0.3, 0.45, 0.8, 0.6]
    alike = {name: levels[RATIOS.index(arm.config().data.ratio)] for name, arm in zip(shares, slow, strict=True)}
    apart = {arm.name: alike[arm.name] + (0.08 if arm.config().seed else -0.08) for arm in slow}
    widths = []
    for of_arms in (alike, apart):
        tables = dose_tables(group_by_seed(slow), slow, answers(of_arms, count=200), None, 0.1)
        [row] = tables["doses"].filter(measure="finished", dose=0).to_dicts()
        widths.append(row["high"] - row["low"])
    assert widths[1] > 1.5 * widths[0]


def losses(arms: list[Arm], values: list[float]) -> list[Arm]:
    for arm, value in zip(arms, values, strict=True):
        arm.metrics.write_text(json.dumps({"validation/loss/creative/zh/answer": value}) + "\n")
    return arms


def verdicts(strengths: dict[str, float], count: int = 60) -> Judgments:
    """Return rankings of all arms by strength and chance, as verdicts of one rater."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        liking = {arm: strength + rng.standard_normal() for arm, strength in strengths.items()}
        rows += [
            (f"zh-{number}", "zh", None, arm, other, "ann", float(liking[arm] > liking[other]))
            for place, arm in enumerate(strengths)
            for other in list(strengths)[place + 1 :]
        ]
    return Judgments(pl.DataFrame(rows, schema=VERDICT, orient="row"), pl.DataFrame(), pl.DataFrame(schema=RATING))


@pytest.mark.parametrize(
    ("values", "alike", "finding"),
    [
        ([5.0, 4.0, 3.0, 2.0, 1.0], 10, "a lower loss goes with being preferred"),
        ([3.0, 4.0, 5.0, 2.0, 1.0], 7, "not shown to order the arms as the raters do: do not choose arms by it"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0, "a lower loss goes with being preferred less: do not choose arms by it"),
    ],
)
def test_the_look_ahead(values: list[float], alike: int, finding: str, tmp_path: Path) -> None:
    names = ["cw", "cw+1k", "cw+5k", "cw+10k", "general"]
    made = losses([make_arm(tmp_path / name) for name in names], values)
    judged = verdicts({name: 0.8 * place for place, name in enumerate(names)})
    [row] = look_ahead_table(made, judged).to_dicts()
    assert (row["lang"], row["measure"], row["arms"], row["prompts"]) == ("zh", "preference", 5, 60)
    assert (row["pairs"], row["alike"], row["finding"]) == (10, alike, finding)
    assert row["low"] <= row["tau"] <= row["high"]


def test_losses_on_other_held_out_texts_are_not_compared(tmp_path: Path) -> None:
    names = ["cw", "cw+1k", "cw+5k", "cw+10k"]
    made = losses([make_arm(tmp_path / name) for name in names], [4.0, 3.0, 2.0, 1.0])
    other = make_arm(tmp_path / "cw+10k", seed=1, data={"validation": [make_group(examples=5)]})
    [row] = look_ahead_table([*made[:3], other], verdicts(dict.fromkeys(names, 0.0))).to_dicts()
    assert row["arms"] == 3


def test_two_files_of_queries_side_by_side(arms: list[Arm]) -> None:
    slow = [arm for arm in arms if arm.config().model.learning_rate == RATES[0] and arm.config().seed == 0]
    early, late = ([0.3, 0.7, 0.9, 0.5], [0.1, 0.2, 0.9, 0.5])
    by_file = []
    for file, levels in (("sample", early), ("domain", late)):
        by_file.append(answers(dict(zip([arm.name for arm in slow], levels, strict=True)), file, 200))
    tables = dose_tables(group_by_seed(slow), slow, pl.concat(by_file), None, 0.1)
    rows = tables["thresholds"].filter(measure="finished").to_dicts()
    assert [row["setting"] for row in rows] == ["queries sample", "queries domain"]
    assert rows[0]["r50"] < 1.2 < rows[1]["r50"]
    [shift] = tables["shifts"].filter(measure="finished").to_dicts()
    assert (shift["queries"], shift["finding"]) == ("sample, domain", "the ratio is another one")
    assert any(
        "Queries sample, domain, R₅₀ of finished: the ratio is" in text for text in doses_in_words(tables)[0].others
    )


def responses(values: list[float]) -> Responses:
    return Responses(DOSES, np.array(values), Covariance(0.02 * np.eye(4), 200))


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ([-1.0, -0.5, 0.5, 1.0], [-1.0, -0.5, 0.5, 1.0], 0.9, 1.0),
        ([-1.0, 0.5, 1.0, 1.5], [-1.5, -1.0, -0.5, 0.5], 0.0, 0.001),
        ([-1.0, -0.9, -0.8, -0.7], [-1.5, -1.2, -0.9, -0.3], 0.9, 1.0),  # both beyond the last arm
        ([-1.0, -0.9, -0.8, -0.7], [0.5, 0.6, 0.7, 0.8], 0.0, 0.001),
    ],
)
def test_whether_two_crossings_are_one(first: list[float], second: list[float], low: float, high: float) -> None:
    assert low <= same_crossing_p([responses(first), responses(second)]) <= high


def test_equal_crossings_are_called_different_in_one_of_twenty() -> None:
    """Few and many prompts, as in the two shipped files."""
    rng, truth, called = np.random.default_rng(0), np.array([-0.6, -0.3, 0.1, 0.4]), 0
    for _ in range(1_000):
        drawn: list[Responses] = []
        for variance in (0.02, 0.1):
            noise: Floats = variance**0.5 * rng.standard_normal(4)
            drawn.append(Responses(DOSES, truth + noise, Covariance(variance * np.eye(4), 200)))
        called += same_crossing_p(drawn) < 0.05
    assert 0.02 <= called / 1_000 <= 0.065


def test_orders_are_compared_by_kendall() -> None:
    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 2.0])
    assert float(kendall_tau(first, second)) == pytest.approx(0.1826, abs=1e-4)  # scipy.stats.kendalltau
    assert permutation_p(np.arange(5.0), np.arange(5.0)) == pytest.approx(2 / 120)
    assert permutation_p(np.arange(8.0), np.arange(8.0)) == pytest.approx(1 / 5_040, abs=2e-3)
    assert np.isnan(kendall_tau(np.zeros(3), np.arange(3.0)))
    assert np.isnan(permutation_p(np.zeros(3), np.arange(3.0)))
