"""What forked processes share: the server that forks them imports this module once, before the first of them.

It imports their libraries, and does what each process would otherwise do first and what stays in memory.
"""

from __future__ import annotations

import gc
from importlib import import_module

from transformers.conversion_mapping import get_checkpoint_conversion_mapping

from coig.config import TrainConfig
from coig.config.command_line import config_of

STAGES = ("training.run", "training.fit", "generation.run", "generation.hf", "judging", "evaluation.run")
# imported by what runs
LATE = ("peft", "pandas", "transformers.models.qwen2.modeling_qwen2", "wandb.sdk.launch")

for name in (*(f"coig.{stage}" for stage in STAGES), *LATE):
    import_module(name)
config_of("train", TrainConfig, ["data.ratio=0"])  # fills the tables of the parser of overrides
get_checkpoint_conversion_mapping("qwen2")  # compiles a thousand patterns, which each export asks for
gc.collect()
gc.freeze()  # a collection would touch, and so copy, every page that the processes share
