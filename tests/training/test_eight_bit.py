"""Moments of 8 bits and gradients of 16 train as fp32 ones do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter
from transformers import Qwen2Config, Qwen2ForCausalLM

from coig.training.eight_bit import SplitAdamW8bit, add_at_random, dequantize, quantize
from coig.training.optimizers import SplitAdamW
from tests.training.test_optimizers import flat, random, train

STEPS = 200


def small_model() -> Any:
    heads = {"num_attention_heads": 4, "num_key_value_heads": 1}
    config = Qwen2Config(vocab_size=256, hidden_size=128, intermediate_size=256, num_hidden_layers=1, **heads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Qwen2ForCausalLM(config)


def chains(count: int) -> Tensor:
    """Sequences of 16 tokens, (count, 16), in which a token is followed by the same one three times out of four."""
    generator = torch.Generator().manual_seed(0)
    follower = torch.randperm(256, generator=generator)
    tokens = torch.randint(256, (count, 16), generator=generator)
    for place in range(1, 16):
        follows = torch.rand(count, generator=generator) < 0.75
        tokens[:, place] = torch.where(follows, follower[tokens[:, place - 1]], tokens[:, place])
    return tokens


def fit(model: Any, optimizer: Any) -> Tensor:
    """The losses of 200 steps on new sequences, in two micro-batches each, at a rate that falls to 0."""
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=STEPS)
    torch.manual_seed(0)
    losses = []
    for batch in chains(4 * STEPS).split(4):
        step = [model(input_ids=ids, labels=ids).loss / 2 for ids in batch.split(2)]
        for loss in step:
            torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(sum(step).detach())
    return torch.stack(losses)


@pytest.mark.parametrize("lr", [pytest.param(2e-5, marks=pytest.mark.slow), 1e-3])
def test_a_model_follows_adamws_trajectory(lr: float) -> None:
    ours, reference = small_model(), small_model()
    start = flat(reference.parameters()).clone()
    optimizer = SplitAdamW8bit(ours.parameters(), lr=lr)
    losses, expected = fit(ours, optimizer), fit(reference, torch.optim.AdamW(reference.parameters(), lr=lr))
    end, master = flat(reference.parameters()), flat(map(optimizer.master, ours.parameters()))
    assert torch.allclose(losses, expected, rtol=1e-2)
    assert float((master - end).norm() / (end - start).norm()) < 0.1


@pytest.mark.parametrize(("codes", "power"), [(torch.int8, 2), (torch.uint8, 4)])
@pytest.mark.parametrize("columns", [1, 100, 128, 300])  # a vector's, less than a block, a block, three with a rest
def test_rounding_is_unbiased_and_near(codes: torch.dtype, power: int, columns: int) -> None:
    values = random(3, columns) ** 3
    values = values if codes == torch.int8 else values.square()
    stored, scales = torch.empty_like(values, dtype=codes), torch.empty(3, -(-columns // 128))

    def rounded() -> Tensor:
        quantize(values, stored, scales, power)
        return dequantize(stored, scales, power)

    torch.manual_seed(0)
    samples = torch.stack([rounded() for _ in range(400)])
    assert float((samples[0] - values).norm() / values.norm()) < 0.02
    assert float((samples.mean(dim=0) - values).norm() / values.norm()) < 0.002
    largest = values.abs().argmax(dim=1, keepdim=True)
    assert torch.equal(samples[0].gather(1, largest), values.gather(1, largest))


def test_zeros_stay_zero() -> None:
    stored, scales = torch.ones(2, 5, dtype=torch.uint8), torch.ones(2, 1)
    quantize(torch.zeros(2, 5), stored, scales, 4)
    assert not dequantize(stored, scales, 4).any()


def test_a_small_v_beside_a_large_one_does_not_become_zero() -> None:
    """A v of 0 where m is not would make the update m / eps."""
    param = Parameter(torch.ones(1, 128))
    optimizer = SplitAdamW8bit([param], lr=1e-3, weight_decay=0.0)
    torch.manual_seed(0)
    for others in (1e-5, 0.0):  # at 1e-5 some of m are stored as more than 0, and some of v as less than its least code
        param.grad = torch.tensor([[1.0] + [others] * 127], dtype=torch.bfloat16)
        optimizer.step()
    assert float((optimizer.master(param) - 1).abs().max()) < 5e-3


def test_small_gradients_are_not_lost_in_large_ones() -> None:
    total = torch.ones(100_000, dtype=torch.bfloat16)
    torch.manual_seed(0)
    for _ in range(64):
        add_at_random(total, torch.full_like(total, 2.0**-10))  # the nearest bf16 would be 1 each time
    assert float(total.float().mean()) == pytest.approx(1 + 64 * 2.0**-10, abs=1e-3)


def test_a_backward_pass_adds_to_the_gradient_of_earlier_ones() -> None:
    param = Parameter(torch.ones(100, 1000))
    SplitAdamW8bit([param])
    torch.manual_seed(0)
    torch.autograd.backward(param.sum())
    assert param.grad is not None
    first = param.grad.data_ptr()
    for _ in range(64):
        torch.autograd.backward((param * 2.0**-10).sum())
    assert (param.grad.dtype, param.grad.data_ptr()) == (torch.bfloat16, first)
    assert float(param.grad.float().mean()) == pytest.approx(1 + 64 * 2.0**-10, abs=1e-3)


def test_a_parameter_takes_8_bytes_and_a_sixteenth() -> None:
    param = Parameter(random(10, 256))
    optimizer = SplitAdamW8bit([param])
    torch.autograd.backward((param * 1.0).sum())
    optimizer.step()
    tensors = {"weight": param, "gradient": param.grad, **optimizer.state[param]}
    sizes = {name: tensor.nbytes / 2560 for name, tensor in tensors.items() if isinstance(tensor, Tensor)}
    scales = {"exp_avg_scale": 1 / 32, "exp_avg_sq_scale": 1 / 32}
    assert sizes == {"weight": 2, "gradient": 2, "remainder": 2, "exp_avg": 1, "exp_avg_sq": 1, **scales}


@pytest.mark.parametrize(("saver", "loader"), [(SplitAdamW, SplitAdamW8bit), (SplitAdamW8bit, SplitAdamW)])
def test_the_state_of_the_other_optimizer_is_refused(saver: Any, loader: Any) -> None:
    param = Parameter(random(4, 4))
    optimizer = saver([param])
    train(optimizer, param, range(1))
    with pytest.raises(ValueError, match=f"not {loader.__name__}'s; resume with the optimizer that saved it"):
        loader([Parameter(random(4, 4))]).load_state_dict(optimizer.state_dict())
