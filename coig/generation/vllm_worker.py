"""Generate token ids with vLLM, as a process that reads and writes lines of JSON.

It runs in the interpreter of `engine.python`, and so imports vLLM and the standard library only:

    python -I vllm_worker.py facts       # writes vLLM's version and the number of GPUs
    python -I vllm_worker.py generate    # reads the arguments of vllm.LLM in the first line, then requests

`-I` keeps this folder, which has a vllm.py of its own, out of the import path.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

GRACE = 10  # seconds from the end of the input to the end of the process
Reply = Callable[..., None]  # writes its keyword arguments as a line


def main() -> None:
    """Run the task that the command line names, with vLLM's own output sent to standard error.

    If the task fails, write `{failed}` as the last line and exit with 1.
    """
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # vLLM logs to standard output, too

    def reply(**message: Any) -> None:
        """Write the arguments as a line of JSON to the process's original standard output."""
        print(json.dumps(message), file=lines, flush=True)

    try:
        {"facts": tell_facts, "generate": generate}[sys.argv[1]](reply)
    except Exception as error:  # vLLM raises all kinds, and the command must hear of each
        traceback.print_exc()
        reply(failed=f"{type(error).__name__}: {error}")
        sys.exit(1)


def tell_facts(reply: Reply) -> None:
    """Write vLLM's version, the number of devices, and the environment variable that selects among them."""
    from vllm import __version__
    from vllm.platforms import current_platform

    variable = current_platform.device_control_env_var
    reply(version=__version__, devices=current_platform.device_count(), variable=variable)


def generate(reply: Reply) -> None:
    """Load a model and write its `positions`; then reply to each request as soon as its token ids are complete.

    Returns when the input ends.

    A request is `{id, prompt, sampling, adapter}`: token ids, arguments of SamplingParams, and the folder of a LoRA
    adapter or null. Its reply is `{id, ids}`, or `{id, refused}`.
    """
    inbox: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=listen, args=(inbox,), daemon=True).start()
    settings = inbox.get()
    if settings is None:
        return
    from vllm import LLM

    engine = LLM(**settings).llm_engine
    reply(positions=engine.model_config.max_model_len)
    adapters: dict[str, Any] = {}
    while True:
        while not inbox.empty() or not engine.has_unfinished_requests():
            request = inbox.get()
            if request is None:
                return
            try:
                add(request, engine, adapters)
            except ValueError as error:
                reply(id=request["id"], refused=str(error))
        for output in engine.step():
            if output.finished:
                reply(id=int(output.request_id), ids=list(output.outputs[0].token_ids))


def add(request: dict[str, Any], engine: Any, adapters: dict[str, Any]) -> None:
    """Give a request to vLLM; add its adapter to `adapters`, folder → LoRARequest, if it is not there yet.

    Raises ValueError for a request that vLLM refuses.
    """
    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest
    from vllm.sampling_params import RequestOutputKind

    folder = request["adapter"]
    if folder and folder not in adapters:
        adapters[folder] = LoRARequest(folder, len(adapters) + 1, folder)
    sampling = SamplingParams(**request["sampling"], output_kind=RequestOutputKind.FINAL_ONLY)
    prompt = {"prompt_token_ids": request["prompt"]}
    engine.add_request(str(request["id"]), prompt, sampling, lora_request=adapters.get(folder))


def listen(inbox: SimpleQueue[Any]) -> None:
    """Put each parsed line of the input into the inbox, and None at its end, when the command has ended or was killed.

    Then wait for GRACE seconds and kill this process, if it has not ended by itself, and those that vLLM started.
    """
    for line in sys.stdin:
        inbox.put(json.loads(line))
    inbox.put(None)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
