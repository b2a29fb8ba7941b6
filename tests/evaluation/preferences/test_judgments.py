"""Judgments in every shape, and those that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coig.errors import DataError
from coig.evaluation.preferences.agreement import agreement_table
from coig.evaluation.preferences.judgments import Judgments, collect_judgments, tabulate_judgments
from tests.evaluation.paper import ARMS

RANKING = {"study": "s", "query_id": "q", "lang": "zh", "genre": "poetry", "kind": "ranking", "rater": "ann"}
PAIR = {"query_id": "e", "lang": "en", "arm_a": "general", "arm_b": "cw", "winner": "a", "rater": "ann"}


def frames(*files: Path, known: set[str] | None = None) -> Judgments:
    judgments = collect_judgments(files, "s", known, {"e": "en"})
    return tabulate_judgments(judgments, ARMS, {"e": "essay"})


def read(tmp_path: Path, *rows: Any, known: set[str] | None = None) -> Judgments:
    file = tmp_path / "judgments.jsonl"
    text = "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)
    file.write_text(text, encoding="utf-8")
    return frames(file, known=known)


def test_a_ranking_is_all_its_pairs(tmp_path: Path) -> None:
    judgments = read(tmp_path, RANKING | {"arms": ["general", "cw+1k", "cw"], "value": [1, 3, 1]})
    assert judgments.verdicts.select("arm", "opponent", "score", "genre").rows() == [
        ("cw+1k", "general", 0.0, "poetry"),
        ("cw", "general", 0.5, "poetry"),
        ("cw", "cw+1k", 1.0, "poetry"),
    ]
    assert judgments.ranks.select("arm", "rank").rows() == [("general", 1.0), ("cw+1k", 3.0), ("cw", 1.0)]


def test_a_verdict_on_a_pair(tmp_path: Path) -> None:
    about = {"query_id": "p", "lang": "en", "rater": "bob"}
    pair = about | {"kind": "pairwise", "arms": ["cw", "general"], "value": "tie"}
    judgments = read(tmp_path, PAIR, PAIR | {"arm_a": "cw", "arm_b": "general"}, pair)
    assert judgments.verdicts.select("query_id", "arm", "opponent", "score", "genre").rows() == [
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
    assert judgments.verdicts.is_empty()


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
    assert len(judgments.verdicts) == 6


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
        ([RANKING | {"kind": "rating", "arms": ["cw"], "value": 4}], r"overall preference is 4, .* rating\.scale="),
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
        ([PAIR | {"winner": 0}], r"winner: 0 is none of a, b, tie, and no number from 1 \(arm_a\) to 2 \(arm_b\)"),
        ([PAIR | {"query_id": 0.5}], "query_id: empty or no text"),
        ([PAIR | {"genre": "poem"}, PAIR | {"genre": "essay", "rater": "bob"}], "query e is essay here, poem before"),
        ([PAIR | {"winner": None}], "holds no judgments"),
        ([RANKING | {"kind": "rating", "arm": "cw"}], "value: missing"),
        ([PAIR | {"arm_a": "generall"}], "arm 'generall' is not in this study; did you mean 'general'"),
        ([], "holds no judgments"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, *rows, known={"cw", "general"})


def test_a_second_word_in_one_line_is_found(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.json"
    file.write_text(json.dumps([PAIR, PAIR]))
    with pytest.raises(DataError, match="rater ann has judged e at"):
        frames(file)


def test_what_a_null_takes_back_is_not_counted_again(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="winner: None is none of"):
        read(tmp_path, PAIR | {"id": "1"}, PAIR | {"id": "2", "supersedes": "1", "winner": None})


def test_an_arm_ranked_in_two_lines(tmp_path: Path) -> None:
    first, second = ({"arms": ["cw", other], "value": [1, 2]} for other in ("general", "cw+1k"))
    with pytest.raises(DataError, match="rater ann has judged q at"):
        read(tmp_path, RANKING | first, RANKING | second)


def test_one_row_may_lack_the_genre(tmp_path: Path) -> None:
    """A pair in both orders counts once, and so do its genre's verdicts."""
    turned = PAIR | {"arm_a": "cw", "arm_b": "general", "winner": "b"}
    for rows in ([PAIR | {"genre": "poem"}, turned], [PAIR, turned | {"genre": " poem"}]):
        judgments = read(tmp_path, *rows)
        assert judgments.verdicts.select("arm", "opponent", "score", "genre").rows() == [("cw", "general", 0.0, "poem")]


