"""What each server of OpenAI's protocol calls the settings of sampling, and which of them it does not follow.

The protocol knows `temperature`, `top_p`, `max_tokens` and `seed`. Each server has names of its own for all else,
and ignores a name that it does not know without a word. The names below were read in the servers' sources of 2026: vLLM
(entrypoints/openai/completion/protocol.py), SGLang (srt/entrypoints/openai/protocol.py), llama.cpp
(tools/server/server-schema.cpp) and transformers (cli/serving/completion.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coig.config import Sampling

# settings that we lack, which a server would take from the model's own generation config
NONE = {"min_p": 0.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}


@dataclass(frozen=True)
class Server:
    """How a server is asked.

    Attributes:
        takes_ids: whether a prompt can be sent as token ids; else as text.
        owner: what it says of itself as `owned_by` in its list of models, if anything.
        version: where it tells its version: a path and the key of the reply.
        settings: returns what a request holds beyond the protocol's settings, from sampling, the number of the
            prompt's tokens and the end tokens.
        not_obeyed: returns the settings of sampling that it does not follow, each with the reason.
    """

    takes_ids: bool
    owner: str | None
    version: tuple[str, str] | None
    settings: Callable[[Sampling, int, Sequence[int]], dict[str, Any]]
    not_obeyed: Callable[[Sampling], tuple[str, ...]]


def _vllm(sampling: Sampling, prompt_tokens: int, ends: Sequence[int]) -> dict[str, Any]:
    return NONE | {
        "top_k": sampling.top_k or -1,
        "repetition_penalty": sampling.repetition_penalty,
        "stop_token_ids": list(ends),
        "skip_special_tokens": False,
    }


def _llama_cpp(sampling: Sampling, prompt_tokens: int, ends: Sequence[int]) -> dict[str, Any]:
    """Name the samplers in our order, for its own applies the temperature last and cuts off by min_p before."""
    return {
        "samplers": ["penalties", "temperature", "top_k", "top_p"],
        "top_k": sampling.top_k,
        "repeat_penalty": sampling.repetition_penalty,
        "repeat_last_n": prompt_tokens + sampling.max_new_tokens,  # all of them; its own is the last 64
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "dynatemp_range": 0.0,
        "mirostat": 0,
    }


def _transformers(sampling: Sampling, prompt_tokens: int, ends: Sequence[int]) -> dict[str, Any]:
    """Send a whole generation config: what it leaves open the model's own would fill in."""
    config = {
        "do_sample": bool(sampling.temperature),
        "top_k": sampling.top_k,
        "min_p": 0.0,
        "repetition_penalty": sampling.repetition_penalty,
        "eos_token_id": list(ends),
        "pad_token_id": ends[0],
    }
    return {"generation_config": json.dumps(config)}


def _only_the_protocol(sampling: Sampling, prompt_tokens: int, ends: Sequence[int]) -> dict[str, Any]:
    return {}


def _all_obeyed(sampling: Sampling) -> tuple[str, ...]:
    return ()


def _not_obeyed_by_sglang(sampling: Sampling) -> tuple[str, ...]:
    problems = []
    if sampling.temperature:  # https://github.com/sgl-project/sglang/issues/15481
        problems.append("seed: needs --enable-deterministic-inference, and /v1/completions may ignore it even so")
    if sampling.repetition_penalty != 1:
        problems.append("repetition_penalty: counts the tokens that were generated, not those of the prompt")
    return tuple(problems)


def _not_obeyed_by_transformers(sampling: Sampling) -> tuple[str, ...]:
    shared = "seed: the whole server has one, so requests that are under way at a time disturb each other"
    return (shared,) if sampling.temperature else ()


SERVERS = {
    "vllm": Server(True, "vllm", ("version", "version"), _vllm, _all_obeyed),
    "sglang": Server(True, "sglang", ("get_server_info", "version"), _vllm, _not_obeyed_by_sglang),
    "llama.cpp": Server(True, "llamacpp", ("props", "build_info"), _llama_cpp, _all_obeyed),
    "transformers": Server(False, None, None, _transformers, _not_obeyed_by_transformers),
    "other": Server(False, None, None, _only_the_protocol, _all_obeyed),  # what it obeys is tried
}
