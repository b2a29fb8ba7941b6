"""Start `vllm_worker.py` in another interpreter, a process for each GPU or group of GPUs, and share requests out."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from coig.errors import ConfigError

WORKER = Path(__file__).with_name("vllm_worker.py")
OLDEST = (0, 24)  # the first vLLM on transformers 5, which wrote the exports
PATIENCE = 600  # seconds for importing vLLM; a busy machine has taken 300
GRACE = 15  # seconds for a process to end by itself
ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # one process, which tells its errors in full
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # the worker has a thread, so it must not fork
    "VLLM_NO_USAGE_STATS": "1",
}
OUT_OF_MEMORY = re.compile(
    r"out of memory|memory for the cache blocks|GPU memory|KV cache|allocate memory", re.IGNORECASE
)


@dataclass(frozen=True)
class Interpreter:
    """A Python that can import vLLM.

    devices: how many GPUs vLLM sees; 1 for a CPU.
    variable: the environment variable that selects among them.
    """

    python: str
    version: str
    devices: int
    variable: str

    def group_devices(self, size: int) -> list[str]:
        """Divide the devices that the environment's `variable` names, or all, into groups of `size`; drop a remainder.

        Returns each group as a value of `variable`, such as "0,1". Raises ConfigError for fewer than `size` devices.
        """
        chosen = os.environ.get(self.variable)
        names = chosen.split(",") if chosen else [str(number) for number in range(self.devices)]
        if len(names) < size:
            raise ConfigError(
                f"engine.tensor_parallel_size={size}: vLLM sees {len(names)} GPUs here"
                + (f" ({self.variable}={chosen})" if chosen else "")
                + "; give that many or fewer"
            )
        return [",".join(names[first : first + size]) for first in range(0, len(names) - size + 1, size)]


def find_interpreter(python: str) -> Interpreter:
    """Run an interpreter to learn its vLLM's version and devices.

    Raises ConfigError if it cannot be run, has no vLLM or one before OLDEST, or sees no GPU.
    """
    remedy = "name the python of an environment with vLLM (docs/generation.md), engine.python=/path/to/venv/bin/python"
    at = f"engine.python={python}"
    try:
        run = subprocess.run(
            [python, "-I", str(WORKER), "facts"],
            env=os.environ | ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{at}: cannot be run ({error}); {remedy}") from None
    try:
        facts = json.loads(run.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        facts = {"failed": (run.stderr.strip().splitlines() or [f"it ended with {run.returncode}"])[-1]}
    if "failed" in facts:
        raise ConfigError(f"{at}: has no vLLM that works ({facts['failed']}); {remedy}")
    version, devices = str(facts["version"]), int(facts["devices"])
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise ConfigError(f"{at}: has vLLM {version}, and {needed} or later is needed; {remedy}")
    if not devices:
        raise ConfigError(f"{at}: vLLM {version} sees no GPU; {remedy}, or answer with engine=hf")
    return Interpreter(python, version, devices, str(facts["variable"]))


class Workers:
    """Processes with GPUs of their own that each hold the same model; they end with this object, or with this process.

    positions: the longest prompt and answer together that fit into the model and the memory, in tokens.

    Args:
        groups: for each process, the GPUs that it uses (see `Interpreter.group_devices`).
        settings: arguments of `vllm.LLM`.

    Raises ConfigError if loading fails.
    """

    def __init__(self, interpreter: Interpreter, groups: Sequence[str], settings: Mapping[str, Any]) -> None:
        self.settings, self.version = settings, interpreter.version
        self.inbox: queue.SimpleQueue[tuple[int, dict[str, Any] | None]] = queue.SimpleQueue()
        with tempfile.NamedTemporaryFile(prefix="coig-vllm-", suffix=".log", delete=False) as log:
            self.log = Path(log.name)
            self.processes = [_start(interpreter, devices, log) for devices in groups]
        self._finalizer = weakref.finalize(self, _stop, self.processes, self.log)
        for number, process in enumerate(self.processes):
            threading.Thread(target=_listen, args=(process, number, self.inbox), daemon=True).start()
            self._send(number, settings)
        self.positions = min(int(self._receive()["positions"]) for _ in self.processes)

    def stop(self) -> None:
        """End the processes and wait for their end, so that their memory is free."""
        self._finalizer()

    def replies(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Share the requests among the processes, and yield their replies as they come (see `vllm_worker.generate`).

        Raises ConfigError if a process fails.
        """
        for place, request in enumerate(requests):
            self._send(place % len(self.processes), request)
        for _ in requests:
            yield self._receive()

    def _send(self, number: int, message: Mapping[str, Any]) -> None:
        """Write a message to a process as a line of JSON; ignore that it has ended, which `_receive` reports."""
        stream = self.processes[number].stdin
        assert stream is not None
        with suppress(BrokenPipeError):
            stream.write(json.dumps(message) + "\n")
            stream.flush()

    def _receive(self) -> dict[str, Any]:
        """Wait for the next reply of any process and return it. Raises ConfigError if a process fails or has ended."""
        number, reply = self.inbox.get()
        if reply is None:
            code = self.processes[number].wait()
            raise self._failure(f"a process of it ended with {code}", no_memory=code == -signal.SIGKILL)
        if "failed" in reply:
            said = reply["failed"].splitlines()[0][:300]
            raise self._failure(said, no_memory=bool(OUT_OF_MEMORY.search(said)))
        return reply

    def _failure(self, said: str, no_memory: bool) -> ConfigError:
        """Return the error for a failed process; rename the processes' log so that `_stop` does not delete it.

        With `no_memory` the message says how to give vLLM other memory.
        """
        log = self.log.rename(self.log.with_suffix(".txt"))
        what = f"{self.settings['model']}: vLLM {self.version} failed ({said}); all that it wrote: {log}"
        if no_memory:
            share = self.settings["gpu_memory_utilization"]
            return ConfigError(
                f"{what}. It needs other memory: end what else runs there, or change "
                f"engine.gpu_memory_utilization={share}, or share the model among GPUs by engine.tensor_parallel_size"
            )
        return ConfigError(f"{what}. The same command asks what is left")


def _start(interpreter: Interpreter, devices: str, log: IO[bytes]) -> subprocess.Popen[str]:
    """Start a process on these devices that waits for `vllm.LLM`'s arguments; Ctrl-C does not reach its session."""
    return subprocess.Popen(
        [interpreter.python, "-I", str(WORKER), "generate"],
        env=os.environ | ENVIRONMENT | ({interpreter.variable: devices} if interpreter.devices > 1 else {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    )


def _listen(process: subprocess.Popen[str], number: int, inbox: queue.SimpleQueue[Any]) -> None:
    """Put (number, reply) into the inbox for each reply of a process, and (number, None) when its output ends."""
    assert process.stdout is not None
    for line in process.stdout:
        inbox.put((number, json.loads(line)))
    inbox.put((number, None))


def _stop(processes: Sequence[subprocess.Popen[str]], log: Path) -> None:
    """Close the processes' input, which ends them; kill those that still run after GRACE seconds; delete their log."""
    for process in processes:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # of a process that has ended
            process.stdin.close()
    for process in processes:
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    log.unlink(missing_ok=True)
