"""A toy chat model that judges: the answer with more `good` in it is better."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.llm.stub_server import chat


def texts_in(body: dict[str, Any]) -> list[str]:
    """Return the texts that a request shows, in order."""
    prompt = body["messages"][1]["content"]
    return [text for _, text in re.findall(r"<((?:answer|step)\w*)>\n(.*?)\n</\1>", prompt, re.DOTALL)]


def judge(body: dict[str, Any]) -> tuple[int, str]:
    """Return the toy's reply to a request, whatever it is asked."""
    texts = texts_in(body)
    fields = body["response_format"]["json_schema"]["schema"]["properties"]
    scores = [text.count("good") for text in texts]
    if list(fields) == ["verdict"]:
        first, second = scores
        verdict = "tie" if first == second else "A" if first > second else "B"
        start = '{"verdict": "'
        odds = {verdict: 0.8} | {other: 0.1 for other in ("A", "B", "tie") if other != verdict}
        return chat(f'{start}{verdict}"}}', likeliest=[(start, {start: 1.0}), (verdict, odds), ('"}', {'"}': 1.0})])
    if "overall preference" in fields:
        return chat(json.dumps(dict.fromkeys(fields, min(3, scores[0]))))
    if "A" in fields:
        ranks = [1 + sum(other > own for other in scores) for own in scores]
        return chat(json.dumps(dict(zip(fields, ranks, strict=True))))
    labels = ["self-reflection" if "Wait" in text else "normal writing" for text in texts]
    return chat(json.dumps(dict(zip(fields, labels, strict=True))))
