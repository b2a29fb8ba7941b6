"""A mixture as tokens: encoded once, kept in memory-mapped files that all arms of all studies share.

    <cache>/encoded/<key>/<shard>/ids.npy        the ids of many examples, end to end
                                  index.parquet  where each of them stands, by the digest of its texts

`key` stands for tokenizer, template and what the target holds; length limit and loss weights are applied on reading.
A shard is never changed, and its name is the sha256 of its content, so that a damaged one is found and made again.
"""

from __future__ import annotations

import hashlib
import io
import logging
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.data.cache import building
from coig.data.encoding import Encoder, Ids, Segment, Tokens
from coig.data.examples import DataError, Example
from coig.data.mixture import Mixture
from coig.schema import TrainConfig, Weights, local_path
from coig.study import atomic_folder

log = logging.getLogger(__name__)
WORTH_A_LINE = 1000  # examples whose encoding takes long enough to say so
SHARD_TOKENS = 1 << 24  # 64 MiB of ids
BATCH_CHARACTERS = 1 << 20  # tokenized at once
SEGMENTS = [segment.name.lower() for segment in Segment]
PLACES = {"digest": pl.Binary, "start": pl.Int64, **dict.fromkeys(SEGMENTS, pl.Int32), "shard": pl.Int32}


@dataclass(frozen=True)
class Encoded:
    """One example as T tokens, in the segments prompt, reasoning and answer.

    input_ids: (T,) int32, a view of a file; lengths: the segments', in tokens; segment_weights: the segments' loss
    weights.
    """

    id: str
    kind: str
    lang: str
    input_ids: Ids
    lengths: tuple[int, ...]
    segment_weights: tuple[float, ...]

    @property
    def segments(self) -> NDArray[np.int64]:
        """(T,), each token's `Segment`."""
        return np.repeat(np.arange(len(Segment)), self.lengths)

    @property
    def weights(self) -> NDArray[np.float32]:
        """(T,), each token's loss weight; 0: no loss."""
        return np.repeat(np.array(self.segment_weights, dtype=np.float32), self.lengths)


class EncodedSet(Sequence[Encoded]):
    """The examples of a mixture that are trained on or validated with.

    lines: frame of id, kind, lang, source, place and segment lengths of every example, over-long ones cut.
    groups: per (kind, lang, source) the examples, tokens, supervised tokens, and how many were truncated and dropped.
    """

    def __init__(self, lines: pl.DataFrame, shards: Sequence[Ids], weights: Weights) -> None:
        self.groups = _groups(lines)
        self._lines = lines.filter(~pl.col("dropped"))
        self._shards = shards
        self._weights = weights.prompt, weights.reasoning, weights.answer
        self._places = self._lines.select("shard", "start", *SEGMENTS).to_numpy()

    @property
    def counts(self) -> Counter[str]:
        """How many examples were truncated and dropped in all."""
        return Counter({name: sum(group[name] for group in self.groups) for name in ("truncated", "dropped")})

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> Encoded:  # type: ignore[override]
        shard, start, *lengths = self._places[number].tolist()
        ids = self._shards[shard][start : start + sum(lengths)]
        name, kind, lang, *_ = self._lines.row(number)
        return Encoded(name, kind, lang, ids, tuple(lengths), self._weights)


def encode_mixture(mixture: Mixture, config: TrainConfig, tokenizer: Any) -> tuple[EncodedSet, EncodedSet]:
    """The encoded training and validation examples, in the mixture's order, over-long ones settled.

    `data.overlong=truncate` cuts the end of the answer, so no end token is learned there; an example left without a
    supervised token is dropped. Raises DataError on `error`.
    """
    encoder = Encoder.of(config.model, tokenizer)
    with_reasoning = config.supervision.with_reasoning
    folder = local_path(config.data.cache).absolute() / "encoded" / encoder.key(with_reasoning=with_reasoning)
    places, shards = _encoded(folder, mixture, encoder, with_reasoning)
    train, validation = (
        EncodedSet(_settled(lines.join(places, on="digest", maintain_order="left"), config), shards, weights)
        for lines, weights in ((part, config.supervision.weights) for part in (mixture.train, mixture.validation))
    )
    return train, validation


def _encoded(folder: Path, mixture: Mixture, encoder: Encoder, with_reasoning: bool) -> tuple[pl.DataFrame, list[Ids]]:
    """Where every example of the mixture stands in which shard, after encoding those that stood in none."""
    lines = pl.concat([mixture.train, mixture.validation]).unique("digest", maintain_order=True)
    places, shards = _read(folder)
    if len(lines.join(places, on="digest", how="anti")):
        with building(folder):
            _remove_damaged(folder)
            missing = lines.join(_read(folder)[0], on="digest", how="anti")
            if len(missing) > WORTH_A_LINE:
                log.info("encoding %s examples, once", f"{len(missing):,}")
            for shard in _shards(mixture.examples(missing), encoder, with_reasoning):
                _write(folder, shard)
        places, shards = _read(folder)
    return places.unique("digest", keep="first"), shards


