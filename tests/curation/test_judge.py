"""A judge behind a server: its scores count only if its reply can be read and its quotations are in the text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coig.errors import ConfigError
from tests.curation.curations import STORY, TALE, article, read_texts, run, run_to, write_articles
from tests.llm.stub_server import chat, server


def reply_to(body: dict[str, Any]) -> tuple[int, str]:
    """Score the story with a right quotation, the tale with one that it does not hold, and all else with no JSON."""
    user = body["messages"][1]["content"]
    if STORY in user:
        return chat(scored("巷口修伞的老邓只有一只木箱"))
    return chat(scored("蜗牛跑得飞快") if TALE in user else "质量很好，给5分！")


def scored(quotation: str) -> str:
    quotations = dict.fromkeys(("quality_quotation", "creativity_quotation"), quotation)
    return json.dumps({"quality": 9, "creativity": 8, **quotations})


def test_a_server_screens_and_what_it_cannot_say_is_a_failure() -> None:
    write_articles(article(STORY), article(TALE), article("山路很长，我们走到天黑才看见灯。"))
    run_to("dedupe")
    with server(["toy"], reply_to) as url:
        run("stage=screen", f"screen.judge.base_url={url}", "screen.judge.model=toy")
    story, tale, other = read_texts()
    assert (story.state, tale.state, other.state) == ("screened", "unique", "unique")
    assert (story.events[-1].value["quality"], story.events[-1].value["creativity"]) == (9, 8)
    assert story.events[-1].by.kind == "model"
    assert story.events[-1].by.name.startswith("toy, prompts ")
    assert "not in the text" in tale.events[-1].value["failure"]
    assert "unreadable reply" in other.events[-1].value["failure"]


def test_without_a_model_screening_says_what_is_missing() -> None:
    write_articles(article(STORY))
    run_to("dedupe")
    with pytest.raises(ConfigError, match=r"screen\.judge\.model: not set"):
        run("stage=screen")
