"""Write the tiny model's card: its data, its bits per character beside simple baselines, and sampled texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessorList

from coig.config import Sampling
from coig.data.encoding import Encoder
from coig.files.atomic import read_jsonl, write_atomic
from coig.generation.sampling import SeededSampling, seed_of
from coig.study.arm import Arm
from coig.text.language_codes import LANGUAGES
from recipes.sample.bits import gzip_bits, model_bits, unigram_bits
from recipes.sample.corpus import documents

SAMPLING = Sampling(
    temperature=0.7,
    top_p=0.9,
    top_k=50,
    repetition_penalty=1,
    max_new_tokens=120,
    max_reasoning_tokens=None,
    max_answer_tokens=None,
)
RATE = "perf/tokens_per_second"
# texts for the base model to continue, and questions for the tuned model
OPENINGS = ["却说那人走到庄前，", "黛玉听了，", "It was a dark and stormy night, and", "“My dear Watson,” said Holmes,"]
QUESTIONS = [
    "小明有12个苹果，吃了3个，又买了5个。他现在有几个苹果？",
    "Anna has 12 apples. She eats 3 and buys 5 more. How many apples does she have now?",
    "写一段故事，第一句是“那天夜里下着大雪。”",
    "Write a short scene about an old lighthouse keeper.",
]


@dataclass(frozen=True)
class Prediction:
    """Bits per character of one language's held-out pieces under two baselines and two models."""

    lang: str
    texts: int
    characters: int
    unigram: float
    gzip: float
    base: float
    model: float


def write_card(base: Arm, tuned: Arm, folder: Path) -> None:
    """Write `folder/README.md` about the model in `folder`.

    Args:
        base: the arm of the pretraining.
        tuned: the arm of the fine-tuning, which made the model.
    """
    lm = _model(folder)
    stages = [(arm.config(), arm.manifest(), _speed(arm)) for arm in (base, tuned)]
    encoder = Encoder.of(stages[1][0].model, AutoTokenizer.from_pretrained(folder))
    environment = Environment(loader=PackageLoader("recipes.sample"), undefined=StrictUndefined, trim_blocks=True)
    card = environment.get_template("card.md.j2").render(
        stages=stages,
        lm=lm.config,
        parameters=sum(weight.numel() for weight in lm.parameters()),
        megabytes=sum(file.stat().st_size for file in folder.iterdir()) / 1e6,
        predictions=_predictions(base, encoder, lm),
        sampling=SAMPLING,
        continued=[(text, _written(lm, encoder, encoder.tokenizer(text).input_ids, text)) for text in OPENINGS],
        answered=[(text, _written(lm, encoder, encoder.prompt_ids(text), text)) for text in QUESTIONS],
        threads=torch.get_num_threads(),
    )
    write_atomic(folder / "README.md", card)


def _speed(arm: Arm) -> tuple[float, float]:
    """Return the median and the 90th percentile, over an arm's logged steps, of tokens per second."""
    lines = [json.loads(line) for _, line in read_jsonl(arm.metrics)]
    rates = [line[RATE] for line in lines if RATE in line]
    return median(rates), sorted(rates)[len(rates) * 9 // 10]


def _model(folder: Path) -> Any:
    """Load and return the causal LM of a folder, in evaluation mode."""
    return AutoModelForCausalLM.from_pretrained(folder).eval()


def _predictions(base: Arm, encoder: Encoder, lm: Any) -> list[Prediction]:
    """Return for each language the bits per character of the pieces that the base model was not trained on."""
    trained, held_out = documents(base)
    first = _model(base.model)
    rows = []
    for lang in LANGUAGES:
        unread = [document for document in held_out if document.lang == lang]
        texts = [document.answer for document in unread]
        known = [document.answer for document in trained if document.lang == lang]
        ids = [tokens.ids.tolist() for tokens in encoder.encode(unread, with_reasoning=False)]
        characters = sum(map(len, texts))
        models = model_bits(first, ids, characters), model_bits(lm, ids, characters)
        rows.append(Prediction(lang, len(texts), characters, unigram_bits(known, texts), gzip_bits(texts), *models))
    return rows


@torch.inference_mode()
def _written(lm: Any, encoder: Encoder, prompt: list[int], name: str) -> str:
    """Sample the model's continuation of a prompt and return it as one line; `name` seeds the sampling.

    It ends in ∎ if the model ended it, and in … if it was cut off.
    """
    how = {"logits_processor": LogitsProcessorList([SeededSampling(SAMPLING, [seed_of(0, name)])])}
    ids = torch.tensor([prompt])
    output = lm.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=SAMPLING.max_new_tokens, **how
    )
    new = output[0, len(prompt) :].tolist()
    text: str = encoder.tokenizer.decode([token for token in new if token != encoder.end_id])
    return " ".join(text.split()) + (" ∎" if encoder.end_id in new else " …")
