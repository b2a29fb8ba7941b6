"""Which examples an arm is trained on: nested subsets in one order that is the same everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from coig.config import Data, Source, construct, pool_too_small
from coig.data.examples import DataError, Example, Kind
from coig.ratio import Ratio


@dataclass(frozen=True)
class Mixture:
    """The examples of one arm; `validation` is the same in every arm of a seed."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    duplicates: int  # rows left out because their source holds the same id before

    @property
    def fingerprint(self) -> str:
        """sha256 over every example, in order: two arms with one fingerprint saw the same data."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation):
            for example in part:
                digest.update(json.dumps(example.fields(), sort_keys=True).encode() + b"\n")
            digest.update(b"\0")
        return digest.hexdigest()


def build_mixture(data: Data, seed: int) -> Mixture:
    """Load the sources and draw the mixture that `data.ratio` asks for.

    Under one seed the general examples of a smaller count are a prefix of those of a larger one, and what is held
    out comes from the other end of the order. Raises DataError if a pool cannot serve both.
    """
    ratio = Ratio.parse(data.ratio)
    creative, duplicates = _load(data.creative, "creative", seed)
    creative, held_out = _split("creative", creative, None, data.validation.creative)
    train = creative if ratio.has_creative else []
    wanted = ratio.general_per_language(len(creative), len(data.pools), data.scale)
    if wanted == 0 and ratio.count != 0:
        raise DataError(f"data.ratio={ratio.text}: leaves no general example beside {len(creative)} creative; raise it")
    for lang, source in data.pools.items() if wanted or data.validation.general else ():
        pool, repeated = _load(source, "general", seed)
        drawn, rest = _split(f"general.{lang}", pool, wanted, data.validation.general)
        train, held_out, duplicates = train + drawn, held_out + rest, duplicates + repeated
    if data.validation.source:
        examples, repeated = _load(data.validation.source, "creative", seed)
        held_out, duplicates = held_out + examples, duplicates + repeated
    trained = {(example.prompt, example.answer) for example in train}
    if shared := [example.id for example in held_out if (example.prompt, example.answer) in trained]:
        raise DataError(f"data.validation: example {shared[0]} is also trained on; remove it from one of the files")
    return Mixture(tuple(train), tuple(held_out), duplicates)


def in_order(examples: Iterable[Example], seed: int) -> list[Example]:
    """Sorted by sha256 of (seed, id): a random order that no version of any library changes."""
    return sorted(examples, key=lambda example: hashlib.sha256(f"{seed}:{example.id}".encode()).digest())


def _load(source: Source, kind: Kind, seed: int) -> tuple[list[Example], int]:
    """A source's examples in order, each once, and how many rows were repetitions.

    Raises DataError if two different rows have one id: their order, and so the subsets, would depend on the file's.
    """
    examples: list[Example] = construct(source, kind=kind)
    unique: dict[str, Example] = {}
    for example in examples:
        if unique.setdefault(example.id, example) != example:
            raise DataError(
                f"{source.path}: id '{example.id}' stands for different rows; make ids unique or remove them"
            )
    return in_order(unique.values(), seed), len(examples) - len(unique)


def _split(
    pool: str, examples: list[Example], wanted: int | None, held_out: int
) -> tuple[list[Example], list[Example]]:
    """The first `wanted` (None: all but the held-out) and the last `held_out` examples."""
    rest = len(examples) - held_out
    if rest < (1 if wanted is None else wanted):
        raise DataError(pool_too_small(pool, wanted or 1, held_out, len(examples)))
    return examples[: rest if wanted is None else wanted], examples[rest:]
