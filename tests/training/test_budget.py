"""Arms of equal budgets: as many steps, or supervised tokens, as another arm."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from coig.config import TrainConfig
from coig.config.command_line import config_of
from coig.data.encoded import EncodedSet, encode_mixture
from coig.data.encoding import Encoder
from coig.data.mixture import build_mixture
from coig.errors import ConfigError
from coig.training.budget import count_steps, supervised_tokens
from tests.conftest import ROOT, Command
from tests.small_model import SMALL_MODEL

SMALL = ("data.scale=0.001", "trainer.max_epochs=2", "trainer.global_batch_size=8")


@cache  # composing a config is slow
def config(*overrides: str) -> TrainConfig:
    return config_of("train", TrainConfig, [*SMALL, *overrides])


@pytest.fixture
def encoder(tokenizer: Any) -> Encoder:
    return Encoder.of(config().model, tokenizer)


def examples(of: TrainConfig, encoder: Encoder) -> EncodedSet:
    return encode_mixture(build_mixture(of.data, of.seed), of, encoder)[0]


def trained(of: TrainConfig, encoder: Encoder) -> tuple[int, int, int]:
    """Epochs begun, steps, supervised tokens."""
    train = examples(of, encoder)
    steps = count_steps(of, train, None if of.budget.name == "epochs" else examples(of.like, encoder))
    epochs = math.ceil(steps / of.trainer.steps_per_epoch(len(train)))
    return epochs, steps, supervised_tokens(of, train, steps)


def test_every_arm_its_own_epochs(encoder: Encoder) -> None:
    assert trained(config("data.ratio=0"), encoder)[:2] == (2, 14)  # 51 triplets in steps of 8, twice
    assert trained(config("data.ratio=10k"), encoder)[:2] == (2, 18)  # 71 examples


@pytest.mark.parametrize("ratio", ["0", "5k", "10k", "general"])
def test_as_many_steps_as_another_arm(encoder: Encoder, ratio: str) -> None:
    epochs, steps, _ = trained(config(f"data.ratio={ratio}", "budget=steps"), encoder)
    assert steps == 18
    assert epochs == {"0": 3, "5k": 3, "10k": 2, "general": 6}[ratio]


@pytest.mark.parametrize("ratio", ["0", "5k", "10k", "general"])
def test_as_many_supervised_tokens_as_another_arm(encoder: Encoder, ratio: str) -> None:
    own = config(f"data.ratio={ratio}", "budget=supervised_tokens")
    _, steps, tokens = trained(own, encoder)
    _, _, wanted = trained(config("data.ratio=10k"), encoder)
    counts = [supervised_tokens(own, examples(own, encoder), number) for number in (steps - 1, steps, steps + 1)]
    assert counts[1] == tokens
    assert min(counts, key=lambda count: abs(count - wanted)) == tokens  # no other step is nearer


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ("+budget.like={data.rato:10k}", "budget.like: data.rato is no key of this config"),
        ("budget.like={data.ratio:50%}", "data.ratio='50%': Value error, is a percentage"),
    ],
)
def test_a_budget_of_no_arm(like: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config("budget=steps", like)


def test_another_budget_is_another_arm(command: Command, tmp_path: Path) -> None:
    """An arm is as long as another one, whose data may change though its own do not."""
    file = tmp_path / "general.jsonl"
    sources = ("data=local", f"data.creative.path={ROOT}/coig/sample/creative.jsonl", f"data.general.en.path={file}")
    budget = ("data.ratio=0", "budget=steps", "budget.like={data.ratio:6}", "data.creative.size=8")
    arm = ("study=s", "logger=none", "model.max_length=160", "trainer.max_epochs=1", *SMALL_MODEL, *sources, *budget)

    def write(prompts: list[str]) -> None:
        rows = [{"id": prompt, "prompt": prompt, "reasoning": "count", "answer": "7"} for prompt in prompts]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    write(["3 + 4?", "5 + 2?", "6 + 1?", "9 - 2?", "8 - 1?", "7 - 0?"])
    assert command("train.py", *arm).returncode == 0
    assert "done already" in command("train.py", *arm).stdout
    write(["3 + 4?", "5 + 2?", "6 + 1?", "9 - 2?", "8 - 1?", "another?"])
    changed = command("train.py", *arm)
    assert changed.returncode == 1
    assert "the data of the arm that budget.like names (fingerprint)" in changed.stderr
    write(["3 + 4?"])
    assert "budget.like={'data.ratio': 6}: pool general.en is too small" in command("train.py", *arm).stderr


def test_a_longer_run_under_a_budget_takes_all_its_steps(command: Command, tmp_path: Path) -> None:
    """A budget ends inside an epoch."""
    budget = ("data.ratio=0", "budget=steps", "budget.like={data.ratio:10k}", "data.creative.size=20")
    arm = ("study=s", "logger=none", "model.max_length=160", "data.validation.general=2", *SMALL_MODEL, *SMALL, *budget)
    for epochs, steps in ((1, 5), (3, 15)):  # of the other arm's 40 examples
        run = command("train.py", *arm, f"trainer.max_epochs={epochs}", "resume=true")
        assert run.returncode == 0, run.stderr
        metrics = (tmp_path / "multirun" / "s" / "cw" / "metrics.jsonl").read_text()
        assert metrics.count("train/grad_norm") == steps
        assert f'"steps": {steps},' in (tmp_path / "multirun" / "s" / "cw" / "manifest.json").read_text()
