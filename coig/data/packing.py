"""Where the examples of one optimizer step go: micro-batches of whole documents, end to end, on one or many ranks.

The layout bears on speed and memory only: the loss is normalised over the whole step. It is made of lengths alone, so
every rank computes the same one and takes its share without asking the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class _Bin:
    """One forward pass to be."""

    members: list[int] = field(default_factory=list)
    tokens: int = 0
    cost: float = 0.0

    def add(self, member: int, tokens: int, cost: float) -> None:
        self.members.append(member)
        self.tokens += tokens
        self.cost += cost


def layout(
    lengths: Sequence[int], token_budget: int, ranks: int = 1, attention_cost: float = 0.0
) -> list[list[list[int]]]:
    """The documents of every micro-batch of every rank, by their number: `[rank][micro-batch][document]`.

    No micro-batch exceeds `token_budget`, but for a longer document, which gets one of its own. There are as few
    micro-batches as that allows and equally many per rank, some of them empty when documents are fewer; they are
    balanced by Σ tokens + `attention_cost` · Σ tokens², for attention grows with a document's square.
    """
    costs = [length + attention_cost * length**2 for length in lengths]
    longest_first = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    least = sum(min(length, token_budget) for length in lengths) / (token_budget * ranks)
    count = ranks * max(1, math.ceil(least))
    while (bins := _fill(longest_first, lengths, costs, token_budget, count)) is None:
        count += ranks
    bins.sort(key=lambda bin: -bin.cost)
    shares: list[list[_Bin]] = [[] for _ in range(ranks)]
    # micro-batches of like cost at the same time: ranks that exchange weights wait for one another in each
    for first in range(0, count, ranks):
        lightest_first = sorted(shares, key=lambda share: sum(bin.cost for bin in share))
        for share, bin in zip(lightest_first, bins[first : first + ranks], strict=True):
            share.append(bin)
    return [[sorted(bin.members) for bin in share] for share in shares]


def _fill(
    order: list[int], lengths: Sequence[int], costs: list[float], token_budget: int, count: int
) -> list[_Bin] | None:
    """Each document into the cheapest bin that has room; None if one finds no room in any."""
    bins = [_Bin() for _ in range(count)]
    for number in order:
        roomy = [bin for bin in bins if not bin.members or bin.tokens + lengths[number] <= token_budget]
        if not roomy:
            return None
        min(roomy, key=lambda bin: bin.cost).add(number, lengths[number], costs[number])
    return bins
