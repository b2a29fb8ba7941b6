from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coig.data.mixture import Mixture, build_mixture, order_of
from coig.errors import ConfigError, DataError
from tests.data.reading import about, data_config, written

QUERY = {"id": "q", "lang": "en", "genre": "poetry", "query": "Write a poem!"}


def rows(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"prompt": f"p{n}", "reasoning": "r", "answer": "a"} | more for n in range(count)]


def ids(mixture: Mixture) -> set[str]:
    return set(mixture.train["id"])


def counts(mixture: Mixture) -> tuple[int, int, int]:
    kinds = list(zip(mixture.train["kind"], mixture.train["lang"], strict=True))
    return kinds.count(("creative", "zh")), kinds.count(("general", "zh")), kinds.count(("general", "en"))


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        ("0", (51, 0, 0)),
        ("1k", (51, 31, 31)),
        ("5k", (51, 153, 153)),
        ("10k", (51, 306, 306)),  # 1:12, as in the paper
        ("general", (0, 306, 306)),
        ("1:12", (51, 306, 306)),
        ("1:1", (51, 26, 26)),  # 25.5 rounds up
    ],
)
def test_the_arms_of_the_data_config(ratio: str, expected: tuple[int, int, int]) -> None:
    assert counts(build_mixture(data_config(ratio=ratio), seed=0)) == expected


@pytest.mark.parametrize("seed", [0, 1])
def test_subsets_nest(seed: int) -> None:
    arms = {
        ratio: ids(build_mixture(data_config(ratio=ratio), seed))
        for ratio in ("0", "1k", "1:3", "5k", "10k", "1:12", "general")
    }
    assert arms["0"] < arms["1k"] < arms["1:3"] < arms["5k"] < arms["10k"] == arms["1:12"]
    assert arms["general"] == arms["10k"] - arms["0"]


def test_subsets_of_the_creative_set_nest_too() -> None:
    sizes = {n: build_mixture(data_config(creative__size=n, ratio="1:12"), seed=0) for n in (10, 25, 51)}
    assert [counts(mixture) for mixture in sizes.values()] == [(10, 60, 60), (25, 150, 150), (51, 306, 306)]
    assert ids(sizes[10]) < ids(sizes[25]) < ids(sizes[51]) == ids(build_mixture(data_config(ratio="1:12"), seed=0))
    with pytest.raises(DataError, match="pool creative is too small: 52 to train on and 0 held out, but it has 51"):
        build_mixture(data_config(creative__size=52, ratio="0"), seed=0)


def test_languages_can_be_weighted() -> None:
    weighted = {"language_weights__zh": 3.0, "scale": 0.02}
    assert counts(build_mixture(data_config(ratio="10k", **weighted), seed=0)) == (51, 300, 100)  # 400 in all
    assert counts(build_mixture(data_config(ratio="1:4", **weighted), seed=0)) == (51, 153, 51)
    one = build_mixture(data_config(ratio="1:4", general__zh__path=None), seed=0)
    assert counts(one) == (51, 0, 204)


def test_validation_is_the_same_in_every_arm_and_never_trained_on() -> None:
    mixtures = [build_mixture(data_config(ratio=ratio), seed=3) for ratio in ("0", "10k", "general")]
    assert len({tuple(mixture.validation["id"]) for mixture in mixtures}) == 1
    assert len(mixtures[0].validation) == 6 + 16 + 16
    trained = {name for mixture in mixtures for name in ids(mixture)}
    assert not trained & set(mixtures[0].validation["id"])


def test_creative_examples_can_be_held_out() -> None:
    mixture = build_mixture(data_config(ratio="1:2", validation__creative=11), seed=0)
    assert counts(mixture) == (40, 40, 40)


def test_the_fingerprint_tells_data_apart_and_nothing_else() -> None:
    first = build_mixture(data_config(ratio="1k"), seed=0).fingerprint
    assert build_mixture(data_config(ratio="1k"), seed=0).fingerprint == first
    assert build_mixture(data_config(ratio="1k", scale=0.0312), seed=0).fingerprint == first  # 31 examples either way
    assert build_mixture(data_config(ratio="5k"), seed=0).fingerprint != first
    assert build_mixture(data_config(ratio="1k"), seed=1).fingerprint != first


