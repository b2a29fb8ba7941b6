"""Answering queries arm by arm: appended batch by batch, resumed by query id."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coig.config import ConfigError, GenerateConfig, construct, local_path
from coig.data.examples import split_completion
from coig.generation.queries import Query, read_queries
from coig.study import Arm, find_arms, find_study, write_atomic

log = logging.getLogger(__name__)


def generate(config: GenerateConfig) -> None:
    """Answer the queries with every trained arm of a study; answers that are there already stay."""
    study = find_study(config.study)
    arms = find_arms(study, config.arms)
    queries = read_queries(local_path(config.queries))
    untrained = [arm.name for arm in arms if arm.manifest()["status"] != "done"]
    if config.arms and untrained:
        raise ConfigError(f"arms: {untrained[0]} of study {study.name} is not done; train it first, or leave it out")
    for name in untrained:
        log.warning("%s: training is not done, left out", study / name)
    for arm in arms:
        if arm.name not in untrained:
            _answer(arm, queries, config)


def _answer(arm: Arm, queries: list[Query], config: GenerateConfig) -> None:
    file = arm.generations(local_path(config.queries).stem)
    if config.overwrite:
        file.unlink(missing_ok=True)
    settings = {"seed": config.seed, "sampling": config.sampling.model_dump()}
    answered = _answered(file, settings, queries)
    rest = [query for query in queries if query.id not in answered]
    if not rest:
        log.info("%s: %d answers are there already", arm.folder, len(queries))
        return
    engine = construct(config.engine, arm)
    file.parent.mkdir(exist_ok=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress, file.open("a", encoding="utf-8") as stream:
        task = progress.add_task(arm.name, total=len(queries), completed=len(answered))
        for batch in engine.answers(rest, config.sampling, config.seed):
            for query, completion in batch:
                stream.write(json.dumps(_record(arm, query, completion, settings), ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
            progress.advance(task, len(batch))
    log.info("%s: %d answers in %s", arm.name, len(queries), file)


def _answered(file: Path, settings: dict[str, Any], queries: list[Query]) -> set[str]:
    """The ids answered already. A line cut off by a kill is removed; other settings or queries are refused."""
    if not file.exists():
        return set()
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        write_atomic(file, "".join(lines[:-1]))
        lines.pop()
    texts = {query.id: query.query for query in queries}
    for number, line in enumerate(lines, 1):
        record = json.loads(line)
        asked = {key: record[key] for key in settings}
        if asked != settings:
            raise ConfigError(
                f"{file}:{number}: answered with {asked}, now asked with {settings}; overwrite=true starts anew"
            )
        if record["query"] != texts.get(record["query_id"], record["query"]):
            raise ConfigError(
                f"{file}:{number}: query {record['query_id']} had another text; overwrite=true starts anew"
            )
    return {json.loads(line)["query_id"] for line in lines}


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
