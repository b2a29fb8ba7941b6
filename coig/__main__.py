"""Run the command `coig`, which offers every stage and tool from any folder.

coig train -m data.ratio=0,1k,5k,10k,general    as python train.py …     coig train --help says more
coig generate study=ablation                    as python generate.py …
coig annotate study=ablation raters=[ann,bob]   as python annotate.py …
coig evaluate study=ablation                    as python evaluate.py …
coig study list                                 studies and arms; also show, compare, rm
coig inspect data.ratio=1k                      what a model would be trained on
coig show query_id=zh-001                       the arms' answers side by side
coig power effect=0.6 raters=4                  how many prompts and raters a study needs

Configs of your own: coig train --config-dir my_configs experiment=mine
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from coig.config import AnnotateConfig, EvaluateConfig, GenerateConfig, Node, TrainConfig
from coig.config.command_line import check_command_line, run_hydra, run_tool
from coig.config.loading import load_config
from coig.config.process import guarded, job
from coig.errors import suggestion


@job
def train(cfg: DictConfig) -> float | None:
    """Train the arm of a composed config; return the objective that a search minimizes, None without one."""
    from coig.training import train

    return train(load_config(cfg, TrainConfig))


@job
def generate(cfg: DictConfig) -> None:
    """Generate the answers of a study's arms to the configured queries."""
    config = load_config(cfg, GenerateConfig)
    from coig.generation import generate  # slow imports only after the config has been checked

    generate(config)


@job
def annotate(cfg: DictConfig) -> None:
    """Serve a study's answers to people who compare them blind, or export, import or erase their judgments."""
    config = load_config(cfg, AnnotateConfig)
    from coig.annotation import annotate

    annotate(config)


@job
def evaluate(cfg: DictConfig) -> None:
    """Measure and compare the answers of a study, and write its report."""
    config = load_config(cfg, EvaluateConfig)
    from coig.evaluation import evaluate

    evaluate(config)


def check_training(config: TrainConfig) -> None:
    """Raise ConfigError if training an arm would fail because of its data or its folder."""
    from coig.training import check

    check(config)


@dataclass(frozen=True)
class Stage:
    """A stage: the job that runs it, its config schema, and the check of each job before a sweep starts."""

    run: Callable[[DictConfig], Any]
    schema: type[Node]
    check: Callable[[Any], None] | None = None


STAGES = {
    "train": Stage(train, TrainConfig, check_training),
    "generate": Stage(generate, GenerateConfig),
    "annotate": Stage(annotate, AnnotateConfig),
    "evaluate": Stage(evaluate, EvaluateConfig),
}
TOOLS = {
    "study": "coig.study.__main__",
    "inspect": "coig.data.inspect",
    "show": "coig.generation.show",
    "power": "coig.evaluation.power",
}


def run_stage(name: str) -> None:
    """Check the command line and run a stage with it, once for each job of a sweep."""
    stage = STAGES[name]
    with guarded():
        check_command_line(name, stage.schema, stage.check)
        run_hydra(name, stage.run)


def main() -> None:
    """Run the stage or tool that the first argument names, with the other arguments; without any, print the help."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(__doc__)
        return
    sys.argv = [f"coig {name}", *rest]
    if name in STAGES:
        run_stage(name)
    elif name in TOOLS:
        run_tool(importlib.import_module(TOOLS[name]).main)
    else:
        sys.exit(f"coig {name}: no such command{suggestion(name, [*STAGES, *TOOLS])}")


if __name__ == "__main__":
    main()