def test_the_order_is_pinned() -> None:
    """sha256 of (seed, id): this literal must never change, or studies of different versions no longer compare."""
    assert "".join("abcde"[place] for place in order_of("abcde", seed=0)) == "dacbe"
    assert "".join("edcba"[place] for place in order_of("edcba", seed=0)) == "dacbe"


def test_texts_come_with_the_lines() -> None:
    mixture = build_mixture(data_config(ratio="1k"), seed=0)
    examples = {one.id: one for one in mixture.examples(mixture.train)}
    assert set(examples) == ids(mixture)
    digests = dict(mixture.train.select("id", "digest").iter_rows())
    assert all(one.digest == digests[name] for name, one in examples.items())


def test_a_pool_too_small_is_an_error_not_re_use(tmp_path: Path) -> None:
    file = written(tmp_path / "pool.jsonl", rows(40))
    data = data_config(general__zh__path=file, ratio="1k", validation__general=10)
    with pytest.raises(
        DataError,
        match=r"general.zh is too small: 31 \(data.ratio=1k × data.scale=0.0306\) to train on and 10 held out, but it "
        "has 40;",
    ):
        build_mixture(data, seed=0)


def test_one_id_for_different_rows_is_an_error(tmp_path: Path) -> None:
    file = written(tmp_path / "creative.jsonl", rows(2, id=0))
    with pytest.raises(DataError, match=r"id '0' stands for different rows, .*creative.jsonl:1 and .*:2"):
        build_mixture(data_config(creative__path=file, ratio="0"), seed=0)


def test_repeated_rows_are_used_once_and_counted(tmp_path: Path) -> None:
    file = written(tmp_path / "creative.jsonl", [*rows(1), *rows(1), *rows(1, id="b"), *rows(1, reasoning="another")])
    mixture = build_mixture(data_config(creative__path=file, ratio="0"), seed=0)
    assert (counts(mixture)[0], about(mixture, "data.creative")["duplicates"]) == (2, 2)


def test_what_is_held_out_is_compared_by_content(tmp_path: Path) -> None:
    """Files of different origin number their rows alike; the same text under another id is a leak all the same."""
    paths = {}
    for lang in ("zh", "en"):
        numbered = [row | {"id": n, "prompt": f"{lang}{n}"} for n, row in enumerate(rows(40))]
        paths[f"general__{lang}__path"] = written(tmp_path / f"{lang}.jsonl", numbered)
    mixture = build_mixture(data_config(ratio="20", scale=1, validation__general=20, **paths), seed=0)
    assert counts(mixture) == (51, 20, 20)
    creative = next(mixture.examples(mixture.train[:1]))
    leak = written(
        tmp_path / "leak.jsonl",
        [{"id": "other", "prompt": creative.prompt, "reasoning": "x", "answer": creative.answer}],
    )
    with pytest.raises(DataError, match=r"source: .*leak.jsonl:1: example other, held out, is also trained on"):
        build_mixture(data_config(ratio="20", scale=1, validation__source__path=leak, **paths), seed=0)


