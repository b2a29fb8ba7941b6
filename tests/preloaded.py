"""What forked processes share: the server that forks them imports this module once, before the first of them.

It imports their libraries, and does what each process would otherwise do first and what stays in memory.
"""

from __future__ import annotations

import gc
from importlib import import_module

from coig.config import EvaluateConfig, GenerateConfig, TrainConfig
from coig.config.command_line import config_of

STAGES = ("training.run", "training.fit", "generation.run", "generation.hf", "judging", "evaluation.run")
# imported by what runs
LATE = ("peft", "pandas", "transformers.models.qwen2.modeling_qwen2", "wandb.sdk.launch")

gc.disable()  # a collection would visit all that is imported again and again
for name in (*(f"coig.{stage}" for stage in STAGES), *LATE):
    import_module(name)
for overrides in ([], ["logger=none"], ["length=fast", "logger=none"]):  # what most processes compose first
    config_of("train", TrainConfig, ["data.ratio=0", *overrides])
config_of("generate", GenerateConfig, [])
config_of("evaluate", EvaluateConfig, [])
# compiles a thousand patterns, which each export asks for
import_module("transformers.conversion_mapping").get_checkpoint_conversion_mapping("qwen2")
gc.collect()
gc.enable()
gc.freeze()  # a collection would touch, and so copy, every page that the processes share
