"""Every experiment of conf/experiment runs from its sweep to its report, with less data and fewer steps."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import polars as pl
import pytest

from coig.config import TrainConfig
from coig.config.command_line import check_command_line
from coig.config.composition import CONF
from coig.study.arm import Arm
from coig.study.find import find_arms
from tests.conftest import ROOT, Command
from tests.small_model import SMALL_MODEL

EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml") if not file.stem.endswith("_tiny"))

AT_ONCE = ("ratio_ablation", "process_vs_outcome")  # the others are slow tests


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Write six of the sample's queries in each language, the fewest that give intervals; return the file."""
    rows = [json.loads(line) for line in (ROOT / "coig/sample/queries.jsonl").read_text(encoding="utf-8").splitlines()]
    few = [row for lang in ("zh", "en") for row in [one for one in rows if one["lang"] == lang][:6]]
    file = tmp_path / "few.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in few), encoding="utf-8")
    return file


def commands_in_header(experiment: str) -> list[list[str]]:
    """Return the train.py commands in an experiment's header comment, with continued lines joined."""
    text = (CONF / "experiment" / f"{experiment}.yaml").read_text(encoding="utf-8")
    header = re.sub(r" \\\n#\s*", " ", text)
    return [shlex.split(line)[2:] for line in re.findall(r"python train\.py .*", header)]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_commands_in_its_header_are_sound(experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("redpajama/a.jsonl", "chinese/a.jsonl", "aligned.jsonl"):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}\n")
    commands = commands_in_header(experiment)
    assert len(commands) >= 2  # on the sample, and on real data
    for command in commands:
        assert f"experiment={experiment}" in command
        monkeypatch.setattr(sys, "argv", ["train.py", *command])
        check_command_line("train", TrainConfig)


def arms(folder: Path, study: str) -> dict[str, Arm]:
    return {arm.name: arm for arm in find_arms(folder / "multirun" / study, None)}


@pytest.mark.parametrize(
    "experiment", [name if name in AT_ONCE else pytest.param(name, marks=pytest.mark.slow) for name in EXPERIMENTS]
)
def test_it_answers_its_question(experiment: str, command: Command, tmp_path: Path, queries: Path) -> None:
    of_study = (f"study={experiment}", "sampling.max_new_tokens=24")
    second = {"heldout_queries": "held_out", "domain_shift": "domain"}.get(experiment)
    answered = f"[few,{second}]" if second else "few"
    part, contrasts = SWEEPS[experiment]
    model = () if experiment == "base_model" else SMALL_MODEL
    stages = [
        ("train.py", "-m", f"experiment={experiment}", *part.split(), "length=fast", "logger=none", *model),
        ("generate.py", *of_study, f"queries={queries}"),
        *([("generate.py", *of_study, f"queries={second}")] if second else []),
        ("evaluate.py", f"study={experiment}", f"queries={answered}"),
    ]
    for stage in stages:
        run = command(*stage)
        assert run.returncode == 0, run.stdout + run.stderr
    trained = arms(tmp_path, experiment)
    assert {arm.manifest().status for arm in trained.values()} == {"done"}
    question = next(iter(trained.values())).config().question
    evaluation = tmp_path / "multirun" / experiment / "evaluation"
    summary = (evaluation / "summary.md").read_text(encoding="utf-8")
    assert question
    assert f"**{question.ask}**" in summary
    assert question.ask in " ".join(run.stdout.split())
    assert question.ask in (evaluation / "report.html").read_text(encoding="utf-8")

    table = pl.read_parquet(evaluation / "contrasts.parquet")
    pairs = set(table.select("arm", "opponent").unique().iter_rows())
    assert pairs == contrasts
    # in either language; held-out prompts are Chinese, and the held-out loss is of no file of queries
    told = {arm: summary.count(f"- {arm} against {opponent}") for arm, opponent in pairs}
    assert set(told.values()) == {4 if second else 2}
    assert f"Of {len(pairs)} comparison" in summary
    assert set(table["queries"].drop_nulls()) == {"few", *([second] if second else [])}
    assert table.filter(pl.col("measure") == "finished")["n"].min() == 6
    CHECKS.get(experiment, lambda _: None)(trained)


