"""Points of arms in an evaluation: a section of their own, and nothing else that counts them."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from coig.annotation.exports import import_judgments
from coig.config import EvaluateConfig
from coig.config.command_line import config_of
from coig.errors import ConfigError
from coig.evaluation.material import gather_material
from coig.records.judgment import Judgment
from coig.records.judgment_database import DATABASE
from coig.records.label import Label
from coig.records.record import append_records
from coig.study.__main__ import main
from coig.study.arm import Arm
from coig.study.card import write_card
from coig.study.items import AnsweredQuery
from coig.study.points import list_points
from tests.annotation.studies import make_store
from tests.conftest import outside
from tests.evaluation.judge_records import call
from tests.forked import Forked
from tests.studies import make_answer, make_arm

QUERIES = [f"zh-{number}" for number in range(6)]
ARMS = {"cw": "0", "cw+1k": "1k", "general": "general"}
LABEL = {"query_id": "zh-0", "step": 0, "label": "normal writing", "labeller": "ann"}
LABELLED = ("cw", "cw@0.5")
BETWEEN_ARMS = (("cw", "general"), ("cw+1k", "general"))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study in the folder `mine`; a judge prefers general data to each of the two arms, in every query."""
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    study = Path("multirun") / "s"
    for place, (name, ratio) in enumerate(ARMS.items(), 1):
        steps = 12 * place
        facts = {"share": 0.5, "step": steps // 2, "supervised_tokens": 60 * place, "model_sha256": "0.5"}
        training = {"steps": steps, "epochs": 2, "supervised_tokens": 120 * place}
        points = [facts] if name != "general" else []
        answer(make_arm(study / name, ratio=ratio, training=training, points=points, model_sha256="1"), place)
    append_records(study / "judgments" / "qwen.jsonl", judge(*BETWEEN_ARMS))
    return study


def answer(arm: Arm, length: int) -> None:
    """Let an arm answer all queries, in texts of different lengths."""
    text = "月光落在河面上。" * length
    facts = {"model": arm.manifest().model_sha256}
    append_records(
        arm.generations("sample"),
        [make_answer(arm.name, query, answer=text, genre="poetry", **facts) for query in QUERIES],
    )


def judge(*pairs: tuple[str, str]) -> list[Judgment]:
    """Let a judge prefer the second answer of each pair, in both orders."""
    orders = [(order, "ab"[order[1] == pair[0]]) for pair in pairs for order in (pair, pair[::-1])]
    return [call(query, "zh", order, {"a": "b", "b": "a"}[won]) for query in QUERIES for order, won in orders]


def answer_and_judge_points(study: Path) -> None:
    """Let the points answer, longer the later, and a judge prefer that of cw to general data."""
    for name in ("cw", "cw+1k"):
        [point] = list_points(Arm(study / name))
        answer(point, 10)
    append_records(study / "judgments" / "qwen.jsonl", judge(("general", "cw@0.5")))


def test_points_whose_answers_all_failed_do_not_stop_the_report(study: Path) -> None:
    [point] = list_points(Arm(study / "cw"))
    weights = point.manifest().model_sha256
    failed = [make_answer(point.name, one, finish_reason="error", answer="", model=weights) for one in QUERIES]
    append_records(point.generations("sample"), failed)
    material = gather_material(config_of("evaluate", EvaluateConfig, ["study=s"]))
    assert material.over_training.answers == []
    assert material.answers is not None
    assert set(material.answers["arm"]) == set(ARMS)


def evaluate(folder: Path, name: str, *overrides: str) -> dict[str, bytes]:
    """Evaluate the study in a folder; return all that was written, by path."""
    run = Forked("evaluate.py", [f"study={name}", *overrides], folder, outside()).wait()
    assert run.returncode == 0, run.stdout + run.stderr
    [report] = [path for path in folder.glob("*/s/evaluation") if path.is_dir()]
    return {str(path.relative_to(report)): path.read_bytes() for path in report.rglob("*") if path.is_file()}


def read(written: dict[str, bytes], name: str) -> pl.DataFrame:
    return pl.read_csv(written[f"{name}.csv"])


def test_points_change_nothing_but_their_own_section(study: Path, tmp_path: Path) -> None:
    without = evaluate(Path.cwd(), "s")
    answer_and_judge_points(study)
    written = evaluate(Path.cwd(), "s")
    own = {f"{table}.{kind}" for table in ("points", "point_rates", "point_measures") for kind in ("csv", "parquet")}
    assert written.keys() - without.keys() == own
    changed = {name for name in without if written[name] != without[name]}
    assert changed == {"report.html", "summary.md"}
    assert b"The same arm over its training" in written["report.html"]
    assert b"The same arm over its training" not in without["report.html"]
    points = read(written, "points").select("arm", "share", "steps", "learned", "queries", "characters")
    assert points.rows() == [
        ("cw", 0.5, 6, 60, 6, 80.0),
        ("cw", 1.0, 12, 120, 6, 8.0),
        ("cw+1k", 0.5, 12, 120, 6, 80.0),
        ("cw+1k", 1.0, 24, 240, 6, 16.0),
        ("general", 1.0, 36, 360, 6, 24.0),
    ]
    rates = read(written, "point_rates").select("arm", "share", "opponent", "raters", "prompts", "rate")
    assert rates.rows() == [
        ("cw", 0.5, "general", "qwen", 6, 1.0),
        ("cw", 1.0, "general", "qwen", 6, 0.0),
        ("cw+1k", 1.0, "general", "qwen", 6, 0.0),
    ]
    main(["pack", "s"])
    (tmp_path / "theirs").mkdir()
    shutil.move("s.zip", tmp_path / "theirs" / "s.zip")
    assert evaluate(tmp_path / "theirs", "s.zip") == written


def test_the_card_of_a_point_has_what_was_measured_of_it_alone(study: Path) -> None:
    answer_and_judge_points(study)
    facts = {"lang": "zh", "kind": "pairwise", "arms": ("cw@0.5", "general"), "value": "a", "rater": "ann"}
    append_records(
        Path("people.jsonl"),
        [Judgment.model_validate(facts | {"query_id": query, "id": query}) for query in QUERIES],
    )
    evaluate(Path.cwd(), "s", "judgments=people.jsonl")
    arm = Arm(study / "cw")
    of_arm, of_point = write_card(arm), write_card(list_points(arm)[0])
    assert "| zh | characters | 8.00 | – | 6 |" in of_arm
    assert "| zh | characters | 80.0 | – | 6 |" in of_point
    assert "| zh | characters | 8.00 |" not in of_point
    assert "| zh | win rate over general | 1.00 |" in of_point
    assert "win rate" not in of_arm
    unjudged = "whether people like what it writes: no judgments of its answers were evaluated"
    assert (unjudged in of_arm, unjudged in of_point) == (True, False)


def test_arms_of_an_evaluation_are_no_points(study: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"cw@0\.5 is a point of study s, and here points go with their arm; name cw$"
    ):
        gather_material(config_of("evaluate", EvaluateConfig, ["study=s", "arms=[cw@0.5,general]"]))


def test_points_of_other_settings_are_refused(study: Path) -> None:
    [point] = list_points(Arm(study / "cw"))
    other = {"model": "0.5", "sampling": {"temperature": 1.0}}
    append_records(point.generations("sample"), [make_answer("cw@0.5", query, **other) for query in QUERIES])
    run = Forked("evaluate.py", ["study=s"], Path.cwd(), outside()).wait()
    assert run.returncode == 1
    assert "cw@0.5 with {'temperature': 1.0}: not comparable" in run.stderr


@pytest.mark.parametrize("of_arms", [True, False])
def test_how_people_judged_is_told_of_arms_alone(study: Path, of_arms: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Two raters judged points, of whom one judged arms too, or nobody did."""
    answer_and_judge_points(study)
    pairs = {"ann": [*(BETWEEN_ARMS[:1] if of_arms else ()), ("cw@0.5", "general")], "bob": [("cw@0.5", "general")]}
    facts = {"query_id": "zh-0", "lang": "zh", "kind": "pairwise", "value": "b"}
    judged = [
        Judgment.model_validate(facts | {"arms": pair, "rater": rater, "id": f"{rater}-{pair}"})
        for rater, own in pairs.items()
        for pair in own
    ]
    append_records(Path("people.jsonl"), judged)
    append_records(study / "labels" / "mine.jsonl", [Label.model_validate(LABEL | {"arm": arm}) for arm in LABELLED])
    question = AnsweredQuery("zh-0", "zh", None, "Task", dict.fromkeys(("cw", "general", "cw@0.5"), "Text"))
    store = make_store(study / DATABASE, [question], "protocol=pairs", "study=s")
    import_judgments(store, [Path("people.jsonl")], "s")
    store.database.close()
    with caplog.at_level("INFO"):
        material = gather_material(config_of("evaluate", EvaluateConfig, ["study=s", "real_names=true"]))
    shown = [one.arms for one in material.people.judgments] if material.people else []
    assert shown == ([("cw", "general")] if of_arms else [])
    assert {label.arm for label in material.labels} == {"cw"}
    assert sum(one.source == "human" for one in material.over_training.judged) == len(judged)
    [told] = [message for message in caplog.messages if "trainer.answer_at" in message]
    assert told.endswith(f"section on them alone ({len(QUERIES) * 2 + 2}), labels of their answers nowhere (1)")
