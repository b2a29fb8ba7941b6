"""Measure how fast the paper's largest arm is tokenized: by coig, uncached and cached, by TRL and by the tokenizer.

python -m benchmarks.data                                  # needs pip install -e '.[benchmarks]'
python -m benchmarks.data --scale 0.05 --without-trl       # a quick look
python -m benchmarks.data --smallest                       # a test that it runs

Each measurement runs in a fresh process, so imports and peak memory are not shared; imports are not timed. Contestants
take turns, in reverse order every other round. coig is timed from the command line's overrides until every example was
read once, including reading the published files. TRL is timed in its trainer's data preparation, from a loaded dataset.
The tokenizer is timed in its `encode_batch` calls only. The last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl

from benchmarks import synthetic
from benchmarks.measuring import (
    CORPUS,
    TOKENIZER,
    Measured,
    goal_states,
    machine,
    missing_inputs,
    missing_trl,
    parse_arguments,
    peaks_gb,
    print_goals,
    ratio,
    run_in_own_process,
    say,
    summary,
)
from benchmarks.synthetic import Files
from coig.errors import ConfigError

MAX_LENGTH = 8192  # tokens, as in the paper
BATCH = 512  # texts of one encode_batch call; more would take more memory
PARTS = ("config", "tokenizer", "mixture", "encode", "read")
TRL_SETTINGS = {"max_length": MAX_LENGTH, "completion_only_loss": True, "packing": False}
TINY_QWEN2 = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
LIBRARIES = ("tokenizers", "transformers", "polars", "torch", "numpy")
PEER_LIBRARIES = ("trl", "datasets", "pyarrow")
SMALLEST = {"scale": 0.01, "rounds": 1}
GOALS = {
    "cold / encode_batch": ("<=", 1.5),
    "cold peak GB": ("<=", 3.0),
    "cached seconds": ("<=", 3.0),
    "trl / cold": (">=", 2.0),
}


@dataclass(frozen=True)
class Job:
    """The inputs of one measuring process."""

    files: Files
    tokenizer: str
    general: int  # general examples per language
    cache: Path  # folder of coig's cache; empty before the cold measurement


def encode_batch(job: Job) -> Measured:
    """Measure the tokenizer's `encode_batch` on rendered prompts and targets; token ids are counted and discarded."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(job.tokenizer)
    prompts, completions = pl.read_parquet(job.files.conversations)
    render = tokenizer.apply_chat_template
    texts = [render(messages, tokenize=False, add_generation_prompt=True) for messages in prompts.to_list()]
    texts += [messages[0]["content"] for messages in completions.to_list()]
    seconds, tokens = 0.0, 0
    for first in range(0, len(texts), BATCH):
        start = perf_counter()
        encodings = tokenizer.backend_tokenizer.encode_batch(texts[first : first + BATCH], add_special_tokens=False)
        seconds += perf_counter() - start
        tokens += sum(len(encoding.ids) for encoding in encodings)
    return Measured(seconds, *peaks_gb(), len(prompts), tokens, {})


def prepare_with_coig(job: Job) -> Measured:
    """Measure coig from the command line's overrides to the last example's ids; fill `job.cache` if it is empty."""
    from coig.config import TrainConfig
    from coig.config.command_line import config_of
    from coig.data.encoded import encode_mixture
    from coig.data.encoding import Encoder
    from coig.data.mixture import build_mixture
    from coig.data.tokenizer import load_tokenizer

    texts = {
        "data.creative.path": job.files.creative,
        "data.general.zh.path": job.files.general_zh,
        "data.general.en.path": job.files.general_en,
        "data.cache": job.cache,
        "model.path": job.tokenizer,
        "model.system_prompt": synthetic.SYSTEM_PROMPT,
    }
    lines = ["data=local", f"data.ratio={job.general}", f"model.max_length={MAX_LENGTH}", "trainer=cpu"]
    lines += [f"{key}='{text}'" for key, text in texts.items()]
    clock = [perf_counter()]
    config = config_of("train", TrainConfig, lines)
    clock.append(perf_counter())
    tokenizer = load_tokenizer(config.model)
    clock.append(perf_counter())
    mixture = build_mixture(config.data, config.seed)
    clock.append(perf_counter())
    train, _ = encode_mixture(mixture, config, Encoder.of(config.model, tokenizer))
    clock.append(perf_counter())
    tokens = sum(len(example.input_ids) for example in train)
    clock.append(perf_counter())
    parts = {part: end - start for part, start, end in zip(PARTS, clock[:-1], clock[1:], strict=True)}
    return Measured(clock[-1] - clock[0], *peaks_gb(), len(train), tokens, parts)


