"""Base classes of all config nodes, and of nodes with a `_target_`, which may hold no secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coig.config.fields import Target
from coig.files.secrets import PASSWORD_IN_URL, SECRET_NAME


@dataclass(frozen=True)
class Absent:
    """The value that a stored config means if it lacks a key, because the key was added after it was written.

    `aligned: Annotated[bool, Absent(False)]`
    """

    value: Any


class Node(BaseModel):
    """A config node that refuses unknown keys, reads a number as a text where a text is due, and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


def node_in(annotation: Any) -> type[Node] | None:
    """Return the Node class in a field's annotation (`Node`, `Node | None` or `dict[…, Node]`); None for another."""
    candidates = [annotation, *get_args(annotation)]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, Node)), None)


class Constructor(Node):
    """A node that constructs something: `_target_` names a function or class, the other keys are its arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)
    target: Target = Field(alias="_target_")

    def arguments(self) -> dict[str, Any]:
        """Return `_target_` and all other keys of the node as a dict."""
        return self.model_dump(by_alias=True)

    @model_validator(mode="after")
    def _check_secrets(self) -> Constructor:
        """Raise ValueError if an argument holds a secret or a URL with a password."""
        _refuse_secrets(self.model_extra or {})
        return self


def _refuse_secrets(value: Any, key: str = "") -> None:
    """Raise ValueError for a URL with a password, or a value whose key names a secret, at any depth of arguments.

    Under such a key null, "", true and false are allowed. The message names the key and omits the value.
    """
    if isinstance(value, dict):
        for name, child in value.items():
            _refuse_secrets(child, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for child in value:
            _refuse_secrets(child, key)
    elif (SECRET_NAME.search(key.rpartition(".")[2]) and value not in (None, "", False, True)) or (
        PASSWORD_IN_URL.search(str(value))
    ):
        raise ValueError(
            f"{key} holds a secret, which would be written to config files and logs; set it in the environment instead "
            "(OPENAI_API_KEY for an engine, WANDB_API_KEY or `wandb login` for W&B, HF_TOKEN for the hub)"
        )


class Logger(Constructor):
    """A further logger of metrics, besides metrics.jsonl."""

    @model_validator(mode="after")
    def _check_wandb_options(self) -> Logger:
        """Raise ValueError if `log_model` is neither true nor false, or a tag has no or more than 64 characters."""
        given = self.model_extra or {}
        if not isinstance(log_model := given.get("log_model", False), bool):
            raise ValueError(f"log_model={log_model}: true, for the trained model as an artifact, or false")
        if too_long := [tag for tag in given.get("tags") or () if not 0 < len(str(tag)) <= 64]:
            raise ValueError(f"tags: W&B takes 1 to 64 characters, which '{too_long[0]}' has not; give logger.tags=[…]")
        return self
