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
    "annotation_traffic": (),
    "curation": (CORPUS,),
    "judging": (),
    "sweep": (),
    "faults": (),
    "checks": (),
}
# what the machine with a GPU lacks, or the benchmark for GPUs can do without
ABSENT = ("hydra", "omegaconf", "pydantic", "polars", "lightning", "peft", "wandb")


def run_python(*arguments: str, folder: Path) -> str:
    """Run Python from the repository's root, with temporary files in a folder; return what it prints."""
    environment = outside() | {"TMPDIR": str(folder)}
    command = [sys.executable, *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.slow
def test_the_benchmark_for_gpus_fits_them_and_needs_torch_and_transformers_only(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        f"sys.modules |= dict.fromkeys({ABSENT})\n"  # importing them fails
        "sys.argv[1:] = ['--smallest']\n"
        "from benchmarks import gpu\n"
        "assert gpu.print_plan(gpu.plan())\n"
        "gpu.main()\n"
    )
    figures = json.loads(run_python("-c", program, folder=tmp_path).splitlines()[-1])
    compiled = {name for name, variant in gpu.VARIANTS.items() if variant.compiled}
    assert figures["outcomes"].keys() == gpu.VARIANTS.keys() - compiled
    assert figures["does_not_run_here"] == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
def test_the_smallest_run_of_a_benchmark_ends_with_its_figures(name: str, tmp_path: Path) -> None:
    if absent := [path for path in INPUTS[name] if not (ROOT / path).is_dir()]:
        pytest.skip(f"the benchmark needs {absent[0]} beside the repository")
    figures = json.loads(run_python("-m", f"benchmarks.{name}", "--smallest", folder=tmp_path).splitlines()[-1])
    assert isinstance(figures, dict)
    assert figures
