"""A study as one archive: it evaluates to the same bytes elsewhere, names nobody, and nothing in it can run."""

from __future__ import annotations

import html
import json
import shutil
import zipfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy import select, update

from coig.errors import ConfigError
from coig.files.tables import write_csv
from coig.records.judgment_database import DATABASE, DRAFTS, RATERS, TABLES, TASKS
from coig.records.record import append_records
from coig.study.__main__ import main
from coig.study.arm import Arm
from coig.study.packed import MARK, unpack
from coig.web.database import open_database
from tests.annotation.studies import make_questions, make_store, rank
from tests.conftest import outside
from tests.evaluation.judge_records import make_calls
from tests.forked import Forked
from tests.studies import make_answer, make_arm

ARMS = {"cw": "0", "cw+1k": "1k", "general": "general"}
RATERS_NAMES = ("Zoe Zimmer", "Anna Ackermann", "Bob Bauer", "Cleo Conrad")
SECRET = "hf_" + "5ec2e7" * 5
LABEL = {"arm": "cw", "query_id": "q-000", "step": 0, "label": "normal writing", "labeller": "Zoe Zimmer"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose arms answered, and whose answers people and a judge compared."""
    folder = tmp_path_factory.mktemp("made") / "demo"
    questions = make_questions(8, arms=list(ARMS))
    for name, ratio in ARMS.items():
        own = {"study": "demo", "model_sha256": "0" * 64, "machine": {"note": f"token {SECRET} in {Path.home()}/x"}}
        arm = make_arm(folder / name, f"+logger={{_target_: builtins.print, x: {name}}}", ratio=ratio, **own)
        answers = [
            make_answer(name, one.query_id, lang=one.lang, genre=one.genre, query=one.prompt, model="0" * 64)
            for one in questions
        ]
        append_records(
            arm.generations("sample"),
            [one.model_copy(update={"answer": questions[place].answers[name]}) for place, one in enumerate(answers)],
        )
        arm.metrics.write_text(json.dumps({"step": 0, "validation/loss/creative/zh/answer": 2.5}) + "\n")
        (arm.folder / "model").mkdir()
        (arm.folder / "model" / "model.safetensors").write_bytes(b"weights")
    judge(folder, questions)
    return folder


@pytest.fixture
def study(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that study, in the folder `mine`, which is the current one."""
    folder = Path("multirun") / "demo"
    shutil.copytree(made, tmp_path / "mine" / folder)
    monkeypatch.chdir(tmp_path / "mine")
    return folder


@pytest.fixture(scope="module")
def archive(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That study as an archive, for tests that change the archive alone."""
    folder = tmp_path_factory.mktemp("archive")
    shutil.copytree(made, folder / "multirun" / "demo")
    with chdir(folder):
        main(["pack", "demo"])
    return folder / "demo.zip"


def judge(folder: Path, questions: Any) -> None:
    """Let four people rank all answers, and a judge pairs of them; one person labelled a step."""
    store, rng = make_store(folder / DATABASE, questions), np.random.default_rng(0)
    for place, rater in enumerate(RATERS_NAMES):
        code = store.add_rater(rater, ("zh", "en"))
        for number in range(1, len(questions) + 1):
            store.next_tasks(code, number)
            places = [(int(place),) for place in rng.permutation(len(ARMS))]
            store.save(code, rank(number, *places, key=f"{place}-{number:020}"))
    store.database.close()
    (folder / "judgments").mkdir()
    (folder / "labels").mkdir()
    asked = [one for one in questions if one.lang == "zh"]
    calls = [
        one.model_copy(update={"query_id": question.query_id, "genre": question.genre})
        for one in make_calls(len(asked))
        for question in [asked[int(one.query_id[-1])]]
    ]
    append_records(folder / "judgments" / "qwen.jsonl", calls)
    (folder / "labels" / "mine.jsonl").write_text(json.dumps(LABEL) + "\n")


def evaluate(folder: Path, study: str) -> dict[str, bytes]:
    """Evaluate a study in a folder; return all that was written, by path."""
    run = Forked("evaluate.py", [f"study={study}"], folder, outside()).wait()
    assert run.returncode == 0, run.stdout + run.stderr
    [report] = [path for path in folder.glob("*/demo/evaluation") if path.is_dir()]
    return {str(path.relative_to(report)): path.read_bytes() for path in report.rglob("*") if path.is_file()}


def packed(tmp_path: Path) -> Path:
    """Pack the study and take the archive to another folder, as to another machine; return its path there."""
    main(["pack", "demo"])
    (tmp_path / "theirs").mkdir()
    return Path(shutil.move("demo.zip", tmp_path / "theirs" / "from_me.zip"))


def pack_and_read() -> dict[str, bytes]:
    """Pack the study; return the archive's contents by name."""
    main(["pack", "demo"])
    with zipfile.ZipFile("demo.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def change_genres(study: Path, genre: str) -> None:
    """Give all tasks of the study's database another genre."""
    database = open_database(study / DATABASE, TABLES)
    with database.writing() as connection:
        connection.execute(update(TASKS).values(genre=genre))
    database.close()


def test_it_evaluates_to_the_same_bytes_where_no_model_is(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = evaluate(tmp_path / "mine", "demo")
    file = packed(tmp_path)
    monkeypatch.chdir(file.parent)
    shutil.rmtree(tmp_path / "mine")
    after = evaluate(tmp_path / "theirs", "from_me.zip")
    assert after.keys() == before.keys()
    assert [name for name in before if before[name] != after[name]] == []
    assert "win_rates.csv" in after
    assert not list(file.parent.rglob("*.safetensors"))
    assert evaluate(tmp_path / "theirs", "from_me.zip") == after  # unpacked once, read twice


def test_it_is_shown_by_its_name(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    file = packed(tmp_path)
    monkeypatch.chdir(file.parent)
    main(["show", "from_me.zip"])
    assert "cw+1k" in capsys.readouterr().out
    assert not Path("multirun").exists()


def test_it_names_nobody_and_no_secret(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "a harmless looking pass phrase")
    manifest = study / "cw" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("made up", "a harmless looking pass phrase"))
    evaluate(tmp_path / "mine", "demo")
    content = pack_and_read()
    names = {"cw/config.yaml", "cw/generations/sample.jsonl", "people.jsonl", "evaluation/report.html"}
    assert names <= content.keys()
    hidden = [*RATERS_NAMES, SECRET, "a harmless looking pass phrase", str(Path.home()) + "/x"]
    for text in (one.encode() for one in hidden):
        assert [name for name in content if text in content[name]] == []
    links = open_database(study / DATABASE, TABLES)
    with links.reading() as connection:
        codes = [str(code) for code in connection.execute(select(RATERS.c.code)).scalars()]
    links.close()
    assert not any(code.encode() in text for code in codes for text in content.values())
    assert b"builtins.print" not in b"".join(content.values())


def test_raters_of_files_are_named_nowhere(study: Path) -> None:
    """The authors' page puts the rater into the file's name alone; others write no `source`."""
    verdict = {"query_id": "q-000", "lang": "zh", "arm_a": "cw", "arm_b": "general", "winner": "a"}
    rows = [{**verdict, "rater": name} for name in ("Li Lei ", "Li Lei", 20261129)]
    ranked = [{"rank": rank, "source_file": f"en_{arm}.json"} for rank, arm in enumerate(("origin", "baseline"), 1)]
    (study / "judgments" / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (study / "judgments" / "Han Mei.jsonl").write_text(json.dumps({"question_id": 7, "ranked_responses": ranked}))
    (study / "judgments" / "yardstick").mkdir()
    known = verdict | {"arm_a": "chosen", "arm_b": "rejected", "rater": "Xiao Ming"}
    (study / "judgments" / "yardstick" / "Xiao Ming.jsonl").write_text(json.dumps(known))
    (study / "labels" / "mine.jsonl").rename(study / "labels" / "Zoe Zimmer.jsonl")
    content = pack_and_read()
    names = [*RATERS_NAMES, "Li Lei", "20261129", "Han Mei", "Xiao Ming"]
    assert [(name, file) for name in names for file in content if name in file + content[file].decode()] == []
    files = sorted(file for file in content if file.startswith(("judgments/", "labels/")))
    folders = ["judgments", "judgments", "judgments", "judgments/yardstick", "labels"]
    assert [str(Path(file).parent) for file in files] == folders
    raters = [json.loads(line)["rater"] for line in content[files[1]].splitlines()]
    assert raters[0] == raters[1] != raters[2]


@pytest.mark.parametrize("shown", ["people", "judgments", "labels"])
def test_a_report_with_names_is_not_packed(study: Path, tmp_path: Path, shown: str) -> None:
    """Also if those who are named did not judge in the study's folder."""
    overrides = ["study=demo", "real_names=true"]
    if shown != "people":
        (study / DATABASE).unlink()
        shutil.rmtree(study / "judgments")
    if shown == "judgments":
        verdict = {"query_id": "q-000", "lang": "zh", "arm_a": "cw", "arm_b": "general", "winner": "a", "rater": "Wei"}
        (tmp_path / "elsewhere.jsonl").write_text(json.dumps(verdict) + "\n")
        overrides.append(f"judgments={tmp_path / 'elsewhere.jsonl'}")
    run = Forked("evaluate.py", overrides, tmp_path / "mine", outside()).wait()
    assert run.returncode == 0, run.stderr
    with pytest.raises(ConfigError, match="shows raters' names"):
        main(["pack", "demo"])
    assert not list(Path().glob("*.zip"))


def test_secrets_are_removed_from_every_text(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a line of an answer begins with one, or JSON or CSV write its quotes otherwise."""
    phrase, text = 'pass "these" quotes', f'Look:\n{SECRET}\n{Path.home()}/x, pass "these" quotes\u2028end'
    monkeypatch.setenv("SOME_API_KEY", phrase)
    arm = Arm(study / "cw")
    answer = make_answer("cw", "zh-new", answer=text, model="0" * 64)
    append_records(arm.generations("sample"), [answer])
    (arm.folder / "generations").rename(tmp_path / "another disk")
    (arm.folder / "generations").symlink_to(tmp_path / "another disk")
    arm.metrics.write_text('{"step": 0, "api_key": 1234567890123456}\n')
    report = study / "evaluation"
    (report / "wandb").mkdir(parents=True)
    (report / "wandb" / "debug.log").write_text(text)
    (report / "copies.md").symlink_to(report / "wandb" / "debug.log")
    table = pl.DataFrame({"arm": ["cw"], "answer": [text], "share": [0.5]})
    table.write_parquet(report / "copies.parquet")
    (report / "copies.csv").write_text(write_csv(table))
    (report / "report.html").write_text(f"<p>{html.escape(text)}</p>")
    (report / "judges").mkdir()
    (report / "judges" / "qwen.json").write_text(json.dumps({"prompt": text}))
    change_genres(study, text)
    content = pack_and_read()
    assert {"evaluation/copies.csv", "evaluation/judges/qwen.json", "cw/generations/sample.jsonl"} <= content.keys()
    assert not {"evaluation/wandb/debug.log", "evaluation/copies.md"} & content.keys()
    for secret in (
        SECRET,
        phrase,
        html.escape(phrase),
        json.dumps(phrase)[1:-1],
        f"{Path.home()}/x",
        "1234567890123456",
    ):
        assert [name for name in content if secret.encode() in content[name]] == []
    clean = pl.read_parquet(content["evaluation/copies.parquet"])
    assert clean.equals(table.with_columns(answer=pl.lit("Look:\n[removed]\n~/x, [removed]\u2028end")))
    monkeypatch.chdir(tmp_path)
    assert (unpack(tmp_path / "mine" / "demo.zip") / "judgments.sqlite").exists()


def test_a_renamed_study_or_arm_is_not_packed(study: Path) -> None:
    (study / "cw").rename(study / "cw2")
    with pytest.raises(ConfigError, match=r"is demo/cw, as its manifest.json says"):
        main(["pack", "demo"])
    (study / "cw2").rename(study / "cw")
    study.rename(study.parent / "other")
    with pytest.raises(ConfigError, match=r"other/cw: is demo/cw, as its manifest.json says"):
        main(["pack", "other"])
    assert not list(Path().glob("*.zip"))


def test_the_same_study_gives_the_same_archive(study: Path) -> None:
    main(["pack", "demo"])
    first = Path("demo.zip").read_bytes()
    main(["pack", "demo"])
    assert Path("demo.zip").read_bytes() == first


def rewrite(file: Path, **changes: bytes | None) -> Path:
    """Return a copy of an archive in which members have other contents, or are left out (None)."""
    target = file.with_name("changed.zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        contents = {name: old.read(name) for name in old.namelist()} | changes
        for name, content in contents.items():
            if content is not None:
                new.writestr(name, content)
    return target


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("../../escaped", b"", "which no packed study has"),
        ("/tmp/escaped", b"", "which no packed study has"),
        ("cw/../../escaped.jsonl", b"", "which no packed study has"),
        (".raters", b"", "which no packed study has"),
        ("cw/model/model.py", b"", "which no packed study has"),
        ("judgments.sqlite", b"", "which no packed study has"),
        ("pack.json", b'{"format": 1, "study": "../x", "coig": "1"}', "is used as a folder's name"),
        ("pack.json", b'{"format": 99, "study": "x", "coig": "1"}', "is of format 99"),
        ("pack.json", None, "is no packed study"),
        ("pack.json", b'{"format": 1, "study": "x", "coig": "1"}' + b" " * 2_000_000, "pack.json: more than 1 MB"),
        ("cw/metrics.jsonl", b" " * 100_000_000, "unpacks to more than"),
        ("cw/generations/sample.jsonl", b"\xff", "sample.jsonl is no UTF-8"),
        ("cw/manifest.json", b"{}", r"cw/manifest.json: damaged .*; have it sent again"),
        ("cw/config.yaml", b"study: [", r"changed.zip: cw/config.yaml: missing or damaged .*; have it sent again"),
        ("people.jsonl", b'{"table": "acts", "row": {}}\n', "people.jsonl:1: cannot be read"),
        ("people.jsonl", b'{"table": "raters", "row": {"nonsense": 1}}\n', "people.jsonl:1: cannot be read"),
    ],
)
def test_a_stranger_s_archive_is_refused(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None, message: str
) -> None:
    file = rewrite(Path(shutil.copy(archive, tmp_path)), **{name: content})
    monkeypatch.chdir(file.parent)
    with pytest.raises(ConfigError, match=message) as refused:
        unpack(Path("changed.zip"))
    assert "overwrite" not in str(refused.value)
    assert "packed/" not in str(refused.value)
    assert sorted(path.name for path in file.parent.iterdir() if path.suffix != ".zip") in ([], ["packed"])
    assert not list(tmp_path.rglob("escaped*"))


def test_an_archive_that_is_compressed_without_bounds_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("pack.json", '{"format": 1, "study": "x", "coig": "1"}')
    with pytest.raises(ConfigError, match="compressed in another way"):
        unpack(tmp_path / "s.zip")


def test_a_logger_that_would_run_something_is_never_called(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last evaluation would be logged by the arms' own loggers."""
    marker = tmp_path / "marker"
    file = packed(tmp_path)
    with zipfile.ZipFile(file) as archive:
        config = archive.read("cw/config.yaml").decode()
    hostile = f"logger:\n  _target_: pathlib.Path.WandbLogger\n  x: {marker}\n"
    changed = rewrite(file, **{"cw/config.yaml": config.replace("logger: null\n", hostile).encode()})
    file.unlink()
    monkeypatch.chdir(changed.parent)
    folder = unpack(changed)
    assert "logger: null" in (folder / "cw" / "config.yaml").read_text()


def test_a_stranger_s_command_is_shown_and_not_run(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = packed(tmp_path)
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("cw/manifest.json")) | {"command": ["model.name=${oc.env:HOME}"]}
    rewrite(file, **{"cw/manifest.json": json.dumps(manifest).encode()}).rename(file)
    monkeypatch.chdir(file.parent)
    with pytest.raises(ConfigError, match="of a packed study, whose commands are not run"):
        main(["rerun", "from_me.zip/cw", "--run"])
    shown = capsys.readouterr().out
    assert "model.name=${oc.env:HOME}" in shown
    assert str(Path.home()) not in shown.partition("Today differs:")[2].replace(str(tmp_path), "")


def test_a_folder_of_another_archive_stays(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = packed(tmp_path)
    monkeypatch.chdir(file.parent)
    folder = unpack(file)
    assert unpack(file) == folder
    other = rewrite(file, **{"labels/0001.jsonl": None})
    with pytest.raises(ConfigError, match="is there already and not from"):
        unpack(other)
    assert (folder / "labels" / "0001.jsonl").exists()
    assert (folder / MARK).exists()
    cut = file.with_name("cut.zip")
    cut.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ConfigError, match="is no packed study, or damaged"):
        unpack(cut)
    with pytest.raises(ConfigError, match=r"gone\.zip: no such file"):
        unpack(Path("gone.zip"))


def test_drafts_stay_at_home() -> None:
    """They are what a rater has not sent."""
    from coig.study.packed import PACKED_TABLES

    assert DRAFTS.name not in PACKED_TABLES
