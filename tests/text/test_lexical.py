"""Many texts are measured like one by one, in other processes that end with the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coig.text import lexical
from coig.text.lexical import measure_text, measure_texts
from tests.forked import PATIENCE

CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
needs_cores = pytest.mark.skipif(CORES == 1, reason="one core needs no other processes")
TEXTS = ["", "雨", "The rain, the rain.", "他在雨里走了很久，没有带伞。" * 30, "a b c d e f g " * 40]
MANY = """
import signal
from coig.text import lexical
lexical.WORTH_SHARING = 1
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    print("begun", flush=True)
    lexical.measure_texts(["他在雨里走了很久，没有带伞。" * 2000] * 600)
"""


@needs_cores
def test_other_processes_measure_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = measure_texts(TEXTS)
    assert alone == [measure_text(text) for text in TEXTS]
    assert [found["words"] for found in alone] == [0, 1, 4, 300, 280]
    monkeypatch.setattr(lexical, "WORTH_SHARING", 0)
    assert measure_texts(TEXTS) == alone


@needs_cores
@pytest.mark.skipif(sys.platform != "linux", reason="looks at the processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_its_processes_end_with_it(number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "many.py"
    script.write_text(MANY, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"begun\n"
        while len(others := [one for one in _group(process.pid) if one != process.pid]) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.kill()
        process.wait(PATIENCE)
        said = process.stderr.read().decode()
    end = time.monotonic() + PATIENCE
    while running := [one for one in others if _group_of(one) == process.pid]:
        assert time.monotonic() < end, f"still running: {running}"
        time.sleep(0.05)
    if number == signal.SIGINT:  # after a kill, a process that was still starting may complain
        assert said.count("Traceback") == 1  # of the script itself, not of its processes


def _group(group: int) -> list[int]:
    """The processes of a process group."""
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _group_of(int(folder.name)) == group]


def _group_of(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None
