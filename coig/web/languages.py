"""The two languages of the pages: Chinese and English."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from starlette.requests import Request

TAGS = {"zh": "zh-Hans", "en": "en"}  # for the attribute `lang`
OTHER = {"zh": "en", "en": "zh"}


def language_of_request(request: Request) -> str:
    """Return the language to answer in, zh or en: `?lang=`, or the browser's first one that we have, or English."""
    if (chosen := request.query_params.get("lang")) in TAGS:
        return str(chosen)
    for accepted in request.headers.get("accept-language", "").split(","):
        if (tag := accepted.strip()[:2].lower()) in TAGS:
            return tag
    return "en"


@cache
def read_texts(file: Path, lang: str) -> dict[str, str]:
    """Return {name: text} of a page in one language, from a JSON file of {name: {zh, en}}, which is read only once."""
    return {name: text[lang] for name, text in json.loads(file.read_text(encoding="utf-8")).items()}
