"""Remove copies: of texts of the curation among each other, and of queries and triplets that must not come in.

A text is removed only if it is like a text that is kept; a chain of similar texts is never enough. So each removal has
its own evidence, and no two kept texts are copies.
"""

from __future__ import annotations

import importlib.util
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from coig.config import Constructor, CurateConfig
from coig.config.curation import Dedupe
from coig.config.fields import files_of
from coig.curation.minhash import find_alike_by_minhash, verify
from coig.curation.near_duplicates import Likeness, find_alike
from coig.curation.records import State
from coig.curation.store import Store, Text
from coig.data.sources import ANSWERS, PROMPTS, local
from coig.errors import ConfigError, DataError
from coig.files.rows import read_rows
from coig.text.shingles import HAN_SIZE, Shingles, shingles_of

log = logging.getLogger(__name__)
RULE = "rule of copies"
PIPELINE = "minhash"  # the folder of datatrove's pipeline within the curation's
COLUMNS = (*PROMPTS, *ANSWERS, "text", "content", "article")  # of guarded rows that are no examples


def dedupe(store: Store, config: CurateConfig) -> None:
    """Compare every text in state `assessed` with the others, with earlier unique texts and with guarded rows.

    A copy becomes `duplicate`, any other text `unique`. Stores all pairs of similar texts, also those that are no
    copies, and logs counts.
    """
    rules = config.dedupe
    texts = store.read_texts()
    new = [text for text in texts if text.state == "assessed"]
    if not new:
        log.info("dedupe: nothing waits")
        return
    known = [text for text in texts if text.has_reached("unique") and text.state != "taken_down"]
    guarded = read_guarded_texts(files_of(rules.against))
    names = [*(place for place, _ in guarded), *(text.key for text in (*known, *new))]
    compared = [*(text for _, text in guarded), *(text.article for text in (*known, *new))]
    before = len(guarded) + len(known)
    sets, pairs = find_pairs(compared, rules, before, config.folder / PIPELINE)
    order = [*range(before), *(before + place for place in rank_copies(new, rules.keep))]
    removed = remove_copies(order, [pair for pair in pairs if is_copy(pair, sets, rules)], before)
    with store.writing() as pen:
        rule = pen.find_actor(RULE, "rule")
        for pair in pairs:
            later, other = max(pair.first, pair.second), min(pair.first, pair.second)
            pen.add_likeness(new[later - before].id, names[other], pair.jaccard, pair.containment)
        for place, text in enumerate(new, before):
            value, state = _evidence(removed.get(place), place, names)
            pen.add_event(text.id, "dedupe", state, value, rule)
    copies = Counter("of a guarded row" if _find_other(removed[p], p) < len(guarded) else "of a text" for p in removed)
    told = "".join(f", {count:,} copies {of}" for of, count in sorted(copies.items()))
    log.info("dedupe: %s unique%s", f"{len(new) - len(removed):,}", told)


