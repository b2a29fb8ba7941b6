"""The chunked loss is F.cross_entropy, in value and gradient."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from coig.models.loss import linear_nll

ROWS, WIDTH, VOCABULARY = 50, 16, 300


def inputs(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(ROWS, WIDTH, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(VOCABULARY, WIDTH, generator=generator).to(dtype).requires_grad_()
    targets = torch.randint(0, VOCABULARY, (ROWS,), generator=generator)
    return hidden, weight, targets, torch.rand(ROWS, generator=generator)


def library(hidden: Tensor, weight: Tensor, targets: Tensor, row_weights: Tensor) -> tuple[Tensor, Tensor]:
    nll = cross_entropy(hidden.float() @ weight.float().T, targets, reduction="none")
    return (nll * row_weights).sum(), nll.detach()


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.detach().float() - theirs.detach().float()).norm() / theirs.detach().float().norm())


@pytest.mark.parametrize("chunk_rows", [1, 7, 50, 4096])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_value_and_gradients_are_the_librarys(chunk_rows: int, dtype: torch.dtype, tolerance: float) -> None:
    hidden, weight, targets, row_weights = inputs(dtype)
    ours, nll = linear_nll(hidden, weight, targets, row_weights, chunk_rows)
    theirs, expected_nll = library(hidden, weight, targets, row_weights)
    assert relative(ours, theirs) <= tolerance
    assert relative(nll, expected_nll) <= tolerance
    ours_gradients = torch.autograd.grad(3 * ours, (hidden, weight))
    for gradient, expected in zip(ours_gradients, torch.autograd.grad(3 * theirs, (hidden, weight)), strict=True):
        assert relative(gradient, expected) <= tolerance


def test_autocast_computes_in_bf16_and_sums_in_fp32() -> None:
    hidden, weight, targets, row_weights = inputs()
    with torch.autocast("cpu", torch.bfloat16):
        ours, _ = linear_nll(hidden, weight, targets, row_weights, 7)
    torch.autograd.backward(ours)
    theirs, _ = library(hidden, weight, targets, row_weights)
    assert 1e-6 < relative(ours, theirs) <= 1e-2
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32


def test_no_supervised_row_is_a_connected_zero() -> None:
    hidden, weight, targets, row_weights = inputs()
    loss, nll = linear_nll(hidden[:0], weight, targets[:0], row_weights[:0])
    torch.autograd.backward(loss)
    assert (float(loss.detach()), len(nll)) == (0.0, 0)
    assert hidden.grad is not None
    assert weight.grad is not None
    assert not hidden.grad.any()
    assert not weight.grad.any()


def test_a_frozen_head_gets_no_gradient() -> None:
    hidden, weight, targets, row_weights = inputs()
    loss, _ = linear_nll(hidden, weight.detach(), targets, row_weights)
    torch.autograd.backward(loss)
    assert hidden.grad is not None


def test_an_impossible_target_has_a_finite_loss() -> None:
    hidden = torch.tensor([[200.0]])
    loss, _ = linear_nll(hidden, torch.tensor([[1.0], [-1.0]]), torch.tensor([1]), torch.ones(1))
    assert float(loss.detach()) == pytest.approx(400.0)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_only_the_logits_are_computed(mode: type[torch.no_grad]) -> None:
    hidden, weight, targets, row_weights = inputs()
    _, expected = linear_nll(hidden, weight, targets, row_weights, 7)
    with mode(), FlopCounterMode(display=False) as counter:
        loss, nll = linear_nll(hidden, weight, targets, row_weights, 7)
    assert not loss.requires_grad
    assert torch.equal(nll, expected)
    assert counter.get_total_flops() == 2 * ROWS * WIDTH * VOCABULARY
