"""Count tokens and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from coig.text.language import HAN


@dataclass(frozen=True)
class Usage:
    """The numbers of tokens that a model has read (`prompt`) and written (`reply`)."""

    prompt: int = 0
    reply: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Return a new usage with the sums of both."""
        return Usage(self.prompt + other.prompt, self.reply + other.reply)


NO_USAGE = Usage()


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, in any currency; 0 is free."""

    prompt: float = 0.0
    reply: float = 0.0

    def cost(self, usage: Usage) -> float:
        """Return what these tokens cost, in the currency of the prices."""
        return (usage.prompt * self.prompt + usage.reply * self.reply) / 1e6


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has, for a tokenizer that is not known.

    Counts one for each Han character and one for four other characters, which is rather too many for today's models.
    """
    han = len(HAN.findall(text))
    return han + (len(text) - han + 3) // 4
