"""An arm's file of answers: what stands in a line, which are there already, and appending so that none is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from coig.config import ConfigError
from coig.data.queries import Query
from coig.generation.completion import Completion, Request
from coig.schema import Sampling, SamplingChoice
from coig.study import Arm, differences, write_atomic
from coig.thinking import split_completion

LIBRARY = {"temperature": 1.0, "top_p": 1.0, "top_k": 50, "repetition_penalty": 1.0}  # transformers' own defaults


def resolved(choice: SamplingChoice, arm: Arm) -> Sampling:
    """What was chosen, the model's own settings in place of nulls; a model that does not say `do_sample` is greedy."""
    config = arm.generation_config()
    own = {key: config[key] for key in LIBRARY if config.get(key) is not None}
    if not config.get("do_sample"):
        own["temperature"] = 0
    chosen = {key: value for key, value in choice.model_dump().items() if value is not None or key not in LIBRARY}
    return Sampling.model_validate(LIBRARY | own | chosen)


def answered(arm: Arm, queries: list[Query], name: str, settings: dict[str, Any]) -> set[tuple[str, int]]:
    """The (query id, sample) answered already, errors not among them; nothing is written, for another process may be
    at work on the file.

    Raises ConfigError for answers with other settings or to other queries.
    """
    file = arm.generations(name)
    texts = {query.id: query.query for query in queries}
    records = arm.answers(name)
    for record in records:
        if changed := differences({key: record[key] for key in settings}, settings):
            raise ConfigError(
                f"{file}: answered with other settings:\n  - " + "\n  - ".join(changed) + "\n"
                "ask with the same, or overwrite=true deletes these answers and starts anew"
            )
        if record["query"] != texts.get(record["query_id"]):
            raise ConfigError(
                f"{file}: holds an answer to another query '{record['query_id']}'; name the file of queries otherwise, "
                "or start anew with overwrite=true"
            )
    return {(r["query_id"], r["sample"]) for r in records if r["finish_reason"] != "error"}


@contextmanager
def appending(file: Path) -> Iterator[TextIO]:
    """The file open at its end, without the piece of a line that a kill may have left there."""
    file.parent.mkdir(exist_ok=True)
    if file.exists() and not (content := file.read_bytes()).endswith(b"\n"):
        write_atomic(file, content[: content.rfind(b"\n") + 1])
    with file.open("a", encoding="utf-8") as stream:
        yield stream


def append(stream: TextIO, records: Iterable[dict[str, Any]]) -> None:
    """Write the records; once this returns they survive a power cut."""
    stream.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    stream.flush()
    os.fsync(stream.fileno())


def record_of(
    arm: Arm, request: Request, completion: Completion, engine: str, settings: dict[str, Any]
) -> dict[str, Any]:
    query = request.query
    reasoning, answer = split_completion(completion.text)
    return {
        "query_id": query.id,
        "lang": query.lang,
        "genre": query.genre,
        "query": query.query,
        "arm": arm.name,
        "sample": request.sample,
        "reasoning": reasoning,
        "answer": answer,
        "raw": completion.text,
        "prompt_tokens": len(request.prompt),
        "reasoning_tokens": completion.reasoning_tokens,
        "answer_tokens": completion.answer_tokens,
        "finish_reason": completion.finish_reason,
        **({"error": completion.error} if completion.error else {}),
        "engine": engine,
        **settings,
    }
