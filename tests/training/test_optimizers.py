"""Weights in two halves train as fp32 weights do."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Shard, distribute_tensor
from torch.nn import Parameter
from transformers import Qwen2Config, Qwen2ForCausalLM

from coig.training import optimizers
from coig.training.eight_bit import SplitAdamW8bit
from coig.training.optimizers import SplitAdamW, join, split


def bits(tensor: Tensor) -> list[int]:
    return [int(value) for value in tensor.view(torch.int32)]


def halves(master: Tensor) -> tuple[Tensor, Tensor]:
    weight, remainder = torch.empty_like(master, dtype=torch.bfloat16), torch.empty_like(master, dtype=torch.int16)
    split(master.clone(), weight, remainder)
    return weight, remainder


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def train(optimizer: Any, param: Tensor, seeds: range) -> None:
    for seed in seeds:
        torch.manual_seed(seed)
        param.grad = random(*param.shape, seed=seed).to(param.grad_dtype or torch.float32)
        optimizer.step()


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1))
def test_every_number_comes_back_bit_for_bit(patterns: list[int]) -> None:
    master = torch.tensor(patterns, dtype=torch.int32).view(torch.float32)
    weight, remainder = halves(master)
    number = ~master.isnan()
    assert bits(join(weight, remainder)[number]) == bits(master[number])
    assert weight[~number].isnan().all()
    assert join(weight, remainder)[~number].isnan().all()


@pytest.mark.parametrize("upper", [0x0000, 0x0001, 0x3F80, 0x3F81, 0x7F7F])  # 0 and denormals, 1, odd, the largest
@pytest.mark.parametrize("sign", [0, -(2**31)])
def test_a_weight_is_the_nearest_bf16_with_any_lower_half(upper: int, sign: int) -> None:
    master = (torch.arange(2**16, dtype=torch.int32) + upper * 2**16 + sign).view(torch.float32)
    weight, remainder = halves(master)
    assert torch.equal(join(weight, remainder).view(torch.int32), master.view(torch.int32))
    no_tie = torch.arange(2**16) != 2**15
    assert torch.equal(weight[no_tie], master.bfloat16()[no_tie])


def test_what_is_not_finite_stays_so() -> None:
    weight, remainder = halves(torch.tensor([torch.inf, -torch.inf, torch.nan, 3.4e38]))
    assert [str(float(value)) for value in weight] == ["inf", "-inf", "nan", "inf"]
    assert [str(float(value)) for value in join(weight, remainder)[:3]] == ["inf", "-inf", "nan"]
    assert float(join(weight, remainder)[3]) == pytest.approx(3.4e38)


def test_updates_far_below_bf16s_resolution_add_up() -> None:
    def after_400_steps(param: Tensor, optimizer: Any) -> float:
        for _ in range(400):
            param.grad = torch.ones_like(param, dtype=param.grad_dtype)
            optimizer.step()
        return float(param.detach()[0])

    param = Parameter(torch.ones(1))
    optimizer = SplitAdamW([param], lr=2e-5, weight_decay=0.0)
    assert after_400_steps(param, optimizer) == 0.9921875  # the nearest bf16
    assert float(optimizer.master(param)[0]) == pytest.approx(0.992, abs=1e-4)
    rounded = Parameter(torch.ones(1, dtype=torch.bfloat16))
    assert after_400_steps(rounded, torch.optim.AdamW([rounded], lr=2e-5, weight_decay=0.0)) == 1.0


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_first_step_is_adamws(weight_decay: float) -> None:
    ours, reference = Parameter(random(100, 7)), Parameter(random(100, 7))
    optimizer = SplitAdamW([ours], lr=1e-3, weight_decay=weight_decay)
    train(optimizer, ours, range(1))
    train(torch.optim.AdamW([reference], lr=1e-3, weight_decay=weight_decay, fused=True), reference, range(1))
    assert torch.equal(optimizer.master(ours), reference)  # m is rounded only after it is used


def tiny_model() -> Any:
    heads = {"num_attention_heads": 5, "num_key_value_heads": 1}
    config = Qwen2Config(vocab_size=512, hidden_size=160, intermediate_size=448, num_hidden_layers=3, **heads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Qwen2ForCausalLM(config)


def fit(model: Any, optimizer: Any) -> Tensor:
    """The losses of 30 steps on the same batch, at a rate that falls to 0."""
    ids = torch.randint(512, (2, 16), generator=torch.Generator().manual_seed(0))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=30)
    losses = []
    for _ in range(30):
        loss = model(input_ids=ids, labels=ids).loss
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


@pytest.mark.parametrize("lr", [2e-5, 1e-3])
def test_a_model_follows_adamws_trajectory(lr: float) -> None:
    ours, reference = tiny_model(), tiny_model()
    start = flat(reference.parameters()).clone()
    optimizer = SplitAdamW(ours.parameters(), lr=lr)
    losses = fit(ours, optimizer)
    assert torch.allclose(losses, fit(reference, torch.optim.AdamW(reference.parameters(), lr=lr)), rtol=1e-2)
    end, master = flat(reference.parameters()), flat(map(optimizer.master, ours.parameters()))
    assert float((master - end).norm() / (end - start).norm()) < 0.05  # 0.9 with plain bf16 weights at 2e-5


def test_a_parameter_takes_14_bytes() -> None:
    param = Parameter(random(10, 10))
    optimizer = SplitAdamW([param])
    torch.autograd.backward((param * 1.0).sum())
    optimizer.step()
    tensors = {"weight": param, "gradient": param.grad, **optimizer.state[param]}
    sizes = {name: tensor.nbytes // 100 for name, tensor in tensors.items() if isinstance(tensor, Tensor)}
    assert sizes == {"weight": 2, "gradient": 4, "remainder": 2, "exp_avg": 2, "exp_avg_sq": 4}


def test_gradients_add_up_in_fp32() -> None:
    param = Parameter(torch.ones(1))
    SplitAdamW([param])
    for scale in (1.0, 2.0**-12):
        torch.autograd.backward(param * scale)
    assert param.grad is not None
    assert float(param.grad) == 1 + 2.0**-12


@pytest.mark.parametrize("kind", [SplitAdamW, SplitAdamW8bit])
def test_a_resumed_run_is_bit_equal_to_one_that_never_stopped(kind: type[SplitAdamW], tmp_path: Path) -> None:
    def fresh() -> tuple[Parameter, SplitAdamW]:
        param = Parameter(random(30, 7))
        return param, kind([param], lr=1e-3)

    whole, whole_optimizer = fresh()
    train(whole_optimizer, whole, range(6))
    first, first_optimizer = fresh()
    train(first_optimizer, first, range(3))
    torch.save({"weight": first.data, "optimizer": first_optimizer.state_dict()}, tmp_path / "checkpoint")
    resumed, resumed_optimizer = fresh()
    checkpoint = torch.load(tmp_path / "checkpoint")
    resumed.data.copy_(checkpoint["weight"])
    resumed_optimizer.load_state_dict(checkpoint["optimizer"])
    train(resumed_optimizer, resumed, range(3, 6))
    assert torch.equal(resumed_optimizer.master(resumed), whole_optimizer.master(whole))
    states = whole_optimizer.state[whole], resumed_optimizer.state[resumed]
    assert set(states[0]) >= kind.STATE
    assert all(torch.equal(states[0][name], states[1][name]) for name in kind.STATE - {"step"})
    assert states[1]["step"] == 6
    if kind is SplitAdamW:
        dtypes = {name: value.dtype for name, value in states[1].items() if isinstance(value, Tensor)}
        assert dtypes == {"remainder": torch.int16, "exp_avg": torch.bfloat16, "exp_avg_sq": torch.float32}


def test_the_state_of_another_optimizer_is_refused() -> None:
    param = Parameter(random(4))
    other = torch.optim.AdamW([param])
    train(other, param, range(1))
    with pytest.raises(ValueError, match="not SplitAdamW's"):
        SplitAdamW([Parameter(random(4))]).load_state_dict(other.state_dict())


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_result_does_not_depend_on_the_slices(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def master() -> Tensor:
        param = Parameter(random(9, 11))
        optimizer = SplitAdamW([param])
        train(optimizer, param, range(3))
        return optimizer.master(param)

    whole = master()
    monkeypatch.setattr(optimizers, "SLICE", size)
    assert torch.equal(master(), whole)


def test_groups_have_their_own_settings_and_no_gradient_is_no_update() -> None:
    fast, decayed, idle = (Parameter(torch.ones(3)) for _ in range(3))
    optimizer = SplitAdamW([{"params": [fast, idle], "lr": 1e-2}], lr=1e-3, weight_decay=0.0)
    optimizer.add_param_group({"params": [decayed], "weight_decay": 0.5})
    for param in (fast, decayed):
        param.grad = torch.ones(3)
    optimizer.step()
    after = [float(optimizer.master(param)[0]) for param in (fast, decayed, idle)]
    assert after == pytest.approx([1 - 1e-2, (1 - 1e-3 * 0.5) - 1e-3, 1.0])


def test_layout_of_weights_and_gradients_does_not_matter() -> None:
    transposed, plain = Parameter(random(5, 3).t()), Parameter(random(5, 3).t().contiguous())
    optimizer = SplitAdamW([transposed, plain])
    transposed.grad, plain.grad = random(5, 3, seed=1).t(), random(5, 3, seed=1).t().contiguous()
    optimizer.step()
    assert torch.equal(optimizer.master(transposed), optimizer.master(plain))
    plain.data = plain.data.t().contiguous().t()
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        optimizer.step()


def test_bf16_parameters_are_taken_as_they_are() -> None:
    param = Parameter(random(5).bfloat16())
    expected = param.detach().float()
    assert torch.equal(SplitAdamW([param]).master(param), expected)


def test_other_dtypes_and_parameters_sharded_by_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not torch\.float16; load the model in float32"):
        SplitAdamW([Parameter(torch.ones(2, dtype=torch.float16))])
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        sharded = Parameter(distribute_tensor(torch.ones(2, 2), DeviceMesh("cpu", [0]), [Shard(1)]))
        with pytest.raises(ValueError, match="sharded along their first dimension"):
            SplitAdamW([sharded])
    finally:
        torch.distributed.destroy_process_group()
