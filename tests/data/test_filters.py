"""Filters that pair rows: the same triplet in two languages, and two texts of like length."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from coig.data.mixture import Mixture, build_mixture
from coig.errors import DataError
from tests.data.reading import data_config, written


def triplets(mixture: Mixture) -> set[tuple[str, str]]:
    return set(mixture.train.select("id", "lang").iter_rows())


@pytest.fixture
def aligned(tmp_path: Path) -> str:
    """Ten triplets in Chinese, of which the even ones are in English too."""
    chinese = [{"id": str(n), "prompt": f"问{n}", "reasoning": "r", "answer": f"第{n}个"} for n in range(10)]
    english = [
        {"id": str(n), "lang": "en", "prompt": f"q{n}", "reasoning": "r", "answer": f"number {n}"}
        for n in range(0, 10, 2)
    ]
    return written(tmp_path / "triplets.jsonl", [*chinese, *english])


@pytest.mark.parametrize(("languages", "expected"), [(["zh"], {"zh"}), (["en"], {"en"}), (["zh", "en"], {"zh", "en"})])
def test_the_same_triplets_in_either_language_and_in_both(
    aligned: str, languages: list[str], expected: set[str]
) -> None:
    config = data_config(
        creative__path=aligned, ratio="0", creative__filters__aligned=True, creative__filters__languages=languages
    )
    mixture = build_mixture(config, seed=0)
    assert triplets(mixture) == {(str(n), lang) for n in range(0, 10, 2) for lang in expected}
    assert mixture.left_out["unaligned"] == 5
    half = build_mixture(config.model_copy(update={"creative": config.creative.model_copy(update={"size": 4})}), 0)
    assert triplets(half) < triplets(mixture)
    assert len({name for name, _ in triplets(half)}) == 4  # triplets, in however many languages
    assert len(triplets(half)) == 4 * len(expected)


def test_a_triplet_of_which_one_version_is_unusable_is_used_in_no_language(tmp_path: Path) -> None:
    rows = [
        {"id": str(n), "lang": lang, "prompt": f"{lang} {n}", "reasoning": "r", "answer": f"{lang} number {n}"}
        for n in range(10)
        for lang in ("zh", "en")
    ]
    rows[0]["reasoning"] = ""  # Chinese version of triplet 0
    rows[2] |= {"prompt": rows[4]["prompt"], "answer": rows[4]["answer"]}  # that of triplet 1 copies that of 2
    file = written(tmp_path / "triplets.jsonl", rows)
    for languages in (["zh"], ["en"]):
        config = data_config(
            creative__path=file,
            ratio="0",
            creative__filters__aligned=True,
            creative__filters__languages=languages,
            no_reasoning="quarantine",
            max_quarantined=0.5,
        )
        kept = {int(name) for name, _ in triplets(build_mixture(config, seed=0, needs_reasoning=True))}
        assert kept == {1, *range(3, 10)}
    halved = config.creative.filters.model_copy(update={"diversity": "high"})
    creative = config.creative.model_copy(update={"filters": halved})
    with pytest.raises(DataError, match="leave out one of them"):
        build_mixture(config.model_copy(update={"creative": creative}), seed=0)


def test_what_is_held_out_is_not_trained_on_in_the_other_language(aligned: str) -> None:
    config = data_config(creative__path=aligned, ratio="0", creative__filters__aligned=True, validation__creative=1)
    mixture = build_mixture(config, seed=0)
    held_out = list(mixture.validation.filter(pool="data.creative").select("id", "lang").iter_rows())
    assert len({name for name, _ in held_out}) == 1
    assert {lang for _, lang in held_out} == {"zh", "en"}
    assert len(triplets(mixture)) == 8
    assert not {name for name, _ in triplets(mixture)} & {name for name, _ in held_out}


def test_one_id_stands_for_one_row_of_a_language(tmp_path: Path) -> None:
    rows = [{"id": "1", "prompt": "p", "reasoning": "r", "answer": answer} for answer in "ab"]
    with pytest.raises(DataError, match="id '1' stands for different rows"):
        build_mixture(data_config(creative__path=written(tmp_path / "t.jsonl", rows), ratio="0"), seed=0)


def test_halves_of_high_and_low_diversity_have_equal_lengths(tmp_path: Path) -> None:
    rng = Random(0)
    texts = {
        f"{kind}{n}": " ".join(rng.choice([f"word{k}" for k in range(types)]) for _ in range(length))
        for n, length in enumerate(range(20, 220, 10))
        for kind, types in (("rich", 400), ("poor", 30))
    }
    rows = [{"id": name, "prompt": name, "reasoning": "r", "answer": text} for name, text in texts.items()]
    path = written(
        tmp_path / "t.jsonl", [*rows, {"id": "odd", "prompt": "o", "reasoning": "r", "answer": "word " * 300}]
    )
    found = {}
    for half in ("low", "high"):
        mixture = build_mixture(data_config(creative__path=path, ratio="0", creative__filters__diversity=half), seed=0)
        found[half] = mixture.train["id"].to_list()
        [about] = [source for source in mixture.sources if source["pool"] == "data.creative"]
        assert about["removed"] == {"diversity": 21}
        assert about["diversity"]["words"] == 115  # of both: the mean of 20, 30, … 210
    assert set(found["high"]) == {name for name in texts if name.startswith("rich")}
    assert set(found["low"]) == {name for name in texts if name.startswith("poor")}


def test_the_sample_can_be_halved(tmp_path: Path) -> None:
    sources = {
        half: next(iter(build_mixture(data_config(ratio="0", creative__filters__diversity=half), seed=0).sources))
        for half in ("low", "high")
    }
    low, high = (sources[half]["diversity"] for half in ("low", "high"))
    assert [sources[half]["usable"] for half in ("low", "high")] == [25, 25]
    assert abs(low["words"] - high["words"]) < 2
    assert high["ttr"] - low["ttr"] > 0.02
