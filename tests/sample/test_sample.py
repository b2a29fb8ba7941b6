"""The embedded sample keeps what the documentation promises of it."""

import contextlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from coig.config.fields import SAMPLE
from coig.records.query import read_queries
from coig.study.arm import Arm
from recipes.sample.bits import gzip_bits, model_bits
from recipes.sample.build_tiny import CONF, build_tokenizer
from recipes.sample.card import write_card
from recipes.sample.corpus import documents, write_texts
from recipes.sample.general import general_examples
from recipes.sample.stories import write_chats
from tests.conftest import SHARED, Command
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


def test_forty_english_queries_of_other_domains() -> None:
    queries = read_queries(SAMPLE / "domain.jsonl")
    assert Counter(query.lang for query in queries) == {"en": 40}
    assert set(Counter(query.genre for query in queries).values()) == {4}
    creative = read_queries(SAMPLE / "queries.jsonl")
    assert not {query.genre for query in queries} & {query.genre for query in creative}
    assert not {query.id for query in queries} & {query.id for query in creative}
    assert min(len(query.query) for query in queries) >= 150


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_general_examples_are_what_the_generator_writes(lang: str) -> None:
    lines = (SAMPLE / f"general_{lang}.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == general_examples(lang, 360)


@pytest.mark.skipif(not (SHARED / "corpus").exists(), reason="needs ../shared/corpus, the novels")
@pytest.mark.slow
def test_the_tokenizer_is_what_the_script_builds(tokenizer: Any, tmp_path: Path) -> None:
    write_texts(SHARED / "corpus", tmp_path)
    assert build_tokenizer(tmp_path).get_vocab() == tokenizer.get_vocab()


def test_the_tokenizer_gives_every_text_back(tokenizer: Any) -> None:
    assert len(tokenizer) == 8192
    text = "春眠不觉晓, 🀄 naïve\n\tend  \x00"
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_the_model_is_small_and_has_read_both_languages(tokenizer: Any) -> None:
    folder = SAMPLE / "tiny"
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 12e6
    lm = AutoModelForCausalLM.from_pretrained(folder)
    texts = {
        "zh": [example.answer for example in read("sample:validation.jsonl")],
        "en": [query.query for query in read_queries(SAMPLE / "queries.jsonl") if query.lang == "en"],
    }
    for lang, unread in texts.items():
        ids = tokenizer(unread).input_ids
        assert model_bits(lm, ids, characters=sum(map(len, unread))) < gzip_bits(unread), lang


@pytest.mark.slow
def test_both_stages_and_the_card(command: Command, tmp_path: Path) -> None:
    """As recipes.sample.build_tiny runs them, on a few texts and for a few steps."""
    corpus, texts = tmp_path / "corpus", tmp_path / "multirun" / "texts"
    corpus.mkdir()
    for lang, line in {
        "zh": "却说那人走到庄前，叫道：“开门！”\n",
        "en": "The wind howled in the dark. It was late.\n",
    }.items():
        rows = [{"id": f"{lang}/{number}", "text": f"{number} {line}" * 50} for number in range(50)]
        (corpus / f"{lang}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    write_texts(corpus, texts)
    configs = ("--config-dir", str(CONF))
    short = ("data.scale=0.03", "data.validation.general=100", "trainer.max_steps=2", "logger=none")
    assert command("train.py", *configs, "experiment=pretrain_tiny", *short).returncode == 0
    base, tuned = (tmp_path / "multirun" / arm for arm in ("pretrain_tiny/general-text", "instruct_tiny/general"))
    with contextlib.chdir(tmp_path):
        trained, held_out = documents(Arm(base))
        write_chats(trained, texts)
    assert trained
    assert not {one.answer for one in trained} & {one.answer for one in held_out}
    assert command("train.py", *configs, "experiment=instruct_tiny", *short).returncode == 0
    with contextlib.chdir(tmp_path):
        write_card(Arm(base), Arm(tuned), tuned / "model")
    card = (tuned / "model" / "README.md").read_text(encoding="utf-8")
    assert card.count("| instruct_tiny |") == 2
    assert len(re.findall(r"^\| (?:zh|en) \|(?: [\d,]+ \|){2}(?: [\d.]+ \|){3} \*\*[\d.]+\*\* \|$", card, re.M)) == 2
