"""Steps of reasoning: where a chain is cut, what the rule says of a step, and the tables of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coig.errors import DataError
from coig.evaluation.reasoning.behaviour import (
    classify,
    compute_shares,
    compute_shares_by_position,
    compute_transitions,
    label_steps,
)
from coig.records.label import BEHAVIOURS, Behaviour, read_labels
from coig.statistics.intervals import bootstrap_weights
from coig.text.reasoning_steps import split_steps

EXAMPLES: dict[Behaviour, list[str]] = {
    "self-reflection": [
        "等等，这里的时间线好像接不上。",
        "不对，父亲不会这样说话。",
        "回头看第二段，节奏拖得太久，得删。",
        "重新检查一遍字数，刚好八百。",
        "结尾太煽情，收一收。",
        "起初想让他们在电梯里相认，把话说满了。",
        "改成三下、两下、一下，好笑，也更像真的。",
        "这样写是不是太俗？前后也自相矛盾。",
        "Wait, the letter can't arrive before the war ends.",
        "Let me check the rhyme scheme once more.",
        "Actually, the narrator already knows about the fire.",
        "That sounds too sentimental for an old sailor.",
        "My first draft opened with the weather, which everyone does.",
        "On second thought, the dog should survive.",
        "I need to cut the second simile.",
        "I’ll cut the weather and begin with the knock.",
        "Does this meet the word count? It runs to 812 words, hold on, 790.",
    ],
    "self-exploration": [
        "或者让弟弟来讲这个故事。",
        "要不从一封没寄出的信写起。",
        "也许可以把雨写成第三个人物。",
        "如果凶手就是写信的人呢？",
        "试试用第二人称，像在跟镜子说话。",
        "换个角度，从锅的眼睛里看这一家人。",
        "能不能全篇只写一顿饭？",
        "结尾也可以停在敲门声上。",
        "Maybe the lighthouse keeper is a woman.",
        "Alternatively, tell it backwards from the funeral.",
        "What if the clock is the only one telling the truth?",
        "Perhaps a list poem would suit the theme.",
        "Another option is to write it as a series of voicemails.",
        "Let's try opening on the empty chair.",
        "The story could start in the middle of the argument.",
        "How about a narrator who lies about small things?",
    ],
    "deep reasoning": [
        "因为他从不认错，道歉只能藏在“又及”里。",
        "所以这批标语的任务不是催，是递台阶。",
        "这意味着读者比主角早一步知道真相。",
        "为了让谎话自己穿帮，问话要一步步具体。",
        "既然题目禁了“温暖”，情绪就得由动作来给。",
        "只有两个人在台上，换了谁才一目了然。",
        "如果开头就交代死讯，后面的笑话就都变了味。",
        "故事的要害在于桥在湖底这件怪事。",
        "Because she never says his name, the reader has to supply it.",
        "The brief asks for restraint; therefore the grief stays in the objects.",
        "This means the twist must be visible on a second reading.",
        "If the ending is quiet, then the middle has to carry the noise.",
        "Since the prompt bans adjectives, the verbs must do the work.",
        "He repeats the joke so that nobody asks about his brother.",
        "The key is that both of them are wrong about the same thing.",
        "A villanelle keeps returning to two lines, which makes it right for obsession.",
    ],
    "normal writing": [
        "天刚亮，卖豆腐的梆子声从巷口传过来。",
        "第一段写祠堂，第二段写渡口。",
        "她把伞收起来，水顺着伞尖流了一地。",
        "人物：老詹，六十岁，从前打鱼，如今巡湖看鸟。",
        "语言要短，多用动词。",
        "他成为了镇上唯一会修钟的人。",
        "她笔试试题还没做完，铃就响了。",
        "老人回头看了一眼，把门带上。",
        "要不是那场雪，船早就开了。",
        "The kettle clicked off and nobody moved.",
        "Structure: three stanzas of four lines, unrhymed.",
        "He could not wait for the ferry to leave.",
        "She had lived on Harbour Street since 1962.",
        "Title: The Last Orchard.",
        "They were waiting by the gate, and the maybes were over.",
        "Hold on to the rope, the boatman said.",
    ],
}


def test_chinese_is_cut_behind_sentences_and_their_quotation_marks() -> None:
    assert split_steps("他说：“这座桥在湖底下睡了三百年。”我不信，又去问了一遍。结果是真的。") == [
        "他说：“这座桥在湖底下睡了三百年。”",
        "我不信，又去问了一遍。结果是真的。",
    ]


def test_english_is_not_cut_at_abbreviations_decimals_or_initials() -> None:
    first = "Mr. Hale and Dr. J. Wu paid 3.15 dollars for the old clock, e.g. the brass one."
    second = '"Will it ever stop?" she asked him on the day of the flood!'
    assert split_steps(f"{first} {second}") == [first, second]


def test_short_sentences_and_headings_go_with_what_follows() -> None:
    assert split_steps(
        "Wait. No. The letter cannot arrive before the war is over.\n\n结尾：\n停在敲门声上，谁也不去开门。"
    ) == [
        "Wait. No. The letter cannot arrive before the war is over.",
        "结尾：\n停在敲门声上，谁也不去开门。",
    ]
    assert split_steps("1. The son comes home from the sea at last.\n2. The dog no longer knows his old voice.") == [
        "1. The son comes home from the sea at last.",
        "2. The dog no longer knows his old voice.",
    ]


def test_a_step_has_three_sentences_at_most_and_a_short_rest_goes_with_it() -> None:
    assert split_steps("好。不好。再说。先写信。") == ["好。不好。再说。先写信。"]
    assert split_steps("嗯。嗯。嗯。天亮了。雨停了。船来了。走吧。") == [
        "嗯。嗯。嗯。",
        "天亮了。雨停了。船来了。走吧。",
    ]


@pytest.mark.parametrize("mark", [".", "!", "?'"])
def test_a_degenerate_chain_takes_no_longer_than_its_length(mark: str) -> None:
    chain = mark * 100_000 + "a"  # minutes, were it cut in quadratic time
    assert split_steps(chain) == [chain]


def test_no_reasoning_has_no_steps() -> None:
    assert split_steps("") == []
    assert split_steps(" \n\n---\n\n***\n") == []


@given(st.text(st.sampled_from("天雨。！？”\n .!?Aab1\"'…—"), max_size=60))
def test_steps_are_the_text_itself(text: str) -> None:
    """Nothing is lost but white space and what holds no letter."""

    def letters(text: str) -> str:
        return "".join(char for char in text if char.isalnum())

    assert letters("".join(split_steps(text))) == letters(text)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_the_rule_keeps_its_examples(behaviour: Behaviour) -> None:
    assert len(EXAMPLES[behaviour]) >= 12
    told = {example: classify(example) for example in EXAMPLES[behaviour]}
    assert told == dict.fromkeys(EXAMPLES[behaviour], behaviour)


@pytest.mark.parametrize(
    ("step", "behaviour"),
    [
        ("Wait, maybe the father lies because he is afraid.", "self-reflection"),
        ("Maybe he lies because he is afraid.", "self-exploration"),
        ("不对，或者父亲撒谎是因为害怕。", "self-reflection"),
        ("或者父亲撒谎是因为害怕。", "self-exploration"),
    ],
)
def test_precedence_is_reflection_exploration_reasoning(step: str, behaviour: Behaviour) -> None:
    assert classify(step) == behaviour


STEP_OF = {
    "n": "The kettle clicked off and nobody moved.",
    "d": "He stays because the ferry never comes back.",
    "e": "Perhaps a list poem would suit the theme.",
    "r": "Wait, the letter can't arrive before the war.",
}
NAME_OF = dict(zip("nder", BEHAVIOURS, strict=True))


def answers(*chains: tuple[str, str, str, str | None]) -> pl.DataFrame:
    """(arm, lang, query, chain) with a letter per step, None for no reasoning."""
    rows = [
        {"arm": arm, "lang": lang, "genre": "poetry", "query_id": query, "reasoning": chain and text_of(chain)}
        for arm, lang, query, chain in chains
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(("arm", "lang", "genre", "query_id", "reasoning"), pl.String))


def text_of(chain: str) -> str:
    return " ".join(STEP_OF[letter] for letter in chain)


def test_a_row_per_step_with_its_place_in_the_chain() -> None:
    frame = label_steps(
        answers(("cw", "en", "q1", "nder"), ("cw", "en", "q2", "n"), ("cw", "en", "q3", ""), ("g", "en", "q1", None))
    )
    assert frame.rows() == [
        ("cw", "en", "q1", 0, 0.0, 0, "normal writing"),
        ("cw", "en", "q1", 1, 1 / 3, 3, "deep reasoning"),
        ("cw", "en", "q1", 2, 2 / 3, 6, "self-exploration"),
        ("cw", "en", "q1", 3, 1.0, 9, "self-reflection"),
        ("cw", "en", "q2", 0, 0.0, 0, "normal writing"),
    ]


def test_deciles_of_eleven_steps() -> None:
    frame = label_steps(answers(("cw", "en", "q", "n" * 11)))
    assert frame["decile"].to_list() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]


def test_shares_and_transitions_by_hand() -> None:
    frame = label_steps(
        answers(("cw", "en", "q1", "nnd"), ("cw", "en", "q2", "n"), ("g", "en", "q1", "rr"), ("cw", "zh", "q9", "e"))
    )
    table = compute_shares(frame, resamples=100)
    told = table.filter(lang="en", arm="cw").select("behaviour", "count", "share", "steps", "prompts").rows()
    assert told == [
        ("normal writing", 3, 0.75, 4, 2),
        ("deep reasoning", 1, 0.25, 4, 2),
        ("self-exploration", 0, 0.0, 4, 2),
        ("self-reflection", 0, 0.0, 4, 2),
    ]
    assert table.select("lang", "arm").unique(maintain_order=True).rows() == [("en", "cw"), ("en", "g"), ("zh", "cw")]
    moves = compute_transitions(frame, resamples=100)
    assert moves.filter(pl.col("count") > 0).drop("low", "high").rows() == [
        ("en", "cw", "normal writing", "normal writing", 1, 0.5, 2, 1),
        ("en", "cw", "normal writing", "deep reasoning", 1, 0.5, 2, 1),
        ("en", "g", "self-reflection", "self-reflection", 1, 1.0, 1, 1),
    ]
    places = compute_shares_by_position(frame, resamples=100).filter(arm="cw", lang="en", behaviour="normal writing")
    assert places.select("decile", "count", "share", "steps", "prompts").rows() == [
        (0, 2, 1.0, 2, 2),
        (5, 1, 1.0, 1, 1),
        (9, 0, 0.0, 1, 1),
    ]


@pytest.fixture(scope="module")
def study() -> pl.DataFrame:
    """Two arms, 40 prompts in each language, chains of 1 to 9 steps; arm b reflects more."""
    rng = np.random.default_rng(0)
    rows = []
    for lang in ("zh", "en"):
        for query in range(40):
            for arm, chances in (("a", [0.5, 0.3, 0.15, 0.05]), ("b", [0.4, 0.2, 0.1, 0.3])):
                chain = "".join(rng.choice(list("nder"), p=chances, size=rng.integers(1, 10)))
                rows.append((arm, lang, f"{lang}-{query}", chain))
    return label_steps(answers(*rows))


def test_intervals_are_the_percentiles_over_drawn_prompts(study: pl.DataFrame) -> None:
    """One share of `compute_shares`, drawn again prompt by prompt."""
    mine = study.filter(lang="en", arm="b")
    of_prompt = mine.group_by("query_id").agg(reflects=(pl.col("behaviour") == "self-reflection").sum(), steps=pl.len())
    reflects, total = of_prompt.sort("query_id").select("reflects", "steps").to_numpy().T
    drawn = [(draw @ reflects) / (draw @ total) for draw in bootstrap_weights(40, 500, seed=3)]
    row = compute_shares(study, resamples=500, seed=3).row(
        by_predicate=(pl.col("lang") == "en") & (pl.col("arm") == "b") & (pl.col("behaviour") == "self-reflection"),
        named=True,
    )
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])))
    assert row["low"] < row["share"] < row["high"]


def test_a_behaviour_that_never_occurs_has_an_interval() -> None:
    """Wilson's upper limit of 0 of 10 is 1.96² / (10 + 1.96²) = 0.2775."""
    frame = label_steps(answers(*(("cw", "en", f"q{number}", "nn") for number in range(10))))
    rows = compute_shares(frame, resamples=100).filter(behaviour="self-reflection").select("share", "low", "high")
    assert rows.row(0) == pytest.approx((0, 0, 0.2775), abs=5e-5)


