"""Distribute the documents of an optimizer step over micro-batches and ranks.

The layout affects speed and memory only, as the loss is normalised over the whole step. It depends on the documents'
lengths alone, so every rank computes the same layout without communication.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class _Bin:
    """A micro-batch that is being filled: its documents' numbers, their tokens and their cost."""

    members: list[int] = field(default_factory=list)
    tokens: int = 0
    cost: float = 0.0

    def add(self, member: int, tokens: int, cost: float) -> None:
        """Add the document number `member`, and its tokens and cost to the sums."""
        self.members.append(member)
        self.tokens += tokens
        self.cost += cost


def pack_documents(
    lengths: Sequence[int], token_budget: int, ranks: int = 1, attention_cost: float = 0.0
) -> list[list[list[int]]]:
    """Assign documents to micro-batches and ranks; return their numbers as `[rank][micro-batch][document]`.

    No micro-batch exceeds `token_budget`, except that a longer document is alone in one. All ranks get equally many
    micro-batches, as few as the filling finds; some are empty if documents are too few. Micro-batches are balanced by
    their cost, Σ tokens + `attention_cost` · Σ tokens².

    Args:
        lengths: tokens of each document.
        token_budget: most tokens in a micro-batch.
        attention_cost: cost of a squared token in tokens, as attention grows with a document's length squared.
    """
    costs = [length + attention_cost * length**2 for length in lengths]
    longest_first = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    least = sum(min(length, token_budget) for length in lengths) / (token_budget * ranks)
    count = ranks * max(1, math.ceil(least))
    while (bins := _fill(longest_first, lengths, costs, token_budget, count)) is None:
        count += ranks
    bins.sort(key=lambda bin: -bin.cost)
    shares: list[list[_Bin]] = [[] for _ in range(ranks)]
    # ranks that exchange weights wait for each other in every micro-batch: run those of similar cost together
    for first in range(0, count, ranks):
        lightest_first = sorted(shares, key=lambda share: sum(bin.cost for bin in share))
        for share, bin in zip(lightest_first, bins[first : first + ranks], strict=True):
            share.append(bin)
    return [[sorted(bin.members) for bin in share] for share in shares]


def _fill(
    order: list[int], lengths: Sequence[int], costs: list[float], token_budget: int, count: int
) -> list[_Bin] | None:
    """Put each document, in this order, into the cheapest of `count` bins with room; return the bins.

    An empty bin has room for any document. Return None if a document fits into no bin.
    """
    bins = [_Bin() for _ in range(count)]
    for number in order:
        roomy = [bin for bin in bins if not bin.members or bin.tokens + lengths[number] <= token_budget]
        if not roomy:
            return None
        min(roomy, key=lambda bin: bin.cost).add(number, lengths[number], costs[number])
    return bins
