import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from coig.cli import CONF
from coig.config import Data, load_config
from coig.data.examples import DataError, Example
from coig.data.mixture import Mixture, build_mixture, in_order


def sample(**changes: Any) -> Data:
    overrides = [f"data.{key.replace('__', '.')}={value}" for key, value in changes.items()]
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return load_config(compose("train", overrides=overrides)).data


def counts(mixture: Mixture) -> tuple[int, int, int]:
    kinds = [(example.kind, example.lang) for example in mixture.train]
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
def test_the_arms_of_the_sample(ratio: str, expected: tuple[int, int, int]) -> None:
    assert counts(build_mixture(sample(ratio=ratio), seed=0)) == expected


@pytest.mark.parametrize("seed", [0, 1])
def test_subsets_nest(seed: int) -> None:
    ids = {
        ratio: {example.id for example in build_mixture(sample(ratio=ratio), seed).train}
        for ratio in ("0", "1k", "1:3", "5k", "10k", "1:12", "general")
    }
    assert ids["0"] < ids["1k"] < ids["1:3"] < ids["5k"] < ids["10k"] == ids["1:12"]
    assert ids["general"] == ids["10k"] - ids["0"]


def test_validation_is_the_same_in_every_arm_and_never_trained_on() -> None:
    mixtures = [build_mixture(sample(ratio=ratio), seed=3) for ratio in ("0", "10k", "general")]
    assert len({mixture.validation for mixture in mixtures}) == 1
    assert len(mixtures[0].validation) == 6 + 16 + 16
    trained = {example.id for mixture in mixtures for example in mixture.train}
    assert not trained & {example.id for example in mixtures[0].validation}


def test_creative_examples_can_be_held_out() -> None:
    mixture = build_mixture(sample(ratio="1:2", validation__creative=11), seed=0)
    assert counts(mixture) == (40, 40, 40)


def test_the_fingerprint_tells_data_apart_and_nothing_else() -> None:
    first = build_mixture(sample(ratio="1k"), seed=0).fingerprint
    assert build_mixture(sample(ratio="1k"), seed=0).fingerprint == first
    assert build_mixture(sample(ratio="1k", scale=0.0312), seed=0).fingerprint == first  # 31 examples either way
    assert build_mixture(sample(ratio="5k"), seed=0).fingerprint != first
    assert build_mixture(sample(ratio="1k"), seed=1).fingerprint != first


def test_the_order_is_pinned() -> None:
    """sha256 of (seed, id): this literal must never change, or studies of different versions no longer compare."""
    examples = [Example(name, "s", "general", "en", None, "p", "r", "a") for name in "abcde"]
    assert "".join(example.id for example in in_order(examples, seed=0)) == "dacbe"
    assert "".join(example.id for example in in_order(examples[::-1], seed=0)) == "dacbe"


def test_a_pool_too_small_is_an_error_not_re_use(tmp_path: Path) -> None:
    file = tmp_path / "pool.json"  # an array, so its rows are counted only here
    file.write_text(json.dumps([{"prompt": f"p{n}", "reasoning": "r", "answer": "a"} for n in range(40)]))
    data = sample(general__zh__path=str(file), ratio="1k", validation__general=10)
    with pytest.raises(DataError, match=r"pool general.zh is too small: 31 to train on and 10 held out, but it has 40"):
        build_mixture(data, seed=0)


def test_one_id_for_different_rows_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "creative.jsonl"
    file.write_text("".join(f'{{"id": 0, "query": "q{n}", "thought": "t", "answer": "a"}}\n' for n in range(2)))
    with pytest.raises(DataError, match="id '0' stands for different rows"):
        build_mixture(sample(creative__path=str(file), ratio="0"), seed=0)


def test_what_is_held_out_is_compared_by_content(tmp_path: Path) -> None:
    """Files of different origin number their rows alike; the same text under another id is a leak all the same."""
    rows = [{"id": n, "prompt": f"p{n}", "reasoning": "r", "answer": "a"} for n in range(40)]
    for lang in ("zh", "en"):
        (tmp_path / f"{lang}.jsonl").write_text(
            "".join(json.dumps(row | {"prompt": f"{lang}{row['id']}"}) + "\n" for row in rows)
        )
    paths = {f"general__{lang}__path": str(tmp_path / f"{lang}.jsonl") for lang in ("zh", "en")}
    mixture = build_mixture(sample(ratio="20", scale=1, validation__general=20, **paths), seed=0)
    assert counts(mixture) == (51, 20, 20)
    leak = tmp_path / "leak.jsonl"
    leak.write_text(
        json.dumps({"id": "other", "prompt": mixture.train[-1].prompt, "reasoning": "x", "answer": "a"}) + "\n"
    )
    with pytest.raises(DataError, match="example other is also trained on"):
        build_mixture(sample(ratio="20", scale=1, validation__source__path=str(leak), **paths), seed=0)


def test_repeated_rows_are_used_once_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "creative.jsonl"
    file.write_text('{"query": "q", "thought": "t", "answer": "a"}\n' * 3)
    mixture = build_mixture(sample(creative__path=str(file), ratio="0"), seed=0)
    assert (counts(mixture)[0], mixture.duplicates) == (1, 2)
