"""Run one training with coig and with TRL's SFTTrainer, for benchmarks/training.py to compare.

Both start from the same weights. Each optimizer step has the same 32 examples with the same tokens.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import polars as pl

from benchmarks import synthetic
from benchmarks.measuring import peaks_gb
from benchmarks.synthetic import Files
from coig.config import TrainConfig

PART = 0.1  # of the paper's largest arm, so 1:12 of creative and general examples; enough for MAX_STEPS
MAX_STEPS = 60
MAX_LENGTH = 8192  # tokens, as in the paper; scaled with the texts
STEP = 32  # examples, as in the paper
RATE = 1e-3  # random weights learn something in a few steps
QWEN2 = {  # 4.9 M parameters, nearly all of them the embeddings of Qwen2.5's vocabulary
    "vocab_size": 151_936,
    "hidden_size": 32,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}
# SFTConfig's defaults, except for the device, the order of examples, what is written, and fp32: coig computes in fp32
# on a CPU, and bf16 is slower there (`8x bf16`)
TRL: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "train_sampling_strategy": "sequential",
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
}


@dataclass(frozen=True)
class Job:
    """The inputs of one measuring process."""

    files: Files
    tokenizer: str
    steps: int  # optimizer steps, with the one that warms up
    scale: float  # length of the texts and of model.max_length, relative to the paper's

    @property
    def model(self) -> Path:
        """Return the path of the folder of the tokenizer and of the weights that every training starts from."""
        return self.files.folder / "model"

    @property
    def examples(self) -> Path:
        """Return the path of the Parquet file of all steps' examples in order; its columns are input_ids and labels."""
        return self.files.folder / "examples.parquet"

    def config(self) -> TrainConfig:
        """Return coig's config of the training, as train.py's command line would give it."""
        from coig.config.command_line import config_of

        texts = {
            "data.creative.path": self.files.creative,
            "data.general.zh.path": self.files.general_zh,
            "data.general.en.path": self.files.general_en,
            "data.cache": self.files.folder / "cache",
            "model.path": self.model,
            "model.system_prompt": synthetic.SYSTEM_PROMPT,
        }
        values = {
            "data": "local",
            "data.ratio": round(synthetic.GENERAL_EXAMPLES * PART),
            "model.weights": "pretrained",
            "model.max_length": round(MAX_LENGTH * self.scale),
            "model.learning_rate": RATE,
            "scheduler.warmup": 0.0,  # SFTTrainer's default
            "trainer": "cpu",
            "trainer.max_steps": self.steps,
            "trainer.global_batch_size": STEP,
            "+trainer.enable_progress_bar": "false",
            "logger": "none",
        }
        lines = [f"{key}={value}" for key, value in values.items()] + [f"{key}='{text}'" for key, text in texts.items()]
        return config_of("train", TrainConfig, lines)


@dataclass
class Step:
    """The loss and size of one optimizer step, and the time at which it ended.

    supervised: tokens that bear loss. positions: tokens and padding that the model computed. end: wall time in seconds.
    cpu_end: this process's CPU time in seconds, over all cores.
    """

    loss: float = 0.0
    tokens: int = 0
    supervised: int = 0
    positions: int = 0
    end: float = 0.0
    cpu_end: float = 0.0


@dataclass
class Run:
    """The measured steps of one training; the first step warms up and is not timed."""

    steps: list[Step] = field(default_factory=list)
    peak_gb: float = 0.0
    open: Step = field(default_factory=Step)

    def note(self, **amounts: float) -> None:
        """Add amounts to fields of the current step."""
        for name, amount in amounts.items():
            setattr(self.open, name, getattr(self.open, name) + amount)

    def end_step(self) -> None:
        """Record the end of the current step and the peak memory so far, and begin the next step."""
        self.open.end, self.open.cpu_end = perf_counter(), process_time()
        self.steps.append(self.open)
        self.open = Step()
        self.peak_gb, _ = peaks_gb()

    @property
    def seconds(self) -> float:
        """Return the wall time of the timed steps in seconds."""
        return self.steps[-1].end - self.steps[0].end

    @property
    def cpu_seconds(self) -> float:
        """Return the CPU time of the timed steps in seconds, which other processes disturb less than `seconds`."""
        return self.steps[-1].cpu_end - self.steps[0].cpu_end

    def sum_timed(self, name: str) -> int:
        """Return the sum of the field `name` (`tokens`, `supervised` or `positions`) over the timed steps."""
        return sum(getattr(step, name) for step in self.steps[1:])

    def rate(self, name: str) -> float:
        """Return the sum of the field `name` over the timed steps per second of wall time."""
        return self.sum_timed(name) / self.seconds


