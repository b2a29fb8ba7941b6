"""Load a model's tokenizer from the hub, a folder or the embedded sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from coig.config import Model
from coig.config.fields import SAMPLE_PREFIX, local_path
from coig.errors import ConfigError, first_line

REMEDY = (
    "give a hub id that this machine can reach (HF_ENDPOINT, HF_HUB_OFFLINE) or the folder of a downloaded model with "
    "its safetensors (model.weights=random needs none)"
)


NO_CODE = {"trust_remote_code": False}  # unset, transformers asks on the terminal whether to run a model's own code


def say_why(error: Exception) -> str:
    """Return in a few words why transformers could not load a model or tokenizer: mostly the error's first line."""
    if "trust_remote_code" in str(error):
        return "it brings code of its own, which coig never runs; take one that transformers knows by itself"
    return first_line(error)


def load_exported(folder: Path) -> Any:
    """Load and return the tokenizer of an exported model. Raises ConfigError if it is missing or damaged."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **NO_CODE)
        tokenizer("")  # a setting of a wrong type is noticed only when it is used
        return tokenizer
    except Exception as error:  # tokenizers raises a plain Exception for a damaged file
        raise ConfigError(
            f"{folder}: its tokenizer is missing or damaged ({say_why(error)}); train.py with overwrite=true trains it "
            "anew"
        ) from None


def load_tokenizer(model: Model) -> Any:
    """Load and return a model's tokenizer; if it has no pad token, its end token becomes the pad token.

    Raises ConfigError if loading fails.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(location(model.path), revision=model.revision, **NO_CODE)
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.path={model.path}: no tokenizer ({say_why(error)}); {REMEDY}") from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def check_length(model: Model) -> None:
    """Raise ConfigError if `model.max_length` is greater than the number of positions that the model was made for.

    Do nothing if the model's config cannot be loaded (loading the model will fail) or gives no number of positions.
    """
    try:
        config = AutoConfig.from_pretrained(location(model.path), revision=model.revision, **NO_CODE)
    except (OSError, ValueError):
        return
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    if positions and model.max_length > positions:
        raise ConfigError(
            f"model.max_length={model.max_length}: {model.path} has {positions} positions; give {positions} or fewer"
        )


def location(path: str) -> str:
    """Return `model.path` as transformers takes it: `sample:` and `~` become folders, other paths stay as they are."""
    return str(local_path(path)) if path.startswith((SAMPLE_PREFIX, "~")) else path
