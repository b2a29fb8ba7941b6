"""The embedded sample keeps what the documentation promises of it."""

import json
from collections import Counter
from typing import Any

import pytest

from coig.data.queries import read_queries
from coig.sample.build_tiny import build_tokenizer
from coig.sample.general import general_examples
from coig.schema import SAMPLE
from tests.data.reading import read

# fmt: off
PAPER = [
    "social media content", "advertising copy", "blog post", "debate script", "popular science", "speech draft",
    "slogan", "product review", "fiction", "everyday story", "costume novel", "mystery", "wuxia",
    "science fiction", "xuanhuan", "fairy tale", "fantasy", "xianxia", "emotional story", "military", "sports",
    "game", "argumentative essay", "academic abstract", "proposal", "open letter", "apology letter", "eulogy",
    "tutorial", "interview questions", "product manual", "essay", "review", "travel writing", "historical story",
    "biography", "poetry", "script", "funny subculture", "esports funny fiction", "anime fan fiction",
    "subcultural identity expression", "fan-circle literature", "anti-consumption literature", "internet jargon",
    "cross-language humour",
]
# fmt: on
FURTHER = ["song lyrics", "couplet", "crosstalk", "family letter", "prose poem"]


def test_one_triplet_per_genre() -> None:
    triplets = read("sample:creative.jsonl")
    assert Counter(example.genre for example in triplets) == Counter([*PAPER, *FURTHER])
    assert min(len(example.reasoning) for example in triplets) >= 250
    assert max(len(example.answer) for example in triplets) <= 800
    short = {example.genre for example in triplets if len(example.answer) < 200}
    assert short == {"slogan", "couplet", "prose poem"}


def test_held_out_triplets_are_others() -> None:
    held_out = read("sample:validation.jsonl")
    trained = read("sample:creative.jsonl")
    assert len(held_out) == 6
    assert not {example.answer for example in held_out} & {example.answer for example in trained}


def test_two_queries_per_genre_and_language() -> None:
    counts = Counter((query.lang, query.genre) for query in read_queries(SAMPLE / "queries.jsonl"))
    assert {lang: sum(n for (of, _), n in counts.items() if of == lang) for lang in ("zh", "en")} == {
        "zh": 104,
        "en": 104,
    }
    assert all(counts[lang, genre] >= 2 for lang in ("zh", "en") for genre in [*PAPER, *FURTHER])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_general_examples_are_what_the_generator_writes(lang: str) -> None:
    lines = (SAMPLE / f"general_{lang}.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == general_examples(lang, 360)


def test_the_tokenizer_is_what_the_script_builds(tokenizer: Any) -> None:
    assert build_tokenizer().get_vocab() == tokenizer.get_vocab()
    assert len(tokenizer) == 8192


def test_the_tokenizer_gives_every_text_back(tokenizer: Any) -> None:
    text = "春眠不觉晓, 🀄 naïve\n\tend  \x00"
    assert tokenizer.decode(tokenizer(text).input_ids) == text
