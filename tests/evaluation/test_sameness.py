"""How alike answers are: known figures, equal length, intervals that hold, and what recurs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from coig.evaluation.measures.answers import SCHEMA
from coig.evaluation.measures.recurring import find_recurring
from coig.evaluation.measures.sameness import ALL, GENRE, PEOPLE, SAMPLES, WORDS, measure_likeness, measure_sameness

NOBODY = pl.DataFrame(schema=dict.fromkeys(("lang", "genre", "prompt", "answer"), pl.String))
DICE = np.random.default_rng(0)


def text(first: int, count: int = WORDS) -> str:
    """Return a text of different words: word `first` and those that follow it."""
    return " ".join(f"w{number}x" for number in range(first, first + count))


def samples(*rows: tuple[str, int, str, str]) -> pl.DataFrame:
    """Return answers of the arm cw, each given as (query id, sample, genre, answer)."""
    names = ("query_id", "sample", "genre", "answer")
    return pl.DataFrame([dict(zip(names, row, strict=True)) | {"lang": "en", "arm": "cw"} for row in rows])


@pytest.mark.parametrize("block", [512, 2])
def test_known_figures(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coig.evaluation.measures.sameness.BLOCK", block)
    answers = samples(
        *(("q1", 0, "ode", text(0)), ("q1", 1, "ode", text(25))),  # 25 words shared, 75 different
        ("q2", 0, "ode", text(40, 500)),  # the first 50 count: 10 shared with q1
        *(("q3", 0, "tale", text(900)), ("q4", 0, "tale", text(0, WORDS - 1))),  # the last is too short
    )
    people = pl.DataFrame({"lang": ["en"] * 2, "genre": ["ode"] * 2, "prompt": [""] * 2, "answer": [text(0), text(0)]})
    found = {(row["arm"], row["between"]): row for row in measure_sameness(answers, people).iter_rows(named=True)}
    assert found["cw", SAMPLES]["similarity"] == pytest.approx(1 / 3)
    assert found["cw", SAMPLES]["distinct_2"] == pytest.approx((2 * 49 - 24) / (2 * 49))
    assert found["cw", GENRE]["similarity"] == pytest.approx(10 / 90)
    assert (found["cw", ALL]["prompts"], found["cw", ALL]["similarity"]) == (3, pytest.approx(10 / 90 / 3))
    assert found["cw", ALL]["similarity_low"] is None  # three prompts are too few
    assert found[PEOPLE, GENRE]["similarity"] == 1
    assert found[PEOPLE, GENRE]["distinct_2"] == 0.5


def test_the_intervals_between_prompts_hold() -> None:
    """Each text has a share of common words of its own; the true mean similarity is known from very many."""

    def write(share: float) -> str:
        common = DICE.random(WORDS) < share
        return " ".join(f"c{place}x" if own else f"r{DICE.integers(10**9)}x" for place, own in enumerate(common))

    shares = DICE.uniform(0.1, 0.9, 4000)
    both = shares[::2] * shares[1::2] * WORDS
    truth = (both / (2 * WORDS - both)).mean()
    held = 0
    for _ in range(100):
        answers = samples(*((f"q{place}", 0, "ode", write(DICE.uniform(0.1, 0.9))) for place in range(20)))
        row = measure_sameness(answers, NOBODY).filter(between=GENRE).row(0, named=True)
        held += row["similarity_low"] <= truth <= row["similarity_high"]
    assert held >= 87  # of 100 intervals of 95 %; without doubled deviations about 67 hold


def test_the_values_of_prompts_have_the_mean_of_the_table() -> None:
    rows = samples(*((f"q{place}", 0, f"genre {place % 3}", text(3 * place)) for place in range(12)))
    answers = pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in rows.to_dicts()], schema=SCHEMA)
    table = measure_sameness(rows, NOBODY)
    assert measure_likeness(answers).mean() == pytest.approx(table.filter(between=GENRE)["similarity"][0])
    alone = answers.with_columns(genre=pl.col("query_id"))  # a genre for each prompt: all prompts are compared
    assert measure_likeness(alone).mean() == pytest.approx(table.filter(between=ALL)["similarity"][0])


def test_openings_and_names_that_recur_are_counted() -> None:
    answers = pl.DataFrame(
        [
            {"lang": lang, "arm": arm, "query": query, "answer": answer}
            for lang, arm, query, answer in [
                ("zh", "cw", "写雨", "清晨的雨落在青石板上。李明轩推开门，说了声谢谢。"),
                ("zh", "cw", "写雪", "清晨的雨，落在窗外。李明轩没有回来，也没有说谢谢。"),
                ("zh", "cw", "写李明轩的风", "风起了，李明轩站在树下。"),  # the query has the name
                ("en", "cw", "Write.", "In the heart of town, Elara slept. The rain fell, Monday came."),
                ("en", "cw", "Write.", "In the heart of winter the girl Elara woke, and Monday passed."),
                ("en", "cw", "Write.", "Nobody saw the Rain, though the rain saw them."),
            ]
        ]
    )
    rows = {row["lang"]: row for row in find_recurring(answers, NOBODY).iter_rows(named=True)}
    assert (rows["zh"]["openings"], rows["zh"]["names"]) == ("清晨的雨落在 (2)", "李明轩 (2)")
    assert rows["zh"]["same_opening"] == rows["zh"]["same_name"] == pytest.approx(2 / 3)
    assert (rows["en"]["openings"], rows["en"]["names"]) == ("in the heart of (2)", "Elara (2)")
