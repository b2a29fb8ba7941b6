"""Training texts are read again where they are still there, and the report holds answers against them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from coig.config import EvaluateConfig
from coig.config.command_line import config_of
from coig.data.mixture import build_mixture
from coig.evaluation import evaluate
from coig.evaluation.learned import read_learned
from coig.study.arm import Arm
from tests.studies import compose_config, make_answer, make_arm

STORY = "<b>雪落在旧城墙上</b>，卖糖人的老人收了摊，把最后一只糖兔子插在了没人的桥头。" * 3


def make_trained_arm(folder: Path, ratio: str, *overrides: str) -> Arm:
    """Make an arm whose manifest has the fingerprint of its data."""
    config = compose_config(f"data.ratio='{ratio}'", *overrides)
    fingerprint = build_mixture(config.data, config.seed).fingerprint
    return make_arm(folder, *overrides, ratio=ratio, data={"fingerprint": fingerprint})


def test_each_text_is_read_once_and_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    arms = [
        make_trained_arm(tmp_path / "s" / "cw", "0"),
        make_trained_arm(tmp_path / "s" / "cw+1k", "1k"),
        make_trained_arm(tmp_path / "s" / "outcome", "0", "supervision=outcome"),
        make_arm(tmp_path / "s" / "changed", ratio="0"),
        make_arm(tmp_path / "s" / "hub", "data=coig_writer", ratio="0"),
    ]
    learned = read_learned(arms)
    assert [len(learned.of[name]) for name in ("cw", "cw+1k", "outcome")] == [51, 113, 51]
    assert set(learned.of["cw"]) < set(learned.of["cw+1k"])
    assert len(learned.texts) == 113 + 51
    assert len(learned.creative_of("cw+1k")) == 51
    texts = learned.texts[learned.of["outcome"]]
    assert set(texts["reasoning"]) == {""}  # it did not learn to reason
    assert learned.targets[learned.of["outcome"][0]].strip() == texts["answer"][0]
    assert "data have changed" in learned.unknown["changed"]
    assert "is not on this machine" in learned.unknown["hub"]


def test_the_report_shows_copies_and_the_judgments_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = Path("stories.jsonl")
    row = {"id": "tale-7", "prompt": "写一个雪夜", "reasoning": "想一想。", "answer": STORY, "lang": "zh"}
    others = [row | {"id": f"tale-{n}", "answer": f"第{n}个故事，" + chr(0x4E00 + 97 * n) * 30} for n in range(3)]
    source.write_text("".join(json.dumps(one) + "\n" for one in [row, *others]), encoding="utf-8")
    given = ("source@data.creative=local", f"data.creative.path={source.absolute()}", "data.validation.creative=0")
    for name, ratio in (("cw", "0"), ("general", "general")):
        arm = make_trained_arm(tmp_path / "multirun" / "s" / name, ratio, *given)
        answers = [make_answer(name, f"zh-{n}", answer=f"{name}{n}" * 9) for n in range(8)]
        if name == "cw":
            answers[0] = make_answer(name, "zh-0", answer=STORY)
        arm.generations("sample").parent.mkdir()
        arm.generations("sample").write_text("".join(one.model_dump_json() + "\n" for one in answers), encoding="utf-8")
    verdict = {"lang": "zh", "arm_a": "cw", "arm_b": "general", "rater": "ann"}
    verdicts = [verdict | {"query_id": f"zh-{n}", "winner": "a" if n == 0 else "b"} for n in range(8)]
    Path("ann.jsonl").write_text("".join(json.dumps(one) + "\n" for one in verdicts), encoding="utf-8")
    evaluate(config_of("evaluate", EvaluateConfig, ["study=s", "judgments=ann.jsonl"]))
    report = Path("multirun/s/evaluation")
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "training text tale-7 (stories), 100 % shared" in page
    assert page.count("&lt;b&gt;雪落在旧城墙上&lt;/b&gt;") > 2  # both texts, escaped
    assert "<b>雪" not in page
    memorisation = pl.read_parquet(report / "memorisation.parquet").filter(arm="cw").row(0, named=True)
    assert (memorisation["near_copies"], memorisation["copied"], memorisation["floor"]) == (1, 0.125, 0)
    without = pl.read_parquet(report / "win_rates_uncopied.parquet").filter(arm="cw").row(0, named=True)
    assert (without["rate"], without["rate_without"], without["verdicts_without"]) == (0.125, 0, 7)
