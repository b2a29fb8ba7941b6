"""Export the accepted triplets as files that training reads, with what an audit needs beside them.

curations/<name>/export/
    triplets.jsonl      to train on: data=local data.creative.path=…
    held_out.jsonl      the held-out triplets, of the same shape
    scores.jsonl        each scorer's six scores of the exported versions, and each reviewer's decisions
    provenance.jsonl    where each article is from, who wrote its triplet, and from which versions
    held_back.jsonl     accepted triplets that are not exported, with the reason
    tombstones.jsonl    texts that were taken down
    card.zh.md, card.en.md, funnel.svg, funnel.png
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from coig.config import CurateConfig
from coig.config.fields import files_of
from coig.config.overrides import write_override
from coig.curation.card import write_cards
from coig.curation.dedupe import read_guarded_texts
from coig.curation.desk import is_cleared, parts_of
from coig.curation.near_duplicates import find_alike
from coig.curation.rules import decisions_of, scores_of
from coig.curation.store import Store, Text
from coig.files.atomic import atomic_folder
from coig.statistics.orders import draw_share
from coig.text.personal_data import find_personal_data
from coig.text.shingles import shingles_of

log = logging.getLogger(__name__)
FOLDER = "export"
Row = dict[str, Any]


def export(store: Store, config: CurateConfig) -> None:
    """Write the export folder anew, whole or not at all, and print the command that trains on it.

    Accepted triplets that must be held back are only listed. Nothing is printed if there is none to train on.
    """
    texts = store.read_texts()
    accepted = [text for text in texts if text.state == "accepted"]
    held_back = find_held_back(accepted, config)
    exported = [text for text in accepted if text.key not in held_back]
    held_out = [text for text in exported if is_held_out(text.key, config)]
    train = [text for text in exported if not is_held_out(text.key, config)]
    target = config.folder / FOLDER
    with atomic_folder(target) as folder:
        _write(folder / "triplets.jsonl", map(triplet_row, train))
        _write(folder / "held_out.jsonl", map(triplet_row, held_out))
        _write(folder / "scores.jsonl", map(_scores_row, exported))
        _write(folder / "provenance.jsonl", map(_provenance_row, exported))
        _write(folder / "held_back.jsonl", ({"id": key, "reason": reason} for key, reason in held_back.items()))
        _write(folder / "tombstones.jsonl", (_tombstone(text) for text in texts if text.state == "taken_down"))
        write_cards(folder, texts, train, held_out, store.count_damaged(), config)
    back = f", {len(held_back)} held back: {target / 'held_back.jsonl'}" if held_back else ""
    log.info("export: %d triplets to train on, %d held out%s", len(train), len(held_out), back)
    if train:
        print(f"train on it:\n  {training_command(target, held_out, config)}")


def training_command(folder: Path, held_out: Sequence[Text], config: CurateConfig) -> str:
    """Return the command that trains an arm on the export alone, and validates on the held-out triplets if any.

    Its study is not named like the curation alone: the curation `demo` would meet the arms of `make demo`.
    """
    values: dict[str, str | int] = {"data.creative.path": str(folder / "triplets.jsonl")}
    if held_out:
        values["data.validation.source.path"] = str(folder / "held_out.jsonl")
    values |= {"data.ratio": 0, "study": f"{config.name}-curated"}
    overrides = " ".join(write_override(key, value) for key, value in values.items())
    return f"python train.py data=local {overrides}"


def is_held_out(key: str, config: CurateConfig) -> bool:
    """Tell whether a triplet is held out: a random draw by its key and the seed alone, below the share `held_out`.

    A triplet that a smaller share holds out is held out by a larger share too; none changes sides as a curation grows.
    """
    return draw_share("held out", config.seed, key) < config.held_out


def find_held_back(accepted: Sequence[Text], config: CurateConfig) -> dict[str, str]:
    """Return {key: reason} for the accepted triplets that must not be exported yet.

    They may hold personal data that nobody has cleared, or their prompt is a copy of a text in `dedupe.against`.
    """
    reasons: dict[str, str] = {}
    for text in accepted:
        found = [(part, one.kind) for part, whole in parts_of(text).items() for one in find_personal_data(whole)]
        if found and not is_cleared(text):
            reasons[text.key] = "personal data: " + ", ".join(f"{kind} in the {part}" for part, kind in found)
    guarded = read_guarded_texts(files_of(config.dedupe.against))
    prompts = [shingles_of(parts_of(text)["prompt"]) for text in accepted]
    sets = [*(shingles_of(text) for _, text in guarded), *prompts]
    no_excerpts = max(map(len, sets), default=0) + 1
    for pair in find_alike(sets, jaccard=config.dedupe.jaccard, containment=1, excerpt=no_excerpts, known=len(guarded)):
        first, second = sorted((pair.first, pair.second))
        if first < len(guarded):
            reasons.setdefault(accepted[second - len(guarded)].key, f"its prompt is that of {guarded[first][0]}")
    return reasons


def triplet_row(text: Text) -> Row:
    """Return the last version of a text's triplet, accepted or not, as a row that `data=local` reads.

    The `answer` is its article; the `id` is the text's, the same for all versions. Raises IndexError without a triplet.
    """
    parts = parts_of(text)
    return {
        "id": text.key,
        "lang": text.lang,
        "genre": text.genre,
        "prompt": parts["prompt"],
        "reasoning": parts["reasoning"],
        "answer": parts["article"],
    }


def _scores_row(text: Text) -> Row:
    """Return the judge's scores, people's scores and decisions on the last version, and the number of verdicts.

    People have pseudonyms. The judge's scores are None if it has given none.
    """
    codes = {event.by.name: event.by.code for event in text.events}
    return {
        "id": text.key,
        "version": text.triplet.number,
        "screening": {name: _last(text, "screen").get(name) for name in ("quality", "creativity")},
        "scores": {codes[name]: scores for name, scores in scores_of(text).items()},
        "decisions": {codes[name]: decision for name, decision in decisions_of(text).items()},
        "rounds": len(text.of_kind("verdict")),
    }


def _provenance_row(text: Text) -> Row:
    """Return where a text is from, its versions without their contents, and the model's draft, with pseudonyms."""
    written = [
        {"version": version.number, "by": version.by.code, "at": version.at, "why": version.why}
        for version in text.triplets
    ]
    article = [
        {"version": version.number, "by": version.by.code, "at": version.at, "why": version.why}
        for version in text.articles
    ]
    drafted = {key: _last(text, "write").get(key) for key in ("draft", "edits", "edited")}
    place = Path(text.about["place"]).name  # the folder is of the machine that took it in
    return {
        "id": text.key,
        **text.about,
        "place": place,
        "article_versions": article,
        "triplet_versions": written,
        **drafted,
    }


def _tombstone(text: Text) -> Row:
    """Return who took a text down, when and why, with a pseudonym."""
    event = text.of_kind("take_down")[-1]
    return {"id": text.key, "by": event.by.code, "at": event.at, "why": event.value.get("why")}


def _last(text: Text, kind: str) -> Row:
    """Return the value of a text's last event of a kind, {} if it has none."""
    events = text.of_kind(kind)
    return events[-1].value if events else {}


def _write(file: Path, rows: Iterable[Row]) -> None:
    """Write rows to a file as JSON lines."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_text("".join(lines), encoding="utf-8", newline="\n")
