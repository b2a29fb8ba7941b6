"""Copies are found exactly: against comparing every pair, and in the cases that other tools get wrong."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coig.curation import near_duplicates
from coig.curation.dedupe import find_pairs
from coig.curation.minhash import find_alike_by_minhash
from coig.curation.near_duplicates import Likeness, find_alike
from coig.errors import ConfigError
from coig.text.shingles import Shingles, shingles_of
from tests.curation.curations import STORY, article, configure, write_articles

ALPHABET = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]


def find(texts: list[Shingles], known: int = 0) -> list[Likeness]:
    return list(find_alike(texts, jaccard=0.5, containment=0.7, excerpt=20, known=known))


def pairs_of(texts: list[str]) -> set[tuple[int, int]]:
    found = find([shingles_of(text) for text in texts])
    return {(min(pair.first, pair.second), max(pair.first, pair.second)) for pair in found}


def every_pair(texts: list[Shingles], jaccard: float, containment: float, excerpt: int) -> set[tuple[int, int]]:
    """Compare every pair of texts by its definition."""
    found = set()
    for first, one in enumerate(texts):
        for second in range(first):
            other = texts[second]
            shared, least = len(np.intersect1d(one, other)), min(len(one), len(other))
            if least and (
                shared >= jaccard * (len(one) + len(other) - shared) - 1e-12
                or (least >= excerpt and shared >= containment * least - 1e-12)
            ):
                found.add((second, first))
    return found


def write_text(rng: random.Random, length: int) -> str:
    return "".join(rng.choices(ALPHABET, k=length))


def edit(text: str, share: float, rng: random.Random) -> str:
    characters = list(text)
    for place in rng.sample(range(len(text)), round(share * len(text))):
        characters[place] = rng.choice(ALPHABET)
    return "".join(characters)


SETS = st.lists(
    st.sets(st.integers(0, 40), max_size=25).map(lambda values: np.array(sorted(values), np.uint64) << np.uint64(58)),
    max_size=14,
)


@settings(max_examples=150)
@given(SETS, st.sampled_from([0.2, 0.5, 0.8]), st.sampled_from([0.5, 0.7, 1.0]), st.integers(1, 10))
def test_it_finds_what_comparing_every_pair_finds(
    texts: list[Shingles], jaccard: float, containment: float, excerpt: int
) -> None:
    texts = [np.unique(text) for text in texts]
    found = list(find_alike(texts, jaccard=jaccard, containment=containment, excerpt=excerpt))
    pairs = {(min(pair.first, pair.second), max(pair.first, pair.second)) for pair in found}
    assert len(pairs) == len(found)
    assert pairs == every_pair(texts, jaccard, containment, excerpt)


def test_small_blocks_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    texts = [write_text(rng, 120) for _ in range(30)]
    texts += [edit(text, 0.04, rng) for text in texts]
    whole = pairs_of(texts)
    monkeypatch.setattr(near_duplicates, "BLOCK", 1)
    assert pairs_of(texts) == whole
    assert len(whole) == 30


def test_copies_with_four_per_cent_changed_are_found_and_nothing_else() -> None:
    rng = random.Random(1)
    footer = write_text(rng, 200)  # that all texts of a site share
    texts = [write_text(rng, 600) + footer for _ in range(60)]
    copies = [edit(texts[number], share, rng) for number, share in enumerate((0.01, 0.02, 0.04) * 5)]
    assert pairs_of(texts + copies) == {(number, 60 + number) for number in range(15)}


def test_an_excerpt_of_a_serial_is_found_and_a_quoted_proverb_is_not() -> None:
    rng = random.Random(2)
    chapters = [write_text(rng, 300) for _ in range(4)]
    proverb = "海内存知己天涯若比邻"
    texts = ["".join(chapters) + proverb, chapters[2], proverb, chapters[0] + chapters[1]]
    assert pairs_of(texts) == {(0, 1), (0, 3)}


def test_traditional_and_simplified_versions_are_copies() -> None:
    assert pairs_of(["后来我们说，那里的线断了。", "後來我們說，那裡的線斷了。", "后来他们听，这里的灯亮了。"]) == {
        (0, 1)
    }


def test_short_and_empty_texts() -> None:
    assert pairs_of(["", "", "……", "雨停了", "雨停了。", "雪停了"]) == {(3, 4)}
    assert pairs_of([]) == set()


def test_poems_with_one_refrain_are_no_copies() -> None:
    refrain = "归去来兮"
    poems = [f"山高水又长{refrain}月落不成眠{refrain}", f"灯下补旧衣{refrain}针脚密如雨{refrain}"]
    assert pairs_of([*poems, poems[0].replace("水", "路")]) == {(0, 2)}


def test_unlike_english_texts_share_too_little() -> None:
    rng = random.Random(3)
    words = [
        "the",
        "and",
        "of",
        "to",
        "in",
        "that",
        "it",
        "was",
        "he",
        "for",
        "his",
        "with",
        "as",
        "had",
        "not",
        "at",
        "but",
        "on",
        "her",
        "said",
        "by",
        "all",
        "which",
        "she",
    ]
    names = ["".join(rng.choices("abcdefghiklmnoprstuvw", k=6)) for _ in range(4000)]
    texts = [" ".join(rng.choice(words) + " " + rng.choice(names) for _ in range(size)) for size in (80, 80, 40_000)]
    assert pairs_of(texts) == set()


def test_a_text_of_ten_megabytes_and_its_excerpt() -> None:
    rng = random.Random(4)
    long = "".join(rng.choices(ALPHABET, k=200_000)) * 17
    assert len(long.encode()) > 10_000_000
    assert pairs_of([long, long[100_000:101_000], write_text(rng, 1000)]) == {(0, 1)}


def test_known_texts_are_not_compared_among_themselves() -> None:
    sets = [shingles_of("一二三四五六七八九十")] * 4
    found = find(sets, known=2)
    assert {(pair.first, pair.second) for pair in found} == {(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}


def test_likeness_is_exact() -> None:
    text = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"
    [pair] = find([shingles_of(text + "天地玄黄"), shingles_of(text)])
    assert pair == Likeness(first=1, second=0, jaccard=16 / 20, containment=1.0)


def test_minhash_finds_copies_and_invents_none() -> None:
    pytest.importorskip("rensa")
    rng = random.Random(5)
    texts = [write_text(rng, 400) for _ in range(50)]
    texts += [edit(text, 0.04, rng) for text in texts[:20]] + ["", "雨"]
    sets = [shingles_of(text) for text in texts]
    found = {(pair.first, pair.second) for pair in find_alike_by_minhash(sets, jaccard=0.5)}
    exact = {(pair.first, pair.second) for pair in find_alike(sets, jaccard=0.5, containment=1.0, excerpt=10**9)}
    assert found <= exact
    assert len(found) == len(exact) == 20


def test_datatrove_proposes_pairs_that_are_then_compared(tmp_path: Path) -> None:
    pytest.importorskip("datatrove", reason="needs pip install 'coig[datatrove]'")
    rng = random.Random(6)
    texts = [write_text(rng, 300) for _ in range(30)]
    texts += [edit(texts[0], 0.02, rng), edit(texts[0], 0.03, rng), edit(texts[7], 0.04, rng), "", "雨", texts[3]]
    executor = "{_target_: datatrove.executor.LocalPipelineExecutor, tasks: 3, workers: 1}"
    write_articles(article(STORY))
    rules = configure(f"dedupe.executor={executor}", "dedupe.largest=20").dedupe
    sets, pairs = find_pairs(texts, rules, 0, tmp_path / "minhash")
    exact = find([shingles_of(text) for text in texts])
    assert {(pair.first, pair.second, pair.jaccard) for pair in pairs} == {
        (pair.first, pair.second, pair.jaccard) for pair in exact
    }
    assert len(pairs) == 5  # the three versions of the first text are three pairs
    assert len(sets[33]) == 0
    assert not list((tmp_path / "minhash").iterdir())


def test_a_queue_that_is_not_done_yet_is_asked_again_later(tmp_path: Path) -> None:
    pytest.importorskip("datatrove", reason="needs pip install 'coig[datatrove]'")
    write_articles(article(STORY))
    rules = configure("dedupe.executor={_target_: tests.curation.queued.Queued, tasks: 2}", "dedupe.largest=1").dedupe
    with pytest.raises(ConfigError, match="42 of 42 tasks have not finished; run the same command again"):
        find_pairs(["雨下了三天。", "雨下了三天。"], rules, 0, tmp_path)
