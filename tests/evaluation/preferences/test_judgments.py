"""Judgments in every shape, and those that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coig.errors import DataError
from coig.evaluation.preferences.judgments import Judgments, collect_judgments, tabulate_judgments
from tests.evaluation.paper import ARMS

RANKING = {"study": "s", "query_id": "q", "lang": "zh", "genre": "poetry", "kind": "ranking", "rater": "ann"}
PAIR = {"query_id": "e", "lang": "en", "arm_a": "general", "arm_b": "cw", "winner": "a", "rater": "ann"}


def frames(file: Path, known: set[str] | None = None) -> Judgments:
    judgments = collect_judgments([file], "s", known, {"e": "en"})
    return tabulate_judgments(judgments, ARMS, {"e": "essay"})


def read(tmp_path: Path, *rows: Any, known: set[str] | None = None) -> Judgments:
    file = tmp_path / "judgments.jsonl"
    text = "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)
    file.write_text(text, encoding="utf-8")
    return frames(file, known)


def test_a_ranking_is_all_its_pairs(tmp_path: Path) -> None:
    judgments = read(tmp_path, RANKING | {"arms": ["general", "cw+1k", "cw"], "value": [1, 3, 1]})
    assert judgments.comparisons.select("arm", "opponent", "score", "genre").rows() == [
        ("cw+1k", "general", 0.0, "poetry"),
        ("cw", "general", 0.5, "poetry"),
        ("cw", "cw+1k", 1.0, "poetry"),
    ]
    assert judgments.ranks.select("arm", "rank").rows() == [("general", 1.0), ("cw+1k", 3.0), ("cw", 1.0)]


def test_a_verdict_on_a_pair(tmp_path: Path) -> None:
    about = {"query_id": "p", "lang": "en", "rater": "bob"}
    pair = about | {"kind": "pairwise", "arms": ["cw", "general"], "value": "tie"}
    judgments = read(tmp_path, PAIR, PAIR | {"arm_a": "cw", "arm_b": "general"}, pair)
    assert judgments.comparisons.select("query_id", "arm", "opponent", "score", "genre").rows() == [
        ("e", "cw", "general", 0.5, "essay"),  # in both orders, and not the same: one tie
        ("p", "cw", "general", 0.5, None),
    ]
    assert judgments.ranks.is_empty()


def test_ratings_by_dimension(tmp_path: Path) -> None:
    rating = RANKING | {"kind": "rating", "arms": ["cw"], "value": {"content quality": 2, "creative merit": 3}}
    judgments = read(tmp_path, rating, rating | {"query_id": "p", "value": 1})
    assert judgments.ratings.select("query_id", "dimension", "value").rows() == [
        ("q", "content quality", 2.0),
        ("q", "creative merit", 3.0),
        ("p", "overall preference", 1.0),
    ]
    assert judgments.comparisons.is_empty()


def test_the_authors_export(tmp_path: Path) -> None:
    names = {"origin": 2, "10k": 1, "1k": 3, "baseline": 4}
    ranked = [
        {"rank": rank, "source_file": f"wirting_en_pair_merge_{name}_3epoch_副本.json", "my_response": "…"}
        for name, rank in names.items()
    ]
    export = [{"sequence_number": 1, "question_id": 7, "prompt": "…", "ranked_responses": ranked}]
    file = tmp_path / "ann.json"
    file.write_text(json.dumps(export, ensure_ascii=False), encoding="utf-8")
    judgments = frames(file)
    assert set(judgments.ranks.select("query_id", "lang", "rater", "arm", "rank").rows()) == {
        ("en-7", "en", "ann", "cw", 2.0),
        ("en-7", "en", "ann", "cw+10k", 1.0),
        ("en-7", "en", "ann", "cw+1k", 3.0),
        ("en-7", "en", "ann", "general", 4.0),
    }
    assert len(judgments.comparisons) == 6


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["{"], r"judgments.jsonl:1: no JSON"),
        ([{"hello": 1}], "judgments.jsonl:1: query_id: missing"),
        ([PAIR | {"winner": "me"}], "winner: 'me' is none of a, b, tie"),
        ([PAIR | {"lang": "fr"}], "lang: 'fr' is none of zh, en"),
        ([PAIR | {"arm_b": "general"}], "names arm 'general' twice"),
        ([{"query_id": "q", "lang": "zh", "rater": "r"}], "is no judgment: give kind"),
        ([RANKING | {"arms": ["cw", "general"], "value": [1]}], "a rank from 1 on for each of the 2 arms"),
        ([RANKING | {"arms": ["cw", "general"], "value": [0, 1]}], "a rank from 1 on"),
        ([RANKING | {"arms": ["cw", "cw", "general"], "value": [1, 2, 3]}], "names arm 'cw' twice"),
        ([RANKING | {"arms": ["cw"], "value": [1]}], "a ranking needs at least two"),
        ([RANKING | {"kind": "rating", "arms": ["cw"], "value": 4}], "overall preference is 4; ratings are 0 to 3"),
        ([RANKING | {"study": "t", "arms": ["cw", "general"], "value": [1, 2]}], "is of study t, not s"),
        ([PAIR, PAIR], r"jsonl:2: rater ann has judged e at .*jsonl:1 already"),
        ([PAIR, PAIR | {"lang": "zh", "query_id": "e", "rater": "b"}], "query e is zh here, en before"),
        (
            [RANKING | {"arms": ["cw", "general"], "value": [1, 2]}, PAIR | {"query_id": "q", "lang": "zh"}],
            "rater ann has judged q at",
        ),
        ([PAIR | {"winner": ["a"]}], r"winner: \['a'\] is none of"),
        ([RANKING | {"kind": ["x"]}], "is no judgment"),
        ([RANKING | {"arms": ["cw", "general"], "value": [1, float("inf")]}], "a rank from 1 on"),
        ([RANKING | {"kind": "rating", "arms": ["cw"], "value": {}}], "holds no rating"),
        ([PAIR | {"arm_a": "generall"}], "arm 'generall' is not in this study; did you mean 'general'"),
        ([], "holds no judgments"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, *rows, known={"cw", "general"})


def test_an_arm_ranked_in_two_lines(tmp_path: Path) -> None:
    first, second = ({"arms": ["cw", other], "value": [1, 2]} for other in ("general", "cw+1k"))
    with pytest.raises(DataError, match="rater ann has judged q at"):
        read(tmp_path, RANKING | first, RANKING | second)
