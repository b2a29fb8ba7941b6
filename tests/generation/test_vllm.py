"""`engine=vllm` with a toy in the place of vLLM, and with real vLLM where COIG_VLLM_PYTHON names its interpreter."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from coig.config import GenerateConfig, Lora
from coig.config.command_line import config_of
from coig.data.tokenizer import load_tokenizer
from coig.errors import ConfigError
from coig.files.processes import start_of
from coig.generation import generate
from coig.generation.completion import Completion, Request
from coig.generation.hf import HuggingFaceEngine
from coig.generation.sampling import seed_of
from coig.generation.vllm import VLLMEngine
from coig.generation.vllm_workers import WORKER
from coig.models.adapters import add_adapters
from coig.models.export import export, make_generation_config
from coig.models.loading import load_model
from coig.records.query import Query
from coig.study.arm import Arm
from tests.conftest import ROOT
from tests.forked import PATIENCE
from tests.generation import toy
from tests.generation.asking import GREEDY, NUCLEUS, completions, requests

# an interpreter that has the toy as its vLLM
TOY = f"""#!/bin/sh
shift
exec {sys.executable} -I -c '
import runpy, sys
sys.path.insert(0, "{Path(toy.__file__).parent}")
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")' "$@"
"""


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "python"
    file.write_text(TOY)
    file.chmod(0o755)
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return file


def told(python: Path) -> list[list[str]]:
    """What the toy's processes did: their id, their GPUs, and the words of each act."""
    log = python.with_name("log")
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def engine(python: Path | str | None, **options: Any) -> VLLMEngine:
    given = {"tensor_parallel_size": 1, "gpu_memory_utilization": 0.9, "adapters": False} | options
    return VLLMEngine(str(python) if python else None, **given)


def is_running(process: str) -> bool:
    return start_of(int(process)) is not None


def answered(made: Any, arm: Arm, asked: list[Request], sampling: Any = GREEDY) -> dict[tuple[str, int], Completion]:
    made.load(arm, AutoTokenizer.from_pretrained(arm.model), sampling, 7)
    return completions(made, asked)


def adapted(arm: Arm, folder: Path, lora: Lora) -> Arm:
    """A copy of an arm that says that it was trained with adapters."""
    shutil.copytree(arm.folder, folder)
    made = Arm(folder)
    (folder / "adapter").mkdir()
    config = made.config()
    made.write_config(config.model_copy(update={"model": config.model.model_copy(update={"lora": lora})}))
    return made


LORA = Lora(rank=4, alpha=8, dropout=0, targets="all-linear")


def test_each_gpu_answers_its_share(arm: Arm, queries: list[Query], python: Path) -> None:
    asked = requests(arm, queries, samples=2)
    made = engine(python)
    answers = answered(made, arm, asked, NUCLEUS)
    tokenizer = AutoTokenizer.from_pretrained(arm.model)
    for request in asked:
        text = tokenizer.decode(request.prompt[:3])
        assert answers[request.query.id, request.sample] == Completion(text, 0, 3, "stop")
    assert made.version == "0.32.0"
    assert Counter(words[1] for words in told(python) if words[2] == "asks") == {"0": 16, "1": 16}
    assert {words[3] for words in told(python) if words[2] == "asks"} == {
        str(seed_of(7, request.query.id, request.sample)) for request in asked
    }
    assert [words[2:] for words in told(python) if words[2] == "loads"] == [["loads", "cw", "float32"]] * 2


