"""An example as token ids, in segments that bear different loss weights."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]


class Segment(IntEnum):
    """A part of an encoded example."""

    PROMPT = 0
    REASONING = 1
    ANSWER = 2


@dataclass(frozen=True)
class Tokens:
    """An encoded example.

    ids: (T,) int32; the last one is the end token, which belongs to the answer.
    lengths: the numbers of tokens of prompt, reasoning and answer; their sum is T.
    """

    ids: Ids
    lengths: tuple[int, int, int]


@dataclass(frozen=True)
class Encoded:
    """One example as T tokens, in the segments prompt, reasoning and answer.

    input_ids: (T,) int32, a view of a memory-mapped file.
    lengths: the number of tokens in each segment; their sum is T.
    segment_weights: the loss weight of each segment.
    """

    id: str
    kind: str
    lang: str
    input_ids: Ids
    lengths: tuple[int, ...]
    segment_weights: tuple[float, ...]

    @property
    def segments(self) -> NDArray[np.int64]:
        """Return the `Segment` of each token as a number, (T,) int64."""
        return np.repeat(np.arange(len(Segment)), self.lengths)

    @property
    def weights(self) -> NDArray[np.float32]:
        """Return the loss weight of each token, (T,) float32; 0 means no loss."""
        return np.repeat(np.array(self.segment_weights, dtype=np.float32), self.lengths)
