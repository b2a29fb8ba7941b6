"""How much of an answer vLLM returns at a time."""

from enum import Enum

RequestOutputKind = Enum("RequestOutputKind", ["FINAL_ONLY"])