@pytest.mark.parametrize(
    ("filters", "left", "removed"),
    [
        ({}, "abcdef", {}),
        ({"min_score": 7}, "abd", {"score": 3}),  # c has 6, e none, f what is no number
        ({"min_language_share": 0.5}, "abcde", {"language": 1}),
        ({"min_characters": 8, "max_characters": 100}, "cdef", {"length": 2}),
        ({"topics": ["exam/*", "xhs"]}, "abc", {"topic": 3}),
        ({"not_topics": "exam/*"}, "cdef", {"topic": 2}),
        ({"min_score": 7, "topics": "exam/*"}, "ab", {"score": 3, "topic": 1}),
    ],
)
def test_filters(tmp_path: Path, filters: dict[str, Any], left: str, removed: dict[str, int]) -> None:
    answers = ["短", "很" * 200, "一二三四五六", "一二三四五六", "一二三四五六", "one two three four five six"]
    facts = [("exam/a", "7"), ("exam/b", 9.5), ("xhs", 6), ("math", 8), (None, None), ("", "high")]
    path = written(
        tmp_path / "pool.jsonl",
        [
            {"id": name, "prompt": f"问{name}", "reasoning": "想", "answer": answer, "genre": genre, "score": score}
            for name, answer, (genre, score) in zip("abcdef", answers, facts, strict=True)
        ],
    )
    changes = {f"general__zh__filters__{key}": value for key, value in filters.items()}
    whole = {"scale": 1, "validation__general": 0, "general__zh__path": path, "general__en__path": None}
    mixture = build_mixture(data_config(ratio=str(len(left)), **whole, **changes), seed=0)
    assert ids(mixture) - ids(build_mixture(data_config(ratio="0"), seed=0)) == set(left)
    assert about(mixture, "data.general.zh")["removed"] == removed


def test_general_rows_that_ask_what_is_trained_or_tested_are_left_out(tmp_path: Path) -> None:
    creative = written(tmp_path / "creative.jsonl", rows(1, prompt="写一首诗。"))
    queries = written(tmp_path / "queries.jsonl", [QUERY])
    general = [
        {"prompt": text} for text in ("写一首诗", "WRITE  a poem", "Ｗｒｉｔｅ ａ ｐｏｅｍ", "Write two poems", "?!")
    ]
    path = written(tmp_path / "general.jsonl", [rows(1)[0] | row for row in general])
    data = data_config(
        creative__path=creative,
        queries=queries,
        general__en__path=path,
        general__zh__path=None,
        ratio="2",
        scale=1,
        validation__general=0,
        validation__source__path=None,
    )
    mixture = build_mixture(data, seed=0)
    assert about(mixture, "data.general.en")["removed"] == {"overlap": 3}
    assert about(mixture, "data.creative")["also_queries"] == 0
    assert mixture.left_out == {"quarantined": 0, "duplicates": 0, "overlap": 3}
    trained = {one.prompt for one in mixture.examples(mixture.train.filter(pl.col("kind") == "general"))}
    assert trained == {"Write two poems", "?!"}
    too_many = data.model_copy(update={"ratio": "3"})
    with pytest.raises(DataError, match=r"but it has 2 \(3 rows were left out: overlap 3\)"):
        build_mixture(too_many, seed=0)


def test_creative_prompts_that_are_test_queries_are_counted(tmp_path: Path) -> None:
    creative = written(tmp_path / "creative.jsonl", rows(3) + rows(1, prompt="write a poem"))
    queries = written(tmp_path / "queries.jsonl", [QUERY])
    mixture = build_mixture(data_config(creative__path=creative, queries=queries, ratio="0"), seed=0)
    assert (counts(mixture)[0], about(mixture, "data.creative")["also_queries"]) == (4, 1)


def test_a_pool_is_of_one_language(tmp_path: Path) -> None:
    """A bilingual file serves both pools, each with its own rows, and none twice."""
    both = [rows(1, id=f"{lang}{n}", lang=lang, prompt=f"{lang}{n}")[0] for lang in ("zh", "en") for n in range(9)]
    file = written(tmp_path / "both.jsonl", both)
    paths = {"general__zh__path": file, "general__en__path": file}
    mixture = build_mixture(data_config(ratio="7", scale=1, validation__general=2, **paths), seed=0)
    assert counts(mixture) == (51, 7, 7)
    assert len(ids(mixture)) == 51 + 14
    assert about(mixture, "data.general.zh")["removed"] == {"language": 9}
    with pytest.raises(DataError, match=r"too small: 10 .* it has 9 \(9 rows were left out: language 9\)"):
        build_mixture(data_config(ratio="10", scale=1, validation__general=0, **paths), seed=0)


