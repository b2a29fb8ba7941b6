import pytest

from coig.config.ratio import Ratio


@pytest.mark.parametrize(
    ("text", "canonical", "arm"),
    [
        ("0", "0", "cw"),
        ("500", "500", "cw+500"),
        ("1k", "1k", "cw+1k"),
        ("1000", "1k", "cw+1k"),
        ("10k", "10k", "cw+10k"),
        ("10K", "10k", "cw+10k"),
        ("1:12", "1:12", "cw+1to12"),
        ("1:1234567", "1:1234567", "cw+1to1234567"),
        ("1:1.2", "1:1.2", "cw+1to1.2"),
        ("general", "general", "general"),
    ],
)
def test_forms(text: str, canonical: str, arm: str) -> None:
    ratio = Ratio.parse(text)
    assert (ratio.text, ratio.arm) == (canonical, arm)


@pytest.mark.parametrize("text", ["50%", "1.0", "0.5", "-1", "", "k", "1:0", "1:", "12:1", "1e3", "ten"])
def test_anything_else_is_an_error_with_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match="give a count per language"):
        Ratio.parse(text)


def test_a_percentage_is_called_one() -> None:
    with pytest.raises(ValueError, match="is a percentage"):
        Ratio.parse("50%")


@pytest.mark.parametrize(
    ("text", "creative", "scale", "expected"),
    [
        ("0", 1665, 1.0, 0),
        ("1k", 1665, 1.0, 2000),  # per language
        ("general", 1665, 1.0, 20_000),
        ("10k", 51, 0.0306, 612),  # the sample's 1:12
        ("1:12", 51, 0.5, 612),  # a proportion knows no scale
        ("1:12", 1665, 1.0, 19_980),
    ],
)
def test_general_examples_of_two_languages(text: str, creative: int, scale: float, expected: float) -> None:
    assert Ratio.parse(text).general_examples(creative, languages=2, scale=scale) == pytest.approx(expected)
