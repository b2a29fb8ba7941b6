"""Write synthetic data of the paper's size, in the formats of the published data sets, for the benchmarks.

The texts are random cuts of public-domain novels, so tokenizers see real Chinese and English. Only their lengths follow
the paper.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.lengths import CREATIVE, GENERAL, Lengths

SEED = 0
CREATIVE_EXAMPLES = 1665
GENERAL_EXAMPLES = 10_000  # per language
SYSTEM_PROMPT = "You are a helpful assistant."
OPEN_THOUGHTS_SYSTEM = "Put your thinking between the thought tags and the outcome between the solution tags."

Text = dict[str, str]  # prompt, reasoning, answer


@dataclass(frozen=True)
class Files:
    """The paths of the synthetic files in one folder."""

    folder: Path

    @property
    def creative(self) -> Path:
        """Return the path of a JSON array in COIG-Writer's published shape."""
        return self.folder / "creative.json"

    @property
    def general_zh(self) -> Path:
        """Return the path of JSONL in the shape of Chinese-DeepSeek-R1-Distill-data-110k."""
        return self.folder / "general_zh.jsonl"

    @property
    def general_en(self) -> Path:
        """Return the path of Parquet in the shape of OpenThoughts-114k."""
        return self.folder / "general_en.parquet"

    @property
    def conversations(self) -> Path:
        """Return the path of Parquet with all examples as other libraries read them.

        Its columns are prompt and completion, both lists of messages.
        """
        return self.folder / "conversations.parquet"


def write(files: Files, corpus: Path, scale: float, length: float = 1.0) -> dict[str, Any]:
    """Write the four files of `Files`, with the data of an arm; return {examples, characters, lengths}.

    `examples` and `characters` are counts, `lengths` statistics in characters.

    Args:
        corpus: folder of zh.jsonl and en.jsonl, whose texts are cut.
        scale: number of examples, relative to the paper's largest arm.
        length: length of the texts, relative to the paper's.
    """
    rng = np.random.default_rng(SEED)
    creative_count, general_count = round(CREATIVE_EXAMPLES * scale), round(GENERAL_EXAMPLES * scale)
    chinese, english = (_corpus_text(corpus / f"{lang}.jsonl") for lang in ("zh", "en"))
    of_creative, of_general = (
        {name: field.scale(length) for name, field in fields.items()} for fields in (CREATIVE, GENERAL)
    )
    creative = list(_examples(chinese, of_creative, creative_count, rng))
    general_zh = list(_examples(chinese, of_general, general_count, rng))
    general_en = list(_examples(english, of_general, general_count, rng))

    files.folder.mkdir(parents=True, exist_ok=True)
    rows = [_coig_writer(text, str(uuid.UUID(bytes=rng.bytes(16)))) for text in creative]
    files.creative.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    with files.general_zh.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(_r1_distill(text), ensure_ascii=False) + "\n" for text in general_zh)
    turns = pl.List(pl.Struct({"from": pl.String, "value": pl.String}))
    _parquet(map(_open_thoughts, general_en), {"system": pl.String, "conversations": turns}, files.general_en)
    everything = [*creative, *general_zh, *general_en]
    messages = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    _parquet(map(_conversation, everything), {"prompt": messages, "completion": messages}, files.conversations)
    return {
        "examples": len(everything),
        "characters": sum(len(field) for text in everything for field in text.values()),
        "lengths": {"creative": _statistics(creative), "general": _statistics(general_zh + general_en)},
    }


def _corpus_text(file: Path) -> str:
    """Return all texts of a corpus file as one, as an example may be longer than a chapter."""
    schema = {"id": pl.String, "lang": pl.String, "source": pl.String, "text": pl.String}
    return "\n\n".join(pl.read_ndjson(file, schema=schema)["text"])


def _examples(corpus: str, lengths: dict[str, Lengths], count: int, rng: np.random.Generator) -> Iterator[Text]:
    """Yield `count` texts cut from the corpus, with fields of random lengths and distinct prompts."""
    prompts: set[str] = set()
    for sizes in zip(*(field.draw(count, rng) for field in lengths.values()), strict=True):
        text = {name: _cut(corpus, size, rng) for name, size in zip(lengths, sizes, strict=True)}
        while text["prompt"] in prompts:
            text["prompt"] = _cut(corpus, len(text["prompt"]), rng)
        prompts.add(text["prompt"])
        yield text


def _cut(corpus: str, size: int, rng: np.random.Generator) -> str:
    """Return a random piece of `size` characters without outer white space, which libraries strip differently."""
    while True:
        start = int(rng.integers(len(corpus) - size))
        piece = corpus[start : start + size]
        if piece == piece.strip():
            return piece


def _coig_writer(text: Text, identity: str) -> Text:
    """Return a text as a row of COIG-Writer, with this id."""
    return {"id": identity, "query": text["prompt"], "thought": text["reasoning"], "answer": text["answer"]}


def _r1_distill(text: Text) -> dict[str, Any]:
    """Return a text as a row of Chinese-DeepSeek-R1-Distill-data-110k."""
    return {
        "input": text["prompt"],
        "reasoning_content": text["reasoning"],
        "content": text["answer"],
        "repo_name": "novels",
        "score": 9,
    }


def _open_thoughts(text: Text) -> dict[str, Any]:
    """Return a text as a row of OpenThoughts-114k."""
    thought = f"<|begin_of_thought|>\n\n{text['reasoning']}\n\n<|end_of_thought|>"
    solution = f"<|begin_of_solution|>\n\n{text['answer']}\n\n<|end_of_solution|>"
    turns = [
        {"from": "user", "value": text["prompt"]},
        {"from": "assistant", "value": f"{thought}\n\n{solution}"},
    ]
    return {"system": OPEN_THOUGHTS_SYSTEM, "conversations": turns}


def _conversation(text: Text) -> dict[str, Any]:
    """Return a text as a row of messages in prompt and completion; the reasoning is a think block of the completion."""
    target = f"<think>\n{text['reasoning']}\n</think>\n\n{text['answer']}"
    prompt = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": text["prompt"]}]
    return {"prompt": prompt, "completion": [{"role": "assistant", "content": target}]}


def _parquet(rows: Iterator[dict[str, Any]], schema: dict[str, Any], file: Path) -> None:
    """Write rows to a Parquet file."""
    pl.DataFrame(list(rows), schema=schema).write_parquet(file)


def _statistics(texts: list[Text]) -> dict[str, list[float]]:
    """Return [minimum, mean, maximum] of characters for every field and for whole examples."""
    sizes = {name: [len(text[name]) for text in texts] for name in texts[0]}
    sizes["example"] = [sum(len(field) for field in text.values()) for text in texts]
    return {name: [min(of), round(sum(of) / len(of), 1), max(of)] for name, of in sizes.items()}