def test_two_pools_never_share_a_row(tmp_path: Path) -> None:
    file = written(tmp_path / "no language of their own.jsonl", rows(9))
    data = data_config(
        ratio="1",
        scale=1,
        validation__general=0,
        general__zh__path=file,
        general__en__path=written(tmp_path / "copy.jsonl", rows(10)),
    )
    mixture = build_mixture(data, seed=0)
    assert about(mixture, "data.general.en")["removed"] == {"overlap": 9}


def test_a_source_of_another_language_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data: general.zh: its source is of language en; put it under general.en"):
        data_config(general__zh__lang="en")


def test_of_repeated_rows_one_that_can_be_used_stays(tmp_path: Path) -> None:
    """Whatever their order in the file."""
    low, high = rows(1, score=3)[0], rows(1, score=9, reasoning="another")[0]
    for number, order in enumerate([[low, high], [high, low]]):
        path = written(tmp_path / f"{number}.jsonl", order)
        data = data_config(
            ratio="1",
            scale=1,
            validation__general=0,
            general__en__path=None,
            general__zh__path=path,
            general__zh__filters__min_score=7,
        )
        mixture = build_mixture(data, seed=0)
        general = mixture.examples(mixture.train.filter(pl.col("kind") == "general"))
        assert [one.reasoning for one in general] == ["another"]
        assert about(mixture, "data.general.zh")["removed"] == {"score": 1}


def test_a_prompt_with_one_answer_is_never_both_general_and_held_out(tmp_path: Path) -> None:
    """Whichever rows a seed holds out; rows without ids may differ in their reasoning or system prompt alone."""
    twice = [rows(1)[0] | change for change in ({}, {"reasoning": "another"}, {"system": "Be brief."})]
    path = written(tmp_path / "general.jsonl", [*twice, *rows(2)[1:]])
    for seed in range(8):
        data = data_config(ratio="1", scale=1, validation__general=1, general__zh__path=path, general__en__path=None)
        mixture = build_mixture(data, seed)
        assert about(mixture, "data.general.zh")["duplicates"] == 2
    creative = build_mixture(data_config(creative__path=path, ratio="0"), seed=0)
    assert counts(creative)[0] == 4


def local(ratio: str, **changes: Any) -> Any:
    """Return the config of a general pool of one's own beside the sample's creative set."""
    return data_config(**{"ratio": ratio, "scale": 1, "validation__general": 0, "general__en__path": None, **changes})


@pytest.mark.parametrize("seed", range(5))
def test_other_answers_to_a_held_out_prompt_are_not_trained_on(tmp_path: Path, seed: int) -> None:
    several = [row | {"answer": f"a{n}"} for row in rows(6) for n in range(4)]
    path = written(tmp_path / "general.jsonl", several)
    mixture = build_mixture(local("8", general__zh__path=path, validation__general=3), seed)
    general = pl.col("kind") == "general"
    trained, held_out = (
        {one.prompt for one in mixture.examples(lines.filter(general))} for lines in (mixture.train, mixture.validation)
    )
    assert len(trained) > 1
    assert not trained & held_out
    use = about(mixture, "data.general.zh")
    assert use["removed"]["held_out_prompt"] == 4 * len(held_out) - 3
    assert use["usable"] == 24 - use["removed"]["held_out_prompt"]


def test_creative_texts_to_a_held_out_prompt_are_not_trained_on(tmp_path: Path) -> None:
    several = [row | {"id": f"{row['prompt']}-{n}", "answer": f"a{n}"} for row in rows(6) for n in range(2)]
    several += [row | {"lang": "en", "prompt": f"in English {n}"} for n, row in enumerate(several)]
    path = written(tmp_path / "creative.jsonl", several)
    alone = {"validation__general": 0, "validation__source__path": None}
    for seed in range(5):
        data = data_config(creative__path=path, ratio="0", validation__creative=1, **alone)
        mixture = build_mixture(data, seed)
        assert (counts(mixture)[0] * 2, len(mixture.validation)) == (20, 2)  # the other text's two versions went too
        data = data_config(creative__path=path, ratio="0", validation__source__path=path)
        with pytest.raises(DataError, match="held out, is also trained on"):
            build_mixture(data, seed)


