import numpy as np

from coig.data.batches import EpochPermutation, micro_batches
from coig.data.dataset import Encoded


def encoded(prompt: int, answer: int, *weights: float) -> Encoded:
    ids = np.arange(1, prompt + answer + 1, dtype=np.int32)
    return Encoded("id", "creative", "zh", ids, (prompt, 0, answer), weights or (0.0, 1.0, 1.0))


def test_every_token_once_and_no_micro_batch_over_the_budget() -> None:
    lengths = [3, 50, 7, 20, 20, 4, 90]
    batches = micro_batches([encoded(1, n - 1) for n in lengths], pad_id=0, token_budget=60)
    assert sum(int((batch.input_ids != 0).sum()) for batch in batches) == sum(lengths)
    assert [batch.input_ids.shape for batch in batches] == [(1, 90), (1, 50), (3, 20), (2, 4)]
    # the second 20 fills its micro-batch with the 7; the 90 is over the budget by itself


def test_padding_bears_no_loss() -> None:
    [batch] = micro_batches([encoded(1, 4), encoded(1, 1)], pad_id=0, token_budget=100)
    assert batch.weights.tolist() == [[0, 1, 1, 1, 1], [0, 1, 0, 0, 0]]
    assert batch.total_weight == 5


def test_the_first_token_is_never_predicted() -> None:
    whole_text = encoded(2, 1, 1.0, 1.0, 1.0)
    [batch] = micro_batches([whole_text], pad_id=0, token_budget=100)
    assert batch.weights.tolist() == [[0, 1, 1]]
    assert batch.supervised_tokens == 2


def test_a_segments_weight_is_its_tokens() -> None:
    one = Encoded("id", "creative", "zh", np.arange(6, dtype=np.int32), (2, 3, 1), (0.0, 0.5, 2.0))
    [batch] = micro_batches([one], pad_id=0, token_budget=100)
    assert batch.weights.tolist() == [[0, 0, 0.5, 0.5, 0.5, 2]]
    assert one.segments.tolist() == [0, 0, 1, 1, 1, 2]


def test_epochs_differ_and_repeat_under_a_seed() -> None:
    def epoch(seed: int, number: int) -> list[int]:
        order = EpochPermutation(range(100), seed)
        order.set_epoch(number)
        return list(order)

    assert sorted(epoch(0, 0)) == list(range(100))
    assert epoch(0, 1) == epoch(0, 1) != epoch(0, 0)
    assert epoch(1, 0) != epoch(0, 0)
