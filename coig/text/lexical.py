"""Count the words of texts and measure their diversity, many texts on all cores."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker

from coig.text.diversity import measure_diversity, ttr_of_first
from coig.text.words import split_words

EQUAL_LENGTH = 100  # words at which TTR is compared
WORTH_SHARING = 1_500_000  # characters, which take one core about as long as other processes take to start
MOST_PROCESSES = 8  # each takes 150 MB

Measures = dict[str, float | None]


def measure_texts(texts: Sequence[str]) -> list[Measures]:
    """Return the measures of each text, as `measure_text` does, in the order of the texts.

    Above WORTH_SHARING characters in all, up to MOST_PROCESSES processes share the work.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    processes = min(cores, MOST_PROCESSES)
    if processes == 1 or sum(map(len, texts)) < WORTH_SHARING:
        return [measure_text(text) for text in texts]
    with _without_interrupts():
        pool = get_context("spawn").Pool(processes)
    with pool:
        return pool.map(measure_text, texts, chunksize=-(-len(texts) // (8 * processes)))


def measure_text(text: str) -> Measures:
    """Return a text's measures by name: `words`, their number, `ttr_100`, and all of `measure_diversity`.

    `ttr_100` is the TTR of the first EQUAL_LENGTH words, None for a shorter text.
    """
    tokens = split_words(text)
    return {"words": len(tokens), "ttr_100": ttr_of_first(tokens, EQUAL_LENGTH), **measure_diversity(tokens)}


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl-C inside a `with` block, and for ever in the processes that are started inside.

    Ctrl-C would make these processes print a traceback; their parent ends them instead.
    """
    resource_tracker.ensure_running()  # multiprocessing's own process, whose start would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
