"""Threads wait for each other by the machine's load, unless the user says how."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from coig.config.wait_policy import have_to_share
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("others", "threads", "cores", "shared"),
    [
        ([0, 0, 0], 2, 2, False),
        ([0, 3, 1], 2, 2, False),  # nobody runs all the time
        ([1, 3, 1], 2, 2, True),
        ([5, 5, 5], 1, 2, False),  # a single thread waits for none
        ([4, 4, 4], 4, 8, False),  # there is room for all
        ([5, 5, 5], 4, 8, True),
    ],
)
def test_threads_share_cores_where_other_programs_run_all_the_time(
    others: list[int], threads: int, cores: int, shared: bool
) -> None:
    assert have_to_share(others, threads, cores) is shared


# the policy is chosen before torch is imported, which this process has done
PROGRAM = """
import logging, os, sys
from pathlib import Path
from coig.config import wait_policy
logging.basicConfig(format="%(message)s", level="INFO")
wait_policy.RUNNING = Path(sys.argv[1])
before = dict(os.environ)
wait_policy.follow_load()
print("followed", file=sys.stderr)
wait_policy.tell_policy()
wait_policy.tell_policy()
print({name: value for name, value in os.environ.items() if before.get(name) != value})
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="takes two cores")
@pytest.mark.parametrize(
    ("load", "variables", "changed"),
    [
        ("0.00 0.00 0.00 1/300 4711", {}, {}),  # a quiet machine: OpenMP's defaults
        ("9.00 9.00 9.00 1/300 4711", {}, {}),  # was busy until now
        ("0.00 0.00 0.00 99/300 4711", {}, {"OMP_WAIT_POLICY": "PASSIVE"}),
        ("0.00 0.00 0.00 99/300 4711", {"OMP_NUM_THREADS": "1"}, {}),
        ("0.00 0.00 0.00 99/300 4711", {"OMP_WAIT_POLICY": "ACTIVE"}, {}),
        ("0.00 0.00 0.00 99/300 4711", {"GOMP_SPINCOUNT": "3000"}, {}),
    ],
)
def test_a_quiet_machine_and_the_user_s_settings_are_left_alone(
    load: str, variables: dict[str, str], changed: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "loadavg").write_text(load)
    without = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "loadavg")],
        env=without | variables | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"{changed}\n"
    said = "other programs keep the cores busy: threads sleep while they wait for each other (same results)\n"
    assert run.stderr == "followed\n" + said * len(changed)
