"""Count a judge's calls, failures, tokens and costs, and show them on a progress bar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coig.judging.calls import Call
from coig.judging.cases import Opinion
from coig.llm.usage import NO_USAGE, Prices, Usage


@dataclass
class Tally:
    """Counts of this run: tokens and failures of all calls; calls, failures and unreadable replies by arm."""

    prices: Prices
    usage: Usage = NO_USAGE
    failures: int = 0
    first: str = ""  # the first failure, with its query's id
    calls: Counter[str] = field(default_factory=Counter)  # by arm
    failed: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)

    def add(self, call: Call, opinion: Opinion) -> None:
        """Count one opinion: its tokens and failure once, and the call, failure and unreadable replies for each arm."""
        self.usage += opinion.usage
        unreadable = opinion.attempts - 1
        if opinion.failure:
            self.failures += 1
            self.first = self.first or f"{call.query_id}: {opinion.failure}"
            unreadable += opinion.failure.startswith("unreadable")
        for arm in call.arms:
            self.calls[arm] += 1
            self.failed[arm] += bool(opinion.failure)
            self.unreadable[arm] += unreadable

    @property
    def spent(self) -> str:
        """Return tokens and cost as text that begins with a semicolon; "" if no tokens were used."""
        if self.usage == NO_USAGE:
            return ""
        cost = self.prices.cost(self.usage)
        tokens = f"; {self.usage.prompt:,} tokens read, {self.usage.reply:,} written"
        return tokens + (f", cost {cost:,.2f}" if cost else "")

    def by_arm(self) -> Iterator[str]:
        """Yield a line for each arm with failed calls or unreadable replies."""
        for arm, calls in self.calls.items():
            if self.failed[arm] or self.unreadable[arm]:
                failed, unreadable = self.failed[arm], self.unreadable[arm]
                yield f"{arm}: {failed} of {calls} calls failed; {unreadable} replies could not be read"


def show_progress(
    batches: Iterator[list[tuple[Call, Opinion]]], name: str, left: int, total: int, tally: Tally
) -> Iterator[list[tuple[Call, Opinion]]]:
    """Yield the batches unchanged, add them to `tally`, and show a progress bar with failures, tokens, cost and time.

    `left` of all `total` calls are still to be asked. A batch is counted when the next one is asked for.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}")
    with Progress(*columns, TimeRemainingColumn(elapsed_when_finished=True)) as progress:
        task = progress.add_task(name, total=total, completed=total - left, told="")
        for batch in batches:
            yield batch
            for call, opinion in batch:
                tally.add(call, opinion)
            failures = f"{tally.failures} failed" if tally.failures else ""
            progress.update(task, advance=len(batch), told=f"{failures}{tally.spent}".strip("; "))
