"""generate.py: what is asked, recorded, resumed and refused."""

from __future__ import annotations

import json
import logging
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from coig.config import GenerateConfig, Logger
from coig.config.command_line import config_of
from coig.errors import ConfigError
from coig.files.atomic import read_jsonl
from coig.generation import generate
from coig.generation.show import main as show
from coig.records.query import Query
from coig.study.arm import Arm
from tests.conftest import Command, outside
from tests.forked import Forked
from tests.training.wandb_file import read_records

SHORT = "sampling.max_new_tokens=40"


@pytest.fixture
def here(arm: Arm, queries: list[Query], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arm:
    """The arm in a study of its own, below the working directory, beside a file of queries."""
    shutil.copytree(arm.folder.parent, tmp_path / "multirun" / "s")
    rows = [json.dumps(query.__dict__, ensure_ascii=False) + "\n" for query in queries]
    (tmp_path / "few.jsonl").write_text("".join(rows), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return Arm(tmp_path / "multirun" / "s" / "cw")


@cache  # composing a config is slow
def config(*overrides: str) -> GenerateConfig:
    return config_of("generate", GenerateConfig, ["queries=few.jsonl", SHORT, *overrides])


def lines(arm: Arm) -> list[dict[str, Any]]:
    return [json.loads(line) for _, line in read_jsonl(arm.generations("few"))]


def by_query(arm: Arm) -> dict[Any, dict[str, Any]]:
    return {(answer.query_id, answer.sample): answer.model_dump() for answer in arm.answers("few")}


def test_a_killed_run_goes_on_where_it_was(here: Arm, queries: list[Query]) -> None:
    generate(config())
    whole = by_query(here)
    assert len(whole) == len(queries)
    here.generations("few").unlink()
    arguments = ["queries=few.jsonl", SHORT, "engine.tokens_per_batch=100"]
    run = Forked("generate.py", arguments, Path.cwd(), outside(), stop_at="generations/few.jsonl", lines=2)
    run.wait_until_stopped()
    run.kill()
    run.wait()
    with here.generations("few").open("a", encoding="utf-8") as stream:
        stream.write('{"query_id": "general-zh-0001", "la')  # as if the kill had come in the middle of a line
    before = here.generations("few").read_bytes().splitlines(keepends=True)[:-1]
    assert 2 <= len(before) < len(queries)
    generate(config())
    assert here.generations("few").read_bytes().splitlines(keepends=True)[: len(before)] == before
    assert by_query(here) == whole


def test_answers_that_were_cut_off_are_counted(here: Arm, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    for _ in range(2):  # also where all answers are there already
        caplog.clear()
        generate(config("sampling.max_new_tokens=2"))
        count = len(lines(here))
        assert (
            f"cw: {count} of {count} answers reached sampling.max_new_tokens=2 before they ended, {count} of them in "
            "the reasoning, without an answer; to let them end, raise it, with overwrite=true"
        ) in caplog.text


def test_other_settings_are_refused_with_the_difference(here: Arm) -> None:
    generate(config())
    before = here.generations("few").read_bytes()
    with pytest.raises(ConfigError, match=r"sampling.temperature: 0.7 → 1.0\n  - sampling.top_k: 20 → 5") as caught:
        generate(config("sampling.temperature=1.0", "sampling.top_k=5"))
    assert str(caught.value).startswith("multirun/s/cw/generations/few.jsonl: answered with other settings")
    with pytest.raises(ConfigError, match="seed: 0 → 1"):
        generate(config("seed=1"))
    assert here.generations("few").read_bytes() == before
    generate(config("seed=1", "overwrite=true"))
    assert {record["seed"] for record in lines(here)} == {1}


def test_more_samples_are_added_to_those_there(here: Arm, queries: list[Query]) -> None:
    generate(config())
    first = by_query(here)
    generate(config("samples=2"))
    both = by_query(here)
    assert len(both) == 2 * len(queries)
    assert first.items() < both.items()
    assert all(both[query.id, 0]["raw"] != both[query.id, 1]["raw"] for query in queries)


def test_an_error_is_recorded_and_asked_again(here: Arm, tmp_path: Path) -> None:
    rows = [("long", "word " * 700), ("short", "What is 1 + 1?")]
    texts = [json.dumps({"id": name, "lang": "en", "genre": "problem", "query": query}) for name, query in rows]
    (tmp_path / "few.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    here_and_now = config("sampling.max_new_tokens=1400", "sampling.max_answer_tokens=5")
    for tries in (1, 2):
        with pytest.raises(ConfigError, match="1 of 2 answers failed, the first for query long: its prompt of 7"):
            generate(here_and_now)
        assert [(r["query_id"], r["finish_reason"] == "error") for r in lines(here)] == [
            *[("long", True), ("short", False), ("long", True)][: tries + 1]
        ]
    error = by_query(here)["long", 0]
    assert (error["answer"], error["answer_tokens"]) == ("", 0)
    assert "exceed the 2048 positions" in error["error"]


def test_the_models_own_sampling(here: Arm) -> None:
    file = here.model / "generation_config.json"
    own = json.loads(file.read_text())
    generate(config("sampling=model", "per_genre=1"))
    assert all(record["sampling"]["temperature"] == 0 for record in lines(here))  # it says nothing: greedy
    file.write_text(json.dumps(own | {"do_sample": True, "temperature": 0.6, "top_k": 7, "repetition_penalty": 1.05}))
    generate(config("sampling=model", "per_genre=1", "overwrite=true", "sampling.top_p=0.9"))
    for record in lines(here):
        assert record["sampling"] == {
            "temperature": 0.6,
            "top_p": 0.9,
            "top_k": 7,
            "repetition_penalty": 1.05,
            "max_new_tokens": 40,
            "max_reasoning_tokens": None,
            "max_answer_tokens": None,
        }


def test_an_answer_takes_the_place_of_an_error(here: Arm) -> None:
    generate(config("per_genre=1"))
    good = by_query(here)
    failed = [record | {"finish_reason": "error", "raw": "", "answer": "", "error": "?"} for record in good.values()]
    here.generations("few").write_text("".join(json.dumps(record) + "\n" for record in failed), encoding="utf-8")
    generate(config("per_genre=1"))
    assert by_query(here) == good
    assert len(lines(here)) == 2 * len(good)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"id": "general-zh-0001", "lang": "zh", "genre": "g", "query": "q"}',
            "few.jsonl:17: id 'general-zh-0001' stands",
        ),
        ('{"id": "x", "lang": "fr", "genre": "g", "query": "q"}', "few.jsonl:17: lang: 'fr' is none of zh, en"),
        ('{"id": "x", "lang": "zh", "genre": "g"}', "few.jsonl:17: query: missing"),
        ("so much for JSON", "few.jsonl:17: "),
    ],
)
def test_a_bad_line_of_queries(here: Arm, tmp_path: Path, line: str, message: str) -> None:
    with (tmp_path / "few.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(ConfigError, match=message):
        generate(config())
    assert not here.generations("few").exists()


def test_the_prompts_of_the_authors_answers(here: Arm, tmp_path: Path, queries: list[Query]) -> None:
    name = "wirting_zh_pair_merge_origin_3epoch"
    theirs = {"7": {"prompt": queries[0].query, "my_response": "…"}}
    (tmp_path / f"{name}.json").write_text(json.dumps(theirs, indent=1), encoding="utf-8-sig")
    generate(config(f"queries={name}.json"))
    [answer] = here.answers(name)
    assert (answer.query_id, answer.lang, answer.query) == ("zh-7", "zh", queries[0].query)


def test_a_job_for_each_arm(here: Arm, command: Command) -> None:
    shutil.copytree(here.folder, here.folder.with_name("general"))
    run = command("generate.py", "-m", "arms=cw,general", "queries=few.jsonl", SHORT, "per_genre=1")
    assert run.returncode == 0, run.stderr
    for name in ("cw", "general"):
        assert {answer.arm for answer in Arm(here.folder.with_name(name)).answers("few")} == {name}


def test_an_arm_that_is_not_trained(here: Arm, caplog: pytest.LogCaptureFixture) -> None:
    broken = Arm(here.folder.with_name("cw+1k"))
    shutil.copytree(here.folder, broken.folder)
    broken.write_manifest(here.manifest().model_copy(update={"status": "running"}))
    with pytest.raises(ConfigError, match=r"arms: cw\+1k of study s is not done"):
        generate(config("arms=[cw,cw+1k]", "per_genre=1"))
    assert not here.generations("few").exists()
    with caplog.at_level(logging.WARNING):
        generate(config("per_genre=1"))
    assert "training is not done, left out" in caplog.text
    assert here.answers("few")


def _track(arm: Arm, **arguments: str) -> None:
    """Say in an arm's config that its training was tracked by W&B."""
    node = {"_target_": "lightning.pytorch.loggers.WandbLogger", "save_dir": str(arm.folder), **arguments}
    arm.write_config(arm.config().model_copy(update={"logger": Logger.model_validate(node)}))


def test_answers_become_a_table_where_training_was_tracked(here: Arm) -> None:
    _track(here, project="coig", group="s", name="cw", job_type="train")
    generate(config("per_genre=1"))
    [folder] = here.folder.glob("wandb/offline-run-*")
    [file] = folder.glob("*.wandb")
    [run] = [record.run for record in read_records(file) if record.HasField("run")]
    assert (run.run_id, run.run_group, run.job_type) == ("abcd-few", "s", "generate")
    [table] = folder.glob("files/media/table/*.json")
    written = json.loads(table.read_text(encoding="utf-8"))
    column = written["columns"].index("answer")
    assert [row[column] for row in written["data"]] == [record["answer"] for record in lines(here)]


def test_a_tracker_that_fails_costs_no_answers(here: Arm, caplog: pytest.LogCaptureFixture) -> None:
    _track(here, project="no/project")
    generate(config("per_genre=1"))
    assert here.answers("few")
    assert "not logged to W&B" in caplog.text


def test_answers_of_another_model_are_not_this_arm_s(here: Arm) -> None:
    here.write_manifest(here.manifest().model_copy(update={"model_sha256": here.weights_sha256()}))
    generate(config("per_genre=1"))
    assert {record["model"] for record in lines(here)} == {here.weights_sha256()}
    [weights] = here.model.glob("*.safetensors")  # a longer training leaves others
    save_file({name: tensor + 1 for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    with pytest.raises(ConfigError, match="its weights are not those that were trained"):
        generate(config("samples=2", "per_genre=1"))
    here.write_manifest(here.manifest().model_copy(update={"model_sha256": here.weights_sha256()}))
    with pytest.raises(ConfigError, match=r"few\.jsonl: holds answers of another model than .*overwrite=true"):
        generate(config("per_genre=1"))
    with pytest.raises(ConfigError, match="holds answers of another model"):
        show(["query_id=general-zh-0001", "queries=few.jsonl"])
    generate(config("per_genre=1", "overwrite=true"))
    assert {record["model"] for record in lines(here)} == {here.weights_sha256()}


def test_a_damaged_model_is_named(here: Arm) -> None:
    [weights] = here.model.glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r"s/cw/model: missing or damaged \(.*; train\.py with overwrite=true"):
        generate(config("per_genre=1"))


def test_a_line_that_is_no_utf8_is_named(here: Arm) -> None:
    generate(config("per_genre=1"))
    with here.generations("few").open("ab") as stream:
        stream.write("写".encode()[:2] + b"\n")
    with pytest.raises(ConfigError, match=r"few\.jsonl:\d+: is no UTF-8 .*; mend or remove the line"):
        here.answers("few")


def test_a_renamed_arm_is_told_from_a_damaged_one(here: Arm) -> None:
    generate(config("per_genre=1"))
    renamed = Arm(here.folder.rename(here.folder.with_name("base")))
    with pytest.raises(ConfigError, match=r"is an answer of arm cw, in the folder of arm base; if .* renamed, name it"):
        renamed.answers("few")


def test_a_busy_arm_does_not_keep_the_others_waiting(here: Arm) -> None:
    other = Arm(here.folder.with_name("general"))
    shutil.copytree(here.folder, other.folder)
    with here.locked(), pytest.raises(ConfigError, match=r"s/cw: another process is at work on this arm \(process "):
        generate(config("per_genre=1"))
    assert other.answers("few")
    assert not here.generations("few").exists()


def test_the_reader(here: Arm, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(here.folder, here.folder.with_name("general"))
    generate(config("per_genre=1"))
    record = lines(here)[0]
    show([f"query_id={record['query_id']}", "queries=few.jsonl"])
    shown = capsys.readouterr().out
    assert record["query"] in shown
    assert shown.index("cw") < shown.index("general")
    assert f"{record['reasoning_tokens']} + {record['answer_tokens']} tokens, {record['finish_reason']}" in shown
    with pytest.raises(ConfigError, match=r"query_id=general-zh-001: not answered .* did you mean 'general-zh-0001'"):
        show(["query_id=general-zh-001", "queries=few.jsonl"])
    with pytest.raises(ConfigError, match="query_id: not given"):
        show(["queries=few.jsonl"])


def test_one_model_of_a_server_does_not_answer_for_several_arms(here: Arm) -> None:
    shutil.copytree(here.folder, here.folder.with_name("general"))
    manifest = here.manifest()
    Arm(here.folder.with_name("general")).write_manifest(manifest.model_copy(update={"arm": "general"}))
    with pytest.raises(ConfigError, match=r"would answer for 2 arms \(cw, general\)") as caught:
        generate(config("engine=openai", "engine.model=mine"))
    remedies = re.findall(r'"([^"]+)"', str(caught.value))
    assert remedies == ["arms=['cw']", "engine.model='{arm}'"]
    for remedy in remedies:  # goes on to the server, which is not there
        with pytest.raises(ConfigError, match="no server that speaks"):
            generate(config("engine=openai", "engine.model=mine", remedy, "engine.base_url=http://127.0.0.1:9/v1"))


def test_settings_of_the_models_own_that_nobody_follows_are_recorded(here: Arm) -> None:
    file = here.model / "generation_config.json"
    file.write_text(json.dumps(here.generation_config() | {"min_p": 0.15, "typical_p": 1.0}))
    generate(config("sampling=model", "per_genre=1"))
    [reason] = here.answers("few")[0].engine.not_obeyed  # type: ignore[union-attr]
    assert reason.startswith("min_p: the model's own is 0.15")
    generate(config("per_genre=1", "overwrite=true"))  # with settings of its own for all
    assert here.answers("few")[0].engine.not_obeyed == ()  # type: ignore[union-attr]
