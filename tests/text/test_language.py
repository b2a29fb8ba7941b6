import polars as pl
import pytest

from coig.text.language import language_of, script_share


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("春眠不觉晓，处处闻啼鸟。", "zh"),
        ("The rain in Spain stays mainly in the plain.", "en"),
        ("The hero 英雄 went home to the village by the old sea road.", "en"),
        ("他说 OK，然后走进那家新开的面馆，点了一碗小面。", "zh"),
        ("The night was dark. 他推开门，外面下着雨。", "mixed"),
        ("英雄 went home to the village", "en"),  # exactly 80 %: 2 Han characters beside 5 words
        ("12345 ——…", "und"),
        ("", "und"),
    ],
)
def test_language_by_script(text: str, language: str) -> None:
    assert pl.select(language_of(script_share(pl.lit(text)))).item() == language


def test_script_share() -> None:
    # 8 Han, 5 Latin words: 8 / (8 + 1.6 × 5)
    assert pl.select(script_share(pl.lit("一二三四五六七八 one two three four five"))).item() == 0.5
