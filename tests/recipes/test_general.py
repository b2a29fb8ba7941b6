"""The general-reasoning samples: the same every time, all different, and right when solved by other means."""

import re
from calendar import day_name, month_name
from collections.abc import Callable
from datetime import date, timedelta
from itertools import permutations, product

import pytest

from recipes.sample.general import general_examples

Row = dict[str, str]
TOPICS = {"word problem", "units", "dates", "ordering", "logic"}
EN_MONTHS, EN_DAYS = list(month_name)[1:], list(day_name)


@pytest.fixture(scope="module", params=[0, 1, 2])
def rows(request: pytest.FixtureRequest) -> dict[str, list[Row]]:
    return {lang: general_examples(lang, 1000, seed=request.param) for lang in ("zh", "en")}


def solved(rows: list[Row], pattern: str) -> list[tuple[re.Match[str], str]]:
    """Pair every prompt that matches with its answer, and insist that there are enough to mean something."""
    found = [(match, row["answer"]) for row in rows if (match := re.search(pattern, row["prompt"]))]
    assert len(found) >= 30
    return found


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_same_arguments_give_the_same_rows_and_a_larger_count_only_adds(lang: str) -> None:
    assert general_examples(lang, 200, seed=1) == general_examples(lang, 200, seed=1)
    assert general_examples(lang, 200, seed=1)[:70] == general_examples(lang, 70, seed=1)
    assert general_examples(lang, 20, seed=1) != general_examples(lang, 20, seed=2)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_thousand_rows_differ_and_cover_the_topics_evenly(rows: dict[str, list[Row]], lang: str) -> None:
    assert len({row["prompt"] for row in rows[lang]}) == len({row["id"] for row in rows[lang]}) == 1000
    assert {row["lang"] for row in rows[lang]} == {lang}
    genres = [row["genre"] for row in rows[lang]]
    assert {genre: genres.count(genre) for genre in TOPICS} == dict.fromkeys(TOPICS, 200)


def test_texts_are_clean_and_of_the_promised_length(rows: dict[str, list[Row]]) -> None:
    for row in rows["zh"] + rows["en"]:
        assert set(row) == {"id", "lang", "genre", "prompt", "reasoning", "answer"}
        assert all(text == text.strip() and not re.search(r"</?think>|<\||  |[{}]", text) for text in row.values())
    for row in rows["zh"]:
        assert 70 <= len(row["reasoning"]) <= 160, row
        assert 12 <= len(row["answer"]) <= 60, row
    for row in rows["en"]:
        assert 40 <= len(row["reasoning"].split()) <= 90, row
        assert 8 <= len(row["answer"].split()) <= 35, row


def test_english_grammar_of_numbers_and_articles(rows: dict[str, list[Row]]) -> None:
    units = "hours|minutes|days|weeks|years|feet|inches|yards|pounds|ounces|gallons|quarts|miles|cups|parts"
    wrong = rf"(?<![\d.,/×÷])\b1 (?:{units})\b|\ba [aeio]\w+|\ban (?!hour)[^aeio]|\.\.|\?\.|\b(\w+) \1\b"
    for row in rows["en"]:
        for field in ("prompt", "reasoning", "answer"):
            assert not re.search(wrong, row[field]), row


def value(expression: str) -> float:
    """Evaluate numbers joined by + - × ÷, without brackets."""
    total = 0.0
    for sign, product_text in re.findall(r"(^-?|[-+])([^-+]+)", expression):
        first, *rest = re.findall(r"([×÷]?)([\d.]+)", product_text)
        term = float(first[1])
        for operator, number in rest:
            term = term * float(number) if operator == "×" else term / float(number)
        total += -term if sign == "-" else term
    return total


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_equation_holds(rows: dict[str, list[Row]], lang: str) -> None:
    number = r"\d+(?:\.\d+)?"
    equation = re.compile(rf"(?<![\d.])(-?{number}(?:[-+×÷]{number})+)=(-?{number})(?![\d/…])")
    checked = 0
    for row in rows[lang]:
        text = re.sub(r" ?([-+×÷=]) ?", r"\1", row["reasoning"].replace("$", ""))
        for left, right in equation.findall(text):
            assert value(left) == pytest.approx(float(right)), row
            checked += 1
    assert checked > 1000


def test_days_of_the_week(rows: dict[str, list[Row]]) -> None:
    english = rf"({'|'.join(EN_MONTHS)}) (\d+).*?(\d+) days (before|after) that"
    for match, answer in solved(rows["en"], english):
        year = re.search(r"\b20\d\d\b", match.string)
        assert year
        start = date(int(year[0]), EN_MONTHS.index(match[1]) + 1, int(match[2]))
        end = start + timedelta(int(match[3]) * (1 if match[4] == "after" else -1))
        assert EN_DAYS[start.weekday()] in match.string
        assert EN_DAYS[end.weekday()] in answer, match.string
    chinese = r"(\d+)年(\d+)月(\d+)日.*?(\d+)天(之前|之后)"
    for match, answer in solved(rows["zh"], chinese):
        start = date(int(match[1]), int(match[2]), int(match[3]))
        end = start + timedelta(int(match[4]) * (1 if match[5] == "之后" else -1))
        assert "星期" + "一二三四五六日"[start.weekday()] in match.string
        assert "星期" + "一二三四五六日"[end.weekday()] in answer, match.string


