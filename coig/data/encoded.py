"""Encode a mixture as tokens, once, into memory-mapped files that all arms of all studies share.

    <cache>/encoded/<key>/<shard>/ids.npy        the ids of many examples, end to end
                                  index.parquet  each example's offset, by the digest of its texts

`key` is a hash of the tokenizer, the chat template and whether targets hold the reasoning. The length limit and the
loss weights are applied on reading. A shard is never changed. Its name is made of its files' sha256, so that a damaged
shard is recognized and encoded again.
"""

from __future__ import annotations

import hashlib
import io
import logging
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.config import TrainConfig, Weights
from coig.config.fields import local_path
from coig.data.cache import batched, key_of, locked_for_building
from coig.data.chat_template import ChatTemplate
from coig.data.encoding import Encoder, ExampleError
from coig.data.examples import Example
from coig.data.mixture import Mixture
from coig.data.spelled_tokens import SpelledTokens
from coig.data.tokens import Encoded, Ids, Segment, Tokens
from coig.errors import DataError
from coig.files.atomic import atomic_folder
from coig.text.think_tags import reasoning_block

log = logging.getLogger(__name__)
WORTH_A_LINE = 1000  # examples; encoding more takes long enough to be logged
SHARD_TOKENS = 1 << 24  # 64 MiB of ids
BATCH_CHARACTERS = 1 << 20  # characters tokenized in one call
SEGMENTS = [segment.name.lower() for segment in Segment]
INDEX = {"digest": pl.Binary, "start": pl.Int64, **dict.fromkeys(SEGMENTS, pl.Int32)}
IDS, TABLE = "ids.npy", "index.parquet"
FILES = (IDS, TABLE)  # of a shard, whose name holds their sha256 in this order
PLACES = {**INDEX, "shard": pl.String}


class EncodedSet(Sequence[Encoded]):
    """A sequence of the encoded examples of a mixture's training or validation part, without dropped ones.

    groups: for each kind, language and source a dict with the keys kind, lang, source, examples, split (documents in
        several pieces), tokens, supervised_tokens, truncated and dropped. A dropped example counts in `dropped` alone.
    supervised: (examples,) int64, the number of tokens with loss in each example.

    Args:
        lines: one row per example, or per piece of a long document: id, kind, lang, source, shard, start (offset in the
            shard), tokens per segment, supervised tokens, piece, pieces, truncated and dropped.
        shards: shard name → (tokens,) int32, the ids of many examples end to end.
    """

    def __init__(self, lines: pl.DataFrame, shards: Mapping[str, Ids], weights: Weights) -> None:
        self.groups = _groups(lines)
        kept = lines.filter(~pl.col("dropped"))
        self.supervised: NDArray[np.int64] = kept["supervised"].cast(pl.Int64).to_numpy()
        self._names = kept.select("id", "kind", "lang", "shard").rows()
        self._offsets = kept.select("start", *SEGMENTS).to_numpy()
        self._shards = shards
        self._weights = weights.prompt, weights.reasoning, weights.answer

    @property
    def counts(self) -> Counter[str]:
        """Return the numbers of examples that were `truncated` and `dropped`, over all groups."""
        return Counter({name: sum(group[name] for group in self.groups) for name in ("truncated", "dropped")})

    @property
    def longest(self) -> int:
        """Return the number of tokens of the longest example; 0 without examples."""
        return int(self._offsets[:, 1:].sum(axis=1).max(initial=0))

    @property
    def fingerprint(self) -> str:
        """Return the sha256 over the tokens of all examples and the lengths of their segments, in order."""
        digest = hashlib.sha256()
        for example in self:
            digest.update(str(example.lengths).encode())
            digest.update(example.input_ids.data)
        return digest.hexdigest()

    def __len__(self) -> int:
        """Return the number of examples that were not dropped."""
        return len(self._names)

    def __getitem__(self, number: int) -> Encoded:  # type: ignore[override]
        """Return an example; its ids are a view of the shard."""
        name, kind, lang, shard = self._names[number]
        start, *lengths = self._offsets[number].tolist()
        ids = self._shards[shard][start : start + sum(lengths)]
        return Encoded(name, kind, lang, ids, tuple(lengths), self._weights)


def encode_mixture(mixture: Mixture, config: TrainConfig, encoder: Encoder) -> tuple[EncodedSet, EncodedSet]:
    """Return the encoded training and validation examples, in the mixture's order, none over `model.max_length` tokens.

    A longer document is split into pieces, without losing a token. `data.overlong` decides about other examples:
    `truncate` cuts the end, so that the end token is not learned; `drop` drops them; `error` raises DataError. An
    example without a supervised token is dropped. Raises DataError if all training examples of a pool are dropped.
    """
    parts = mixture.train, mixture.validation
    places, shards = _encode_missing(pl.concat(parts), mixture, config, encoder)
    located = (part.join(places, on="digest", how="left", maintain_order="left") for part in parts)
    train, validation = (
        _apply_length_limit(_split_documents(lines, config.model.max_length, encoder), config) for lines in located
    )
    _check_pools(train, config)
    weights = config.supervision.weights
    return EncodedSet(train, shards, weights), EncodedSet(validation, shards, weights)


