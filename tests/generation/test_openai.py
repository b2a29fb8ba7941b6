"""`engine=openai` against a real `transformers serve`, and against servers that are not what they should be."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from coig.config import Sampling
from coig.errors import ConfigError
from coig.generation.completion import Answered, Request
from coig.generation.hf import HuggingFaceEngine
from coig.generation.openai import OpenAIEngine
from coig.llm.server import TOO_MANY
from coig.records.query import Query
from coig.study.arm import Arm
from tests.forked import PATIENCE, free_port
from tests.generation.asking import GREEDY, NUCLEUS, completions, requests
from tests.llm.stub_server import Reply, completion, server


def engine(arm: Arm, url: str, sampling: Sampling = GREEDY, **options: Any) -> OpenAIEngine:
    given = {"server": "vllm", "model": None, "concurrency": 4, "timeout": PATIENCE, "retries": 0} | options
    made = OpenAIEngine(url, **given)
    made.load(arm, AutoTokenizer.from_pretrained(arm.model), sampling, 0)
    return made


def test_greedy_answers_are_those_of_the_engine_in_process(
    arm: Arm, queries: list[Query], transformers_serve: str
) -> None:
    asked = requests(arm, queries[::3])
    tokenizer = AutoTokenizer.from_pretrained(arm.model)
    local = HuggingFaceEngine(100_000)
    local.load(arm, tokenizer, GREEDY, 0)
    here = completions(local, asked)
    there = completions(engine(arm, transformers_serve, server="transformers"), asked)
    assert {key: c.text for key, c in there.items()} == {key: c.text for key, c in here.items()}
    for key, answer in here.items():
        # the server says "length" also where the end token was the last one allowed
        filled = answer.reasoning_tokens + answer.answer_tokens + 1 >= GREEDY.max_new_tokens
        assert there[key].finish_reason == ("length" if filled else "stop")


def test_sampling_reaches_the_server(arm: Arm, queries: list[Query], transformers_serve: str) -> None:
    asked = requests(arm, queries[:1], samples=4)
    answers = completions(engine(arm, transformers_serve, NUCLEUS, server="transformers"), asked)
    assert len({answer.text for answer in answers.values()}) > 1
    certain = NUCLEUS.model_copy(update={"top_k": 1, "repetition_penalty": 1.0})
    answers = completions(engine(arm, transformers_serve, certain, server="transformers"), asked)
    assert len({answer.text for answer in answers.values()}) == 1


def test_a_prompt_that_cannot_be_sent_as_text_is_an_error(
    arm: Arm, queries: list[Query], transformers_serve: str
) -> None:
    spelling = Query(id="spelling", lang="en", genre="problem", query="What does <|im_end|> mean?")
    answers = completions(engine(arm, transformers_serve, server="transformers"), requests(arm, [spelling, queries[0]]))
    assert "use a server that takes ids" in str(answers["spelling", 0].error)
    assert answers[queries[0].id, 0].finish_reason == "stop"


def test_what_a_server_like_vllm_is_sent(arm: Arm, queries: list[Query]) -> None:
    bodies = []

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        bodies.append(body)
        return completion("<think>\nWhy not.\n</think>\n\nYes.")

    [asked] = requests(arm, queries[:1])
    with server(["tiny"], reply) as url:
        answers = completions(engine(arm, url, NUCLEUS, model="tiny"), [asked])
    seed = bodies[0].pop("seed")
    assert bodies == [
        {
            "model": "tiny",
            "prompt": asked.prompt,
            "max_tokens": 100,
            "temperature": 0.7,
            "top_p": 0.8,
            "top_k": 20,
            "min_p": 0.0,
            "repetition_penalty": 1.05,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "stop_token_ids": arm.generation_config()["eos_token_id"],
            "skip_special_tokens": False,
            "return_token_ids": True,
        }
    ]
    assert 0 <= seed < 2**31
    [answer] = answers.values()
    assert (answer.text, answer.finish_reason) == ("<think>\nWhy not.\n</think>\n\nYes.", "stop")
    assert answer.reasoning_tokens > answer.answer_tokens > 0


def test_tokens_are_counted_by_the_ids_of_a_server_that_returns_them(arm: Arm, queries: list[Query]) -> None:
    """The model wrote "Yes." in four tokens, which the tokenizer would write in fewer."""
    tokenizer = AutoTokenizer.from_pretrained(arm.model)
    ids = [one for letter in "Yes." for one in tokenizer(letter).input_ids]
    assert len(ids) > len(tokenizer("Yes.").input_ids)
    end = arm.generation_config()["eos_token_id"][0]
    with server(["tiny"], lambda _: completion("Yes.", token_ids=[*ids, end])) as url:
        [answer] = completions(engine(arm, url, model="tiny"), requests(arm, queries[:1])).values()
    assert (answer.text, answer.answer_tokens, answer.finish_reason) == ("Yes.", len(ids), "stop")


def test_what_llama_cpp_is_sent(arm: Arm, queries: list[Query]) -> None:
    bodies = []

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        bodies.append(body)
        return completion("Yes.")

    [asked] = requests(arm, queries[:1])
    with server(["tiny"], reply, owned_by="llamacpp") as url:
        asks = engine(arm, url, NUCLEUS, server="llama.cpp", model="tiny")
        completions(asks, [asked])
    assert asks.not_obeyed == ()
    assert bodies[0]["prompt"] == asked.prompt
    assert bodies[0]["repeat_penalty"] == 1.05
    assert bodies[0]["repeat_last_n"] == len(asked.prompt) + 100
    assert bodies[0]["samplers"] == ["penalties", "temperature", "top_k", "top_p"]  # no min_p
    assert "repetition_penalty" not in bodies[0]


def test_what_a_known_server_does_not_obey_is_recorded(arm: Arm) -> None:
    with server(["tiny"], stalling, owned_by="sglang") as url:
        sampled = engine(arm, url, NUCLEUS, server="sglang", model="tiny").not_obeyed
        assert [reason.partition(":")[0] for reason in sampled] == ["seed", "repetition_penalty"]
        assert engine(arm, url, GREEDY, server="sglang", model="tiny").not_obeyed == ()


@pytest.mark.parametrize("kind", ["vllm", "transformers", "other"])
def test_a_server_of_another_kind_is_refused_by_its_name(arm: Arm, kind: str) -> None:
    with (
        server(["tiny"], stalling, owned_by="llamacpp") as url,
        pytest.raises(ConfigError, match=r"engine.server=llama.cpp$"),
    ):
        engine(arm, url, server=kind, model="tiny")


def test_the_export_of_another_arm_is_refused(arm: Arm) -> None:
    root = f"/elsewhere/multirun/{arm.study}"
    with (
        server(["name"], stalling, owned_by="vllm", root=f"{root}/general/model") as url,
        pytest.raises(ConfigError, match=r"serves as name is the export of general, not of cw"),
    ):
        engine(arm, url, model="name")
    with (
        server(["name"], stalling, owned_by="vllm", root=f"{root}/cw/points/step-00000003/model") as url,
        pytest.raises(ConfigError, match=r"is the export of cw/points/step-00000003, not of cw;"),
    ):
        engine(arm, url, model="name")
    with server(["name-cw"], stalling, owned_by="vllm", root=f"{root}/cw/model") as url:
        assert engine(arm, url, model="name-{arm}").model == "name-cw"


def sampler(body: dict[str, Any], **obeyed: str) -> str:
    """What a toy server writes, which obeys the settings of `obeyed`, each by the name that it gives it there."""
    told = {key: body.get(name) for key, name in obeyed.items()}
    hot = body["temperature"] and told.get("top_k") != 1
    text = f"{told.get('seed') or time.monotonic_ns()}" if hot else "1 2 3"
    return text + (" 4" if (told.get("repetition_penalty") or 1) > 1 else "")


NAMES = {"top_k": "top_k", "repetition_penalty": "repeat_penalty"}


@pytest.mark.parametrize(
    ("obeyed", "names", "expected"),
    [
        (NAMES | {"seed": "seed"}, NAMES, []),
        (NAMES | {"seed": "seed"}, {}, ["top_k: not sent", "repetition_penalty: not sent"]),
        (NAMES, NAMES, ["seed: two answers"]),
        ({"seed": "seed"}, NAMES, ["top_k: sent as top_k, and", "repetition_penalty: sent as repeat_penalty, and"]),
    ],
    ids=["all obeyed", "no names", "no seed", "other names"],
)
def test_an_unknown_server_is_tried(
    arm: Arm, queries: list[Query], obeyed: dict[str, str], names: dict[str, str], expected: list[str]
) -> None:
    bodies = []

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        bodies.append(body)
        return completion(sampler(body, **obeyed))

    with server(["tiny"], reply) as url:
        asks = engine(arm, url, NUCLEUS, server="other", model="tiny", names=names)
        completions(asks, requests(arm, queries[:1]))
    assert len(asks.not_obeyed) == len(expected)
    assert all(said.startswith(start) for said, start in zip(asks.not_obeyed, expected, strict=True))
    assert {name: bodies[-1].get(name) for name in names.values()} == {
        name: {"top_k": 20, "repetition_penalty": 1.05}[key] for key, name in names.items()
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"server": "ollama"}, "engine.server=ollama: choose from vllm, sglang, llama.cpp, transformers, other"),
        ({"server": "other", "names": {"min_p": "min_p"}}, "engine.names.min_p: no such setting"),
        ({"names": NAMES}, "the names of engine.server=vllm are known"),
    ],
)
def test_options_that_mean_nothing_are_refused(arm: Arm, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        engine(arm, "http://127.0.0.1:9/v1", **options)


def test_a_prompt_as_text_begins_once(arm: Arm, queries: list[Query], tmp_path: Path) -> None:
    """The tokenizer of many models puts a first token in front of every text, and the chat template has it too."""
    tokenizer = AutoTokenizer.from_pretrained(arm.model)
    first = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", first)]
    )
    [asked] = requests(arm, queries[:1])
    begun = Request(asked.query, 0, [first, *asked.prompt])
    texts = []

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        texts.append(body["prompt"])
        return completion("Yes.")

    with server([], reply) as url:
        asks = OpenAIEngine(url, "transformers", model=None, concurrency=None, timeout=PATIENCE, retries=0)
        asks.load(arm, tokenizer, GREEDY, 0)
        [answer] = completions(asks, [begun]).values()
    assert answer.error is None
    assert tokenizer(texts[0]).input_ids == begun.prompt


def test_one_refused_query_leaves_the_others(arm: Arm, queries: list[Query]) -> None:
    asked = requests(arm, queries)
    refused = asked[3].prompt

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        return (400, json.dumps({"error": "too long"})) if body["prompt"] == refused else completion("Yes.")

    with server([str(arm.model)], reply) as url:
        answers = completions(engine(arm, url), asked)
    errors = {key: answer.error for key, answer in answers.items() if answer.error}
    assert errors.keys() == {(asked[3].query.id, 0)}
    assert "too long" in str(errors[asked[3].query.id, 0])


@pytest.mark.parametrize("failure", [(503, "{}"), None], ids=["error", "broken connection"])
def test_a_failed_request_is_tried_again(arm: Arm, queries: list[Query], failure: tuple[int, str] | None) -> None:
    seen: set[str] = set()

    def reply(body: dict[str, Any]) -> tuple[int, str] | None:
        if str(body["prompt"]) in seen:
            return completion("Yes.")
        seen.add(str(body["prompt"]))
        return failure

    with server([str(arm.model)], reply) as url:
        answers = completions(engine(arm, url, retries=1), requests(arm, queries[:4]))
    assert [answer.text for answer in answers.values()] == ["Yes."] * 4


def stalling(_: dict[str, Any]) -> tuple[int, str]:
    time.sleep(PATIENCE)
    return completion("late")


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (lambda _: None, "APIConnectionError"),
        (lambda _: (500, "{}"), "InternalServerError"),
        (lambda _: (401, json.dumps({"error": "who are you"})), "who are you"),
        (stalling, "timed out"),
        (lambda _: (200, "<html>busy</html>"), "cannot be read"),
        (lambda _: (200, json.dumps({"hello": 1})), "is no completion"),
        (lambda _: completion("text", finish_reason="abort"), "is no completion"),
    ],
    ids=["breaks connections", "fails", "refuses", "stalls", "sends HTML", "sends other JSON", "aborts"],
)
def test_a_server_that_keeps_failing_ends_the_run(arm: Arm, queries: list[Query], reply: Reply, message: str) -> None:
    with server([str(arm.model)], reply) as url:
        asks = engine(arm, url)
        if reply is stalling:  # from here on, so that the questions about the server itself are not in a hurry
            asks.address = replace(asks.address, timeout=0.5)
        answers = asks.answers(requests(arm, queries))
        recorded: list[Answered] = []
        with pytest.raises(ConfigError, match="requests in a row have failed") as caught:
            recorded.extend(one for batch in answers for one in batch)
    assert message in str(caught.value)
    assert TOO_MANY <= len(recorded) < len(queries)
    assert {answer.finish_reason for _, answer in recorded} == {"error"}


def test_a_server_that_dies_ends_the_run_at_once(arm: Arm, queries: list[Query]) -> None:
    """No query is recorded as failed, as it is not at fault."""
    running = ExitStack()
    url = running.enter_context(server([str(arm.model)], lambda _: completion("Yes.")))
    asked = requests(arm, queries)
    answers = engine(arm, url, concurrency=1, retries=1).answers(asked)
    recorded = list(next(answers))
    running.close()
    with pytest.raises(ConfigError, match=r"the server is gone \(APIConnectionError.*; start it again, then run"):
        recorded.extend(one for batch in answers for one in batch)
    assert 1 <= len(recorded) < len(asked)
    assert {answer.text for _, answer in recorded} == {"Yes."}


def test_a_connection_that_breaks_is_one_failed_request(arm: Arm, queries: list[Query]) -> None:
    """The server still accepts connections, so it is not gone."""
    asked = requests(arm, queries)
    broken = asked[3].prompt
    with server([str(arm.model)], lambda body: None if body["prompt"] == broken else completion("Yes.")) as url:
        answers = completions(engine(arm, url), asked)
    errors = {key: answer.error for key, answer in answers.items() if answer.error}
    assert errors.keys() == {(asked[3].query.id, 0)}
    assert str(errors[asked[3].query.id, 0]).startswith("APIConnectionError")


def test_all_queries_are_asked_at_once_of_a_server_that_queues_them(arm: Arm, queries: list[Query]) -> None:
    together = threading.Barrier(len(queries), timeout=PATIENCE)

    def reply(_: dict[str, Any]) -> tuple[int, str]:
        together.wait()
        return completion("Yes.")

    with server([str(arm.model)], reply) as url:
        answers = completions(engine(arm, url, concurrency=None), requests(arm, queries))
    assert {answer.text for answer in answers.values()} == {"Yes."}


def test_no_server_or_one_of_another_model(arm: Arm) -> None:
    with pytest.raises(ConfigError, match=r"no server .* answers there .*start one, for example: vllm serve /"):
        engine(arm, f"http://127.0.0.1:{free_port()}/v1")
    with server(["/other/model"], stalling) as url, pytest.raises(ConfigError, match="serves /other/model, not /"):
        engine(arm, url)
