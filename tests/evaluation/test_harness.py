"""lm-evaluation-harness on an exported arm, with a local task, and its result read; slow."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from coig.records.score import read_scores
from coig.study.arm import Arm

HARNESS = os.environ.get("COIG_LM_EVAL", "")
TASK = """
task: animals
dataset_path: json
dataset_kwargs:
  data_files: {file}
test_split: train
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list:
  - metric: acc
"""


@pytest.mark.slow
@pytest.mark.skipif(not HARNESS, reason="COIG_LM_EVAL names no lm_eval, the program of lm-evaluation-harness")
def test_the_harness_reads_an_exported_arm(arm: Arm, tmp_path: Path) -> None:
    asked = [("A cat is", 0), ("A dog is", 0), ("Red is", 1), ("Blue is", 1)]
    rows = [{"question": text, "choices": [" an animal", " a colour"], "answer": right} for text, right in asked]
    (tmp_path / "animals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "animals.yaml").write_text(TASK.format(file=tmp_path / "animals.jsonl"))
    arguments = ["--model_args", f"pretrained={arm.model}", "--tasks", "animals", "--include_path", str(tmp_path)]
    run = subprocess.run(
        [HARNESS, "run", "--model", "hf", "--device", "cpu", *arguments, "--output_path", str(tmp_path / "scores")],
        env=os.environ | {"HF_DATASETS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    [score] = read_scores((tmp_path / "scores").glob("**/results_*.json"), arm.study, [arm.name])
    assert (score.arm, score.task, score.metric, score.n, score.rises) == (arm.name, "animals", "acc", 4, True)
    assert score.value in (0, 0.25, 0.5, 0.75, 1)