def _encode_missing(
    lines: pl.DataFrame, mixture: Mixture, config: TrainConfig, encoder: Encoder
) -> tuple[pl.DataFrame, dict[str, Ids]]:
    """Encode the examples of `lines` that are not cached, and add them to the cache.

    Return a row for each different text, as `_places` does, and {shard's name: its ids} of their shards. Raises
    DataError that names the place of an example that the chat template refuses.
    """
    with_reasoning = config.supervision.with_reasoning
    key = key_of([encoder.settings, with_reasoning], Encoder, SpelledTokens, ChatTemplate, reasoning_block, _write)
    folder = local_path(config.data.cache).absolute() / "encoded" / key
    digests = lines.select("digest").unique(maintain_order=True)
    places = _places(folder, digests)
    if len(places) < len(digests) or not all(
        _is_sound(folder / shard, IDS) for shard in places["shard"].unique(maintain_order=True)
    ):
        with locked_for_building(folder):
            _remove_damaged(folder)
            missing = lines.unique("digest", maintain_order=True).join(
                _places(folder, digests), on="digest", how="anti", maintain_order="left"
            )
            if len(missing) > WORTH_A_LINE:
                log.info("encoding %s examples, once", f"{len(missing):,}")
            try:
                for shard in _shards(mixture.examples(missing), encoder, with_reasoning):
                    _write(folder, shard)
            except ExampleError as error:
                place = missing.row(by_predicate=pl.col("digest") == error.digest, named=True)["place"]
                raise DataError(f"{place}: {error}") from None
        places = _places(folder, digests)
        if len(places) < len(digests):
            raise DataError(f"data.cache: {folder} was changed by something else while it was written; run again")
    return places, {
        shard: np.load(folder / shard / IDS, mmap_mode="r") for shard in places["shard"].unique(maintain_order=True)
    }


def _shards(
    examples: Iterable[Example], encoder: Encoder, with_reasoning: bool
) -> Iterator[list[tuple[bytes, Tokens]]]:
    """Yield the examples' (digest, tokens), grouped into shards of about `SHARD_TOKENS` tokens."""
    encoded = (
        (example.digest, tokens)
        for batch in batched(examples, lambda example: example.characters, BATCH_CHARACTERS)
        for example, tokens in zip(batch, encoder.encode(batch, with_reasoning=with_reasoning), strict=True)
    )
    return batched(encoded, lambda pair: len(pair[1].ids), SHARD_TOKENS)


def _write(folder: Path, shard: Sequence[tuple[bytes, Tokens]]) -> None:
    """Write a shard's ids and index into a new folder inside `folder`, named by their sha256."""
    sizes = [len(tokens.ids) for _, tokens in shard]
    lengths = zip(*(tokens.lengths for _, tokens in shard), strict=True)
    index = pl.DataFrame(
        {
            "digest": [digest for digest, _ in shard],
            "start": np.cumsum([0, *sizes[:-1]]),
            **dict(zip(SEGMENTS, lengths, strict=True)),
        },
        schema=INDEX,
    )
    ids, table = io.BytesIO(), io.BytesIO()
    np.save(ids, np.concatenate([tokens.ids for _, tokens in shard]))
    index.write_parquet(table)
    contents = ids.getbuffer(), table.getbuffer()
    with atomic_folder(folder / "-".join(map(_short_sha256, contents))) as unfinished:
        for file, content in zip(FILES, contents, strict=True):
            (unfinished / file).write_bytes(content)


def _places(folder: Path, digests: pl.DataFrame) -> pl.DataFrame:
    """Return a frame of those `digests` that are cached: digest, start, tokens per segment and the shard's name.

    Shards with a damaged index are ignored.
    """
    tables = [pl.DataFrame(schema=PLACES)]
    for shard in sorted(folder.glob("[!.]*/")):
        if _is_sound(shard, TABLE):
            table = pl.read_parquet(shard / TABLE).with_columns(shard=pl.lit(shard.name))
            tables.append(table.join(digests, on="digest", how="semi", maintain_order="left"))
    return pl.concat(tables).unique("digest", keep="first", maintain_order=True)


def _is_sound(shard: Path, *files: str) -> bool:
    """Tell whether the content of these files matches the shard's name; False if one is missing.

    Raises DataError if a file cannot be read.
    """
    expected = dict(zip(FILES, shard.name.split("-"), strict=False))
    try:
        return all(_short_sha256((shard / file).read_bytes()) == expected.get(file) for file in files)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DataError(f"data.cache: {shard} cannot be read ({error}); set data.cache to another folder") from None


def _short_sha256(content: bytes | memoryview) -> str:
    """Return the first 32 hexadecimal digits of the content's sha256."""
    return hashlib.sha256(content).hexdigest()[:32]


