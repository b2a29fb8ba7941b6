"""Which examples an arm is trained on: nested subsets in one order that is the same everywhere."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import polars as pl

from coig.data.examples import DataError, Example, Kind, prompt_key
from coig.data.pools import Pool, open_pool
from coig.data.queries import read_queries
from coig.ratio import Ratio
from coig.schema import Data, Filters, Source, local_path

LINE = ["pool", "row", "id", "kind", "lang", "source", "digest"]


@dataclass(frozen=True)
class Mixture:
    """The examples of one arm, by their place in the pools; `validation` is the same in every arm of a seed.

    train, validation: frames of the columns `LINE`, in order. sources: what a manifest says about each pool.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    pools: Mapping[str, Pool]
    sources: Sequence[dict[str, Any]]

    @property
    def fingerprint(self) -> str:
        """sha256 over every example, in order: two arms with one fingerprint saw the same data."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation):
            for kind, lang, name, content in part.select("kind", "lang", "id", "digest").iter_rows():
                digest.update(json.dumps([kind, lang, name, content.hex()]).encode() + b"\n")
            digest.update(b"\0")
        return digest.hexdigest()

    @property
    def left_out(self) -> Counter[str]:
        """How many rows of the sources are not used, by reason."""
        total: Counter[str] = Counter()
        for source in self.sources:
            total.update(quarantined=source["quarantined"], duplicates=source["duplicates"], **source["removed"])
        return total

    def examples(self, lines: pl.DataFrame) -> Iterator[Example]:
        """The examples of some lines with their texts, pool by pool; not in the lines' order."""
        for key, pool in self.pools.items():
            yield from pool.examples(lines.filter(pl.col("pool") == key)["row"])


def build_mixture(data: Data, seed: int) -> Mixture:
    """Draw the mixture that `data.ratio` asks for.

    Under one seed the general examples of a smaller count are a prefix of those of a larger one, the creative ones of
    a smaller `creative.size` too, and what is held out comes from the other end of the order. Raises DataError if a
    pool cannot serve both.
    """
    ratio, validation = Ratio.parse(data.ratio), data.validation
    creative = _ordered(data.creative, "creative", "data.creative", data, seed)
    pools = [creative]
    train = [creative.first(data.creative.size, validation.creative)]
    held_out = [creative.last(validation.creative)]
    counts = data.general_counts(len(train[0]))
    if ratio.count != 0 and not any(counts.values()):
        raise DataError(f"data.ratio={ratio.text}: leaves no general example beside {len(train[0])} creative; raise it")
    if validation.source and (validation.source.path or validation.source.hub):
        pools.append(_ordered(validation.source, "creative", "data.validation.source", data, seed))
        held_out.append(pools[-1].lines)
    if not ratio.has_creative:
        train.clear()
    tested = {prompt_key(query.query) for file in data.queries for query in read_queries(local_path(file))}
    for pool in pools:
        pool.about["also_queries"] = int(pool.lines["prompt_key"].is_in(list(tested)).sum())
    taken = tested | {key for pool in pools for key in pool.lines["prompt_key"].drop_nulls()}
    for lang, source in data.pools.items() if any(counts.values()) or validation.general else ():
        pool = _ordered(source, "general", f"data.general.{lang}", data, seed, taken)
        pools.append(pool)
        train.append(pool.first(counts[lang], validation.general))
        held_out.append(pool.last(validation.general))
    _check_held_out(train, held_out)
    return Mixture(
        pl.concat([lines.select(LINE) for lines in train]),
        pl.concat([lines.select(LINE) for lines in held_out]),
        {ordered.pool.key: ordered.pool for ordered in pools},
        [ordered.about for ordered in pools],
    )


def order_of(ids: Sequence[str], seed: int) -> list[int]:
    """Places sorted by sha256 of (seed, id): a random order that no version of any library changes."""
    return sorted(range(len(ids)), key=lambda place: hashlib.sha256(f"{seed}:{ids[place]}".encode()).digest())


