"""Test which sampling settings an unknown server obeys, by comparing what it writes with and without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from coig.config import Sampling

TOKENS = 24  # length of a trial's answer
NAMED = ("top_k", "repetition_penalty")  # settings that the protocol has no name for
HOT = {"temperature": 2.0, "top_p": 1.0}  # at this temperature two answers hardly ever agree by chance

Write = Callable[[dict[str, Any]], str]  # settings → the text that the server writes with them


def try_settings(write: Write, sampling: Sampling, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of seed, top_k and repetition_penalty, if `sampling` uses them, the server ignores, and why.

    Args:
        write: asks the server to complete one fixed prompt with given settings.
        names: setting in NAMED → the server's name for it; a setting without a name is not sent.
    """
    is_used = {
        "top_k": bool(sampling.temperature and sampling.top_k),
        "repetition_penalty": sampling.repetition_penalty != 1,
    }
    unnamed = [key for key in NAMED if is_used[key] and key not in names]
    problems = [f"{key}: not sent, for engine.names gives no name for it" for key in unnamed]
    if sampling.temperature and _write(write, seed=1, **HOT) != _write(write, seed=1, **HOT):
        problems.append("seed: two answers with the same one differ")
    if is_used["top_k"] and (name := names.get("top_k")):
        likeliest = {name: 1} | HOT
        if _write(write, seed=1, **likeliest) != _write(write, seed=2, **likeliest):
            problems.append(f"top_k: sent as {name}, and {name}=1 does not give the likeliest tokens")
    if is_used["repetition_penalty"] and (name := names.get("repetition_penalty")):
        without, with_penalty = (_write(write, temperature=0, **{name: penalty}) for penalty in (1.0, 100.0))
        if without == with_penalty:
            problems.append(f"repetition_penalty: sent as {name}, and {name}=100 changes nothing")
    return tuple(problems)


def _write(write: Write, **settings: Any) -> str:
    """Return what the server writes with these settings, at most TOKENS tokens."""
    return write({"max_tokens": TOKENS} | settings)
