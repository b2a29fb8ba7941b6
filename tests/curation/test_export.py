"""What is exported, what is held back, and what is held out."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from coig.config import TrainConfig
from coig.config.command_line import config_of
from coig.curation.export import is_held_out, training_command
from coig.errors import DataError
from tests.curation.curations import (
    STORY,
    act,
    article,
    configure,
    only_text,
    review,
    run,
    run_to,
    score,
    set_state,
    write,
    write_articles,
)

EXPORT = Path("curations/mine/export")


def accept(*overrides: str, **fields: Any) -> None:
    """Take one article to its acceptance."""
    write_articles(article(STORY, author="林溪", url="https://example.org/1", licence="CC BY 4.0"))
    run_to("dedupe")
    set_state("screened", quality=9, creativity=8)
    write("wen", **fields)
    score("sun")
    review("ann", "accept")
    review("bob", "accept")
    run("stage=export", "held_out=0", *overrides)


def test_the_printed_command_is_quoted_for_shell_and_hydra() -> None:
    write_articles(article(STORY))
    config = configure("name='a, b'", "held_out=0")
    command = training_command(Path("curations/a, b/export"), [], config)
    assert shlex.split(command) == [
        *("python", "train.py", "data=local", 'data.creative.path="curations/a, b/export/triplets.jsonl"'),
        *("data.ratio=0", 'study="a, b-curated"'),
    ]
    assert config_of("train", TrainConfig, shlex.split(command)[-1:]).study == "a, b-curated"


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXPORT / name).read_text(encoding="utf-8").splitlines()]


def test_a_triplet_comes_with_its_scores_and_its_provenance_under_pseudonyms() -> None:
    accept()
    text = only_text()
    codes = {event.by.name: event.by.code for event in text.events}
    [row] = lines("triplets.jsonl")
    assert (row["id"], row["lang"], row["genre"], row["answer"]) == (text.key, "zh", "essay", STORY)
    [scores] = lines("scores.jsonl")
    assert scores["scores"][codes["sun"]]["prompt_quality"] == 9
    assert scores["decisions"] == {codes["ann"]: "accept", codes["bob"]: "accept"}
    assert scores["screening"] == {"quality": 9, "creativity": 8}
    [origin] = lines("provenance.jsonl")
    assert (origin["author"], origin["licence"], origin["place"]) == ("林溪", "CC BY 4.0", "articles.jsonl:1")
    assert origin["triplet_versions"][0]["by"] == codes["wen"]
    files = "".join(file.read_text(encoding="utf-8") for file in EXPORT.iterdir() if file.suffix in (".jsonl", ".md"))
    assert not any(name in files for name in ("wen", "sun", "ann", "bob"))


def test_personal_data_is_held_back_until_somebody_clears_it() -> None:
    accept(prompt="写一篇短文，结尾留下电话13800138000给读者。")
    assert lines("held_back.jsonl")[0]["reason"] == "personal data: phone in the prompt"
    assert lines("triplets.jsonl") == []
    act("clear", "li", why="虚构的号码")
    run("stage=export", "held_out=0")
    assert len(lines("triplets.jsonl")) == 1


def test_a_prompt_of_the_test_is_held_back() -> None:
    Path("queries.jsonl").write_text(
        json.dumps({"id": "1", "lang": "zh", "genre": "essay", "query": "写一篇关于修伞人的短文，不超过一百字！"})
    )
    accept("dedupe.against=queries.jsonl")
    assert lines("held_back.jsonl")[0]["reason"] == "its prompt is that of queries.jsonl:1"


def test_a_text_that_is_taken_down_leaves_the_export() -> None:
    accept()
    act("take_down", "li", why="作者要求")
    run("stage=export", "held_out=0")
    assert lines("triplets.jsonl") == []
    [stone] = lines("tombstones.jsonl")
    assert stone["id"] == only_text().key
    assert stone["why"] == "作者要求"
    assert STORY not in "".join(file.read_text(encoding="utf-8") for file in EXPORT.glob("*.jsonl"))


def test_held_out_sets_are_nested_and_do_not_move() -> None:
    write_articles(article(STORY))
    keys = [f"{number:016x}" for number in range(2000)]
    small, large = ({key for key in keys if is_held_out(key, configure(f"held_out={share}"))} for share in (0.1, 0.3))
    assert small < large
    assert len(small) / 2000 == pytest.approx(0.1, abs=0.02)
    assert small != {key for key in keys if is_held_out(key, configure("held_out=0.1", "seed=1"))}


def test_what_people_did_elsewhere_is_taken_in_whole_or_not_at_all() -> None:
    write_articles(article(STORY))
    run_to("dedupe")
    set_state("screened")
    decisions = dict.fromkeys(("planning", "style", "culture", "narrative", "revision"), "想一想再写。")
    row = {"kind": "write", "text": only_text().key, "by": "wen", "prompt": "写一篇短文。", "key": "w1", **decisions}
    Path("work.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps({**row, 'kind': 'review', 'key': 'r1'})}\n")
    with pytest.raises(DataError, match=r"work\.jsonl:2: decision: missing; nothing of this command's files"):
        run("stage=status", "import=work.jsonl")
    assert only_text().state == "screened"
    Path("work.jsonl").write_text(json.dumps(row) + "\n")
    run("stage=status", "import=work.jsonl")
    run("stage=status", "import=work.jsonl")
    assert only_text().state == "written"
    assert len(only_text().triplets) == 1
