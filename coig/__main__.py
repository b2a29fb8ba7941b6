"""Run the command `coig`, which offers every stage and tool from any folder.

coig train -m data.ratio=0,1k,5k,10k,general    as python train.py …     coig train --help says more
coig generate study=ablation                    as python generate.py …
coig curate name=mine stage=status              as python curate.py …
coig annotate study=ablation 'raters=[ann,bob]' as python annotate.py …
coig judge study=ablation judge=local           as python judge.py …
coig evaluate study=ablation                    as python evaluate.py …
coig study list                                 studies and arms; also show, compare, rm, register, table
coig inspect data.ratio=1k                      what a model would be trained on
coig show query_id=zh-001                       the arms' answers side by side
coig power effect=0.6 raters=4                  how many prompts and raters a study needs
coig plan study=ablation                        what to train or judge next to learn more about the ratio
coig --version                                  the installed version

Configs of your own: coig train --config-dir my_configs experiment=mine
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from coig import __version__
from coig.config import AnnotateConfig, CurateConfig, EvaluateConfig, GenerateConfig, JudgeConfig, Node, TrainConfig
from coig.config.command_line import check_command_line, run_hydra, show_messages
from coig.config.fields import MULTIRUN
from coig.config.gpus import note_visible_gpus, own_gpus
from coig.config.loading import load_config
from coig.config.process import guarded, is_swept, job, run_tool
from coig.config.sweep_problems import is_search
from coig.config.wait_policy import follow_load
from coig.errors import suggestion
from coig.study.arm import discard_untrained_arms
from coig.study.sweep import note_sweep, part_of_sweep


@job
def train(cfg: DictConfig) -> float | None:
    """Train the arm of a composed config; return its objective's last value, None if the config has no objective."""
    from coig.training.run import train

    config = load_config(cfg, TrainConfig)
    with part_of_sweep(config) if is_swept() else nullcontext(), own_gpus(config.gpus):
        return train(config)


@job
def generate(cfg: DictConfig) -> None:
    """Generate the answers of a study's arms to the configured queries."""
    config = load_config(cfg, GenerateConfig)
    from coig.generation import generate  # slow imports only after the config has been checked

    with own_gpus(config.gpus):
        generate(config)


@job
def annotate(cfg: DictConfig) -> None:
    """Serve a study's answers to people who compare them blind, or export, import or erase their judgments."""
    config = load_config(cfg, AnnotateConfig)
    from coig.annotation import annotate

    annotate(config)


@job
def judge(cfg: DictConfig) -> None:
    """Let a model judge the answers of a study."""
    config = load_config(cfg, JudgeConfig)
    from coig.judging import judge

    with own_gpus(config.gpus):
        judge(config)


@job
def curate(cfg: DictConfig) -> None:
    """Run a stage of a curation, from collected articles to reviewed triplets."""
    config = load_config(cfg, CurateConfig)
    from coig.curation import curate

    curate(config)


@job
def evaluate(cfg: DictConfig) -> None:
    """Measure and compare the answers of a study, and write its report."""
    config = load_config(cfg, EvaluateConfig)
    gc.disable()  # an evaluation leaves few reference cycles, and the search for them took 7 % of its time
    try:
        from coig.evaluation import evaluate

        evaluate(config)
    finally:
        gc.enable()  # for the next job of a sweep


def check_training(config: TrainConfig) -> None:
    """Raise ConfigError if training an arm would fail because of its data or its folder; fills the data cache."""
    from coig.training.run import check

    check(config)


@dataclass(frozen=True)
class Stage:
    """A stage: the job that runs it, its config schema, and the check of each job before a sweep starts.

    `computes` says whether it runs a model, whose threads share the cores with other programs.
    """

    run: Callable[[DictConfig], Any]
    schema: type[Node]
    computes: bool
    check: Callable[[Any], None] | None = None


STAGES = {
    "train": Stage(train, TrainConfig, computes=True, check=check_training),
    "generate": Stage(generate, GenerateConfig, computes=True),
    "curate": Stage(curate, CurateConfig, computes=False),
    "annotate": Stage(annotate, AnnotateConfig, computes=False),
    "judge": Stage(judge, JudgeConfig, computes=True),
    "evaluate": Stage(evaluate, EvaluateConfig, computes=False),
}
TOOLS = {
    "study": "coig.study.__main__",
    "inspect": "coig.data.inspect",
    "show": "coig.generation.show",
    "power": "coig.evaluation.power",
    "plan": "coig.evaluation.plan",
}


def run_stage(name: str) -> None:
    """Check the command line and run a stage with it, once for each job of a sweep.

    Exits with one message if the command line is wrong or an error is one that users can mend. If training fails,
    deletes the study's folders of arms that never began.
    """
    stage = STAGES[name]
    with guarded():
        show_messages()
        if stage.computes:
            note_visible_gpus()
            follow_load()
        configs = check_command_line(name, stage.schema, stage.check)
        arms = [config for config in configs if isinstance(config, TrainConfig)]
        if len(arms) > 1 and not is_search():
            note_sweep(MULTIRUN / arms[0].study, [config.arm for config in arms], arms[0].failures)
        try:
            run_hydra(name, stage.run)
        except BaseException:  # includes Ctrl-C
            if arms:
                discard_untrained_arms(MULTIRUN / arms[0].study)
            raise


def main() -> None:
    """Run the stage or tool that the first argument names, with the other arguments; without any, print the help.

    Exits with a message if there is no such command.
    """
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(__doc__)
        return
    if name == "--version":
        print(f"coig {__version__}")
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
