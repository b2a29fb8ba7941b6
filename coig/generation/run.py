"""Answering queries arm by arm: appended batch by batch, resumed by query id."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coig.config import ConfigError, construct
from coig.data.examples import split_completion
from coig.data.queries import Query, read_queries
from coig.schema import GenerateConfig, local_path
from coig.study import Arm, find_done_arms, find_study, write_atomic

log = logging.getLogger(__name__)


def generate(config: GenerateConfig) -> None:
    """Answer the queries with every trained arm of a study; answers that are there already stay."""
    study = find_study(config.study)
    arms, untrained = find_done_arms(study, config.arms)
    queries = read_queries(local_path(config.queries))
    for name in untrained:
        log.warning("%s: training is not done, left out", study / name)
    if not config.overwrite:
        for arm in arms:  # all of them, before one is answered with settings that another one refuses
            _answered(arm, config, queries)
    for arm in arms:
        try:
            with arm.locked():
                _answer(arm, queries, config)
        except KeyboardInterrupt:
            log.error("%s: interrupted; the same command continues with the queries that are left", arm.folder)
            raise SystemExit(130) from None


def _answer(arm: Arm, queries: list[Query], config: GenerateConfig) -> None:
    answered = set() if config.overwrite else _answered(arm, config, queries)
    asked = _first_of_each_genre(queries, config.per_genre)
    rest = [query for query in asked if query.id not in answered]
    if not rest:
        log.info("%s: %d answers are there already", arm.folder, len(asked))
        return
    engine = construct(config.engine, arm)
    file = _file(arm, config)
    file.parent.mkdir(exist_ok=True)
    if file.exists() and not (content := file.read_bytes()).endswith(b"\n"):  # a kill cut the last line off
        write_atomic(file, content[: content.rfind(b"\n") + 1])
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress, file.open("w" if config.overwrite else "a", encoding="utf-8") as stream:
        task = progress.add_task(arm.name, total=len(asked), completed=len(asked) - len(rest))
        for batch in engine.answers(rest, config.sampling, config.seed):
            for query, completion in batch:
                stream.write(json.dumps(_record(arm, query, completion, _settings(config)), ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
            progress.advance(task, len(batch))
    log.info("%s: %d answers in %s", arm.name, len(asked), file)


def _first_of_each_genre(queries: list[Query], count: int | None) -> list[Query]:
    """The first `count` queries of each genre in each language; None: all."""
    earlier: Counter[tuple[str, str]] = Counter()
    first = []
    for query in queries:
        if count is None or earlier[query.lang, query.genre] < count:
            first.append(query)
        earlier[query.lang, query.genre] += 1
    return first


def _file(arm: Arm, config: GenerateConfig) -> Path:
    return arm.generations(local_path(config.queries).stem)


def _settings(config: GenerateConfig) -> dict[str, Any]:
    """What answers must share to be compared."""
    return {"seed": config.seed, "sampling": config.sampling.model_dump()}


def _answered(arm: Arm, config: GenerateConfig, queries: list[Query]) -> set[str]:
    """The ids answered already, without writing: another process may be at work on the file.

    Raises ConfigError for answers with other settings or to other queries.
    """
    file, settings = _file(arm, config), _settings(config)
    texts = {query.id: query.query for query in queries}
    records = arm.answers(file.stem)
    for record in records:
        asked = {key: record[key] for key in settings}
        if asked != settings:
            raise ConfigError(f"{file}: answered with {asked}, now asked with {settings}; overwrite=true starts anew")
        if record["query"] != texts.get(record["query_id"]):
            raise ConfigError(
                f"{file}: holds an answer to another query '{record['query_id']}'; name the file of queries otherwise, "
                "or start anew with overwrite=true"
            )
    return {record["query_id"] for record in records}


def _record(arm: Arm, query: Query, completion: Any, settings: dict[str, Any]) -> dict[str, Any]:
    reasoning, answer = split_completion(completion.text)
    return {
        "query_id": query.id,
        "lang": query.lang,
        "genre": query.genre,
        "query": query.query,
        "arm": arm.name,
        "reasoning": reasoning,
        "answer": answer,
        "raw": completion.text,
        "prompt_tokens": completion.prompt_tokens,
        "reasoning_tokens": completion.reasoning_tokens,
        "answer_tokens": completion.answer_tokens,
        "finish_reason": completion.finish_reason,
        **settings,
    }
