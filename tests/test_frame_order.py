"""Neither chance nor the number of threads decides what an evaluation writes.

Polars returns groups in a random order unless told to keep it, and sums floats in pieces, one for each thread.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_imports import FILES, PACKAGE

UNORDERED = {"group_by", "join", "unique"}


def find_unordered(source: str) -> list[int]:
    """Return the lines of polars calls that leave the order open; a sort right after `unique` settles it."""
    calls = [
        (call, call.func)
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    ]
    sorted_next = {method.value for _, method in calls if method.attr == "sort"}
    return sorted(
        call.lineno
        for call, method in calls
        if method.attr in UNORDERED
        and "maintain_order" not in {keyword.arg for keyword in call.keywords}
        and not (method.attr == "unique" and call in sorted_next)
        and not is_of_another_library(call, method)
    )


def is_of_another_library(call: ast.Call, method: ast.Attribute) -> bool:
    """Tell whether a call is `np.unique(…)` or a string's `join`, which has one argument."""
    of_numpy = isinstance(method.value, ast.Name) and method.value.id == "np"
    return of_numpy or (method.attr == "join" and len(call.args) == 1 and not call.keywords)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_every_frame_keeps_its_order(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    if "import polars" in source:
        assert find_unordered(source) == []


def test_what_leaves_the_order_open_is_found() -> None:
    assert find_unordered("a.group_by('x').agg(y)\nb.join(c, on='x')\nd.unique()\n', '.join(e)") == [1, 2, 3]
    assert find_unordered("a.group_by('x', maintain_order=True)\nd.unique().sort()\nnp.unique(e)") == []


MEANS = """
import polars as pl
from coig.evaluation.report.results import round_tables
values = [((place * 7919) % 1013) / 1013 for place in range(20_000)]
frame = pl.DataFrame({"group": [place % 5 for place in range(20_000)], "value": values})
means = frame.group_by("group", maintain_order=True).agg(pl.col("value").mean())
print(means.rows(), round_tables({"means": means})["means"].rows(), sep="\\n")
"""


def test_tables_do_not_depend_on_the_number_of_threads() -> None:
    exact, rounded = zip(*(means_with(threads) for threads in ("1", "3")), strict=True)
    assert exact[0] != exact[1]  # else rounding is not needed any more
    assert rounded[0] == rounded[1]


def means_with(threads: str) -> list[str]:
    """Return the means of five groups, as computed and as tables have them, from a process with so many threads."""
    env = os.environ | {"POLARS_MAX_THREADS": threads}
    run = subprocess.run([sys.executable, "-c", MEANS], env=env, cwd=ROOT, check=True, capture_output=True, text=True)
    return run.stdout.splitlines()