def _shards(
    examples: Iterable[Example], encoder: Encoder, with_reasoning: bool
) -> Iterator[list[tuple[bytes, Tokens]]]:
    """Examples encoded, so many at a time that a shard stays small."""
    shard: list[tuple[bytes, Tokens]] = []
    for batch in _batches(examples):
        encoded = encoder.encode(batch, with_reasoning=with_reasoning)
        shard += zip((example.digest for example in batch), encoded, strict=True)
        if sum(len(tokens.ids) for _, tokens in shard) >= SHARD_TOKENS:
            yield shard
            shard = []
    if shard:
        yield shard


def _batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
    batch: list[Example] = []
    characters = 0
    for example in examples:
        batch.append(example)
        characters += len(example.prompt) + len(example.reasoning) + len(example.answer)
        if characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _write(folder: Path, shard: Sequence[tuple[bytes, Tokens]]) -> None:
    sizes = [len(tokens.ids) for _, tokens in shard]
    lengths = zip(*(tokens.lengths for _, tokens in shard), strict=True)
    index = pl.DataFrame(
        {
            "digest": [digest for digest, _ in shard],
            "start": np.cumsum([0, *sizes[:-1]]),
            **dict(zip(SEGMENTS, lengths, strict=True)),
        },
        schema={name: kind for name, kind in PLACES.items() if name != "shard"},
    )
    ids, table = io.BytesIO(), io.BytesIO()
    np.save(ids, np.concatenate([tokens.ids for _, tokens in shard]))
    index.write_parquet(table)
    name = hashlib.sha256(ids.getbuffer())
    name.update(table.getbuffer())
    with atomic_folder(folder / name.hexdigest()) as unfinished:
        (unfinished / "ids.npy").write_bytes(ids.getbuffer())
        (unfinished / "index.parquet").write_bytes(table.getbuffer())


def _read(folder: Path) -> tuple[pl.DataFrame, list[Ids]]:
    """The places of all examples in the sound shards, and the shards' ids, memory-mapped."""
    sound = [shard for shard in sorted(folder.glob("[!.]*")) if _is_sound(shard)]
    places = [
        pl.read_parquet(shard / "index.parquet").with_columns(shard=pl.lit(number, pl.Int32))
        for number, shard in enumerate(sound)
    ]
    return pl.concat([pl.DataFrame(schema=PLACES), *places]), [
        np.load(shard / "ids.npy", mmap_mode="r") for shard in sound
    ]


def _is_sound(shard: Path) -> bool:
    digest = hashlib.sha256()
    try:
        for file in ("ids.npy", "index.parquet"):
            digest.update((shard / file).read_bytes())
    except OSError:
        return False
    return digest.hexdigest() == shard.name


def _remove_damaged(folder: Path) -> None:
    """Remove what does not hold what its name says, and what a killed process left."""
    for shard in folder.iterdir() if folder.exists() else ():
        if not _is_sound(shard):
            log.info("%s is damaged or unfinished: made anew", shard)
            shutil.rmtree(shard)


def _settled(lines: pl.DataFrame, config: TrainConfig) -> pl.DataFrame:
    """Lines with the segments cut to `model.max_length`, and the columns supervised, truncated and dropped."""
    limit, overlong = config.model.max_length, config.data.overlong
    long = lines.filter(pl.sum_horizontal(SEGMENTS) > limit)
    if len(long) and overlong == "error":
        first = long.row(0, named=True)
        raise DataError(
            f"example {first['id']} of {first['source']} has {sum(first[name] for name in SEGMENTS)} tokens, over "
            f"model.max_length={limit}; raise it, or set data.overlong=truncate or drop"
        )
    weights = config.supervision.weights
    room = pl.lit(limit, pl.Int32)
    cut = []
    for name in SEGMENTS:
        cut.append(pl.min_horizontal(name, room).alias(name))
        room = room - cut[-1]
    bears_loss = [name for name in SEGMENTS if getattr(weights, name) > 0]
    first_bears_loss = pl.when(pl.col("prompt") > 0).then(weights.prompt > 0).otherwise(weights.answer > 0)
    # the first token has nothing before it to be predicted from
    supervised = pl.sum_horizontal(bears_loss) - first_bears_loss.cast(pl.Int32)
    is_long = pl.sum_horizontal(SEGMENTS) > limit
    dropped = (supervised <= 0) | (pl.col("long") & (overlong == "drop"))
    return (
        lines.with_columns(long=is_long)
        .with_columns(cut)
        .with_columns(supervised=supervised, dropped=dropped)
        .with_columns(truncated=pl.col("long") & ~pl.col("dropped"))
        .select("id", "kind", "lang", "source", "shard", "start", *SEGMENTS, "supervised", "truncated", "dropped")
    )


def _groups(lines: pl.DataFrame) -> list[dict[str, Any]]:
    kept = ~pl.col("dropped")
    return (
        lines.group_by("kind", "lang", "source")
        .agg(
            examples=kept.sum(),
            tokens=pl.sum_horizontal(SEGMENTS).filter(kept).sum(),
            supervised_tokens=pl.col("supervised").filter(kept).sum(),
            truncated=pl.col("truncated").sum(),
            dropped=pl.col("dropped").sum(),
        )
        .sort("kind", "lang", "source")
        .to_dicts()
    )
