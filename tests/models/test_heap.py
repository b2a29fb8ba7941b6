"""Freed memory of a CPU's tensors is kept, unless the user has set malloc."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from tests.forked import PATIENCE, ROOT

# in a process of its own: malloc cannot be set back
PROGRAM = """
import resource
from coig.models.heap import keep_freed_memory
is_kept = keep_freed_memory()
import torch
def step():
    blocks = [torch.ones(2**24) for _ in range(3)]  # of 64 MB, more than malloc keeps by itself
for _ in range(10):
    step()  # until malloc takes the same blocks each time
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(is_kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
@pytest.mark.parametrize("variables", [{}, {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"}, {"MALLOC_ARENA_MAX": "2"}])
def test_freed_memory_is_kept_unless_the_user_has_set_malloc(variables: dict[str, str]) -> None:
    clean = {k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES" and not k.startswith("MALLOC_")}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=clean | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    is_kept, faults = ran.stdout.split()
    assert is_kept == str(not variables)
    pages = 5 * 3 * 2**24 * 4 // os.sysconf("SC_PAGE_SIZE")
    assert int(faults) < pages // 10 if is_kept == "True" else int(faults) > 100
