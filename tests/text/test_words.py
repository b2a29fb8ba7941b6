import json
import logging

import jieba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coig.text.words import segment, split_words
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
    assert split_words("我们在北京大学读书，读书！") == ["我们", "在", "北京大学", "读书", "读书"]


def test_english_words_are_lower_cased_and_keep_their_apostrophes() -> None:
    assert split_words("Don't stop: the _end_, THE well-known.") == ["don't", "stop", "the", "end", "the", "well-known"]


def test_mixed_text() -> None:
    assert split_words("今天用 Python 写诗") == ["今天", "用", "python", "写诗"]


@pytest.mark.parametrize(
    "english", ["don't", "well-known", "it’s", "café", "naïve", "1,000.5", "at&t", "snake_case", "2024-05-06", "мир"]
)
def test_a_chinese_character_changes_no_english_word(english: str) -> None:
    alone = split_words(f"He {english} she")
    assert split_words(f"He {english} she 雄") == [*alone, "雄"]
    assert split_words(f"雄 he {english}, she") == ["雄", *alone]
    assert split_words(f"北京{english}北京") == ["北京", *split_words(english), "北京"]


def test_words_of_two_scripts_stay_whole() -> None:
    assert split_words("去4S店，don't") == ["去", "4s店", "don't"]


@pytest.mark.parametrize("text", LIKE_JIEBA)
def test_segments_as_jieba_does(text: str) -> None:
    assert segment(text) == jieba.lcut(text)


@settings(max_examples=300)
@given(st.text(st.sampled_from(MIXED) | st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_segments_any_text_as_jieba_does(text: str) -> None:
    assert segment(text) == jieba.lcut(text)


@pytest.mark.skipif(not (SHARED / "corpus").exists(), reason="needs ../shared/corpus, the novels")
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_segments_the_novels_as_jieba_does(lang: str, every: int) -> None:
    lines = (SHARED / "corpus" / f"{lang}.jsonl").read_text(encoding="utf-8").split("\n")
    texts = [json.loads(line)["text"].lower() for line in lines if line][::every]
    assert len(texts) > 500 / every
    assert not [text[:40] for text in texts if segment(text) != jieba.lcut(text)]
