"""Add the setting names of transformers 4 to an export, beside those of transformers 5.

transformers 5 writes a model's rotary settings as `rope_parameters` and its dtype as `dtype`. A reader that knows only
`rope_theta` and `torch_dtype` (transformers 4, vLLM before 0.24) silently uses a base of 10,000 and gives other logits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_legacy_names(folder: Path) -> None:
    """Add transformers 4's keys to config.json and tokenizer_config.json of an export, in place.

    transformers 5 reads both files as before.
    """
    _change(folder / "config.json", _with_legacy_keys)
    _change(folder / "tokenizer_config.json", _with_legacy_tokenizer)


def _change(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Overwrite a JSON file with the object that `change` returns for the file's object."""
    settings = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(change(settings), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _with_legacy_keys(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config with the keys of transformers 4 added, also to the `text_config` of a multimodal model.

    Keys that the config has are kept as they are.
    """
    config = {key: _with_legacy_keys(value) if key == "text_config" else value for key, value in config.items()}
    added: dict[str, Any] = {}
    if "dtype" in config:
        added["torch_dtype"] = config["dtype"]
    if rope := config.get("rope_parameters"):
        by_layer = {kind: one for kind, one in rope.items() if isinstance(one, dict)}
        keys = _rope_keys(by_layer.get("full_attention", {}) if by_layer else rope)
        added |= _adapt_to_model(keys, config.get("model_type"))
        if local := by_layer.get("sliding_attention"):
            added["rope_local_base_freq"] = local["rope_theta"]
    return added | config


def _rope_keys(rope: dict[str, Any]) -> dict[str, Any]:
    """Return rotary settings as `rope_theta`, `partial_rotary_factor` and `rope_scaling`, a dict of all others.

    Keys that the settings lack are left out; without scaling, `rope_scaling` is None.
    """
    keys: dict[str, Any] = {name: rope[name] for name in ("rope_theta", "partial_rotary_factor") if name in rope}
    scaling = {name: value for name, value in rope.items() if name not in keys}
    return {**keys, "rope_scaling": scaling if scaling.get("rope_type", "default") != "default" else None}


def _adapt_to_model(keys: dict[str, Any], model_type: str | None) -> dict[str, Any]:
    """Return rotary keys in the form that transformers 4 expects: other scaling for phi3, other names for gpt_neox."""
    scaling = keys["rope_scaling"]
    if model_type == "phi3" and scaling:
        three = {name: scaling[name] for name in ("short_factor", "long_factor")} | {"type": scaling["rope_type"]}
        return keys | {"rope_scaling": three}
    if model_type == "gpt_neox":
        names = {"rope_theta": "rotary_emb_base", "partial_rotary_factor": "rotary_pct"}
        return {names.get(key, key): value for key, value in keys.items()}
    return keys


def _with_legacy_tokenizer(config: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a tokenizer's config with class and extra special tokens renamed as in transformers 4."""
    config = dict(config)
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    if isinstance(config.get("extra_special_tokens"), list):  # transformers 4 takes a dict there
        config["additional_special_tokens"] = config.pop("extra_special_tokens")
    return config
