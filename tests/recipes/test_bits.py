"""Bits per character against values worked out by hand."""

import gzip
import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from recipes.sample.bits import gzip_bits, model_bits, unigram_bits


def test_unigram() -> None:
    shares = 3 / 6, 2 / 6, 1 / 6  # a twice, b once, c never, and each once more
    assert unigram_bits(["aa", "b"], ["ab", "c"]) == pytest.approx(-sum(map(math.log2, shares)) / 3)


def test_gzip_counts_characters_not_bytes() -> None:
    texts = ["却说", "那人"]
    assert gzip_bits(texts) == 8 * len(gzip.compress("却说\n那人".encode(), 9)) / 5


def test_a_model_that_knows_nothing_pays_for_every_token() -> None:
    def knows_nothing(input_ids: torch.Tensor) -> Any:
        return SimpleNamespace(logits=torch.zeros(*input_ids.shape, 16))

    knows_nothing.config = SimpleNamespace(vocab_size=16)  # type: ignore[attr-defined]
    assert model_bits(knows_nothing, [[1, 2, 3], [4, 5]], characters=10) == pytest.approx(5 * 4 / 10)
