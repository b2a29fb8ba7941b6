"""judge.py: what is written, resumed, refused, and never shown to a judge."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from coig.errors import ConfigError
from coig.evaluation.preferences.judgments import collect_judgments
from coig.judging import judge
from coig.judging.prompt_files import OWN
from coig.judging.replies import DIMENSIONS
from coig.llm.server import TOO_MANY
from coig.records.judgment import read_judgments
from coig.records.label import read_labels
from tests.conftest import outside
from tests.forked import PATIENCE, Forked
from tests.judging import toy_judge
from tests.judging.studies import ARMS, configure, read_lines, write_answers
from tests.llm.stub_server import chat, server

PAIRS = Path("multirun/s/judgments/toy.jsonl")
ASKED = ["judge=server", "judge.model=toy", "judge.retries=0", "judge.attempts=2", "judge.concurrency=4"]


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The overrides that name the answers, which lie in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wpb.jsonl").write_text("{}\n")
    return write_answers(tmp_path)


def ask(url: str, answers: list[str], keys: dict[str, Any] | None = None, **changes: Any) -> None:
    """Judge with the toy; `keys` are the judge's, `changes` other ones. Composing a config each time would be slow."""
    config = configure(*ASKED, *answers)
    node = config.judge.model_copy(update={"base_url": url} | (keys or {}))
    judge(config.model_copy(update={"judge": node} | changes))


def test_pairs_are_written_as_ordinary_judgments(answers: list[str]) -> None:
    bodies = []

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        bodies.append(body)
        return toy_judge.judge(body)

    with server(["toy"], reply) as url:
        ask(url, answers)
    lines = read_lines(PAIRS)
    assert len(lines) == 4 * 3 * 2
    for line in lines:
        better = min(line.arms, key=list(ARMS).index)
        assert line.value == ("a" if line.arms[0] == better else "b")
        assert line.soft == pytest.approx(0.85 if line.value == "a" else 0.15)
        assert (line.rater, line.source, line.order) == ("toy", "judge", line.arms)
        assert (line.attempts, line.prompt_tokens, line.reply_tokens) == (1, 100, 5)
        assert line.judge is not None
        assert line.judge.model == "toy"
        assert line.judge.sampling is not None
        assert (line.judge.sampling["temperature"], line.judge.sampling["reply"]) == (0, "schema")
    counted = collect_judgments([PAIRS], "s", set(ARMS), {})
    assert len(counted) == len(lines)
    seen = json.dumps(bodies, ensure_ascii=False)
    assert not [name for name in (*ARMS, *ARMS.values()) if re.search(rf"\b{re.escape(name)}\b", seen)]


def test_rankings_ratings_and_labels(answers: list[str]) -> None:
    with server(["toy"], toy_judge.judge) as url:
        for asked in ("ranking", "rating", "steps"):
            ask(url, answers, ask=asked)
    rankings = read_lines(PAIRS.with_name("toy-ranking.jsonl"))
    assert len(rankings) == 4 * 3
    for one in rankings:
        assert isinstance(one.value, list)
        assert dict(zip(one.arms, one.value, strict=True)) == {"cw": 1, "cw+1k": 2, "general": 3}
    ratings = [(one.arms, one.value) for one in read_lines(PAIRS.with_name("toy-rating.jsonl"))]
    expected = {"cw": 2.0, "cw+1k": 1.0, "general": 0.0}
    assert len(ratings) == 4 * 3
    assert all(value == dict.fromkeys(DIMENSIONS, expected[arm]) for (arm,), value in ratings)
    labels = read_labels(Path("multirun/s/labels/toy-steps.jsonl"))
    assert Counter((one.step, one.label) for one in labels) == {(0, "normal writing"): 12, (1, "self-reflection"): 12}
    assert {one.labeller for one in labels} == {"toy-steps"}


def test_checks_of_a_judge_name_the_arm_first(answers: list[str]) -> None:
    with server(["toy"], toy_judge.judge) as url:
        ask(url, answers, probes=2)
    checks = [line for line in read_lines(PAIRS) if line.check]
    assert Counter(line.check for line in checks)["empty"] == 4
    for line in checks:
        if line.check == "empty":
            assert line.arms[1] == "empty"
            worse = line.arms[0] == "general"  # whose answer is as plain as an empty one
            assert (line.value, line.soft) == (("tie", 0.5) if worse else ("a", pytest.approx(0.85)))
        if line.check == "identical":
            assert (line.value, line.order) == ("tie", line.arms)
    assert {line.check for line in checks if line.check and line.check not in line.arms} == {"repeat"}
    kept = collect_judgments([PAIRS], "s", set(ARMS), {})  # for the judge's card, but they are no evidence
    assert sum(one.check is not None for one in kept) == len(checks)
    assert not any(one.is_evidence for one in kept if one.check)


