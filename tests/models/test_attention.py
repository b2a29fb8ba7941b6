"""Packed attention is each document's own attention."""

from typing import Any

import pytest
import torch
from torch import Tensor

from coig.models.attention import attention_path, packed_attention

LENGTHS = [5, 1, 9, 3]
STARTS = torch.tensor([0, 5, 6, 15, 18], dtype=torch.int32)


def reference(query: Tensor, key: Tensor, value: Tensor, scaling: float, window: int | None) -> Tensor:
    """Softmax over what a token may see, written out."""
    groups = query.shape[1] // key.shape[1]
    scores = query @ key.repeat_interleave(groups, 1).transpose(2, 3) * scaling
    document = torch.repeat_interleave(torch.arange(len(LENGTHS)), torch.tensor(LENGTHS))
    place = torch.arange(sum(LENGTHS))
    distance = place[:, None] - place
    seen = (document[:, None] == document) & (distance >= 0) & (distance < (window or 1000))
    probabilities = scores.masked_fill(~seen, -torch.inf).softmax(-1)
    return (probabilities @ value.repeat_interleave(groups, 1)).transpose(1, 2)


def tensors(heads: int, key_heads: int, device: str = "cpu", dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(1, count, sum(LENGTHS), 16) for count in (heads, key_heads, key_heads)]
    return [torch.randn(shape, generator=generator).to(device, dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize(("heads", "key_heads"), [(4, 4), (4, 2), (5, 1)])
@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("path", ["documents", "varlen", "flash"])
def test_no_token_sees_another_document(heads: int, key_heads: int, window: int | None, path: str) -> None:
    device, dtype, tolerance = ("cpu", torch.float32, 1e-5) if path == "documents" else ("cuda", torch.bfloat16, 2e-2)
    if path != "documents" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    if path == "flash":
        pytest.importorskip("flash_attn")
    packed, (query, key, value) = tensors(heads, key_heads, device, dtype), tensors(heads, key_heads)
    options: dict[str, Any] = {"scaling": 0.3, "sliding_window": window, "path": path}
    starts = STARTS.to(device)
    output, _ = packed_attention(torch.nn.Module(), *packed, cu_seq_lens_q=starts, max_length_q=9, **options)
    expected = reference(query, key, value, 0.3, window)
    assert torch.allclose(output.cpu().float(), expected, atol=tolerance)
    upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    torch.autograd.backward(output, upstream.to(device, dtype))
    torch.autograd.backward(expected, upstream)
    for ours, theirs in zip(packed, (query, key, value), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(ours.grad.cpu().float(), theirs.grad, atol=10 * tolerance)


def test_the_path_is_what_serves_device_and_dtype() -> None:
    assert attention_path(torch.device("cpu"), torch.bfloat16) == "documents"
    assert attention_path(torch.device("cuda"), torch.float32) == "documents"
    assert attention_path(torch.device("cuda"), torch.bfloat16) in ("varlen", "flash")
