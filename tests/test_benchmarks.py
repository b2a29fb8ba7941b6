"""The benchmarks run without errors. Their figures are not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.measuring import CORPUS, TOKENIZER
from tests.conftest import outside
from tests.forked import PATIENCE, ROOT

INPUTS = {  # inputs of each benchmark that are not in the repository
    "data": (TOKENIZER, CORPUS),
    "training": (TOKENIZER, CORPUS),
    "generation": (),
    "evaluation": (CORPUS,),
    "annotation": (),
    "judging": (),
    "sweep": (),
    "gpu": (),
}


@pytest.mark.slow
def test_every_variant_for_a_gpu_fits_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.plan(), capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
def test_the_smallest_run_of_a_benchmark_ends_with_its_figures(name: str, tmp_path: Path) -> None:
    if absent := [path for path in INPUTS[name] if not (ROOT / path).is_dir()]:
        pytest.skip(f"the benchmark needs {absent[0]} beside the repository")
    run = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--smallest"],
        cwd=ROOT,
        env=outside() | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])
    assert isinstance(figures, dict)
    assert figures