def test_failures_are_recorded_asked_again_and_counted_by_arm(
    answers: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The judge stutters at answers of one arm, until it is mended."""
    asked: list[str] = []
    broken = True

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        asked.append(json.dumps(toy_judge.texts_in(body)))
        return chat("I cannot say") if broken and "plain" in asked[-1] else toy_judge.judge(body)

    caplog.set_level(logging.INFO)
    with server(["toy"], reply) as url:
        with pytest.raises(ConfigError, match=r"16 of 24 calls failed, .*unreadable reply: no JSON .*asks them again"):
            ask(url, answers)
        assert "general: 16 of 16 calls failed; 32 replies could not be read" in caplog.messages
        assert "cw: 8 of 16 calls failed; 16 replies could not be read" in caplog.messages
        failed = [line for line in read_lines(PAIRS) if line.failure]
        assert {(line.value, line.attempts, line.soft) for line in failed} == {("", 2, None)}
        kept = collect_judgments([PAIRS], "s", set(ARMS), {})
        assert sum(one.failure is not None for one in kept) == len(failed) == 16
        assert not any(one.is_evidence for one in kept if one.failure)
        broken = False
        asked.clear()
        ask(url, answers)
        assert len(asked) == 16 + 1  # and the trial question
        asked.clear()
        ask(url, answers)
        assert asked == []
    assert caplog.messages[-1].endswith("nothing left to ask, 24 calls are answered there")
    last = {line.id: line for line in read_lines(PAIRS)}
    assert len(last) == 24
    assert all(line.failure is None for line in last.values())


@pytest.mark.parametrize(("trouble", "message"), [("fails", "InternalServerError"), ("stalls", "timed out")])
def test_a_server_in_trouble_ends_the_run_and_the_next_one_goes_on(
    answers: list[str], trouble: str, message: str
) -> None:
    asked = 0

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        nonlocal asked
        asked += 1
        if asked > 3 and trouble == "fails":
            return 500, "{}"
        if asked > 3 and trouble == "stalls":
            time.sleep(PATIENCE)
        return toy_judge.judge(body)

    with server(["toy"], reply) as url:
        with pytest.raises(ConfigError, match=r"requests in a row have failed.*run the same command again") as caught:
            # in three seconds the server has answered what it answers; the others are asked at once, and wait together
            ask(url, answers, {"timeout": 3, "concurrency": 12} if trouble == "stalls" else None)
        assert message in str(caught.value)
        lines = read_lines(PAIRS)
        assert TOO_MANY <= sum(line.failure is not None for line in lines) < 24
        trouble = "over"
        ask(url, answers)
    assert len({line.id for line in read_lines(PAIRS) if line.failure is None}) == 24


def test_a_killed_run_goes_on_where_it_was(answers: list[str]) -> None:
    asked: Counter[str] = Counter()
    killed = threading.Event()

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        asked[json.dumps(body["messages"])] += 1
        if asked.total() > 12:
            killed.wait(PATIENCE)
        return toy_judge.judge(body)

    with server(["toy"], reply) as url:
        run = Forked("judge.py", [*ASKED, f"judge.base_url={url}", *answers], Path.cwd(), outside())
        while not (PAIRS.exists() and PAIRS.read_bytes().count(b"\n") >= 5):
            assert run.poll() is None
            time.sleep(0.01)
        run.kill()
        run.wait()
        killed.set()
        with PAIRS.open("a", encoding="utf-8") as stream:
            stream.write('{"id": "toy/zh-0/cw>gen')  # what a kill leaves of a line
        before = read_lines(PAIRS)
        assert 5 <= len(before) < 24
        ask(url, answers)
    after = read_lines(PAIRS)
    assert after[: len(before)] == before
    assert len({line.id for line in after}) == len(after) == 24
    assert len(asked) == 24
    in_flight, trials = 4, 2
    assert asked.total() <= 24 + in_flight + trials


@pytest.mark.parametrize(
    ("keys", "difference"),
    [
        ({"temperature": 0.5}, r"sampling.temperature: 0.0 → 0.5"),
        ({"model": "toy-2"}, "model: toy → toy-2"),
        ({"prompts": "mine"}, "prompt: [0-9a-f]{16} → [0-9a-f]{16}"),
    ],
)
def test_a_changed_judge_is_another_judge(answers: list[str], keys: dict[str, Any], difference: str) -> None:
    Path("mine").mkdir()
    for lang in ("zh", "en"):
        text = (OWN / f"{lang}.yaml").read_text(encoding="utf-8")
        Path("mine", f"{lang}.yaml").write_text(text.replace("Length is no merit", "Length is a merit"), "utf-8")
    with server(["toy"], toy_judge.judge) as url:
        ask(url, answers, pairs_per_query=1)
        before = PAIRS.read_bytes()
        with pytest.raises(ConfigError, match=rf"is by another judge:\n  - {difference}"):
            ask(url, answers, keys, name="toy")
        with pytest.raises(ConfigError, match=r"is by another judge:\n  - model: toy → rule 1"):
            judge(configure("judge=local", *answers).model_copy(update={"name": "toy"}))
    assert PAIRS.read_bytes() == before


def test_a_model_that_moves_behind_its_name_is_another_judge(answers: list[str]) -> None:
    served = "toy-may"

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        status, content = toy_judge.judge(body)
        return status, json.dumps(json.loads(content) | {"model": served})

    with server(["toy"], reply) as url:
        ask(url, answers, pairs_per_query=1)
        served = "toy-june"
        with pytest.raises(ConfigError, match=r"is by another judge:\n  - sampling.served: toy-may → toy-june"):
            ask(url, answers)


def test_changed_answers_are_not_mixed_with_judged_ones(answers: list[str]) -> None:
    judge(configure("judge=local", *answers))
    file = Path("origin_en.json")
    file.write_text(file.read_text().replace("good good 1", "new 1"))
    with pytest.raises(ConfigError, match=r"local.jsonl: en-1/.*: was judged with other texts"):
        judge(configure("judge=local", *answers))


def test_a_dry_run_asks_nothing(answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    prices = ["judge.prompt_price=1000", "judge.reply_price=1000"]
    judge(configure(*ASKED, *answers, "judge.base_url=http://127.0.0.1:9/v1", "probes=1", "dry_run=true", *prices))
    calls, tokens = capsys.readouterr().out.splitlines()
    assert calls == "38 calls, 14 of them checks of the judge; 0 more are answered already"
    assert tokens.startswith("about ")
    assert "cost about" in tokens
    assert not Path("multirun/s/judgments").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["judge=local", "ask=rating"], "local can be asked pairs or ranking only"),
        (["judge=local", "ask=ranking", "probes=2"], "ask=ranking: probes and a yardstick are pairs"),
        (["judge=local", "yardstick=[wpb.jsonl]", "probes=2"], "probes: are made of a study's answers"),
        (["judge=server"], "judge.model: not set"),
        (["judge=reward"], "judge.model: not set"),
        (["judge=server", "judge.model=m", "judge.attempts=0"], "judge.attempts"),
        (["judge=server", "judge.model=m", "judge.prompts=."], r"judge.prompts: zh.yaml: is no prompt of a judge \("),
        (["judge=local", "judge.tie=-1"], "at least 0"),
    ],
)
def test_mistakes_are_named(answers: list[str], overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        judge(configure(*answers, *overrides))


def test_a_yardstick_is_judged_apart_from_the_study(answers: list[str]) -> None:
    Path("multirun/s").mkdir(parents=True)
    pairs = [{"prompt": f"Task {n}", "chosen": "good", "rejected": "plain", "category": "poem"} for n in range(2)]
    Path("wpb.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    with server(["toy"], toy_judge.judge) as url:
        ask(url, ["study=s", "yardstick=wpb.jsonl"])
    lines = sorted(read_lines(PAIRS.parent / "yardstick" / "toy.jsonl"), key=lambda line: str(line.id))
    assert [(line.query_id, line.lang, line.genre, line.arms, line.value) for line in lines] == [
        (f"wpb-{number}", "en", "poem", *said)
        for number in (1, 2)
        for said in ((("chosen", "rejected"), "a"), (("rejected", "chosen"), "b"))
    ]
    assert not PAIRS.exists()


def test_other_files_are_not_added_to(answers: list[str]) -> None:
    judge(configure("judge=local", *answers, "name=ann"))
    file = PAIRS.with_name("ann.jsonl")
    first, second, *_ = map(json.loads, file.read_text().splitlines())
    for lines, message in (
        ([first | {"judge": None}, second], "ann.jsonl:1: was not written by judge.py"),
        ([first, second | {"judge": {"model": "other"}}], "ann.jsonl:2: is by another judge than the lines before"),
        ([first, {"id": 1}], r"ann.jsonl:2: damaged \(query_id: missing\)"),
    ):
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        with pytest.raises(ConfigError, match=message):
            judge(configure("judge=local", *answers, "name=ann"))


def test_the_files_are_read_as_any_judgments(answers: list[str]) -> None:
    judge(configure("judge=local", *answers, "probes=1"))
    file = PAIRS.with_name("local.jsonl")
    assert [one for _, one in read_judgments(file, "s")] == read_lines(file)
