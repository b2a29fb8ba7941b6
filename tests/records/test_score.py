"""Result files of lm-evaluation-harness and lighteval: read whole, or refused with one message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coig.errors import DataError
from coig.records.score import Score, read_scores

ARMS = ("cw", "cw+1k")
HARNESS: dict[str, Any] = {
    "results": {
        "ifeval": {
            **{"alias": "ifeval", "prompt_level_strict_acc,none": 0.4, "prompt_level_strict_acc_stderr,none": 0.02},
            **{"inst_level_strict_acc,none": 0.5, "inst_level_strict_acc_stderr,none": "N/A"},
        },
        "mmlu": {"acc,none": 0.5, "acc_stderr,none": 0.01, "alias": "mmlu"},
        "mmlu_law": {"acc,none": 0.25, "acc_stderr,none": 0.05, "alias": " - law"},
        "gsm8k": {"exact_match,strict-match": 0.1, "exact_match_stderr,strict-match": 0.03, "alias": "gsm8k"},
    },
    "group_subtasks": {"mmlu": ["mmlu_law"], "mmlu_law": []},
    "higher_is_better": {"ifeval": {"prompt_level_strict_acc": True}, "gsm8k": {"exact_match": True}},
    "n-samples": {name: {"original": 541, "effective": 541} for name in ("ifeval", "mmlu_law", "gsm8k")},
    "config": {"model": "hf", "model_args": "pretrained=/data/multirun/s/cw/model,dtype=bfloat16"},
}
LIGHTEVAL: dict[str, Any] = {
    "config_general": {"model_name": "multirun/s/cw+1k/model"},
    "results": {
        "lighteval|gsm8k|0": {"extractive_match": 0.2, "extractive_match_stderr": 0.05},
        "all": {"extractive_match": 0.2, "extractive_match_stderr": 0.05},
    },
    "config_tasks": {"lighteval|gsm8k": {"effective_num_docs": 64}},
}


def written(folder: Path, *contents: Any) -> list[Path]:
    files = [folder / f"results_{number}.json" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_text(json.dumps(content), encoding="utf-8")
    return files


def changed(content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    kept = {key: value for key, value in content.items() if key not in changes}
    return kept | {key: value for key, value in changes.items() if value is not None}


def test_both_harnesses_are_read(tmp_path: Path) -> None:
    assert read_scores(written(tmp_path, HARNESS, LIGHTEVAL), "s", ARMS) == [
        Score(arm="cw", task="ifeval", metric="prompt_level_strict_acc", value=0.4, stderr=0.02, n=541),
        Score(arm="cw", task="mmlu", metric="acc", value=0.5, stderr=0.01, n=541),
        Score(arm="cw", task="gsm8k", metric="exact_match,strict-match", value=0.1, stderr=0.03, n=541),
        Score(arm="cw+1k", task="lighteval|gsm8k|0", metric="extractive_match", value=0.2, stderr=0.05, n=64),
    ]
    as_adapter = {"model_args": {"pretrained": "base", "peft": "multirun/s/cw+1k/adapter"}}
    assert {one.arm for one in read_scores(written(tmp_path, changed(HARNESS, config=as_adapter)), "s", ARMS)} == {
        "cw+1k"
    }


def test_a_group_without_a_mean_of_its_own_is_left_out_and_its_members_are_read(tmp_path: Path) -> None:
    results = HARNESS["results"] | {"mmlu": {"alias": "mmlu"}}
    nested = changed(HARNESS, results=results, group_subtasks={"mmlu": ["mmlu_law", "mmlu"]})  # a group in itself
    assert {one.task for one in read_scores(written(tmp_path, nested), "s", ARMS)} == {"ifeval", "mmlu_law", "gsm8k"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(HARNESS, **{"n-samples": None}), "is of a version of lm-evaluation-harness or lighteval"),
        ({"results": {"gsm8k": 0.5}}, "is no result file of lm-evaluation-harness or lighteval"),
        ([1, 2], "is no result file"),
        (changed(LIGHTEVAL, results={"gsm8k|0": {"acc": 0.5}}), "task gsm8k|0 has no standard error"),
        (
            changed(HARNESS, results={"gsm8k": {"acc,none": 0.5, "acc_stderr,none": "N/A"}}),
            "task gsm8k has no standard error",
        ),
        (
            changed(LIGHTEVAL, config_general={"model_name": "multirun/s/cw+1/model"}),
            "no arm of this study; did you mean",
        ),
        (changed(LIGHTEVAL, config_general={"model_name": "Qwen/Qwen2.5-7B"}), "Qwen/Qwen2.5-7B, which is no arm"),
        (changed(LIGHTEVAL, results={"gsm8k|0": {"acc": True}}), "task gsm8k|0 has no standard error"),
        (changed(LIGHTEVAL, config_general={"model_name": "multirun/t/cw/model"}), "an arm of the study t, not s"),
        (
            changed(LIGHTEVAL, config_general={"model_name": "multirun/s/cw/points/step-00000006/model"}),
            "a point of an arm, and scores are shown of arms alone; leave it out",
        ),
        (changed(HARNESS, group_subtasks={"mmlu": 1}), "is damaged"),
        (changed(HARNESS, **{"n-samples": {"gsm8k": 3}}), "is damaged"),
    ],
)
def test_a_file_that_cannot_be_used_gets_one_message(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_scores(written(tmp_path, HARNESS, content), "s", ARMS)
    assert str(caught.value).startswith(str(tmp_path / "results_1.json: ")[:-1])
    assert message in str(caught.value)


def test_two_values_of_one_score_are_refused(tmp_path: Path) -> None:
    results = {"gsm8k": {"exact_match,strict-match": 0.3, "exact_match_stderr,strict-match": 0.1}}
    other = changed(HARNESS, results=results)
    with pytest.raises(DataError, match=r"results_1.json: gsm8k of cw is in .*results_0.json too, with another value"):
        read_scores(written(tmp_path, HARNESS, other), "s", ARMS)
    assert len(read_scores(written(tmp_path, HARNESS, HARNESS), "s", ARMS)) == 3
    (tmp_path / "results_0.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"results_0.json: cannot be read as JSON"):
        read_scores([tmp_path / "results_0.json"], "s", ARMS)
