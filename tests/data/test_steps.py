from itertools import islice

import numpy as np
import pytest
import torch

from coig.data.steps import GROUPS, Step, StepLoader, Stepper
from coig.data.tokens import Encoded


def encoded(
    prompt: int, reasoning: int, answer: int, *weights: float, kind: str = "creative", name: str = "id"
) -> Encoded:
    ids = np.arange(1, prompt + reasoning + answer + 1, dtype=np.int32)
    return Encoded(name, kind, "zh", ids, (prompt, reasoning, answer), weights or (0.0, 1.0, 1.0))


def test_documents_lie_end_to_end() -> None:
    [batch] = Stepper(100).step([encoded(1, 0, 2), encoded(1, 0, 1)]).micro_batches
    assert batch.input_ids.tolist() == [1, 2, 3, 1, 2]
    assert batch.position_ids.tolist() == [0, 1, 2, 0, 1]
    assert batch.cu_seqlens.tolist() == [0, 3, 5]
    assert batch.max_seqlen == 3


def test_loss_is_on_the_successors_of_rows() -> None:
    [batch] = Stepper(100).step([encoded(2, 1, 1, 0.0, 0.5, 2.0), encoded(1, 0, 2, kind="general")]).micro_batches
    assert batch.rows.tolist() == [1, 2, 4, 5]
    assert batch.targets.tolist() == [3, 4, 2, 3]
    assert batch.weights.tolist() == [0.5, 2.0, 1.0, 1.0]
    assert [GROUPS[group] for group in batch.groups] == [
        "creative/zh/reasoning",
        "creative/zh/answer",
        "general/zh/answer",
        "general/zh/answer",
    ]


def test_a_documents_first_token_is_never_predicted() -> None:
    [batch] = Stepper(100).step([encoded(2, 0, 1, 1.0, 1.0, 1.0), encoded(0, 0, 2, 1.0, 1.0, 1.0)]).micro_batches
    assert batch.rows.tolist() == [0, 1, 3]


def test_a_step_knows_the_whole_of_it_on_every_rank() -> None:
    examples = [encoded(1, 2, n, 0.0, 0.5, 1.0, name=f"e{n}") for n in (1, 2, 3)]
    steps = [Stepper(10, rank=rank, ranks=2).step(examples) for rank in range(2)]
    for step in steps:
        assert step.total_weight == 3 * 2 * 0.5 + 6
        assert step.ids == ["e1", "e2", "e3"]
        assert step.lengths == [4, 5, 6]
        assert dict(zip(GROUPS, step.group_tokens, strict=True))["creative/zh/reasoning"] == 6
    assert sum(len(batch.rows) for step in steps for batch in step.micro_batches) == 12


def test_a_rank_without_an_example_computes_one_token_that_bears_no_loss() -> None:
    steps = [Stepper(10, rank=rank, ranks=2).step([encoded(1, 0, 3)]) for rank in range(2)]
    [busy], [idle] = sorted((step.micro_batches for step in steps), key=lambda batches: -len(batches[0].input_ids))
    assert (len(busy.input_ids), len(idle.input_ids), len(idle.rows)) == (4, 1, 0)
    assert {step.padding for step in steps} == {1}


def numbered(count: int) -> list[Encoded]:
    return [encoded(1, 0, 1, name=str(n)) for n in range(count)]


def order(steps: list[Step]) -> list[list[str]]:
    return [step.ids for step in steps]


def test_an_epoch_is_every_example_in_steps_of_the_batch_size() -> None:
    loader = StepLoader(numbered(70), 32, Stepper(1000), seed=0)
    ids = order(list(loader))
    assert [len(step) for step in ids] == [32, 32, 6]
    assert len(loader) == 3
    assert sorted(int(name) for step in ids for name in step) == list(range(70))


def test_epochs_differ_and_repeat_under_a_seed() -> None:
    def epochs(seed: int | None, first: int = 0) -> list[list[list[str]]]:
        loader = StepLoader(numbered(50), 8, Stepper(1000), seed, first)
        return [order(list(loader)) for _ in range(3)]

    assert epochs(0) == epochs(0)
    assert epochs(0)[0] != epochs(0)[1] != epochs(0)[2]
    assert epochs(0)[1:] == epochs(0, first=1)[:2]
    assert epochs(0) != epochs(1)
    assert epochs(None)[0] == epochs(None)[1]


@pytest.mark.parametrize("done", range(1, 15))
def test_a_resumed_loader_goes_on_where_the_other_was(done: int) -> None:
    killed, resumed, whole = (StepLoader(numbered(50), 8, Stepper(1000), seed=0) for _ in range(3))
    expected = [step for _ in range(4) for step in order(list(whole))]
    epochs, rest = divmod(done, 7)
    for _ in range(epochs):
        list(killed)
    list(islice(killed, rest))
    resumed.load_state_dict(killed.state_dict())
    assert [step for _ in range(2) for step in order(list(resumed))] == expected[done:][: 14 - rest]


def test_the_layout_of_a_step_leaves_its_examples_alone() -> None:
    examples = [encoded(1, 0, n) for n in (5, 50, 20, 20, 7)]
    small, large = (Stepper(budget).step(examples) for budget in (30, 1000))
    assert (len(small.micro_batches), len(large.micro_batches)) == (3, 1)
    assert small._replace(micro_batches=[]) == large._replace(micro_batches=[])
    assert sum(int(b.weights.sum()) for b in small.micro_batches) == int(torch.tensor(large.total_weight))