def prepare_with_trl(job: Job, processes: int | None = None) -> Measured:
    """Measure the data preparation that the constructor of TRL's SFTTrainer runs.

    Args:
        processes: SFTConfig's dataset_num_proc.
    """
    from datasets import Dataset
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM
    from trl import SFTConfig, SFTTrainer

    class TimedTrainer(SFTTrainer):
        """An SFTTrainer that counts the seconds of its data preparation."""

        seconds = 0.0

        def _prepare_dataset(self, *args: Any, **kwargs: Any) -> Any:
            """Prepare the data as SFTTrainer does, and add the seconds to `seconds`."""
            start = perf_counter()
            prepared = super()._prepare_dataset(*args, **kwargs)
            self.seconds += perf_counter() - start
            return prepared

    tokenizer = AutoTokenizer.from_pretrained(job.tokenizer)
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=2, **TINY_QWEN2))
    # datasets caches mapped data beside the loaded data: without a new folder the next measurement would reuse it
    with tempfile.TemporaryDirectory(dir=job.files.folder) as scratch:
        dataset = Dataset.from_parquet(str(job.files.conversations), cache_dir=scratch)
        settings = SFTConfig(
            scratch, dataset_num_proc=processes, use_cpu=True, bf16=False, report_to="none", **TRL_SETTINGS
        )
        trainer = TimedTrainer(model, settings, train_dataset=dataset, processing_class=tokenizer)
        peaks = peaks_gb()
        ids = trainer.train_dataset.select_columns("input_ids").with_format("polars")[:]["input_ids"]
        return Measured(trainer.seconds, *peaks, len(ids), int(ids.list.len().sum()), {})


def prepare_with_parallel_trl(job: Job) -> Measured:
    """Measure TRL with one process per core; its default is one process."""
    return prepare_with_trl(job, os.cpu_count())


def measure_in_turns(files: Files, examples: int, arguments: argparse.Namespace) -> dict[str, list[Measured]]:
    """Return the measurements of all rounds by contestant; exit if one prepared another number of examples."""
    turns: list[dict[str, Callable[[Job], Measured]]] = [
        {"encode_batch": encode_batch},
        {"cold": prepare_with_coig, "cached": prepare_with_coig},
    ]
    if not arguments.without_trl:
        turns += [{"trl": prepare_with_trl}, {"trl_parallel": prepare_with_parallel_trl}]
    measured: dict[str, list[Measured]] = {name: [] for turn in turns for name in turn}
    general = round(synthetic.GENERAL_EXAMPLES * arguments.scale)
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory(dir=files.folder) as cache:
            job = Job(files, str(arguments.tokenizer), general, Path(cache))
            in_order = turns if number % 2 == 0 else turns[::-1]
            for name, measure in chain.from_iterable(turn.items() for turn in in_order):
                measured[name].append(run_in_own_process(measure, job))
                if (prepared := measured[name][-1].examples) != examples:
                    sys.exit(f"{name} prepared {prepared} of {examples} examples: not the same work, no comparison")
                say(f"round {number + 1}, {name}: {measured[name][-1].seconds:.2f} s")
    return measured


