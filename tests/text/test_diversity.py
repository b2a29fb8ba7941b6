from collections.abc import Callable, Sequence
from random import Random

import pytest
from lexicalrichness import LexicalRichness

from coig.text.diversity import (
    distinct,
    hdd,
    mattr,
    measure_diversity,
    mtld,
    self_repetition,
    ttr_of_first,
    type_token_ratio,
)
from coig.text.words import split_words


def zipf(length: int, types: int, seed: int = 0) -> list[str]:
    weights = [1 / rank for rank in range(1, types + 1)]
    return Random(seed).choices([f"w{number}" for number in range(types)], weights, k=length)


TEXTS = [zipf(length, types) for length in (199, 200, 257, 1_000, 3_001) for types in (3, 60, 2_000)]
TEXTS += [
    [f"w{number}" for number in range(300)],
    ["same"] * 250,
    split_words("他花了3.14元，版本是v1.2.3更新。" * 20),
    ["a", "b"] * 25,
]


@pytest.mark.parametrize("tokens", TEXTS, ids=lambda tokens: f"{len(set(tokens))} of {len(tokens)}")
def test_measures_agree_with_lexicalrichness(tokens: list[str]) -> None:
    peer = LexicalRichness(tokens, preprocessor=None, tokenizer=None)
    assert type_token_ratio(tokens) == pytest.approx(peer.ttr)
    assert mattr(tokens) == pytest.approx(peer.mattr(window_size=50), abs=1e-9)
    assert hdd(tokens) == pytest.approx(peer.hdd(draws=42), abs=1e-9)
    assert mtld(tokens) == (pytest.approx(peer.mtld(threshold=0.72), abs=1e-6) if len(tokens) >= 200 else None)


def test_measures_by_hand() -> None:
    tokens = ["a", "b", "a", "c"]
    assert type_token_ratio(tokens) == 0.75
    assert mattr(tokens, window=3) == pytest.approx((2 / 3 + 1) / 2)
    assert hdd(tokens, draws=2) == pytest.approx((5 / 6 + 1 / 2 + 1 / 2) / 2)  # of six pairs, five hold an a
    assert ttr_of_first(tokens, 2) == 1.0
    assert distinct(["a", "b", "a", "b"], 2) == pytest.approx(2 / 3)
    assert self_repetition(["a", "b", "c", "d"] * 2) == pytest.approx(1 / 5)  # the fifth 4-gram is the first again


def test_mtld_by_hand() -> None:
    """`a b a` and `b a a` reach 0.72, a factor each; `c d` and `b a` at the ends repeat nothing, no part of one."""
    forward, backward = 203 / 67, 203 / 66  # dcabaa, then 65 times baa
    assert mtld(["a", "b", "a"] * 67 + ["c", "d"]) == pytest.approx((forward + backward) / 2)


def test_texts_too_short_for_a_measure() -> None:
    assert measure_diversity([]) == dict.fromkeys(
        ("ttr", "mattr", "mtld", "hdd", "distinct_2", "distinct_3", "self_repetition")
    )
    assert (mattr(["a"] * 49), hdd(["a"] * 41), mtld(["a"] * 199)) == (None, None, None)
    assert (distinct(["a"], 2), self_repetition(["a"] * 3), ttr_of_first(["a"], 2)) == (None, None, None)


def test_diversity_is_all_measures_of_a_text() -> None:
    tokens = zipf(400, 150)
    assert measure_diversity(tokens) == {
        "ttr": type_token_ratio(tokens),
        "mattr": mattr(tokens),
        "mtld": mtld(tokens),
        "hdd": hdd(tokens),
        "distinct_2": distinct(tokens, 2),
        "distinct_3": distinct(tokens, 3),
        "self_repetition": self_repetition(tokens),
    }


def test_mattr_and_hdd_level_length() -> None:
    tokens = zipf(5_000, 4_000, seed=1)

    def kept(measure: Callable[[Sequence[str]], float | None]) -> float:
        """The whole text's figure over that of its first fifth."""
        return (measure(tokens) or 0) / (measure(tokens[:1_000]) or 0)

    assert kept(type_token_ratio) < 0.67
    assert kept(mattr) > 0.95
    assert kept(hdd) > 0.95