def test_rows_without_reasoning_where_it_is_needed_and_where_not(tmp_path: Path) -> None:
    path = written(
        tmp_path / "general.jsonl",
        [*rows(3), *(row | {"prompt": f"b{n}", "reasoning": None} for n, row in enumerate(rows(2)))],
    )
    with pytest.raises(
        DataError, match=r"2 of 5 rows of .* no reasoning; .*data.no_reasoning=empty(.|\n)*jsonl:4: reasoning: empty"
    ):
        build_mixture(local("3", general__zh__path=path), seed=0)
    left_out = build_mixture(local("3", general__zh__path=path, max_quarantined=0.4), seed=0)
    assert about(left_out, "data.general.zh")["removed"] == {"no_reasoning": 2}
    assert left_out.left_out["no_reasoning"] == 2
    for used in (
        build_mixture(local("5", general__zh__path=path, no_reasoning="empty"), seed=0),
        build_mixture(local("5", general__zh__path=path), seed=0, needs_reasoning=False),
    ):
        assert about(used, "data.general.zh")["without_reasoning"] == 2
        assert sum(not one.reasoning for one in used.examples(used.train)) == 2
    with pytest.raises(DataError, match="no reasoning"):  # the same examples in arms with and without reasoning
        build_mixture(local("3", general__zh__path=path, no_reasoning="quarantine"), seed=0, needs_reasoning=False)


def test_ids_that_restart_in_each_file(tmp_path: Path) -> None:
    for shard in range(2):
        numbered = [row | {"id": n, "prompt": f"{shard}-{n}"} for n, row in enumerate(rows(3))]
        written(tmp_path / f"g-{shard}.jsonl", [*numbered, *rows(1, id="same", prompt="the same row")])
    path = str(tmp_path / "g-*.jsonl")
    mixture = build_mixture(local("7", general__zh__path=path), seed=0)
    use = about(mixture, "data.general.zh")
    assert (use["usable"], use["duplicates"], use["renamed"]) == (7, 1, 3)
    names = set(mixture.train.filter(pl.col("kind") == "general")["id"])
    assert names == {"0", "1", "2", "same", "g-1:0", "g-1:1", "g-1:2"}
    with pytest.raises(DataError, match=r"ids restart in the files .*g-0.jsonl, .*filters.aligned=true"):
        build_mixture(local("7", general__zh__path=path, general__zh__filters__aligned=True), seed=0)


def test_think_blocks_in_answers_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "general.jsonl", [*rows(2), *rows(1, prompt="b", answer="<think>\nr\n</think>\n\na")])
    mixture = build_mixture(local("3", general__zh__path=path), seed=0)
    assert about(mixture, "data.general.zh")["split"] == 1
    assert {one.answer for one in mixture.examples(mixture.train.filter(pl.col("kind") == "general"))} == {"a"}


@pytest.mark.parametrize(
    ("node", "lang", "text", "mend"),
    [
        ("general__en", "en", "一共有二十四个面包", "give the file as data.general.zh.path"),
        ("general__zh", "zh", "There are twenty four rolls", "give the file as data.general.en.path"),
        ("creative", "zh", "There are twenty four rolls", "give the file as data.creative.lang=en"),
    ],
)
def test_a_file_in_another_script_than_its_pools_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, node: str, lang: str, text: str, mend: str
) -> None:
    path = written(
        tmp_path / "rows.jsonl", [{"prompt": f"{text} {n}", "reasoning": text, "answer": text} for n in range(5)]
    )
    data = {"ratio": "2" if "general" in node else "0", "scale": 1, "validation__general": 0}
    build_mixture(data_config(**data, **{f"{node}__path": path}), seed=0)
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"data.{node.replace('__', '.')}: 5 of 5 rows are read as {lang}" in warning
    assert mend in warning


def test_the_samples_own_pools_are_in_their_own_script(caplog: pytest.LogCaptureFixture) -> None:
    build_mixture(data_config(ratio="10k", creative__path="sample:creative*.jsonl"), seed=0)
    assert not caplog.records
