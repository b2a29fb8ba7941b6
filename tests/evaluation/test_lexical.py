from coig.evaluation.lexical import type_token_ratio, words


def test_chinese_is_segmented_into_words() -> None:
    assert words("我们在北京大学读书，读书！") == ["我们", "在", "北京大学", "读书", "读书"]


def test_english_words_are_lower_cased_and_keep_their_apostrophes() -> None:
    assert words("Don't stop: the end, THE end.") == ["don't", "stop", "the", "end", "the", "end"]


def test_mixed_text() -> None:
    assert words("今天用 Python 写诗") == ["今天", "用", "python", "写诗"]


def test_type_token_ratio() -> None:
    assert type_token_ratio(["a", "b", "a", "c"]) == 0.75
    assert type_token_ratio([]) is None