@dataclass(frozen=True)
class _Ordered:
    """A pool's usable rows in the seed's order, and what is to be said about the pool."""

    pool: Pool
    lines: pl.DataFrame
    about: dict[str, Any]

    def first(self, wanted: int | None, held_out: int) -> pl.DataFrame:
        """The first `wanted` lines (None: all but the held-out)."""
        left = len(self.lines) - held_out
        if left < (1 if wanted is None else wanted):
            removed = sum(self.about["removed"].values()) + self.about["quarantined"] + self.about["duplicates"]
            raise DataError(
                f"pool {self.pool.key.removeprefix('data.')} is too small: {wanted or 1} to train on and {held_out} "
                f"held out, but it has {len(self.lines)}"
                + (f" ({removed} rows were left out: {left_out(self.about)})" if removed else "")
                + "; lower data.ratio, data.scale or data.creative.size, hold out fewer (data.validation), or give a "
                "larger file"
            )
        return self.lines[: left if wanted is None else wanted]

    def last(self, held_out: int) -> pl.DataFrame:
        return self.lines[len(self.lines) - held_out :]


def _ordered(source: Source, kind: Kind, key: str, data: Data, seed: int, taken: set[bytes] | None = None) -> _Ordered:
    """A source's rows without repeated and filtered ones, nor those whose prompt is `taken`."""
    pool = open_pool(source, kind, key, data)
    index = pool.index()
    rows = index.unique("content", keep="first", maintain_order=True)
    if len(twice := rows.filter(pl.col("id").is_duplicated())):
        raise DataError(
            f"{key}: {pool.names}: id '{twice['id'][0]}' stands for different rows; make ids unique or remove them"
        )
    rows = rows.with_columns(removed=_reason(source.filters, rows["genre"].unique().to_list(), taken or set()))
    kept = rows.filter(pl.col("removed").is_null())
    lines = kept[order_of(kept["id"].to_list(), seed)].with_columns(pool=pl.lit(key), kind=pl.lit(kind))
    removed = dict(rows["removed"].drop_nulls().value_counts().sort("removed").iter_rows())
    about = {"pool": key, **pool.about, "duplicates": len(index) - len(rows), "removed": removed, "usable": len(kept)}
    del about["parts"]
    return _Ordered(pool, lines, about)


def _reason(filters: Filters, genres: Sequence[str | None], taken: set[bytes]) -> pl.Expr:
    """Why a row of an index is not used, the first reason that holds; null for none."""

    def matches(patterns: Sequence[str]) -> pl.Expr:
        return pl.col("genre").is_in([g for g in genres if g and any(fnmatchcase(g, p) for p in patterns)])

    own_share = pl.when(pl.col("lang") == "zh").then("script_share").otherwise(1 - pl.col("script_share"))
    reasons: dict[str, list[pl.Expr]] = {"score": [], "language": [], "length": [], "topic": []}
    if filters.min_score is not None:
        reasons["score"] += [pl.col("score").fill_null(float("-inf")) < filters.min_score]
    if filters.min_language_share is not None:
        reasons["language"] += [own_share < filters.min_language_share]
    if filters.min_characters is not None:
        reasons["length"] += [pl.col("characters") < filters.min_characters]
    if filters.max_characters is not None:
        reasons["length"] += [pl.col("characters") > filters.max_characters]
    if filters.topics is not None:
        reasons["topic"] += [~matches(filters.topics).fill_null(value=False)]
    if filters.not_topics is not None:
        reasons["topic"] += [matches(filters.not_topics).fill_null(value=False)]
    reasons["overlap"] = [pl.col("prompt_key").is_in(list(taken))]
    return pl.coalesce(pl.when(pl.any_horizontal(holds)).then(pl.lit(name)) for name, holds in reasons.items() if holds)


def _check_held_out(train: Sequence[pl.DataFrame], held_out: Sequence[pl.DataFrame]) -> None:
    """Raises DataError if a prompt with the same answer is both trained on and held out."""
    trained = pl.concat(train)["content"]
    leaked = pl.concat(held_out).filter(pl.col("content").is_in(trained.implode()))
    if len(leaked):
        raise DataError(
            f"{leaked['pool'][0]}: example {leaked['id'][0]}, held out, is also trained on; remove it from one of the "
            "files"
        )


def left_out(about: Mapping[str, Any]) -> str:
    """Why how many of a pool's rows are not used, in words; empty for none."""
    counts = {"quarantined": about["quarantined"], "duplicates": about["duplicates"], **about["removed"]}
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
