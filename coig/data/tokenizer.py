"""Load a model's tokenizer from the hub, a folder or the embedded sample."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, AutoTokenizer

from coig.config import Model
from coig.config.fields import SAMPLE_PREFIX, local_path
from coig.errors import ConfigError, first_line

REMEDY = (
    "give a hub id that this machine can reach (HF_ENDPOINT, HF_HUB_OFFLINE) or the folder of a downloaded model with "
    "its safetensors (model.weights=random needs none)"
)


def load_tokenizer(model: Model) -> Any:
    """Load and return a model's tokenizer; if it has no pad token, its end token becomes the pad token.

    Raises ConfigError if loading fails.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(location(model.path), revision=model.revision)
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.path={model.path}: no tokenizer ({first_line(error)}); {REMEDY}") from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def check_length(model: Model) -> None:
    """Raise ConfigError if `model.max_length` is greater than the number of positions that the model was made for.

    Do nothing if the model's config cannot be loaded (loading the model will fail) or gives no number of positions.
    """
    try:
        config = AutoConfig.from_pretrained(location(model.path), revision=model.revision)
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