def test_the_arms_of_a_language_are_drawn_together(study: pl.DataFrame) -> None:
    """An arm that answers just as another has its intervals, too, whatever the ids' order in the table."""
    twin = study.filter(arm="a").with_columns(arm=pl.lit("twin")).sample(fraction=1, shuffle=True, seed=1)
    both = pl.concat([study, twin])
    for table in (compute_shares(both), compute_shares_by_position(both), compute_transitions(both)):
        first, second = (table.filter(arm=arm).drop("arm").sort(pl.all()) for arm in ("a", "twin"))
        assert first.equals(second)


def test_tables_are_the_same_under_the_same_seed_and_whatever_else_is_in_them(study: pl.DataFrame) -> None:
    for table in (compute_shares, compute_shares_by_position, compute_transitions):
        assert table(study, seed=1).equals(table(study, seed=1))
        assert not table(study, seed=1).equals(table(study, seed=2))
        english = study.filter(lang="en")
        assert table(study).filter(lang="en").equals(table(english))


def test_shares_of_a_cell_add_up_to_one(study: pl.DataFrame) -> None:
    for table, cell in ((compute_shares, ["lang", "arm"]), (compute_shares_by_position, ["lang", "arm", "decile"])):
        sums = table(study).group_by(*cell, "steps").agg(pl.col("share", "count").sum())
        assert sums["share"].to_list() == pytest.approx([1.0] * len(sums))
        assert sums["count"].equals(sums["steps"])


