import pytest

from coig.evaluation.language import language_of, script_share, wilson_interval


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("春眠不觉晓，处处闻啼鸟。", "zh"),
        ("The rain in Spain stays mainly in the plain.", "en"),
        ("The hero 英雄 went home to the village by the old sea road.", "en"),
        ("他说 OK，然后走进那家新开的面馆，点了一碗小面。", "zh"),
        ("The night was dark. 他推开门，外面下着雨。", "mixed"),
        ("12345 ——…", "und"),
        ("", "und"),
    ],
)
def test_language_by_script(text: str, language: str) -> None:
    assert language_of(script_share(text)) == language


def test_script_share() -> None:
    # 8 Han, 5 Latin words: 8 / (8 + 1.6 × 5)
    assert script_share("一二三四五六七八 one two three four five") == 0.5


def test_wilson_interval_of_the_papers_contamination() -> None:
    """43/353 = 12.18 %; limits from statsmodels' proportion_confint(43, 353, method="wilson")."""
    low, high = wilson_interval(43, 353)
    assert (round(low, 4), round(high, 4)) == (0.0917, 0.1601)
    assert wilson_interval(0, 10)[0] == 0.0
