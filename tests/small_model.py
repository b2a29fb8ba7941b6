"""A model far smaller than the sample's, for tests of what surrounds training: its steps take no time."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from pathlib import Path

from tests.forked import ROOT

TINY = ROOT / "coig" / "sample" / "tiny"
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "layer_types": ["full_attention"] * 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}


def write_small_model(folder: Path) -> tuple[str, str]:
    """Write a model without weights, with the sample's tokenizer, into an empty folder; return the overrides for it."""
    config = json.loads((TINY / "config.json").read_text(encoding="utf-8")) | SIZES
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).symlink_to(TINY / name)
    return f"model.path={folder}", "model.weights=random"


def _make_folder() -> Path:
    """Make an empty folder that is deleted when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="coig-small-model-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


SMALL_MODEL = write_small_model(_make_folder())
