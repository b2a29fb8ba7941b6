"""Let each arm answer the queries that it has not answered yet."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coig.config import GenerateConfig
from coig.config.loading import construct
from coig.config.wait_policy import tell_policy
from coig.data.encoding import Encoder
from coig.data.tokenizer import load_exported
from coig.display.numbers import counted
from coig.errors import ConfigError
from coig.generation.answers_file import find_answered, make_answer, resolve_sampling, unknown_settings
from coig.generation.completion import Answered, Request
from coig.generation.engine import Engine
from coig.generation.held_out import find_held_out_queries
from coig.generation.tracking import log_table
from coig.records.answer import EngineFacts, find_cut_off
from coig.records.query import Query, read_queries
from coig.records.record import append_records
from coig.study.arm import Arm, ArmBusyError
from coig.study.find import find_done, find_study
from coig.study.points import Point, with_points
from coig.study.tracking import best_effort, find_tracked

log = logging.getLogger(__name__)


def generate(config: GenerateConfig) -> None:
    """Answer the queries with every trained arm of a study, and its points; keep existing answers unless `overwrite`.

    Without a file of queries, each arm answers the prompts held out of its own training. Arms that are not trained are
    left out with a warning; new answers are logged to W&B if the arm was. Raises ConfigError before the first arm for a
    wrong config, and after the last arm if an arm was busy or queries stayed without an answer.
    """
    study = find_study(config.study)
    arms, untrained = _find_asked(study, config)
    file = config.queries_file
    shared = read_queries(file) if file else None
    queries = {arm.name: shared or find_held_out_queries(arm, config.trusted) for arm in arms}
    tracked = find_tracked((arm for arm in arms if not isinstance(arm, Point)), config.trusted)
    for name in untrained:
        log.warning("%s: training is not done, left out", study / name)
    _check_one_model_each(config, arms)
    if not config.overwrite:
        for arm in arms:  # find answers with other settings before any arm generates
            find_answered(arm, queries[arm.name], config.queries_name, _settings(config, arm))
    engine: Engine = construct(config.engine)
    failed: list[str] = []
    for arm in arms:
        try:
            with arm.locked():
                problems = _answer(arm, queries[arm.name], engine, config)
        except ArmBusyError as error:
            failed.append(str(error))
            continue
        except KeyboardInterrupt:
            log.error("%s: interrupted; the same command continues with the queries that are left", arm.folder)
            raise SystemExit(130) from None
        failed += problems or ()
        if problems is not None and arm.name in tracked:
            with best_effort(arm.folder):
                log_table(arm, tracked[arm.name], config.queries_name)
    if failed:
        raise ConfigError("\n".join([*failed, "the same command asks what is left"]))


def _find_asked(study: Path, config: GenerateConfig) -> tuple[list[Arm], list[str]]:
    """Return the arms and points that are asked, and the names of arms whose training is not done.

    All points of an arm are asked with it, except by a server's one model, which can only be what `arms` names.
    """
    arms, untrained = find_done(study, config.arms)
    if not config.one_model:
        return with_points(arms), untrained
    if len(with_points(arms)) > len(arms):
        log.warning("engine.model=%s: points are not asked; engine.model='{arm}' asks each", config.one_model)
    return arms, untrained


def _check_one_model_each(config: GenerateConfig, arms: list[Arm]) -> None:
    """Raise ConfigError if several arms would be answered by one model: `engine.model` is set and has no `{arm}`."""
    if len(arms) > 1 and config.one_model:
        names = ", ".join(arm.name for arm in arms)
        raise ConfigError(
            f"engine.model={config.one_model}: would answer for {len(arms)} arms ({names}); name the one that it is, "
            f"\"arms=['{arms[0].name}']\", or write {{arm}} where the server's names have the arm's, "
            "\"engine.model='{arm}'\""
        )


def _answer(arm: Arm, queries: list[Query], engine: Engine, config: GenerateConfig) -> list[str] | None:
    """Let an arm answer what its file lacks, and append the answers; with `overwrite`, delete the file first.

    Returns [] if all answers succeeded, a list with one message if some failed, None if none was left to ask for.
    """
    name, settings = config.queries_name, _settings(config, arm)
    file = arm.generations(name)
    existing = set() if config.overwrite else find_answered(arm, queries, name, settings)
    asked = _first_of_each_genre(queries, config.per_genre)
    wanted = [(query, sample) for sample in range(config.samples) for query in asked]
    left = [(query, sample) for query, sample in wanted if (query.id, sample) not in existing]
    if not left:
        log.info("%s: %s there already", arm.folder, counted(len(wanted), "answer is", "answers are"))
        _warn_of_cut_off(arm, name)
        return None
    tokenizer = load_exported(arm.model)
    trained = arm.config()
    encoder, with_reasoning = Encoder.of(trained.model, tokenizer), trained.supervision.with_reasoning
    opening = encoder.opening(with_reasoning=with_reasoning)
    requests = [
        Request(query, sample, encoder.prompt_ids(query.query, with_reasoning=with_reasoning), opening)
        for query, sample in left
    ]
    tell_policy()
    engine.load(arm, tokenizer, resolve_sampling(config.sampling, arm), config.seed)
    if config.overwrite:
        file.unlink(missing_ok=True)
    errors: list[str] = []
    not_obeyed = (*engine.not_obeyed, *unknown_settings(config.sampling, arm))
    facts = EngineFacts(name=config.engine.target, version=engine.version, not_obeyed=not_obeyed)
    for setting in not_obeyed:
        log.warning("%s: not obeyed, which its answers say too: %s", arm.name, setting)
    for batch in _show_progress(engine.answers(requests), arm.name, len(wanted), len(left)):
        append_records(file, [make_answer(arm, *answer, facts, settings) for answer in batch])
        errors += [f"{request.query.id}: {completion.error}" for request, completion in batch if completion.error]
    log.info("%s: %s in %s", arm.name, counted(len(wanted) - len(errors), "answer"), file)
    _warn_of_cut_off(arm, name)
    if not errors:
        return []
    return [f"{arm.folder}: {len(errors)} of {len(wanted)} answers failed, the first for query {errors[0]}"]


def _warn_of_cut_off(arm: Arm, name: str) -> None:
    """Log a warning if many of the arm's answers in `generations/<name>.jsonl` reached the limit of new tokens."""
    answers = [answer for answer in arm.answers(name) if not answer.failed]
    if cut_off := find_cut_off(answers):
        empty = sum(not answer.answer for answer in cut_off)
        log.warning(
            "%s: %d of %s reached %s before they ended%s; to let them end, raise it, with overwrite=true",
            arm.name,
            len(cut_off),
            counted(len(answers), "answer"),
            cut_off[0].limit,
            f", {empty:,} of them in the reasoning, without an answer" if empty else "",
        )


