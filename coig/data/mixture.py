"""Draw the examples that an arm is trained on: nested subsets of pools, in an order that depends on the seed alone."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import polars as pl

from coig.config import Data, Source
from coig.config.fields import local_path
from coig.config.ratio import Ratio
from coig.data.examples import Example
from coig.data.filters import Reason, diverse_half, reasons_of
from coig.data.pools import Pool, open_pool
from coig.errors import DataError
from coig.records.query import read_queries
from coig.text.cleaning import prompt_key
from coig.text.language import language_of
from coig.text.language_codes import LANGUAGES

log = logging.getLogger(__name__)
FOREIGN = 0.1  # warn if more than this share of rows is in another language's script
TRIPLET = ["pool", "id"]
LEAK = ["pool", "id", "place", "place_trained"]
REMARKS = {
    "split": "answers held a think block, now their reasoning",
    "without_reasoning": "rows without reasoning",
    "renamed": "ids restarted in another file and got its name",
    "also_queries": "of the prompts are test queries too",
}
LINE = ["pool", "row", "place", "id", "kind", "lang", "source", "digest"]


@dataclass(frozen=True)
class Mixture:
    """The examples of one arm, as references to rows of its pools.

    train: frame with the columns `LINE`, one row per example, in the order of the draw.
    validation: the same for held-out examples; equal for all arms of a seed.
    pools: the pools by their key in the config.
    sources: for each pool the counts that the manifest records.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    pools: Mapping[str, Pool]
    sources: Sequence[dict[str, Any]]

    @property
    def fingerprint(self) -> str:
        """Return the sha256 over all examples in order: arms with equal fingerprints have the same data."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation):
            for kind, lang, name, content in part.select("kind", "lang", "id", "digest").iter_rows():
                digest.update(json.dumps([kind, lang, name, content.hex()]).encode() + b"\n")
            digest.update(b"\0")
        return digest.hexdigest()

    @property
    def left_out(self) -> Counter[str]:
        """Return the number of unused rows of all sources, by reason."""
        total: Counter[str] = Counter()
        for source in self.sources:
            total.update(quarantined=source["quarantined"], duplicates=source["duplicates"], **source["removed"])
        return total

    def examples(self, lines: pl.DataFrame) -> Iterator[Example]:
        """Yield the examples of `lines` with their texts, pool by pool, not in the order of `lines`."""
        for key, pool in self.pools.items():
            yield from pool.examples(lines.filter(pl.col("pool") == key)["row"])


def build_mixture(data: Data, seed: int, needs_reasoning: bool = True) -> Mixture:
    """Draw and return the mixture that `data.ratio` specifies.

    With one seed, subsets are nested: a smaller count of general examples is a prefix of a larger one, and so is a
    smaller `creative.size`. Held-out examples come from the end of the same order. Other texts written to a held-out
    prompt are excluded from training.

    Args:
        needs_reasoning: whether rows without reasoning are quarantined, if `data.no_reasoning` is null.

    Raises DataError if a pool has too few rows for training and validation, if the ratio leaves no general example, or
    if a prompt or a triplet would be both trained on and held out.
    """
    policy = data.no_reasoning or ("quarantine" if needs_reasoning else "empty")
    data = data.model_copy(update={"no_reasoning": policy})
    ratio, validation = Ratio.parse(data.ratio), data.validation
    tested = {prompt_key(query.query) for file in data.queries for query in read_queries(local_path(file))}
    parts = [_creative(source, key, data, seed) for key, source in data.creative.sources.items()]
    creative, parts = _join(parts, seed, tested, validation.creative)
    stories = creative.first(data.creative.size)
    counts = data.general_counts(len(stories))
    is_scaled = ratio.count is not None and data.scale != 1
    scaled = f" (data.ratio={ratio.text} × data.scale={data.scale:g})" if is_scaled else ""
    if ratio.count != 0 and not any(counts.values()):
        raise DataError(f"data.ratio={ratio.text}: leaves no general example beside {len(stories)} creative; raise it")
    pools = parts
    train = [stories] if ratio.has_creative else []
    held_out = [creative.held_out]
    if validation.source and validation.source.is_given:
        apart = _creative(validation.source, "data.validation.source", data, seed)
        pools += _join([apart], seed, tested, held_out=0)[1]
        held_out.append(pools[-1].lines)
    for lang, source in data.pools.items() if any(counts.values()) or validation.general else ():
        taken = tested.union(*(pool.prompts for pool in pools))
        pools.append(_general(source, lang, data, seed, taken))
        train.append(pools[-1].first(counts[lang], scaled))
        held_out.append(pools[-1].held_out)
    _check_held_out(train, held_out)
    return Mixture(
        pl.concat([lines.select(LINE) for lines in train]),
        pl.concat([lines.select(LINE) for lines in held_out]),
        {ordered.pool.key: ordered.pool for ordered in pools},
        [ordered.about for ordered in pools],
    )


def _join(parts: Sequence[_Ordered], seed: int, tested: set[bytes], held_out: int) -> tuple[_Ordered, list[_Ordered]]:
    """Join creative sources in one order and split it; return all lines together, and each source with its own lines.

    All lines together have the pool and counts of the first source. A text of several sources is used from the first
    one, and is a duplicate in the others. Rows whose prompt key is in `tested` are counted, not removed.
    """
    lines = pl.concat([part.lines for part in parts]).unique("digest", keep="first", maintain_order=True)
    train, last = _split(lines[order_of(lines["id"].to_list(), seed)], held_out)
    split: list[_Ordered] = []
    for part in parts:
        own = pl.col("pool") == part.pool.key
        there, usable = lines.filter(own), pl.concat([train.filter(own), last.filter(own)])
        about = part.about | {
            "duplicates": part.about["duplicates"] + len(part.lines) - len(there),
            "usable": len(usable),
            "also_queries": usable["prompt_key"].is_in(list(tested)).sum(),
        }
        if same_prompt := len(there) - len(usable):
            about["removed"] = about["removed"] | {"held_out_prompt": same_prompt}
        split.append(_Ordered(part.pool, train.filter(own), last.filter(own), about))
    return replace(split[0], lines=train, held_out=last), split


def order_of(ids: Sequence[str], seed: int) -> list[int]:
    """Return the indices of `ids` sorted by sha256 of (seed, id): a random order that no library version changes."""
    return sorted(range(len(ids)), key=lambda place: hashlib.sha256(f"{seed}:{ids[place]}".encode()).digest())


@dataclass(frozen=True)
class _Ordered:
    """A pool's usable rows in the seed's order.

    lines: the rows to train on. held_out: the rows to validate with. about: counts for the manifest.
    """

    pool: Pool
    lines: pl.DataFrame
    held_out: pl.DataFrame
    about: dict[str, Any]

    @property
    def prompts(self) -> set[bytes]:
        """Return the keys of all prompts, held-out ones included."""
        return {*self.lines["prompt_key"], *self.held_out["prompt_key"]}

    def first(self, wanted: int | None, origin: str = "") -> pl.DataFrame:
        """Return the lines of the first `wanted` ids to train on (None: all). Raises DataError if there are fewer.

        None asks for at least one. `origin` stands behind `wanted` in the message.
        """
        left, held_out = (lines.select(TRIPLET).n_unique() for lines in (self.lines, self.held_out))
        if left < (1 if wanted is None else wanted):
            removed = sum(self.about["removed"].values()) + self.about["quarantined"] + self.about["duplicates"]
            raise DataError(
                f"pool {self.pool.key.removeprefix('data.')} is too small: {wanted or 1}{origin} to train on and "
                f"{held_out} held out, but it has {left + held_out}"
                + (f" ({removed} rows were left out: {left_out(self.about)})" if removed else "")
                + "; lower data.ratio, data.scale or data.creative.size, hold out fewer (data.validation), loosen the "
                "source's filters, or give a larger file"
            )
        return self.lines if wanted is None else self.lines.filter(_numbers(self.lines) < wanted)


def _numbers(lines: pl.DataFrame) -> pl.Series:
    """Return for each line the number of its id; ids count from 0 in the order of the lines.

    Lines of one id (a triplet's languages) must be adjacent.
    """
    return lines.select(pl.struct(TRIPLET).rle_id()).to_series()


def _split(lines: pl.DataFrame, held_out: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the lines to train on, and the lines of the last `held_out` ids.

    To find the last ids, ids that share a prompt are moved together, to the place of the last of them. A line that is
    not held out but has a held-out line's prompt is in neither part, nor are its versions in other languages.
    """
    by_prompt = lines.with_columns(number=_numbers(lines)).with_columns(last=pl.col("number").max().over("prompt_key"))
    ids = (
        by_prompt.group_by(TRIPLET, maintain_order=True)
        .agg(pl.col("last", "number").max())
        .sort("last", "number")
        .select(TRIPLET)
    )
    last = lines.join(ids.tail(held_out), on=TRIPLET, how="semi", maintain_order="left")
    same_prompt = (
        lines.join(last, on="prompt_key", how="semi", maintain_order="left").select(TRIPLET).unique(maintain_order=True)
    )
    return lines.join(same_prompt, on=TRIPLET, how="anti", maintain_order="left"), last


def _creative(source: Source, key: str, data: Data, seed: int) -> _Ordered:
    """Return a creative source's usable rows in the seed's order; none is held out yet."""
    return _draw_rows(open_pool(source, "creative", "zh", key, data), source, [], data, seed, held_out=0)


def _general(source: Source, lang: str, data: Data, seed: int, taken: set[bytes]) -> _Ordered:
    """Return a general source's usable rows in the seed's order, split into those to train on and those held out.

    Rows in another language, or with a prompt key in `taken`, are removed.
    """
    pool = open_pool(source, "general", lang, f"data.general.{lang}", data)
    of_another_language = ("language", pl.col("lang") != lang)
    overlapping = ("overlap", pl.col("prompt_key").is_in(list(taken)))
    return _draw_rows(pool, source, [of_another_language, overlapping], data, seed, data.validation.general)


def _draw_rows(pool: Pool, source: Source, reasons: Sequence[Reason], data: Data, seed: int, held_out: int) -> _Ordered:
    """Filter a pool's rows, drop copies (general: equal prompt and answer), order them by the seed, and split them.

    Each removed row is counted once: by the first of `reasons`, missing reasoning (if quarantined) and the filters,
    then as a copy, then by `diversity`, then by a held-out row's prompt. Raises DataError if different rows share id
    and language, or if `aligned` is set although ids restart in another file or `diversity` is set, too.
    """
    _check_aligned(pool, source)
    own = reasons_of(source.filters, needs_reasoning=data.no_reasoning == "quarantine")
    unique = "digest" if pool.kind == "creative" else "content"
    holding = [pl.when(holds).then(pl.lit(name)) for name, holds in [*reasons, *own]]
    index = pool.index().with_columns(is_copy=pl.col("id") != pl.col("id").min().over(unique))
    rows = index.with_columns(removed=pl.coalesce([*holding, pl.lit(None, pl.String)]))
    usable = rows.filter(pl.col("removed").is_null())
    # sorted first: which duplicate is kept must not depend on the order in the file
    kept = usable.sort("id", "lang", "source", "genre", "digest", maintain_order=True).unique(
        unique, keep="first", maintain_order=True
    )
    _check_ids(pool, kept)
    _warn_of_another_script(pool, kept)
    duplicates = len(usable) - len(kept)
    removed = dict(rows["removed"].drop_nulls().value_counts().sort("removed").iter_rows())
    about: dict[str, Any] = {}
    if half := source.filters.diversity:
        chosen, about["diversity"] = diverse_half(pool, kept, half)
        removed["diversity"], kept = len(kept) - len(chosen), chosen
    lines = kept[order_of(kept["id"].to_list(), seed)].with_columns(pool=pl.lit(pool.key), kind=pl.lit(pool.kind))
    train, last = _split(lines, held_out)
    if same_prompt := len(lines) - len(train) - len(last):
        removed["held_out_prompt"] = same_prompt
    about |= {
        "pool": pool.key,
        "files": pool.about["files"],
        "rows": pool.about["rows"],
        "quarantined": pool.quarantined,
        "duplicates": duplicates,
        "removed": removed,
        "usable": len(train) + len(last),
        "split": pool.about["split"],
        "without_reasoning": 0 if data.no_reasoning == "quarantine" else pool.about["without_reasoning"],
        "renamed": pool.about["renamed"],
    }
    return _Ordered(pool, train, last, about)


def _check_aligned(pool: Pool, source: Source) -> None:
    """Raise DataError if versions of one text shall stay together, but ids or the filter `diversity` prevent it."""
    if pool.about["renamed"] and source.filters.aligned:
        raise DataError(
            f"{pool.key}: ids restart in the files {pool.names}, so nothing says which rows are versions of one text "
            f"({pool.key}.filters.aligned=true); make ids unique"
        )
    if source.filters.aligned and source.filters.diversity:
        raise DataError(
            f"{pool.key}.filters: diversity chooses a half in each language by itself, so that aligned=true cannot "
            "keep both versions of a text; leave out one of them"
        )


def _check_ids(pool: Pool, rows: pl.DataFrame) -> None:
    """Raise DataError if different rows of a pool share id and language."""
    if len(twice := rows.filter(pl.struct("id", "lang").is_duplicated()).sort("id", "row")):
        name, places = twice["id"][0], " and ".join(twice["place"][:2])
        raise DataError(f"{pool.key}: id '{name}' stands for different rows, {places}; make ids unique")


def _warn_of_another_script(pool: Pool, kept: pl.DataFrame) -> None:
    """Warn if more than the share `FOREIGN` of rows is written in the script of a language other than their `lang`."""
    written = language_of(pl.col("script_share"))
    foreign = kept.filter(written.is_in(LANGUAGES), written != pl.col("lang"))
    if len(foreign) > FOREIGN * len(kept):
        lang, other = foreign.select("lang", written.alias("written")).row(0)
        mend = f"data.general.{other}.path" if pool.kind == "general" else f"{pool.key}.lang={other}"
        _warn_once(
            f"{pool.key}: {len(foreign):,} of {len(kept):,} rows are read as {lang} but written in the script of "
            f"{other}, such as {foreign['place'][0]}; give the file as {mend}, or leave such rows out with "
            f"{pool.key}.filters.min_language_share=0.5"
        )


@cache
def _warn_once(text: str) -> None:
    """Log a warning, once per process: arms of a sweep do not repeat it."""
    log.warning(text)


def _check_held_out(train: Sequence[pl.DataFrame], held_out: Sequence[pl.DataFrame]) -> None:
    """Raise DataError if a prompt, or a triplet in any language, is both trained on and held out."""
    both = pl.concat(held_out), pl.concat(train)
    leaked = pl.concat(
        [
            both[0].join(both[1], on=key, suffix="_trained", maintain_order="left").select(LEAK)
            for key in ("prompt_key", TRIPLET)
        ]
    )
    if len(leaked):
        pool, name, place, trained = leaked.row(0)
        raise DataError(
            f"{pool}: {place}: example {name}, held out, is also trained on, or another text to its prompt, from "
            f"{trained}; remove one of them"
        )


def remarks(about: Mapping[str, Any]) -> list[str]:
    """Return sentences about a pool's used rows, such as "12 rows without reasoning", for the counts that are not 0."""
    return [f"{about[key]:,} {text}" for key, text in REMARKS.items() if about.get(key)]


def left_out(about: Mapping[str, Any]) -> str:
    """Return how many of a pool's rows are not used, by reason, as text (`quarantined 3, score 12`); "" if none is."""
    counts = {"quarantined": about["quarantined"], "duplicates": about["duplicates"], **about["removed"]}
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
