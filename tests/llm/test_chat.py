"""Chats with a stub server: forms of replies, repeated questions, log-probabilities, models that move."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from coig.errors import ConfigError
from coig.llm.chat import Chat, ChatQuestion, ChatSettings, Reply
from coig.llm.server import Server
from coig.llm.usage import Usage
from tests.forked import PATIENCE
from tests.llm.stub_server import Reply as StubReply
from tests.llm.stub_server import chat, server


class Verdict(BaseModel):
    verdict: Literal["A", "B", "tie"]


def question(user: str = "Which?", lang: str = "en") -> ChatQuestion[Verdict]:
    return ChatQuestion("Judge.", user, Verdict, lang, soft="verdict")


def opened(url: str, attempts: int = 2) -> Chat:
    settings = ChatSettings("toy", {"temperature": 0.0, "max_tokens": None}, {"top_k": 1}, 7, attempts)
    return Chat.open(Server("judge", url, concurrency=4, timeout=PATIENCE, retries=0), settings, question())


def ask(talk: Chat, *users: str) -> dict[str, Reply[Verdict]]:
    return {key: reply for batch in talk.ask((user, question(user)) for user in users) for key, reply in batch}


def test_what_a_server_is_sent() -> None:
    bodies = []

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        bodies.append(body)
        return chat('{"verdict": "A"}')

    with server(["toy"], reply) as url:
        assert opened(url).abilities.form == "schema"
    body = bodies[0]
    assert {key: body[key] for key in ("model", "temperature", "seed", "logprobs", "top_k")} == {
        **{"model": "toy", "temperature": 0.0, "seed": 7, "logprobs": True, "top_k": 1},
    }
    assert "max_tokens" not in body
    assert body["response_format"]["json_schema"]["schema"]["properties"]["verdict"]["enum"] == ["A", "B", "tie"]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][1]["content"].startswith("Which?\n\nReply with one JSON object")


@pytest.mark.parametrize(
    ("refused", "form", "soft"),
    [
        (set(), "schema", True),
        ({"logprobs"}, "schema", False),
        ({"json_schema"}, "json", True),
        ({"json_schema", "json_object", "logprobs"}, "lines", False),
    ],
)
def test_a_server_is_asked_in_a_form_that_it_takes(refused: set[str], form: str, soft: bool) -> None:
    def reply(body: dict[str, Any]) -> tuple[int, str]:
        used = {body.get("response_format", {}).get("type"), "logprobs" if "logprobs" in body else None}
        if used & refused:
            return 400, json.dumps({"error": {"message": "unknown key"}})
        text, odds = ("verdict: ", " A") if "response_format" not in body else ('{"verdict": "', "A")
        likeliest = [(text, {text: 1.0}), (odds, {odds: 0.75, "B": 0.25})] if "logprobs" in body else []
        return chat("verdict: A" if "response_format" not in body else '{"verdict": "A"}', likeliest=likeliest)

    with server(["toy"], reply) as url:
        talk = opened(url)
        assert (talk.abilities.form, talk.abilities.log_probabilities) == (form, soft)
        told = ask(talk, "One?")["One?"]
    assert told.value == Verdict(verdict="A")
    assert told.probabilities == pytest.approx({"A": 0.75, "B": 0.25, "tie": 0} if soft else {})


def test_an_unreadable_reply_is_asked_again_with_its_problem() -> None:
    asked: list[list[dict[str, str]]] = []

    def reply(body: dict[str, Any]) -> tuple[int, str]:
        asked.append(body["messages"])
        if "Never" in body["messages"][1]["content"]:
            return chat("No idea, os.abort()", finish_reason="length")
        return chat('{"verdict": "B"}' if len(body["messages"]) > 2 or "Which" in str(body) else "I like B")

    with server(["toy"], reply) as url:
        told = ask(opened(url), "Sometimes?", "Never?")
    assert told["Sometimes?"] == Reply(Verdict(verdict="B"), None, 2, Usage(200, 10))
    again = next(messages for messages in asked if len(messages) > 2 and "Sometimes" in messages[1]["content"])
    assert again[2] == {"role": "assistant", "content": "I like B"}
    assert again[3]["content"].startswith("That reply cannot be read (no JSON object")
    failed = told["Never?"]
    assert (failed.value, failed.attempts) == (None, 2)
    assert str(failed.failure).startswith(
        "unreadable reply: no JSON object and no marked line; it was cut off: 'No idea"
    )


def test_a_refused_question_leaves_the_others() -> None:
    def reply(body: dict[str, Any]) -> tuple[int, str]:
        too_long = "Long" in body["messages"][1]["content"]
        return (400, json.dumps({"error": "too many tokens"})) if too_long else chat('{"verdict": "A"}')

    with server(["toy"], reply) as url:
        told = ask(opened(url), "Short?", "Long?")
    assert told["Short?"].value
    assert "too many tokens" in str(told["Long?"].failure)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (lambda _: (401, json.dumps({"error": "who are you"})), "who are you"),
        (lambda _: (404, json.dumps({"error": "no such model"})), r"no such model.* serves toy$"),
        (lambda _: (400, json.dumps({"error": "no chat template"})), "no chat template"),
        (lambda _: (200, json.dumps({"hello": 1})), "is no chat completion"),
        (lambda _: (200, "<html>"), "serves toy"),
    ],
    ids=["key", "model", "template", "other JSON", "HTML"],
)
def test_a_server_that_cannot_be_asked_is_named(reply: StubReply, message: str) -> None:
    with server(["toy"], reply) as url, pytest.raises(ConfigError, match=message):
        opened(url)


def test_a_model_that_moves_ends_the_run() -> None:
    def reply(body: dict[str, Any]) -> tuple[int, str]:
        return chat('{"verdict": "A"}', model="toy-1" if "Which" in str(body["messages"]) else "toy-2")

    with server(["toy"], reply) as url, pytest.raises(ConfigError, match="toy-1 answered first, toy-2 now"):
        ask(opened(url), "One?")