def _show_progress(batches: Iterator[list[Answered]], name: str, total: int, left: int) -> Iterator[list[Answered]]:
    """Yield the batches, and meanwhile show a progress bar with finished answers and tokens per second.

    Args:
        total: answers in the end; all but `left` of them are there already.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}")
    tokens, start = 0, time.monotonic()
    with Progress(*columns, TimeRemainingColumn(elapsed_when_finished=True)) as progress:
        task = progress.add_task(name, total=total, completed=total - left, speed="")
        for batch in batches:
            yield batch
            tokens += sum(completion.reasoning_tokens + completion.answer_tokens for _, completion in batch)
            speed = f"{tokens / (time.monotonic() - start):,.0f} tokens/s"
            progress.update(task, advance=len(batch), speed=speed)


def _first_of_each_genre(queries: list[Query], count: int | None) -> list[Query]:
    """Return the first `count` queries of each genre in each language; None: all."""
    earlier: Counter[tuple[str, str]] = Counter()
    first = []
    for query in queries:
        if count is None or earlier[query.lang, query.genre] < count:
            first.append(query)
        earlier[query.lang, query.genre] += 1
    return first


def _settings(config: GenerateConfig, arm: Arm) -> dict[str, Any]:
    """Return {"seed", "sampling"}, which all answers in a file must share; nulls are filled in from the arm's model."""
    return {"seed": config.seed, "sampling": resolve_sampling(config.sampling, arm).model_dump()}
