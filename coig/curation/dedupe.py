"""Remove copies: of texts of the curation among each other, and of queries and triplets that must not come in.

A text is removed only if it is like a text that is kept; a chain of similar texts is never enough. So each removal has
its own evidence, and no two kept texts are copies.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from coig.config import CurateConfig
from coig.config.curation import Dedupe
from coig.config.fields import files_of
from coig.curation.minhash import find_alike_by_minhash
from coig.curation.near_duplicates import Likeness, find_alike
from coig.curation.records import State
from coig.curation.store import Store, Text
from coig.data.sources import ANSWERS, PROMPTS, local
from coig.errors import DataError
from coig.files.rows import read_rows
from coig.text.shingles import HAN_SIZE, Shingles, shingles_of

log = logging.getLogger(__name__)
RULE = "rule of copies"
COLUMNS = (*PROMPTS, *ANSWERS, "text", "content", "article")  # of guarded rows that are no examples


def dedupe(store: Store, config: CurateConfig) -> None:
    """Compare every assessed text with the others, those of earlier runs included; a copy becomes a duplicate."""
    rules = config.dedupe
    texts = store.read_texts()
    new = [text for text in texts if text.state == "assessed"]
    if not new:
        log.info("dedupe: nothing waits")
        return
    known = [text for text in texts if text.has_reached("unique") and text.state != "taken_down"]
    guarded = read_guarded(files_of(rules.against))
    names = [*(place for place, _ in guarded), *(text.key for text in (*known, *new))]
    sets = [shingles_of(text) for text in (*(text for _, text in guarded), *(text.article for text in (*known, *new)))]
    before = len(guarded) + len(known)
    pairs = find_pairs(sets, rules, before)
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
    copies = Counter("of a guarded row" if _kept(removed[p], p) < len(guarded) else "of a text" for p in removed)
    told = "".join(f", {count:,} copies {of}" for of, count in sorted(copies.items()))
    log.info("dedupe: %s unique%s", f"{len(new) - len(removed):,}", told)


def find_pairs(sets: Sequence[Shingles], rules: Dedupe, known: int) -> list[Likeness]:
    """Return the pairs that are like enough for the histogram, exactly up to `rules.largest` texts."""
    if len(sets) > rules.largest:
        return list(find_alike_by_minhash(sets, jaccard=rules.shown, known=known))
    excerpt = max(1, rules.excerpt - HAN_SIZE + 1)
    return list(find_alike(sets, jaccard=rules.shown, containment=rules.containment, excerpt=excerpt, known=known))


def is_copy(pair: Likeness, sets: Sequence[Shingles], rules: Dedupe) -> bool:
    """Tell whether a pair's texts are copies, or the smaller one an excerpt of the other."""
    can_be_excerpt = len(sets[pair.first]) > rules.excerpt - HAN_SIZE
    return pair.jaccard >= rules.jaccard or (can_be_excerpt and pair.containment >= rules.containment)


def read_guarded(files: Iterable[Path]) -> list[tuple[str, str]]:
    """Return (place, text) for every prompt and answer of files of queries or triplets, in any shape that trains.

    Raises DataError for a row without any.
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
    """Return a row's prompt and answer; [] if it has neither."""
    if not isinstance(row, dict):
        return []
    try:
        fields = local(row)
        values = [fields.get("prompt"), fields.get("answer")]
    except ValueError:
        values = [row.get(column) for column in COLUMNS]
    return [value for value in values if isinstance(value, str) and value.strip()]


def rank_copies(texts: Sequence[Text], keep: Sequence[str]) -> list[int]:
    """Return the places of texts in the order in which they are kept: by the first rule that tells two apart."""
    measures: dict[str, Callable[[Text], Any]] = {
        "longest": lambda text: -len(text.article),
        "earliest": lambda text: text.about.get("published") or date.max.isoformat(),
        "most_engaged": lambda text: -(text.about.get("engagement") or 0.0),
    }
    return sorted(range(len(texts)), key=lambda place: [*(measures[rule](texts[place]) for rule in keep), place])


def remove_copies(order: Sequence[int], copies: Iterable[Likeness], known: int) -> dict[int, Likeness]:
    """Return for each removed text its closest pair with a kept one.

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
        closest = [pair for pair in pairs_of[place] if _kept(pair, place) in kept]
        if closest and place >= known:
            removed[place] = max(closest, key=lambda pair: (pair.jaccard, pair.containment))
        else:
            kept.add(place)
    return removed


def _kept(pair: Likeness, place: int) -> int:
    """Return the place of a pair's other text."""
    return pair.second if pair.first == place else pair.first


def _evidence(pair: Likeness | None, place: int, names: Sequence[str]) -> tuple[dict[str, Any], State]:
    """Return a text's event: the kept text and how alike they are if it is a copy, nothing otherwise; and its state."""
    if pair is None:
        return {}, "unique"
    likeness = {"jaccard": round(pair.jaccard, 4), "containment": round(pair.containment, 4)}
    return {"kept": names[_kept(pair, place)], **likeness}, "duplicate"