def test_no_steps_give_empty_tables_of_the_same_columns(study: pl.DataFrame) -> None:
    nothing = label_steps(answers(("cw", "en", "q", None)))
    assert nothing.is_empty()
    for table in (compute_shares, compute_shares_by_position, compute_transitions):
        assert table(nothing).is_empty()
        assert table(nothing).schema == table(study).schema
    assert label_steps(answers()).schema == study.schema


def label(**fields: Any) -> dict[str, Any]:
    return {"arm": "cw", "query_id": "q", "step": 0, "label": "normal writing", "labeller": "ann", **fields}


def written(file: Path, *rows: Any) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1], r"labels\.jsonl:2: is no label; write \{arm, query_id, step, label, labeller\}"),
        ({"arm": "cw"}, r"labels\.jsonl:2: is no label without query_id; write"),
        (label(label="deep reasonin"), r"labels\.jsonl:2: label: 'deep reasonin' .* did you mean 'deep reasoning'"),
        (label(label=None), r"labels\.jsonl:2: label: None is no behaviour"),
        (label(step=-1), r"labels\.jsonl:2: step: -1 is no step; count them from 0"),
        (label(step=True), r"labels\.jsonl:2: step: True is no step"),
        (label(arm=""), r"labels\.jsonl:2: arm: '' is no name"),
        (label(labeller=3), r"labels\.jsonl:2: labeller: 3 is no name"),
        (label(label="deep reasoning"), r"labels\.jsonl:2: ann has labelled this step at .*:1 already; remove one"),
    ],
)
def test_a_line_that_is_no_label_is_refused(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_labels(written(tmp_path / "labels.jsonl", label(), row))


def test_labels_of_a_table_count_once(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("arm,query_id,step,label,labeller\ncw ,007,0,normal writing,ann\n", encoding="utf-8-sig")
    [one] = read_labels(file, file)
    assert (one.arm, one.query_id, one.step) == ("cw", "007", 0)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").write_text('{"arm": ', encoding="utf-8")
    with pytest.raises(DataError, match=r"labels\.jsonl:1: no JSON .*; mend or remove the line"):
        read_labels(tmp_path / "labels.jsonl")
    with pytest.raises(DataError, match=r"missing\.jsonl"):
        read_labels(tmp_path / "missing.jsonl")