def _remove_damaged(folder: Path) -> None:
    """Delete shards whose content does not match their name, and folders that a killed process left unfinished."""
    for shard in folder.glob("*/"):
        if not _is_sound(shard, *FILES):
            log.info("%s is damaged or unfinished: encoding it again", shard)
            shutil.rmtree(shard)


def _split_documents(lines: pl.DataFrame, limit: int, encoder: Encoder) -> pl.DataFrame:
    """Split each document of more than `limit` tokens into the fewest pieces, of about equal length; return all pieces.

    Any other example is one piece. Adds the columns `piece`, counted from 0, and `pieces`, and to the ids of a split
    document `/1`, `/2` … Only its first piece has the start token, and only the last one the end token.
    """
    size, piece, pieces = pl.sum_horizontal(SEGMENTS).cast(pl.Int64), pl.col("piece"), pl.col("pieces")
    is_document = (pl.col("prompt") <= len(encoder.document_start)) & (pl.col("reasoning") == 0)
    begin, end = piece * size // pieces, (piece + 1) * size // pieces
    prompt = pl.min_horizontal("prompt", end) - pl.min_horizontal("prompt", begin)
    return (
        lines.with_columns(pieces=pl.when(is_document).then((size + limit - 1) // limit).otherwise(1))
        .with_columns(piece=pl.int_ranges("pieces"))
        .explode("piece")
        .with_columns(
            id=pl.when(pieces > 1).then(pl.format("{}/{}", "id", piece + 1)).otherwise("id"),
            start=pl.col("start") + begin,
            prompt=prompt.cast(pl.Int32),
            answer=(end - begin - prompt - pl.col("reasoning")).cast(pl.Int32),
        )
    )


def _apply_length_limit(lines: pl.DataFrame, config: TrainConfig) -> pl.DataFrame:
    """Cut the segments to `model.max_length` tokens together; add the columns supervised, truncated and dropped.

    An example is dropped if it has no token with loss, or is longer and `data.overlong` is `drop`; another longer one
    is truncated. With `error` the first longer one raises DataError. The first token never counts as supervised.
    """
    limit, weights = config.model.max_length, config.supervision.weights
    lines = lines.with_columns(long=pl.sum_horizontal(SEGMENTS) > limit)
    if config.data.overlong == "error" and lines["long"].any():
        first = lines.filter("long").row(0, named=True)
        raise DataError(
            f"{first['place']}: example {first['id']} has {sum(first[name] for name in SEGMENTS)} tokens, over "
            f"model.max_length={limit}; raise it, or set data.overlong=truncate or drop"
        )
    room, cut = pl.lit(limit, pl.Int32), []
    for name in SEGMENTS:
        cut.append(pl.min_horizontal(name, room).alias(name))
        room = room - cut[-1]
    # a sequence's first token has no context to be predicted from, so it never has loss
    first_weight = pl.when(pl.col("prompt") > 0).then(weights.prompt).otherwise(weights.answer)
    supervised = pl.sum_horizontal(name for name in SEGMENTS if getattr(weights, name) > 0) - (first_weight > 0)
    too_long = pl.col("long") if config.data.overlong == "drop" else pl.lit(False)
    return (
        lines.with_columns(cut)
        .with_columns(supervised=supervised)
        .with_columns(dropped=(pl.col("supervised") <= 0) | too_long)
        .with_columns(truncated=pl.col("long") & ~pl.col("dropped"))
    )


def _check_pools(lines: pl.DataFrame, config: TrainConfig) -> None:
    """Raise DataError if all examples of a pool are dropped: the arm's data would not match its ratio."""
    for pool, dropped, examples in lines.group_by("pool", maintain_order=True).agg("dropped", pl.len()).iter_rows():
        if all(dropped):
            limit = f"model.max_length={config.model.max_length}"
            cut = f"all are longer than {limit}", f"none has a token that bears loss within {limit}"
            raise DataError(f"{pool}: of its {examples} examples {cut[config.data.overlong != 'drop']}; raise it")


def _groups(lines: pl.DataFrame) -> list[dict[str, Any]]:
    """Return for each kind, language and source a dict of the counts that `EncodedSet` describes, sorted by the three.

    Pieces of one document count as one example, but each as truncated or dropped.
    """
    kept = ~pl.col("dropped")
    return (
        lines.group_by("kind", "lang", "source", maintain_order=True)
        .agg(
            examples=(kept & (pl.col("piece") == 0)).sum(),
            split=(kept & (pl.col("piece") == 0) & (pl.col("pieces") > 1)).sum(),
            tokens=pl.sum_horizontal(SEGMENTS).cast(pl.Int64).filter(kept).sum(),
            supervised_tokens=pl.col("supervised").cast(pl.Int64).filter(kept).sum(),
            truncated=pl.col("truncated").sum(),
            dropped=pl.col("dropped").sum(),
        )
        .sort("kind", "lang", "source")
        .to_dicts()
    )
