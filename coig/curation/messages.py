"""The messages of the page on which people write, score and review."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Version = Annotated[int, Field(ge=0, lt=2**31)]


class Message(BaseModel):
    """A message of the page; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Chosen(Message):
    """A task, which is opened or put back: the text's id, and what to do with it."""

    text: Annotated[str, Field(min_length=1, max_length=64)]
    kind: Literal["write", "score", "review", "recheck"]


class Kept(Chosen):
    """What somebody has done of a task but not sent yet. `draft` is the page's own, and only given back to it."""

    version: Version  # of the triplet that the page shows; 0: none
    draft: dict[str, Any]
    at: Annotated[float, Field(ge=0, allow_inf_nan=False)]  # when it was made, in milliseconds since 1970


class Sent(Chosen):
    """What somebody has done: an act without its person. `key` is the same if the page sends a message again."""

    version: Version
    key: Annotated[str, Field(pattern=r"^[0-9a-zA-Z-]{16,64}$")]
    act: dict[str, Any]
