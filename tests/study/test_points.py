"""The points of an arm: found by name, read with what the arm says of them, and never taken for arms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coig.config import GenerateConfig
from coig.config.command_line import config_of
from coig.errors import ConfigError
from coig.generation import show
from coig.records.record import append_records
from coig.study.__main__ import main
from coig.study.answers_to_judge import read_study_answers
from coig.study.arm import Arm, ArmBusyError
from coig.study.find import find_arms, find_done, find_done_arms, list_all_points
from coig.study.points import list_points, with_points
from tests.studies import make_answer, make_arm

POINTS = [
    {"share": share, "step": round(12 * share), "supervised_tokens": 60, "model_sha256": f"{share}"}
    for share in (0.25, 0.5)
]
TRAINING = {"steps": 12, "epochs": 2, "supervised_tokens": 120}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of two arms, of which one has points; all have answered one query."""
    monkeypatch.chdir(tmp_path)
    study = Path("multirun") / "s"
    for ratio, name, points in (("0", "cw", POINTS), ("general", "general", [])):
        arm = make_arm(study / name, ratio=ratio, training=TRAINING, points=points, model_sha256="1")
        for one in (arm, *list_points(arm)):
            answer = make_answer(one.name, "zh-1", answer=f"By {one.name}.", model=one.manifest().model_sha256)
            append_records(one.generations("sample"), [answer])
    return study


def names(arms: list[Arm]) -> list[str]:
    return [arm.name for arm in arms]


def test_points_are_found_only_by_name(study: Path) -> None:
    assert names(find_arms(study, None)) == names(find_done(study, None)[0]) == ["cw", "general"]
    assert list(list_all_points(study)) == ["cw@0.25", "cw@0.5"]
    assert names(find_done(study, ("cw@0.5", "general"))[0]) == ["general", "cw@0.5"]
    assert names(find_done(study, ("cw@0.5",))[0]) == ["cw@0.5"]
    assert names(with_points(find_done(study, ("cw", "cw@0.5"))[0])) == ["cw", "cw@0.25", "cw@0.5"]
    assert names(with_points(find_done(study, ("cw@0.5",))[0])) == ["cw@0.5"]
    with pytest.raises(ConfigError, match=r"arms: cw of study s has no point @0\.75; its points: cw@0\.25, cw@0\.5"):
        find_done(study, ("cw@0.75", "cw@0.5"))
    with pytest.raises(ConfigError, match=r"arms: cw@0\.5 is a point of study s"):  # for what compares arms
        find_done_arms(study, ("cw@0.5",))


def test_points_of_an_arm_that_is_not_done_are_refused(study: Path) -> None:
    arm = Arm(study / "cw")
    arm.write_manifest(arm.manifest().model_copy(update={"status": "failed"}))
    for names in (("cw@0.5",), ("general", "cw@0.25", "cw@0.5")):
        with pytest.raises(ConfigError, match="arms: cw of study s is not done; train it first, or leave it out"):
            find_done(study, names)