def test_days_between_dates(rows: dict[str, list[Row]]) -> None:
    for match, answer in solved(rows["zh"], r"(\d+)年.*起始那?[天日]|(\d+)年.*头一天"):
        year = int(match[1] or match[2])
        first, last = (date(year, int(m), int(d)) for m, d in re.findall(r"(\d+)月(\d+)日", match.string))
        assert (last - first).days in numbers(answer) or f"{(last - first).days}天" in answer
    months = "|".join(EN_MONTHS)
    for match, answer in solved(rows["en"], r"\b(20\d\d)\b.*(?:not counting the first|Leaving out)"):
        first, last = (
            date(int(match[1]), EN_MONTHS.index(month) + 1, int(day))
            for month, day in re.findall(rf"({months}) (\d+)", match.string)
        )
        assert f"{(last - first).days} days" in answer


def test_temperatures(rows: dict[str, list[Row]]) -> None:
    for match, answer in solved(rows["zh"] + rows["en"], r"(-?[\d.]+) ?(°C|℃|°F|℉)"):
        value, celsius = float(match[1]), match[2] in ("°C", "℃")
        expected = value * 9 / 5 + 32 if celsius else (value - 32) * 5 / 9
        assert round(expected, 6) in numbers(answer), (match.string, answer)


def test_unit_conversions(rows: dict[str, list[Row]]) -> None:
    rule = r"1([^\d]{1,2})(?:等于|合|折|是)([\d.]+)([^\d。，？！计]{1,2})"
    for match, answer in solved(rows["zh"], rule):
        rate, fine = float(match[2]), match[3]
        rest = match.string.replace(match[0], "")
        given = float(re.findall(r"[\d.]+", rest)[0])
        to_fine = re.search(rf"(?:多少|换算成){fine}", rest)
        assert round(given * rate if to_fine else given / rate, 6) in numbers(answer), match.string


def test_truth_tellers_have_one_solution_and_it_is_the_answer(rows: dict[str, list[Row]]) -> None:
    claims: dict[str, Callable[[bool, bool], bool]] = {
        r"(\w+) is a liar": lambda me, you: not you,
        r"(\w+) always tells the truth": lambda me, you: you,
        r"(\w+) and I are the same kind of person": lambda me, you: me == you,
        r"(\w+) and I are different kinds of people": lambda me, you: me != you,
        r"At least one of us is a liar": lambda me, you: not (me and you),
        r"Both of us are liars": lambda me, you: not (me or you),
        r"At least one of us always tells the truth": lambda me, you: me or you,
    }
    spoken = r'(\w+)(?: says,|:) "([^"]+)\." (\w+)(?: says,|:) "([^"]+)\."'
    for match, answer in solved(rows["en"], spoken):
        first, second = (next(f for text, f in claims.items() if re.fullmatch(text, match[n])) for n in (2, 4))
        fits = [(a, b) for a, b in product((True, False), repeat=2) if first(a, b) == a and second(b, a) == b]
        assert len(fits) == 1
        for name, honest in zip((match[1], match[3]), fits[0], strict=True):
            assert f"{name} is a {'truth-teller' if honest else 'liar'}" in answer, match.string


def test_boxes_have_one_solution_and_it_is_the_answer(rows: dict[str, list[Row]]) -> None:
    for match, answer in solved(rows["zh"], r"(?:盒上写“.*){3}"):
        labels = re.findall(r"(.)盒上写“(不?)在(.)", match.string)
        truths = 1 if "恰有一句是真的" in match.string else 2
        fits = [
            place
            for place, _, _ in labels
            if truths == sum((place == (own if where == "这" else where)) == (not no) for own, no, where in labels)
        ]
        assert len(fits) == 1
        assert f"{fits[0]}盒" in answer or f"{fits[0]}色的盒子" in answer, match.string


def test_rankings_allow_one_order_and_the_answer_names_its_end(rows: dict[str, list[Row]]) -> None:
    more = ("is taller than", "is older than", "arrived before", "finished ahead of", "scored higher than")
    less = ("is shorter than", "is younger than", "arrived after", "finished behind", "scored lower than")
    clue = rf"(\w+) ({'|'.join(more + less)}) (\w+)"
    top = "the (?:tallest|oldest|first to arrive|winner of the race|top scorer)"
    for match, answer in solved(rows["en"], clue):
        found = re.findall(clue, match.string)
        pairs = [(a, b) if verb in more else (b, a) for a, verb, b in found]
        people = sorted({name for pair in pairs for name in pair})
        orders = [order for order in permutations(people) if all(order.index(a) < order.index(b) for a, b in pairs)]
        assert len(orders) == 1, match.string
        end = orders[0][0] if re.search(rf"{top}\?$", match.string) else orders[0][-1]
        assert re.search(rf"\b{end} (?:is|who is) the", answer), (match.string, answer)
