"""A LoRA adapter of vLLM."""

from dataclasses import dataclass


@dataclass
class LoRARequest:
    name: str
    number: int
    folder: str