def test_a_file_named_twice_counts_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rating = {"query_id": "q", "lang": "zh", "kind": "rating", "arms": ["cw"], "value": {"creative merit": 2}}
    file, copy = tmp_path / "ratings.jsonl", tmp_path / "copy.jsonl"
    for path in (file, copy):
        path.write_text(json.dumps(rating | {"rater": "ann"}) + "\n")
    once = frames(file)
    assert len(once.ratings) == 1
    for other in (file, copy):
        assert frames(file, other).ratings.equals(once.ratings)
    assert "copy.jsonl: 1 of 1 judgments are also in an earlier file: counted once" in caplog.text
    copy.write_text(json.dumps(rating | {"rater": "ann", "value": {"creative merit": 1}}))
    with pytest.raises(DataError, match=r"copy.jsonl:1: rater ann has judged q at .*ratings.jsonl:1 already"):
        frames(file, copy)


def export(file: Path, orders: Mapping[int, tuple[str, ...]]) -> Path:
    """Write what the authors' page exports: the arms of each question, the best first."""
    rows = [
        {"question_id": question, "ranked_responses": [{"rank": r, "source_file": f"en_{a}.json"} for r, a in ranked]}
        for question, ranked in ((question, enumerate(arms, 1)) for question, arms in orders.items())
    ]
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(rows), encoding="utf-8")
    return file


def test_merged_exports_name_the_rater_in_each_row(tmp_path: Path) -> None:
    """Two people's exports in one file, which the page names alike."""
    rows = json.loads(export(tmp_path / "one.json", {1: ("origin", "baseline")}).read_text())
    file = tmp_path / "ranked_results_all.json"
    file.write_text(json.dumps([rows[0] | {"rater": rater} for rater in ("ann", "bob")]))
    assert sorted(frames(file).ranks["rater"].unique()) == ["ann", "bob"]
    file.write_text(json.dumps(rows * 2))
    with pytest.raises(DataError, match="in a merged file give each row its `rater`"):
        frames(file)


RANKED = {1: ("origin", "1k", "baseline"), 2: ("1k", "origin", "baseline"), 3: ("baseline", "1k", "origin")}


@pytest.mark.parametrize(
    ("partial", "full"),
    [
        ("ranked_results_partial_2_items.json", "ranked_results_all.json"),
        ("ann_ranked_results_partial_2_items.json", "ann_ranked_results_all.json"),
        ("ann.json", "ann (1).json"),
        ("ann.json", "ann_副本.json"),
        ("ann.json", "ann copy 2.json"),
    ],
)
def test_a_partial_and_a_full_export_are_one_raters(tmp_path: Path, partial: str, full: str) -> None:
    first = export(tmp_path / partial, {question: RANKED[question] for question in (1, 2)})
    judgments = frames(first, export(tmp_path / full, RANKED))
    assert judgments.ranks["rater"].n_unique() == 1
    assert len(judgments.ranks) == 9
    assert agreement_table(judgments)["alpha"].is_null().all()


def test_copies_under_two_names_are_suspected(tmp_path: Path) -> None:
    many = {question: RANKED[question % 3 + 1] for question in range(7)}
    ann, bob = export(tmp_path / "ann.json", many), export(tmp_path / "bob.json", many)
    [row] = agreement_table(frames(ann, bob)).to_dicts()
    assert (row["alpha"], row["note"]) == (1.0, "two raters agree on all their 21 items: are they one person?")
    [row] = agreement_table(frames(ann, export(bob, many | {6: RANKED[2]}))).to_dicts()
    assert row["note"] == ""