def prepare(job: Job, corpus: Path) -> tuple[dict[str, Any], list[Step]]:
    """Write the data, the initial weights and the examples in the order of coig's steps.

    Returns statistics of the data, and each step's number of tokens and supervised tokens.
    """
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    from coig.data.encoded import encode_mixture
    from coig.data.encoding import Encoder
    from coig.data.mixture import build_mixture
    from coig.data.tokenizer import load_tokenizer

    data = synthetic.write(job.files, corpus, PART, job.scale)
    torch.manual_seed(synthetic.SEED)
    model = Qwen2ForCausalLM(Qwen2Config(**QWEN2))
    model.save_pretrained(job.model)
    AutoTokenizer.from_pretrained(job.tokenizer).save_pretrained(job.model)

    config = job.config()
    mixture = build_mixture(config.data, config.seed)
    encoded, _ = encode_mixture(mixture, config, Encoder.of(config.model, load_tokenizer(config.model)))
    # coig's order of the first epoch; the check of step sizes would reveal another order
    order = torch.randperm(len(encoded), generator=torch.Generator().manual_seed(config.seed * 1_000_003)).tolist()
    steps = [[encoded[n] for n in order[first : first + STEP]] for first in range(0, STEP * job.steps, STEP)]
    rows = [(one.input_ids, np.where(one.weights > 0, one.input_ids, -100)) for step in steps for one in step]
    columns = zip(("input_ids", "labels"), zip(*rows, strict=True), strict=True)
    pl.DataFrame({name: [ids.tolist() for ids in column] for name, column in columns}).write_parquet(job.examples)
    sizes = [
        Step(
            tokens=sum(len(one.input_ids) for one in step),
            supervised=sum(int((one.weights[1:] > 0).sum()) for one in step),
        )
        for step in steps
    ]
    facts = {"truncated": encoded.counts["truncated"], "parameters": model.num_parameters()}
    return {**data, **facts, "threads": torch.get_num_threads()}, sizes


def train_with_coig(job: Job, sizes: list[Step]) -> Run:
    """Train as train.py does, and return each step's time, loss and size; change to a new folder.

    Call it in a process of its own: it replaces a method of `CausalLMModule`.

    Args:
        sizes: the steps' tokens, from `prepare`.
    """
    import torch

    from coig.training.module import CausalLMModule
    from coig.training.run import train

    run, training_step = Run(), CausalLMModule.training_step

    def take_step(module: Any, step: Any, step_index: int) -> None:
        """Take a training step and note its size and end; before the first, hook the embeddings to count positions."""
        if not run.steps:
            embeddings = next(part for part in module.modules() if isinstance(part, torch.nn.Embedding))
            embeddings.register_forward_pre_hook(lambda _, inputs: run.note(positions=inputs[0].numel()))
        training_step(module, step, step_index)
        run.end_step()

    CausalLMModule.training_step = take_step  # type: ignore[assignment,method-assign]
    os.chdir(tempfile.mkdtemp(dir=job.files.folder))
    train(config := job.config())
    lines = Path("multirun", config.study, config.arm, "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    metrics = [line for line in map(json.loads, lines) if "train/loss" in line]
    for step, size, line in zip(run.steps, sizes, metrics, strict=True):
        step.loss, step.supervised = line["train/loss"], int(line["train/supervised_tokens"])
        step.tokens = min(size.tokens, step.positions)  # fewer positions than tokens: some tokens were left out
    return run


def train_with_trl(job: Job, setting: dict[str, Any]) -> Run:
    """Train with SFTTrainer on the same tokens, with the same AdamW and schedule, and time each step.

    Args:
        setting: arguments of SFTConfig, a value of `benchmarks.training.SETTINGS`.
    """
    from datasets import Dataset
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    run = Run()

    class WatchedTrainer(SFTTrainer):
        """An SFTTrainer that notes each step's size and loss in `run`, and does not shuffle."""

        def _get_train_sampler(self, *args: Any) -> Any:
            """Return the trainer's sampler, set not to shuffle."""
            sampler = super()._get_train_sampler(*args)
            sampler.shuffle = False  # batch_rebalance would shuffle, and steps would have other examples
            return sampler

        def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any) -> Any:
            """Train on a micro-batch, note its size and loss, and return the loss."""
            ids, labels = inputs["input_ids"], inputs["labels"]
            tokens = int(inputs["attention_mask"].sum()) if "attention_mask" in inputs else ids.numel()
            run.note(positions=ids.numel(), tokens=tokens, supervised=int((labels[:, 1:] != -100).sum()))
            loss = super().training_step(model, inputs, *rest)
            run.note(loss=float(loss))
            return loss

    class Clock(TrainerCallback):
        """A callback that notes when each optimizer step ends."""

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            """End the current step of `run`."""
            run.end_step()

    with tempfile.TemporaryDirectory(dir=job.files.folder) as scratch, redirect_stdout(sys.stderr):
        dataset = Dataset.from_parquet(str(job.examples), cache_dir=scratch)
        tokenizer = AutoTokenizer.from_pretrained(job.model)
        settings = SFTConfig(scratch, **(TRL | _like_ours(job) | setting))
        WatchedTrainer(
            str(job.model), settings, train_dataset=dataset, processing_class=tokenizer, callbacks=[Clock()]
        ).train()
    return run


def _like_ours(job: Job) -> dict[str, Any]:
    """Return the arguments of SFTConfig that equal coig's settings."""
    config = job.config()
    adamw = config.optimizer.arguments()
    return {
        "max_length": config.model.max_length,
        "num_train_epochs": 1,  # the examples are those of `job.steps` steps
        "learning_rate": adamw["lr"],
        "adam_beta1": adamw["betas"][0],
        "adam_beta2": adamw["betas"][1],
        "adam_epsilon": adamw["eps"],
        "weight_decay": adamw["weight_decay"],
        "lr_scheduler_type": config.scheduler.name,
        "max_grad_norm": config.trainer.max_grad_norm,
    }
