from coig.data.examples import Example
from recipes.sample.stories import story


def document(text: str, lang: str = "en") -> Example:
    return Example("id", "novels", lang, None, "", "", text)


def test_the_plan_quotes_both_ends_of_the_passage() -> None:
    text = "It was dark and very cold. " + "They walked on and on. " * 100
    [row] = story(document(text))
    assert text.startswith(row["answer"])
    assert 200 <= len(row["answer"]) <= 830
    assert "It was dark and very cold." in row["prompt"]
    assert "“They walked on and on.”" in row["reasoning"]


def test_nothing_to_plan() -> None:
    assert not list(story(document("One sentence only, and nothing behind it.")))
    assert not list(story(document("没有句号的一段" * 20, lang="zh")))
