"""An arm's answers to queries: the lines of `generations/<queries>.jsonl`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError, field_validator

from coig.errors import ConfigError
from coig.files.atomic import read_jsonl
from coig.files.limits import parse_json
from coig.records.record import Record, describe_error
from coig.text.language_codes import Language


class EngineFacts(Record):
    """The engine that generated an answer."""

    name: str  # dotted path of the engine
    version: str | None = None
    not_obeyed: tuple[str, ...] = ()  # sampling settings that it could not follow


class Answer(Record):
    """One answer of an arm to a query; facts that other people's answers lack are None."""

    query_id: str
    lang: Language
    genre: str | None
    query: str
    arm: str
    sample: int = 0  # which of several answers to the query
    reasoning: str
    answer: str
    raw: str = ""  # what the model wrote, uncut
    prompt_tokens: int | None = None
    reasoning_tokens: int | None = None
    answer_tokens: int | None
    finish_reason: Literal["stop", "length", "error"] | None
    error: str | None = None  # why there is no answer
    seed: int | None
    sampling: dict[str, Any] | None
    engine: EngineFacts | None = None
    model: str | None = None  # sha256 of the weights that wrote it; None: an earlier version did not record it

    @field_validator("engine", mode="before")
    @classmethod
    def _convert_name(cls, value: Any) -> Any:
        """Turn an engine's bare name, which the first versions wrote, into EngineFacts; return others unchanged."""
        return {"name": value} if isinstance(value, str) else value

    @property
    def failed(self) -> bool:
        """Tell whether the request failed, so that there is no answer."""
        return self.finish_reason == "error"

    @property
    def limit(self) -> str:
        """Return what limited the answer's tokens, for a message, with the number if it is recorded."""
        number = (self.sampling or {}).get("max_new_tokens")
        return "the limit of tokens" if number is None else f"sampling.max_new_tokens={number}"


CONSIDERABLE = 0.1  # share of an arm's answers from which on it is said that they were cut off, or are empty
RECORDED = ("genre", "answer_tokens", "finish_reason", "seed", "sampling")  # never None in files of generate.py


def read_answers(file: Path, arm: str) -> list[Answer]:
    """Return an arm's answers, failed ones included, one for each sample of each query; [] if the file does not exist.

    A later answer replaces a failed one. A last line without line break is skipped. Raises ConfigError with the line's
    number if a line is damaged, lacks one of RECORDED, is of another arm, or answers a query again that has an answer.
    """
    answers: dict[tuple[str, int], Answer] = {}
    for number, line in read_jsonl(file) if file.exists() else ():
        try:
            answer = Answer.model_validate(parse_json(line))
            wrong = _find_fault(answer, answers)
        except ValidationError as error:
            wrong = describe_error(error)
        except ValueError as error:
            wrong = f"{type(error).__name__}: {error}"
        if not wrong and answer.arm != arm:
            raise ConfigError(
                f"{file}:{number}: is an answer of arm {answer.arm}, in the folder of arm {arm}; if the folder was "
                f"renamed, name it {answer.arm} again"
            )
        if wrong:
            raise ConfigError(f"{file}:{number}: damaged ({wrong}); remove the line and run generate.py again")
        answers[answer.query_id, answer.sample] = answer
    return list(answers.values())


def _find_fault(answer: Answer, earlier: dict[tuple[str, int], Answer]) -> str | None:
    """Say what is wrong with an answer: one of RECORDED is None, or the query was answered before; None if nothing is.

    Args:
        earlier: (query id, sample) → the answer in an earlier line of the file; a failed one is no answer.
    """
    if missing := [key for key in RECORDED if getattr(answer, key) is None]:
        return f"{missing[0]}: missing"
    before = earlier.get((answer.query_id, answer.sample))
    if before and not before.failed:
        return f"query {answer.query_id} is answered twice"
    return None


def find_cut_off(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers that reached the limit of new tokens; [] if they are less than CONSIDERABLE of all."""
    cut_off = [answer for answer in answers if answer.finish_reason == "length"]
    return cut_off if len(cut_off) >= CONSIDERABLE * len(answers) else []
