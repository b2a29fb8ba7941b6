"""An arm's file of answers: its sampling settings, the answers that it already holds, and new records for it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from coig.config import Sampling, SamplingChoice
from coig.config.differences import list_differences
from coig.errors import ConfigError
from coig.files.secrets import remove_secrets
from coig.generation.completion import Completion, Request
from coig.records.answer import Answer, EngineFacts
from coig.records.query import Query
from coig.records.record import describe_error
from coig.study.arm import Arm
from coig.text.think_tags import split_completion

UNKNOWN = {"min_p": 0.0, "typical_p": 1.0, "no_repeat_ngram_size": 0}  # not in `sampling` → value without effect
LIBRARY = {"temperature": 1.0, "top_p": 1.0, "top_k": 50, "repetition_penalty": 1.0}  # transformers' own defaults


def resolve_sampling(choice: SamplingChoice, arm: Arm) -> Sampling:
    """Return sampling settings without nulls: those come from the arm's generation config, else from transformers.

    Unless the generation config sets `do_sample`, a null temperature becomes 0 (greedy). Raises ConfigError if the
    generation config is missing or damaged, or holds a value that is out of range.
    """
    config = arm.generation_config()
    own = {key: config[key] for key in LIBRARY if config.get(key) is not None}
    if not config.get("do_sample"):
        own["temperature"] = 0
    chosen = {key: value for key, value in choice.model_dump().items() if value is not None or key not in LIBRARY}
    try:
        return Sampling.model_validate(LIBRARY | own | chosen)
    except ValidationError as error:
        raise ConfigError(
            f"{arm.model / 'generation_config.json'}: damaged ({describe_error(error)}); bring the file back, or "
            "give every key of sampling yourself"
        ) from None


def unknown_settings(choice: SamplingChoice, arm: Arm) -> tuple[str, ...]:
    """Return a warning for each setting that the model's generation config uses but `sampling` has no key for.

    Returns () if `choice` leaves nothing to the model.
    """
    if all(getattr(choice, key) is not None for key in LIBRARY):
        return ()
    config = arm.generation_config()
    set_otherwise = {key: config[key] for key, none in UNKNOWN.items() if config.get(key) not in (None, none)}
    return tuple(
        f"{key}: the model's own is {value}, and sampling has no such key" for key, value in set_otherwise.items()
    )


def find_answered(arm: Arm, queries: list[Query], name: str, settings: dict[str, Any]) -> set[tuple[str, int]]:
    """Return (query id, sample) of each successful answer in an arm's `generations/<name>.jsonl`.

    Raises ConfigError if any answer, also a failed one, has other `settings`, or a query that is not in `queries` with
    the same id and text.
    """
    file = arm.generations(name)
    texts = {query.id: query.query for query in queries}
    answers = arm.answers(name)
    for answer in answers:
        if changed := list_differences({key: getattr(answer, key) for key in settings}, settings):
            raise ConfigError(
                f"{file}: answered with other settings:\n  - " + "\n  - ".join(changed) + "\n"
                "ask with the same, or overwrite=true deletes these answers and starts anew"
            )
        if answer.query != texts.get(answer.query_id):
            raise ConfigError(
                f"{file}: holds an answer to another query '{answer.query_id}'; name the file of queries otherwise, "
                "or start anew with overwrite=true"
            )
    return {(answer.query_id, answer.sample) for answer in answers if not answer.failed}


def make_answer(
    arm: Arm, request: Request, completion: Completion, engine: EngineFacts, settings: dict[str, Any]
) -> Answer:
    """Return the answer record of a completion, its text split into reasoning and answer.

    `settings` are the record's seed and sampling; the weights' hash is that of the arm's manifest.
    """
    query = request.query
    reasoning, answer = split_completion(request.opening + completion.text)
    return Answer(
        query_id=query.id,
        lang=query.lang,
        genre=query.genre,
        query=query.query,
        arm=arm.name,
        sample=request.sample,
        reasoning=reasoning,
        answer=answer,
        raw=completion.text,
        prompt_tokens=len(request.prompt),
        reasoning_tokens=completion.reasoning_tokens,
        answer_tokens=completion.answer_tokens,
        finish_reason=completion.finish_reason,
        error=remove_secrets(completion.error),  # a server may repeat what it was sent
        engine=engine,
        model=arm.manifest().model_sha256,
        **settings,
    )
