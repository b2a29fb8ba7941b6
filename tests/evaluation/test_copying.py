"""What answers copied from training texts: near copies, the floor, prompts, and judgments without copies."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest

from coig.evaluation.learned import TEXTS, Learned
from coig.evaluation.measures.answers import SCHEMA
from coig.evaluation.measures.copying import measure_copying
from coig.evaluation.preferences.win_rates import compute_win_rates, compute_without_copies

DICE = random.Random(0)


def write(length: int) -> str:
    return "".join(chr(DICE.randrange(0x4E00, 0x9FA0)) for _ in range(length))


def edited(text: str, share: float) -> str:
    return "".join(write(1) if DICE.random() < share else character for character in text)


def learned(**of: list[int]) -> Learned:
    rows = [
        (f"t{place}", "stories", kind, "zh", None, prompt, "", text)
        for place, (kind, prompt, text) in enumerate(TRAINED)
    ]
    texts = pl.DataFrame(rows, schema=TEXTS, orient="row")
    return Learned(texts, {arm: np.array(own) for arm, own in of.items()}, {})


PROMPT = "写一篇关于老城墙下卖糖人的老人的短篇小说，结尾出人意料"
TRAINED = [("creative", PROMPT, write(400)), ("creative", "写一首诗", write(400)), ("general", "算一算", write(400))]


def answers(**texts: list[str]) -> pl.DataFrame:
    rows = [
        {"arm": arm, "lang": "zh", "query_id": f"q{place}", "query": PROMPT + "。谢谢" if place == 0 else write(30)}
        | {"answer": text}
        for arm, own in texts.items()
        for place, text in enumerate(own)
    ]
    return pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in rows], schema=SCHEMA)


def test_a_copy_with_four_per_cent_of_its_characters_edited_is_found() -> None:
    found = measure_copying(
        answers(cw=[edited(TRAINED[0][2], 0.04), write(400), TRAINED[1][2][:100] + write(300)]),
        learned(cw=[0, 1]),
        reference=None,
    )
    [copy] = found["near_copies"].to_dicts()
    assert (copy["query_id"], copy["training_id"], copy["text"]) == ("q0", "t0", TRAINED[0][2])
    assert 0.7 < copy["shared"] < 0.95
    assert copy["span"] in copy["text"]
    [row] = found["memorisation"].to_dicts()
    assert (row["answers"], row["near_copies"]) == (3, 1)
    assert row["with_span"] == pytest.approx(2 / 3)
    assert found["answers"]["near_copy"].to_list() == [True, False, False]
    assert found["answers"]["copied"][2] == pytest.approx(0.25, abs=0.01)
    [near] = found["near_prompts"].to_dicts()
    assert (near["query_id"], near["training_id"], near["arms"]) == ("q0", "t0", "cw")


def test_only_an_arms_own_texts_count_and_general_data_alone_is_the_floor() -> None:
    phrase = TRAINED[1][2][:40]
    of_cw, of_general = [TRAINED[2][2], phrase + write(40)], [TRAINED[0][2], phrase + write(120)]
    written = answers(cw=of_cw, general=of_general, theirs=["一", "二"])
    found = measure_copying(written, learned(cw=[0, 1], general=[2]), reference="general")
    rows = {row["arm"]: row for row in found["memorisation"].iter_rows(named=True)}
    assert set(rows) == {"cw", "general"}
    assert rows["cw"]["copied"] == rows["cw"]["creative"] == pytest.approx(0.25)
    assert rows["general"]["copied"] == 0
    assert rows["general"]["creative"] is None
    assert rows["cw"]["floor"] == pytest.approx((1 + 0.25) / 2)  # its answers against texts that it has not seen
    assert found["answers"].filter(arm="theirs")["copied"].to_list() == [None, None]


def test_judgments_are_counted_without_near_copies() -> None:
    verdicts = pl.DataFrame(
        {
            **{"lang": "zh", "genre": None, "rater": "ann", "arm": "cw", "opponent": "general"},
            **{"query_id": [f"q{place}" for place in range(8)], "score": [1.0, 1.0, *[0.0] * 6]},
        },
        schema_overrides={"genre": pl.String},
    )
    written = answers(cw=["一"] * 8, general=["二"] * 8)
    is_copy = (pl.col("arm") == "cw") & pl.col("query_id").is_in(["q0", "q1"])
    copied, rates = written.with_columns(near_copy=is_copy), compute_win_rates(verdicts, ["cw", "general"])
    [row] = compute_without_copies(rates, verdicts, copied).filter(arm="cw").to_dicts()
    assert (row["verdicts"], row["rate"], row["verdicts_without"], row["rate_without"]) == (8, 0.25, 6, 0.0)
    assert compute_without_copies(rates, verdicts, written).is_empty()