# a part of each sweep, and the contrasts that answer its question
SWEEPS: dict[str, tuple[str, set[tuple[str, str]]]] = {
    "ratio_ablation": ("data.ratio=0,10k,general", {("cw", "general"), ("cw+10k", "general")}),
    "process_vs_outcome": ("data.ratio=10k", {("cw+10k", "cw+10k-outcome")}),
    "compute_matched": (
        "data.ratio=0,10k",
        {
            ("cw+10k-budget_steps", "cw-budget_steps"),
            ("cw+10k-budget_supervised_tokens", "cw-budget_supervised_tokens"),
        },
    ),
    "scale_grid": (
        "data.ratio=0,'1:12' data.creative.size=13,51",
        {(f"cw+1to12-size_{size}", f"cw-size_{size}") for size in (13, 51)},
    ),
    "base_model": (
        "data.ratio=0,1k",
        {(f"cw+1k-model_{base}", f"cw-model_{base}") for base in ("tiny", "tiny_random")},
    ),
    "ttr_causation": ("data.ratio=0", {("cw-diversity_high", "cw-diversity_low")}),
    "ttr_causation_general": ("data.ratio=1k", {("cw+1k-diversity_high", "cw+1k-diversity_low")}),
    "cross_lingual": ("data.ratio=0", {(f"cw-languages_{langs}", "cw-languages_zh") for langs in ("en", "zh+en")}),
    "heldout_queries": ("data.ratio=0,10k,general", {("cw", "general"), ("cw+10k", "general")}),
    "domain_shift": ("data.ratio=0,10k,general", {("cw", "general"), ("cw+10k", "general")}),
    "ratio_robustness": (
        "data.ratio=0,general seed=0",
        {(f"cw-learning_rate_{rate}", f"general-learning_rate_{rate}") for rate in ("0.0015", "0.002")},
    ),
    "micro_replication": (
        "data.ratio=0,general seed=0",
        {(f"cw-learning_rate_{rate}", f"general-learning_rate_{rate}") for rate in ("0.001", "0.0015", "0.002")},
    ),
}


def groups(arm: Arm, kind: str) -> dict[str, int]:
    """Return the number of an arm's examples of a kind, by language."""
    return {group.lang: group.examples for group in arm.manifest().data.train if group.kind == kind}


def equal_budgets(trained: dict[str, Arm]) -> None:
    done = {name: run for name, arm in trained.items() if (run := arm.manifest().training)}
    assert {run.steps for name, run in done.items() if name.endswith("steps")} == {2}
    learned = [run.supervised_tokens for name, run in done.items() if name.endswith("tokens")]
    largest_step = 2 * 512
    assert max(learned) - min(learned) < largest_step


def equal_halves(trained: dict[str, Arm]) -> None:
    halves = ([arm for name, arm in trained.items() if name.endswith(half)] for half in ("low", "high"))
    low, high = ([s for s in arm.manifest().data.sources if s.diversity] for [arm] in halves)
    for one, other in zip(low, high, strict=True):
        assert one.pool == other.pool
        assert one.diversity
        assert other.diversity
        assert abs(one.diversity.words - other.diversity.words) < 2
        assert other.diversity.ttr > one.diversity.ttr
    chosen = {"data.creative"} if "cw-diversity_low" in trained else {"data.general.zh", "data.general.en"}
    assert {source.pool for source in low} == chosen


def same_triplets(trained: dict[str, Arm]) -> None:
    assert groups(trained["cw-languages_zh"], "creative") == {"zh": 24}
    assert groups(trained["cw-languages_en"], "creative") == {"en": 24}
    assert groups(trained["cw-languages_zh+en"], "creative") == {"zh": 24, "en": 24}
    assert {run.steps for arm in trained.values() if (run := arm.manifest().training)} == {2}


def unseen_prompts(trained: dict[str, Arm]) -> None:
    for arm in trained.values():
        asked = {answer.query_id for answer in arm.answers("held_out")}
        assert len(asked) == 18  # twelve, and the six that no arm of the sample sees
    assert groups(trained["cw"], "creative") == {"zh": 51 - 12}


def other_bases(trained: dict[str, Arm]) -> None:
    assert {arm.manifest().model.name for arm in trained.values()} == {"tiny", "tiny_random"}
    sources = {group.source for arm in trained.values() for group in arm.manifest().data.train}
    assert sources == {"creative", "plain_text_zh", "plain_text_en"}


CHECKS = {
    "compute_matched": equal_budgets,
    "ttr_causation": equal_halves,
    "ttr_causation_general": equal_halves,
    "cross_lingual": same_triplets,
    "heldout_queries": unseen_prompts,
    "base_model": other_bases,
}