class LazyShingles(Sequence[Shingles]):
    """The shingles of texts, made when they are needed: those of very many texts do not fit into memory."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._make = lru_cache(maxsize=10_000)(lambda place: shingles_of(texts[place]))

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, place: Any) -> Any:
        return self._make(place)


def find_pairs(
    texts: Sequence[str], rules: Dedupe, known: int, folder: Path
) -> tuple[Sequence[Shingles], list[Likeness]]:
    """Return the texts' shingles, and the pairs of Jaccard similarity from `rules.shown` on or with an excerpt.

    Of more than `rules.largest` texts MinHash finds most of the similar pairs, and no excerpts: here, or by
    `rules.executor`, which keeps its files in `folder`. Pairs among the first `known` texts are left out.
    """
    if len(texts) > rules.largest and rules.executor is not None:
        lazy = LazyShingles(texts)
        candidates = _find_candidates(texts, folder, rules.executor)
        return lazy, list(verify(candidates, lazy, jaccard=rules.shown, known=known))
    sets = [shingles_of(text) for text in texts]
    if len(texts) > rules.largest:
        return sets, list(find_alike_by_minhash(sets, jaccard=rules.shown, known=known))
    excerpt = max(1, rules.excerpt - HAN_SIZE + 1)
    pairs = find_alike(sets, jaccard=rules.shown, containment=rules.containment, excerpt=excerpt, known=known)
    return sets, list(pairs)


def _find_candidates(texts: Sequence[str], folder: Path, executor: Constructor) -> list[tuple[int, int]]:
    """Return the pairs of texts that datatrove proposes. Raises ConfigError if datatrove is not installed."""
    if importlib.util.find_spec("datatrove") is None:
        raise ConfigError("dedupe.executor: datatrove is not installed: pip install 'coig[datatrove]'")
    from coig.curation.pipeline import find_candidates

    return find_candidates(texts, folder, executor)


def is_copy(pair: Likeness, sets: Sequence[Shingles], rules: Dedupe) -> bool:
    """Tell whether a pair's texts are copies by their Jaccard similarity, or the smaller one is an excerpt.

    A smaller text with fewer shingles than a text of `rules.excerpt` characters can have is no excerpt.
    """
    can_be_excerpt = len(sets[pair.first]) > rules.excerpt - HAN_SIZE
    return pair.jaccard >= rules.jaccard or (can_be_excerpt and pair.containment >= rules.containment)


def read_guarded_texts(files: Iterable[Path]) -> list[tuple[str, str]]:
    """Return (place, text) for the prompt and the answer of every row of files, read as `data=local` reads it.

    Of a row that `data=local` refuses, such as a query, every text under one of COLUMNS is returned instead. Blank
    texts are left out. Raises DataError for a row that has no text.
    """
    found: list[tuple[str, str]] = []
    for file in files:
        for place, row in read_rows(file):
            texts = _texts_of(row)
            if not texts:
                raise DataError(f"{place}: dedupe.against: has neither prompt nor answer nor text; mend or remove it")
            found += [(place, text) for text in texts]
    return found


def _texts_of(row: Any) -> list[str]:
    """Return the texts of a row that `read_guarded_texts` returns; [] if the row is no dict or has none."""
    if not isinstance(row, dict):
        return []
    try:
        fields = local(row)
        values = [fields.get("prompt"), fields.get("answer")]
    except ValueError:
        values = [row.get(column) for column in COLUMNS]
    return [value for value in values if isinstance(value, str) and value.strip()]


def rank_copies(texts: Sequence[Text], keep: Sequence[str]) -> list[int]:
    """Return the places of texts, those first that are to be kept rather than their copies.

    `keep` names rules (longest, earliest, most_engaged); the first rule that tells two texts apart decides.
    """
    measures: dict[str, Callable[[Text], Any]] = {
        "longest": lambda text: -len(text.article),
        "earliest": lambda text: text.about.get("published") or date.max.isoformat(),
        "most_engaged": lambda text: -(text.about.get("engagement") or 0.0),
    }
    return sorted(range(len(texts)), key=lambda place: [*(measures[rule](texts[place]) for rule in keep), place])


def remove_copies(order: Sequence[int], copies: Iterable[Likeness], known: int) -> dict[int, Likeness]:
    """Return {place of a removed text: its closest pair with a kept text}.

    A text is removed if it is a copy of a text that is kept, never because of one that is removed.

    Args:
        order: the places of all texts, those to keep first.
        copies: the pairs that are copies.
        known: the first so many texts are kept in any case.
    """
    pairs_of: dict[int, list[Likeness]] = defaultdict(list)
    for pair in copies:
        pairs_of[pair.first].append(pair)
        pairs_of[pair.second].append(pair)
    kept: set[int] = set()
    removed: dict[int, Likeness] = {}
    for place in order:
        closest = [pair for pair in pairs_of[place] if _find_other(pair, place) in kept]
        if closest and place >= known:
            removed[place] = max(closest, key=lambda pair: (pair.jaccard, pair.containment))
        else:
            kept.add(place)
    return removed


def _find_other(pair: Likeness, place: int) -> int:
    """Return the place of the pair's text that is not at `place`."""
    return pair.second if pair.first == place else pair.first


def _evidence(pair: Likeness | None, place: int, names: Sequence[str]) -> tuple[dict[str, Any], State]:
    """Return the value of a text's event, and its new state.

    For a copy, the value has the kept text's name and how alike they are; without a pair it is {}, the state `unique`.
    """
    if pair is None:
        return {}, "unique"
    likeness = {"jaccard": round(pair.jaccard, 4), "containment": round(pair.containment, 4)}
    return {"kept": names[_find_other(pair, place)], **likeness}, "duplicate"