def test_gpus_can_share_a_model(arm: Arm, queries: list[Query], python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(engine(python, tensor_parallel_size=2), arm, requests(arm, queries))
    assert {words[1] for words in told(python)} == {"0,1"}
    monkeypatch.setenv("TOY_DEVICES", "5,7")
    answered(engine(python), arm, requests(arm, queries))
    assert {words[1] for words in told(python)} == {"0,1", "5", "7"}
    with pytest.raises(ConfigError, match=r"tensor_parallel_size=3: vLLM sees 2 GPUs here \(TOY_DEVICES=5,7\)"):
        answered(engine(python, tensor_parallel_size=3), arm, [])


def test_lora_arms_share_a_loaded_base(
    arm: Arm, queries: list[Query], python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_GPUS", "1")
    asked = requests(arm, queries[:1])
    arms = [adapted(arm, tmp_path / "multirun" / "s" / name, LORA) for name in ("one", "two")]
    made = engine(python, adapters=True)
    versions = []
    for each in (*arms, arm):
        answered(made, each, asked)
        versions.append(made.version)
    assert versions == ["0.32.0, adapter on its base", "0.32.0, adapter on its base", "0.32.0"]
    acts = [words[2:3] + words[3 + (words[2] == "asks") :][:1] for words in told(python)]
    assert acts == [["loads", "sample"], ["asks", "one"], ["asks", "two"], ["loads", "cw"], ["asks", "None"]]
    assert not is_running(told(python)[0][0])  # its memory is free
    assert is_running(told(python)[-1][0])
    answered(engine(python), arms[0], asked)
    assert [words[3] for words in told(python) if words[2] == "loads"] == ["sample", "cw", "one"]


def test_a_request_that_cannot_be_answered_leaves_the_others(arm: Arm, queries: list[Query], python: Path) -> None:
    long = Query(id="long", lang="en", genre="problem", query="word " * 500)
    [good, bad] = requests(arm, [queries[0], long])
    short = Request(queries[1], 0, [5, 6])
    answers = answered(engine(python), arm, [good, bad, short])
    assert answers[queries[0].id, 0].error is None
    assert "exceed the 512 positions" in str(answers["long", 0].error)
    assert answers[queries[1].id, 0].error == "too short a prompt"


@pytest.mark.parametrize(
    ("options", "toy_is", "message"),
    [
        ({"python": "/no/python"}, {}, r"engine.python=/no/python: cannot be run .*; name the python of an environ"),
        ({"python": None}, {}, r"has no vLLM that works \(ModuleNotFoundError: No module named 'vllm'\)"),
        ({"python": "/bin/echo"}, {}, r"engine.python=/bin/echo: has no vLLM that works \(it ended with 0\)"),
        ({}, {"TOY_VERSION": "0.11.2"}, "has vLLM 0.11.2, and 0.24 or later is needed"),
        ({}, {"TOY_GPUS": "0"}, "vLLM 0.32.0 sees no GPU; .* engine=hf"),
        ({"gpu_memory_utilization": 0.05}, {}, r"failed \(ValueError: No available memory .*_utilization=0.05, or"),
        ({"gpu_memory_utilization": 0.15}, {}, r"failed \(a process of it ended with -9\).*It needs other memory"),
        ({"gpu_memory_utilization": 0.25}, {}, r"failed \(RuntimeError: such a model is not supported\); all that"),
    ],
)
def test_what_is_wrong_is_one_message(
    arm: Arm,
    python: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    toy_is: dict[str, str],
    message: str,
) -> None:
    for name, value in toy_is.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message) as caught:
        answered(engine(**{"python": python} | options), arm, [])
    assert "\n" not in str(caught.value)


def test_what_vllm_wrote_is_kept_if_it_fails(arm: Arm, queries: list[Query], python: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        answered(engine(python, gpu_memory_utilization=0.25), arm, [])
    [kept] = python.parent.glob("coig-vllm-*")
    assert str(kept) in str(caught.value)
    assert "RuntimeError: such a model is not supported" in kept.read_text()
    kept.unlink()
    answered(engine(python), arm, requests(arm, queries[:1]))
    assert not list(python.parent.glob("coig-vllm-*"))


def test_a_process_ends_with_its_command(python: Path) -> None:
    worker = subprocess.Popen(
        [python, "-I", str(WORKER), "generate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert worker.stdin
    assert worker.stdout
    worker.stdin.write(b'{"model": "/s/cw/model", "dtype": "float32", "gpu_memory_utilization": 0.9}\n')
    worker.stdin.flush()
    assert worker.stdout.readline()  # it is ready; when its input ends, it has seconds to end
    worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0


REAL = os.environ.get("COIG_VLLM_PYTHON")
needs_vllm = pytest.mark.skipif(not REAL, reason="COIG_VLLM_PYTHON names no interpreter with vLLM")
ON_CPU = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "TORCH_COMPILE_DISABLE": "1"}


@pytest.fixture
def vllm_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ON_CPU.items():
        monkeypatch.setenv(name, value)


def trained_with_adapters(arm: Arm, folder: Path) -> Arm:
    """An arm whose adapters change what the base writes, exported merged and by themselves."""
    made = adapted(arm, folder, LORA)
    shutil.rmtree(made.model)
    shutil.rmtree(folder / "adapter")
    model = made.config().model
    lm, tokenizer = load_model(model, seed=0), load_tokenizer(model)
    add_adapters(lm, LORA)
    for weight in lm.parameters():
        weight.data += 0.02 * weight.requires_grad
    export(lm, lm.state_dict(), LORA, tokenizer, make_generation_config(lm, tokenizer, ()), made.model)
    return made


@pytest.mark.slow
@needs_vllm
@pytest.mark.usefixtures("vllm_on_cpu")
def test_real_vllm_writes_what_the_engine_in_process_writes(arm: Arm, queries: list[Query], tmp_path: Path) -> None:
    lora = trained_with_adapters(arm, tmp_path / "multirun" / "s" / "lora")
    asked = requests(arm, queries)
    made, local = engine(REAL, adapters=True), HuggingFaceEngine(None)
    expected = [answered(local, each, asked) for each in (arm, lora)]
    assert expected[0] != expected[1]
    assert [answered(made, each, asked) for each in (arm, lora)] == expected


@pytest.mark.parametrize("kind", ["toy", pytest.param("real", marks=[pytest.mark.slow, needs_vllm])])
@pytest.mark.usefixtures("vllm_on_cpu")
def test_a_killed_command_takes_its_processes_along_and_goes_on(
    arm: Arm, queries: list[Query], python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    here = Arm(tmp_path / "multirun" / "s" / "cw")
    shutil.copytree(arm.folder, here.folder)
    rows = [query.model_dump_json() + "\n" for query in queries]
    (tmp_path / "few.jsonl").write_text("".join(rows), encoding="utf-8")
    overrides = ["queries=few.jsonl", "engine=vllm", f"engine.python={REAL if kind == 'real' else python}"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOY_SECONDS", "0.3")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    run = subprocess.Popen([sys.executable, str(ROOT / "generate.py"), *overrides])
    file = here.generations("few")
    while not (file.exists() and file.read_bytes().count(b"\n") >= 2):
        assert run.poll() is None
        time.sleep(0.01)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert children
    end = time.monotonic() + PATIENCE
    while any(map(is_running, children)):  # until they notice it
        assert time.monotonic() < end
        time.sleep(0.01)
    before = file.read_bytes()
    assert 2 <= before.count(b"\n") < len(queries)
    monkeypatch.setenv("TOY_SECONDS", "0")
    generate(config_of("generate", GenerateConfig, overrides))
    assert file.read_bytes().startswith(before)
    assert sorted(answer.query_id for answer in here.answers("few")) == sorted(query.id for query in queries)
