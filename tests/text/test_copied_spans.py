"""Copied spans: against a slow search, with planted copies, and in all spellings."""

from __future__ import annotations

import random

import numpy as np
import pytest

from coig.text.copied_spans import CHARACTER_WEIGHT, LEAST, WORD_WEIGHT, CopiedSpans, Match

DICE = random.Random(0)
CHARACTERS = [chr(code) for code in range(0x4E00, 0x9FA0)]
WORDS = ["".join(DICE.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(7)) for _ in range(5000)]


def matched(answer: str, *texts: str) -> Match:
    [match] = CopiedSpans([answer], texts).match([0], np.arange(len(texts)))
    return match


def search_slowly(answer: list[str], texts: list[list[str]], weight: int) -> tuple[int, int]:
    """Return the tokens of an answer within copied spans, and the tokens of its longest one."""
    covered, longest = set(), 0
    for text in texts:
        for here in range(len(answer)):
            for there in range(len(text)):
                size = 0
                while answer[here + size : here + size + 1] == text[there + size : there + size + 1] != []:
                    size += 1
                if size * weight >= LEAST:
                    covered |= set(range(here, here + size))
                    longest = max(longest, size)
    return len(covered), longest


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_slow_search_finds_the_same(lang: str) -> None:
    alphabet, between, weight = ("天地人", "", CHARACTER_WEIGHT) if lang == "zh" else ("ab", " ", WORD_WEIGHT)
    dice = random.Random(1)
    for _ in range(60):
        texts = [[dice.choice(alphabet) for _ in range(dice.randrange(40))] for _ in range(3)]
        copied = dice.choice(texts)[: dice.randrange(30)]
        answer = [dice.choice(alphabet) for _ in range(5)] + copied + [dice.choice(alphabet) for _ in range(5)]
        found = matched(between.join(answer), *(between.join(text) for text in texts))
        tokens, longest = search_slowly(answer, texts, weight)
        assert found.share == pytest.approx(tokens / len(answer))
        assert found.longest == (longest + (longest - 1) * len(between) if longest else 0)


@pytest.mark.parametrize("share", [0, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_planted_copies_are_measured(lang: str, share: float) -> None:
    dice = random.Random(2)
    alphabet, between, size = (CHARACTERS, "", 40) if lang == "zh" else (WORDS, " ", 20)

    def write(length: int) -> list[str]:
        return [dice.choice(alphabet) for _ in range(length)]

    texts = [write(500) for _ in range(50)]
    answers, planted = [], []
    for _ in range(200):
        pieces = [write(size) for _ in range(10)]
        copied = [place for place in range(10) if dice.random() < share]
        for place in copied:
            start = dice.randrange(500 - size)
            pieces[place] = dice.choice(texts)[start : start + size]
        answers.append(between.join(token for piece in pieces for token in piece))
        planted.append(len(copied) / 10)
    spans = CopiedSpans(answers, [between.join(text) for text in texts])
    shares = np.array([match.share for match in spans.match(range(200), np.arange(50))])
    assert shares == pytest.approx(np.array(planted), abs=0.02)  # a copied piece may go on by chance
    assert abs(shares.mean() - share) <= 3 * shares.std(ddof=1) / np.sqrt(200)


def test_spellings_of_a_copy_are_alike() -> None:
    text = "我們說,這個國家的歷史很長久,沒有人能忘記它。"
    assert matched("前言。我们说：这个国家的历史很长久——没有人能忘记它！", text).share > 0.8
    english = "Don't you think that the old house looks lonely tonight, my friend?"
    assert matched("“DON’T you think, that the old house looks lonely tonight”", english).share == 1
    assert (
        matched("Ｄｏｎ＇ｔ you think that the old house looks lonely tonight".replace("＇", "’"), english).share == 1
    )
    assert matched("你好吗今天天气真不错啊", "你好吗今天天气真不错啊").share == 0  # eleven characters are no span


def test_the_longest_span_is_found_in_its_text() -> None:
    texts = ["一" * 5 + "春天的风吹过了小小的村庄啊", "春天的风吹过了小小的村庄啊，孩子们跑出门来", "别的话"]
    answer = "他说：春天的风吹过了小小的村庄啊，孩子们跑出门。"
    found = matched(answer, *texts)
    assert answer[found.place : found.end] == "春天的风吹过了小小的村庄啊，孩子们跑出门"
    assert (found.source, found.nearest) == (1, 1)
    spans = CopiedSpans([answer], texts)
    [other] = spans.match([0], np.array([0, 2]))  # of these texts only
    assert answer[other.place : other.end] == "春天的风吹过了小小的村庄啊"
    [none] = spans.match([0], np.array([2]))
    assert none == Match(0.0, 0, 0, -1, -1)
    assert CopiedSpans([], texts).match([], np.arange(3)) == []
    assert matched("", *texts) == none
