import json
import logging
from collections.abc import Callable, Sequence
from random import Random

import jieba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lexicalrichness import LexicalRichness

from coig.evaluation.lexical import (
    distinct,
    diversity,
    hdd,
    mattr,
    mtld,
    segmented,
    self_repetition,
    ttr_of_first,
    type_token_ratio,
    words,
)
from tests.conftest import SHARED

jieba.setLogLevel(logging.WARNING)

LIKE_JIEBA = [
    "我们在北京大学读书，读书！",
    "他花了3.14元，涨了12.5%，版本是v1.2.3，2024-05-06更新。",
    "邮箱是foo_bar@example.com.cn，网址https://www.a-b.com/x?y=1&z=2#t。",
    "he said 'good-bye' to 小明, at&t和c++还有c#，t恤、4s店、卡拉ok、阿q",
    "韦小宝常在他洞下；常在路旁闲站",  # rjieba's own model cuts 常在 here
    "生僻字：㐀㐁𠀀鿖豈，日文あいう，全角１２ＡＢ，俄文мир，γ射线，é́",
    "……——%%..--__a--b..1.%",
    "一行\r\n两行\u3000三行\u2028",
    "",
]
MIXED = "ab1.2%+#&_-c 好常在他的店恤4s㐀，"


def test_chinese_is_segmented_into_words() -> None:
    assert words("我们在北京大学读书，读书！") == ["我们", "在", "北京大学", "读书", "读书"]


def test_english_words_are_lower_cased_and_keep_their_apostrophes() -> None:
    assert words("Don't stop: the _end_, THE well-known.") == ["don't", "stop", "the", "end", "the", "well-known"]


def test_mixed_text() -> None:
    assert words("今天用 Python 写诗") == ["今天", "用", "python", "写诗"]


@pytest.mark.parametrize("text", LIKE_JIEBA)
def test_segments_as_jieba_does(text: str) -> None:
    assert segmented(text) == jieba.lcut(text)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(MIXED) | st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_segments_any_text_as_jieba_does(text: str) -> None:
    assert segmented(text) == jieba.lcut(text)


@pytest.mark.skipif(not (SHARED / "corpus").exists(), reason="needs ../shared/corpus, the novels")
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_segments_the_novels_as_jieba_does(lang: str, every: int) -> None:
    lines = (SHARED / "corpus" / f"{lang}.jsonl").read_text(encoding="utf-8").split("\n")
    texts = [json.loads(line)["text"].lower() for line in lines if line][::every]
    assert len(texts) > 500 / every
    assert not [text[:40] for text in texts if segmented(text) != jieba.lcut(text)]


def zipf(length: int, types: int, seed: int = 0) -> list[str]:
    weights = [1 / rank for rank in range(1, types + 1)]
    return Random(seed).choices([f"w{number}" for number in range(types)], weights, k=length)


TEXTS = [zipf(length, types) for length in (199, 200, 257, 1_000, 3_001) for types in (3, 60, 2_000)]
TEXTS += [[f"w{number}" for number in range(300)], ["same"] * 250, words(LIKE_JIEBA[1] * 20), ["a", "b"] * 25]


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
    assert diversity([]) == dict.fromkeys(
        ("ttr", "mattr", "mtld", "hdd", "distinct_2", "distinct_3", "self_repetition")
    )
    assert (mattr(["a"] * 49), hdd(["a"] * 41), mtld(["a"] * 199)) == (None, None, None)
    assert (distinct(["a"], 2), self_repetition(["a"] * 3), ttr_of_first(["a"], 2)) == (None, None, None)


def test_diversity_is_all_measures_of_a_text() -> None:
    tokens = zipf(400, 150)
    assert diversity(tokens) == {
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