def test_exports_of_one_name_in_two_folders_are_two_raters(tmp_path: Path) -> None:
    files = [export(tmp_path / rater / "ranked_results_all.json", RANKED) for rater in ("ann", "bob")]
    assert set(frames(*files).ranks["rater"]) == {"ann", "bob"}


def test_what_other_tools_write_is_read_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        PAIR | {"query_id": 1.0, "winner": 1},
        PAIR | {"query_id": 1, "rater": "bob ", "arm_a": "general ", "winner": 1.5},
        PAIR | {"query_id": "1", "rater": "eve", "winner": 1.9},
        PAIR | {"query_id": " 1", "rater": "ray", "winner": None},
    ]
    judgments = read(tmp_path, *rows)
    assert judgments.verdicts.select("query_id", "arm", "opponent", "rater", "score").rows() == [
        ("1", "cw", "general", "ann", 0.0),
        ("1", "cw", "general", "bob", 0.5),
        ("1", "cw", "general", "eve", 1.0),
    ]
    for said in (
        "in 3 of 4 rows winner is a number from 1 to 2",
        "in 2 of 4 rows a name has blanks around it",
        "in 1 of 4 rows an id is a whole number with a decimal point",
        "in 1 of 4 rows a judgment is null",
    ):
        assert said in caplog.text


CSV = {
    "pairs": """query_id,lang,arm_a,arm_b,winner,rater
007,zh,cw,general,a,安
007,zh,cw,general,tie,bob
8,zh,cw,general,,bob
""",
    "long": """query_id;lang;arm;dimension;value;rater
007;zh;cw;创意;2;安
007;zh;general;创意;;安
""",
    "wide": """query_id\tlang\tarm\tvalue.创意\tvalue.文采\trater
007\tzh\tcw\t2\t\t安
""",
    "own": """query_id,lang,kind,arms,value,rater
007,zh,ranking,"[""cw"", ""general""]","[1, 2]",安
007,zh,rating,"[""cw""]","{""创意"": 2, ""文采"": null}",安
""",
}


def test_tables(tmp_path: Path) -> None:
    found = {}
    for name, text in CSV.items():
        file = tmp_path / f"{name}.csv"
        file.write_text(text, encoding="utf-8-sig", newline="\r\n")
        found[name] = frames(file)
    assert found["pairs"].verdicts.select("query_id", "rater", "score").rows() == [
        ("007", "安", 1.0),
        ("007", "bob", 0.5),
    ]
    for name in ("long", "wide", "own"):
        assert found[name].ratings.rows() == [("007", "zh", "安", "cw", "创意", 2.0)]
    assert found["own"].ranks.select("arm", "rank").rows() == [("cw", 1.0), ("general", 2.0)]


def test_parquet_with_what_was_not_rated(tmp_path: Path) -> None:
    rating = {"query_id": "q", "lang": "zh", "kind": "rating", "rater": "ann"}
    rows = [
        rating | {"arms": ["cw"], "value": {"content quality": 2, "creative merit": None}},
        rating | {"arms": ["general"], "value": {"content quality": None, "creative merit": 1}},
        rating | {"arms": ["cw+1k"], "value": {"content quality": None, "creative merit": None}},
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "ratings.parquet")
    judgments = frames(tmp_path / "ratings.parquet")
    assert judgments.ratings.select("arm", "dimension", "value").rows() == [
        ("cw", "content quality", 2.0),
        ("general", "creative merit", 1.0),
    ]


def test_another_scale_of_ratings(tmp_path: Path) -> None:
    file = tmp_path / "ratings.jsonl"
    rating = {"query_id": "q", "lang": "zh", "kind": "rating", "arms": ["cw"], "rater": "ann"}
    file.write_text(json.dumps(rating | {"value": 10}))
    [judgment] = collect_judgments([file], "s", None, {}, scale=(1, 10))
    assert judgment.value == {"overall preference": 10.0}
    file.write_text(json.dumps(rating | {"value": 0}))
    with pytest.raises(DataError, match="overall preference is 0, and ratings go from 1 to 10"):
        collect_judgments([file], "s", None, {}, scale=(1, 10))