def test_the_side_by_side_view_shows_named_points(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show.main(["query_id=zh-1", "study=s", "arms=['cw@0.5',general]"])
    shown = capsys.readouterr().out
    assert "By cw@0.5." in shown
    assert "By general." in shown
    assert "By cw." not in shown


def test_a_point_is_read_from_its_own_folder(study: Path) -> None:
    arm = Arm(study / "cw")
    half = list_points(arm)[1]
    assert half.folder == study / "cw" / "points" / "step-00000006"
    assert (half.study, half.config()) == ("s", arm.config())
    assert (half.manifest().arm, half.manifest().model_sha256) == ("cw@0.5", "0.5")
    assert [answer.answer for answer in half.answers("sample")] == ["By cw@0.5."]
    with arm.locked(), pytest.raises(ArmBusyError), half.locked():
        pass


def test_answers_of_points_are_judged_if_they_are_named(study: Path) -> None:
    assert read_study_answers("s", None, ["sample"]).arms == ("cw", "general")
    chosen = read_study_answers("s", ["general", "cw@0.25"], ["sample"])
    assert chosen.arms == ("general", "cw@0.25")
    [question] = chosen.questions()
    assert question.answers == {"general": "By general.", "cw@0.25": "By cw@0.25."}


@pytest.mark.parametrize(
    "command",
    [
        ["rerun", "s/cw@0.5"],
        ["rerun", "s/cw@0.5", "--run"],
        ["rm", "s", "cw@0.5"],
        ["show", "s", "cw@0.5"],
    ],
)
def test_where_points_go_with_their_arm_the_message_names_it(study: Path, command: list[str]) -> None:
    with pytest.raises(
        ConfigError, match=r"cw@0\.5 is a point of study s, and here points go with their arm; name cw$"
    ):
        main(command)
    assert list(list_all_points(study)) == ["cw@0.25", "cw@0.5"]


@pytest.mark.parametrize(
    "command",
    [
        ["publish", "s/cw@0.55", "me/writer"],
        ["compare", "s/cw@0.55", "s/cw"],
        ["compare", "s/cw@0.55"],
        ["compare", "s/cw@0.55", "s/cw", "s/general"],
        ["compare", "s/cw@0.55", "paper"],
        ["compare", "s", "cw@0.55"],
    ],
)
def test_for_a_point_that_an_arm_has_not_the_message_lists_those_that_it_has(study: Path, command: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"arms: cw of study s has no point @0\.55; its points: cw@0\.25, cw@0\.5$"):
        main(command)
    with pytest.raises(ConfigError, match=r"arms: general of study s has no point @0\.5; its points: none; trainer"):
        main([part.replace("cw@0.55", "general@0.5") for part in command])


def test_several_arms_are_compared_by_their_full_names(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", "s/cw", "s/cw@0.5", "s/general"])
    assert "s/cw@0.5" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="compare s/cw: give a study and its arms, or several arms as STUDY/ARM"):
        main(["compare", "s/cw"])


@pytest.mark.parametrize("written", ["cw@0.5", "[cw@0.5]", "['cw@0.5']", "[cw@0.5,cw@0.5]"])
def test_a_point_needs_no_quotes_of_its_own_in_an_override(written: str) -> None:
    assert set(config_of("generate", GenerateConfig, [f"arms={written}"]).arms or ()) == {"cw@0.5"}


def test_a_point_differs_from_its_arm_in_its_share_of_the_steps(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_arm(Path("multirun/t/cw"), training=TRAINING | {"steps": 24}, points=[POINTS[0] | {"step": 6}])

    def rows(*names: str) -> list[list[str]]:
        main(["compare", *names])
        table = capsys.readouterr().out.splitlines()[3:]
        return [re.split(r"  +", line.strip()) for line in table if line.strip()]

    until = ["share of the steps", "training", "0.5 (step 6 of 12)"]
    tokens = ["supervised tokens over all steps", "data", "60", "120"]
    assert rows("s/cw@0.5", "s/cw") == [[*until, "1"], ["steps", "data", "6", "12"], tokens]
    assert rows("s", "cw@0.5", "cw") == [
        [*until[:2], "1", until[2]],
        ["steps", "data", "12", "6"],
        [*tokens[:2], "120", "60"],
    ]
    assert rows("s/cw@0.5", "t/cw@0.25") == [[*until, "0.25 (step 6 of 24)"]]
    assert rows("s/cw@0.5", "paper")[0] == [*until, "1"]
    assert "share of the steps" not in str(rows("s/cw", "paper"))
    main(["compare", "s", "cw@0.5"])
    assert "do not differ" in capsys.readouterr().out


def test_points_that_answered_nothing_are_named_by_their_study(study: Path) -> None:
    with pytest.raises(ConfigError, match=r"no arm of multirun/s has answers in generations/domain\.jsonl"):
        read_study_answers("s", ["cw@0.5", "cw@0.25"], ["domain"])


def test_show_lists_points(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "s"])
    assert "cw: exports after shares of its steps: 0.25 (step 3 of 12), 0.5 (step 6 of 12)\n" in capsys.readouterr().out