def print_table(report: dict[str, Any]) -> None:
    """Print times, memory, ratios and goals."""
    print(f"{'':13}{'seconds':>9}{'peak GB':>9}{'/ encode_batch':>16}{'/ cold':>8}{'M tokens':>10}  rounds")
    for name, row in report["measurements"].items():
        over = [report["ratios"].get(f"{name} / {under}", 1.0) for under in ("encode_batch", "cold")]
        rounds = " ".join(f"{seconds:.2f}" for seconds in row["rounds"])
        sizes = f"{row['seconds']:9.2f}{row['peak_gb']:9.2f}{over[0]:16.2f}{over[1]:8.2f}{row['tokens'] / 1e6:10.2f}"
        print(f"{name:13}{sizes}  {rounds}")
    if report["trl_left_out"]:
        print(f"TRL is left out: {report['trl_left_out']}")
    if report["scale"] != 1:
        print("the goals are meant for --scale 1; a small run is mostly start-up")
    print_goals(report["goals"])


def report_of(
    arguments: argparse.Namespace, data: dict[str, Any], measured: dict[str, list[Measured]]
) -> dict[str, Any]:
    """Return the report's figures as JSON types."""
    measurements = {name: summary(rounds) for name, rounds in measured.items()}
    pairs = [(name, under) for name in measured for under in ("encode_batch", "cold") if name != under]
    ratios = {f"{over} / {under}": ratio(measured, over, under) for over, under in pairs}
    cold, cached = measurements["cold"], measurements["cached"]
    figures = {"cold peak GB": cold["peak_gb"], "cached seconds": cached["seconds"], **ratios}
    processes = {"trl": None, "trl_parallel": os.cpu_count()}
    libraries = LIBRARIES if arguments.without_trl else (*LIBRARIES, *PEER_LIBRARIES)
    return {
        "benchmark": "data",
        "scale": arguments.scale,
        "data": data,
        "measurements": measurements,
        "ratios": ratios,
        "goals": goal_states(figures, GOALS),
        "trl_left_out": arguments.without_trl,
        "trl_settings": {**TRL_SETTINGS, "dataset_num_proc": processes},
        **machine(libraries),
        "load_before": arguments.load_before,  # with other processes running, ratios mean little
    }


def main() -> None:
    """Run the benchmark and print its report."""
    arguments = _arguments()
    _check(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    try:
        with tempfile.TemporaryDirectory() if arguments.folder is None else nullcontext(arguments.folder) as folder:
            files = Files(Path(folder).resolve())
            data = run_in_own_process(synthetic.write, files, arguments.corpus, arguments.scale)
            say(f"wrote {data['examples']} examples, {data['characters'] / 1e6:.1f} M characters, to {files.folder}")
            measured = measure_in_turns(files, data["examples"], arguments)
    except ConfigError as error:
        sys.exit(str(error))
    except BrokenProcessPool:
        sys.exit("a measuring process was killed, most likely for want of memory; try a smaller --scale")
    report = report_of(arguments, data, measured)
    print_table(report)
    print(json.dumps(report, ensure_ascii=False))


def _arguments() -> argparse.Namespace:
    """Parse the command line, and note the machine's load; exit with a message if a number is too small."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--scale", type=float, default=1.0, help="fraction of the paper's largest arm (default: all of it)"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="folder for the synthetic files (default: a temporary one)")
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder with zh.jsonl and en.jsonl")
    parser.add_argument("--without-trl", action="store_const", const="not wanted", help="do not measure TRL")
    arguments = parse_arguments(parser, SMALLEST | {"without_trl": missing_trl()})
    if arguments.scale < 0.01 or arguments.rounds < 1:
        parser.error("--scale is at least 0.01 (fewer examples cannot have the paper's mean lengths), --rounds 1")
    arguments.tokenizer = arguments.tokenizer.resolve()
    arguments.load_before = round(os.getloadavg()[0], 2)
    return arguments


def _check(arguments: argparse.Namespace) -> None:
    """Exit with a message if the tokenizer, the corpus, or TRL where it is wanted, is missing."""
    missing = missing_inputs(arguments.tokenizer, arguments.corpus)
    if not arguments.without_trl and (reason := missing_trl()):
        missing.append(f"{reason}, or measure --without-trl")
    if missing:
        sys.exit("\n".join(missing))


if __name__ == "__main__":
    main()
