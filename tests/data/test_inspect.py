"""What `python -m coig.data.inspect` prints is what training sees."""

import json
import subprocess
import sys
from typing import Any

import pytest

from coig.data.inspect import main
from coig.errors import ConfigError
from tests.forked import ROOT, Forked, outside


def inspect(*arguments: str, columns: int = 100) -> "subprocess.CompletedProcess[str]":
    return Forked("coig/data/inspect.py", arguments, ROOT, outside() | {"COLUMNS": str(columns)}).wait()


def test_one_json_object_per_example(tokenizer: Any) -> None:
    run = inspect("data.ratio=0", "format=json")
    assert run.returncode == 0, run.stderr
    examples = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(examples) == 51
    for example in examples:
        assert list(example) == ["id", "input_ids", "labels", "segments", "text"]
        assert len(example["input_ids"]) == len(example["labels"]) == len(example["segments"])
        target = [label for label in example["labels"] if label != -100]
        text = tokenizer.decode(target)
        assert text.startswith("<think>\n")
        assert text.endswith("<|im_end|>")
        assert example["text"].endswith(text)
        assert [s > 0 for s in example["segments"]] == [label != -100 for label in example["labels"]]


@pytest.mark.parametrize("columns", [50, 100])
def test_the_table_and_its_examples(columns: int) -> None:
    run = inspect("data.ratio=1k", "supervision=outcome", columns=columns)
    assert run.returncode == 0, run.stderr
    assert "cw+1k-outcome, supervision outcome" in run.stdout
    rows = [line.split() for line in run.stdout.splitlines()]
    assert ["general_en", "general", "en", "31"] in [row[:4] for row in rows]
    assert run.stdout.count("tokens)") == 6  # two of each (kind, lang)
    assert "<think>" not in run.stdout


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("format=xml", "format=xml: choose from table, json"),
        ("dta=x", "dta: unknown key; did you mean 'data'"),
        ("data.ratio=0,1k", "data.ratio"),
        ("--help", "--help: no such option; give overrides"),
    ],
)
def test_bad_input(argument: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        main([argument])


def test_a_reader_that_stops_early_is_no_error() -> None:
    run = subprocess.run(
        f"{sys.executable} -m coig.data.inspect data.ratio=10k format=json | head -1 | cut -c1-6",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (run.stdout, run.stderr) == ('{"id":\n', "")
