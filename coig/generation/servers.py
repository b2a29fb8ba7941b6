"""For each server of OpenAI's protocol: its names of the sampling settings, and the settings that it ignores.

The protocol defines `temperature`, `top_p`, `max_tokens` and `seed`. Each server names other settings differently, and
ignores unknown names silently. The names below were read in the servers' sources of 2026: vLLM
(entrypoints/openai/completion/protocol.py), SGLang (srt/entrypoints/openai/protocol.py), llama.cpp
(tools/server/server-schema.cpp) and transformers (cli/serving/completion.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coig.config import Sampling

# settings without a key in `sampling`; a server would take them from the model's generation config
SWITCHED_OFF = {"min_p": 0.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}


@dataclass(frozen=True)
class ServerKind:
    """A kind of server, and how to send requests to it.

    Attributes:
        takes_ids: whether prompts are sent as token ids; otherwise as text.
        concurrency: most requests in flight at a time.
        owner: the value of `owned_by` in its list of models that identifies this kind; None: unknown.
        version: the path that reports the version, and the key in its reply.
        settings: maps (sampling, number of prompt tokens, ids of end tokens) to a request's settings beyond the
            protocol's.
        not_obeyed: maps sampling to the settings that the server ignores, each with the reason.
    """

    takes_ids: bool
    concurrency: int
    owner: str | None
    version: tuple[str, str] | None
    settings: Callable[[Sampling, int, Sequence[int]], dict[str, Any]]
    not_obeyed: Callable[[Sampling], tuple[str, ...]]


def _name_for_vllm(sampling: Sampling, _prompt_tokens: int, ends: Sequence[int]) -> dict[str, Any]:
    """Return a request's settings beyond the protocol's under vLLM's names, which SGLang shares."""
    return SWITCHED_OFF | {
        "top_k": sampling.top_k or -1,
        "repetition_penalty": sampling.repetition_penalty,
        "stop_token_ids": list(ends),
        "skip_special_tokens": False,
        "return_token_ids": True,  # vLLM since 0.10.2, SGLang since July 2026
    }


def _name_for_llama_cpp(sampling: Sampling, prompt_tokens: int, _ends: Sequence[int]) -> dict[str, Any]:
    """Return a request's settings beyond the protocol's under llama.cpp's names, with the order of its samplers.

    llama.cpp's own order would apply the temperature last. Sends no end tokens.
    """
    return {
        "samplers": ["penalties", "temperature", "top_k", "top_p"],
        "top_k": sampling.top_k,
        "repeat_penalty": sampling.repetition_penalty,
        "repeat_last_n": prompt_tokens + sampling.max_new_tokens,  # penalize all tokens; the default is the last 64
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "dynatemp_range": 0.0,
        "mirostat": 0,
    }


def _name_for_transformers(sampling: Sampling, _prompt_tokens: int, ends: Sequence[int]) -> dict[str, Any]:
    """Return the key `generation_config`: as JSON, a request's settings beyond the protocol's.

    It names every such setting, since `transformers serve` takes missing ones from the model's generation config.
    """
    config = {
        "do_sample": bool(sampling.temperature),
        "top_k": sampling.top_k,
        "min_p": 0.0,
        "repetition_penalty": sampling.repetition_penalty,
        "eos_token_id": list(ends),
        "pad_token_id": ends[0],
    }
    return {"generation_config": json.dumps(config)}


def _name_nothing(_sampling: Sampling, _prompt_tokens: int, _ends: Sequence[int]) -> dict[str, Any]:
    """Return {}: no settings beyond the protocol's are sent."""
    return {}


def _all_obeyed(_sampling: Sampling) -> tuple[str, ...]:
    """Return (): the server ignores no setting."""
    return ()


def _not_obeyed_by_sglang(sampling: Sampling) -> tuple[str, ...]:
    """Return the settings in use that SGLang ignores or follows differently, each with the reason."""
    problems = []
    if sampling.temperature:  # https://github.com/sgl-project/sglang/issues/15481
        problems.append("seed: needs --enable-deterministic-inference, and /v1/completions may ignore it even so")
    if sampling.repetition_penalty != 1:
        problems.append("repetition_penalty: counts the tokens that were generated, not those of the prompt")
    return tuple(problems)


def _not_obeyed_by_transformers(sampling: Sampling) -> tuple[str, ...]:
    """Return that answers have no seeds of their own, if they are sampled; () if they are greedy."""
    shared = "seed: the whole server has one, so requests that are under way at a time disturb each other"
    return (shared,) if sampling.temperature else ()


ALL, FEW = 1000, 64  # requests in flight; servers that queue what they cannot batch get ALL, the client's own limit
SERVERS = {
    "vllm": ServerKind(True, ALL, "vllm", ("version", "version"), _name_for_vllm, _all_obeyed),
    "sglang": ServerKind(True, ALL, "sglang", ("get_server_info", "version"), _name_for_vllm, _not_obeyed_by_sglang),
    "llama.cpp": ServerKind(True, FEW, "llamacpp", ("props", "build_info"), _name_for_llama_cpp, _all_obeyed),
    "transformers": ServerKind(False, FEW, None, None, _name_for_transformers, _not_obeyed_by_transformers),
    "other": ServerKind(False, FEW, None, None, _name_nothing, _all_obeyed),  # OpenAIEngine tests its settings
}
