"""A plan is fixed before its outcomes exist, is kept as it was, and nothing else is registered."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coig.errors import ConfigError
from coig.records.judgment import Judgment
from coig.records.judgment_database import DATABASE
from coig.records.record import append_records
from coig.study.__main__ import main
from coig.study.registration import read_registered
from tests.annotation.studies import make_questions, make_store, rank
from tests.studies import make_answer, make_arm

PLAN = """\
# What we expect
queries: sample
margin: 10
sample_size: {prompts: {zh: 204}, raters: 4}
exclusions: [Raters whose checks have a mean result below 0.5.]
hypotheses:
- name: threshold
  says: In Chinese the arms equal general data alone between R = 1.2 and 12.
  lang: zh
  measure: preference
  estimand: R50
  predicts: [1.2, 12]
- name: contamination
  says: Creative data alone answers English prompts in Chinese.
  lang: en
  measure: contaminated
  estimand: difference
  arms: [cw, general]
  predicts: higher
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    return file


def test_it_is_registered_before_the_first_arm(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    main(["register", "new", "plan.yaml"])
    stored = Path("multirun/new/plan.yaml").read_text()
    hashed, rest = stored.split("\n", 1)
    assert hashed == f"sha256: {hashlib.sha256(rest.encode()).hexdigest()}"
    assert rest.endswith(PLAN)
    assert hashed.removeprefix("sha256: ") in capsys.readouterr().out
    found = read_registered(Path("multirun/new"))
    assert found
    assert found.is_unchanged
    assert before <= found.registered <= datetime.now(UTC)
    assert [one.name for one in found.plan.hypotheses] == ["threshold", "contamination"]
    with pytest.raises(ConfigError, match="a plan was registered already"):
        main(["register", "new", "plan.yaml"])


def test_a_later_change_is_seen(plan: Path) -> None:
    main(["register", "new", "plan.yaml"])
    file = Path("multirun/new/plan.yaml")
    file.write_text(file.read_text().replace("[1.2, 12]", "[6, 12]"))
    found = read_registered(Path("multirun/new"))
    assert found
    assert not found.is_unchanged
    file.write_text(PLAN)
    with pytest.raises(ConfigError, match="does not begin with the lines `sha256:` and `registered:`"):
        read_registered(Path("multirun/new"))
    assert read_registered(Path("multirun/other")) is None


def test_trained_arms_are_no_outcome_but_their_answers_are(plan: Path) -> None:
    arm = make_arm(Path("multirun/new/cw"))
    append_records(arm.generations("other"), [make_answer("cw", "en-1")])
    append_records(arm.generations("sample"), [make_answer("cw", "zh-1")])
    main(["register", "new", "plan.yaml"])  # nothing was answered in English yet
    Path("multirun/new/plan.yaml").unlink()
    append_records(arm.generations("sample"), [make_answer("cw", "en-1")])
    with pytest.raises(ConfigError, match=r"'contamination' could be computed already: .*sample.jsonl has answers"):
        main(["register", "new", "plan.yaml"])
    assert not Path("multirun/new/plan.yaml").exists()


def test_judgments_are_an_outcome(plan: Path) -> None:
    value = {"query_id": "zh-1", "lang": "zh", "kind": "pairwise", "arms": ["cw", "general"], "value": "a"}
    verdict = Judgment.model_validate(value | {"rater": "qwen", "source": "judge"})
    append_records(Path("multirun/new/judgments/qwen.jsonl"), [verdict])
    with pytest.raises(ConfigError, match=r"'threshold' could be computed already: .*qwen.jsonl has judgments"):
        main(["register", "new", "plan.yaml"])


def test_what_people_judged_is_an_outcome_once_one_did(plan: Path) -> None:
    folder = Path("multirun/new")
    folder.mkdir(parents=True)
    store = make_store(folder / DATABASE, make_questions(4, langs=("zh",)))
    ann = store.add_rater("ann", ("zh", "en"))
    store.next_tasks(ann, 1)
    main(["register", "new", "plan.yaml"])
    (folder / "plan.yaml").unlink()
    store.save(ann, rank(1, [0], [1], [2], [3], [4]))
    with pytest.raises(ConfigError, match=r"'threshold' could be computed already: .*sqlite has judgments"):
        main(["register", "new", "plan.yaml"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("measure: preference", "measure: preferenc", "measure: 'preferenc' is none of preference"),
        ("estimand: R50", "estimand: R51", "hypotheses.0.estimand='R51': choose from"),
        ("predicts: [1.2, 12]", "predicts: slope", r"a range such as \[1.2, 12\] for the estimand R50"),
        ("predicts: higher", "predicts: more", "predicts: give higher, lower or not higher"),
        ("predicts: higher", "predicts: not higher", "only preference has"),
        ("  arms: [cw, general]\n", "", "give two, the arm and its opponent"),
        ("name: contamination", "name: threshold", "two are called 'threshold'"),
        ("sample_size: {prompts: {zh: 204}, raters: 4}", "sample_size: null", "a hypothesis needs judgments"),
        ("margin: 10", "margins: 10", "margins: unknown key; did you mean 'margin'"),
        ("margin: 10", "margin: [", "is no YAML"),
    ],
)
def test_what_is_no_plan(plan: Path, old: str, new: str, message: str) -> None:
    plan.write_text(PLAN.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        main(["register", "new", "plan.yaml"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new"], "give the study and the file of its plan"),
        (["a/b", "plan.yaml"], "used as a folder's name"),
        (["new", "gone.yaml"], "gone.yaml: cannot be read"),
    ],
)
def test_wrong_arguments(plan: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        main(["register", *arguments])
