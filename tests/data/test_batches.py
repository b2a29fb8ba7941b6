from coig.data.batches import EpochPermutation, micro_batches
from coig.data.encoding import Encoded
from coig.data.examples import Example

EXAMPLE = Example("id", "test", "creative", "zh", None, "p", "r", "a")


def encoded(length: int) -> Encoded:
    return Encoded(EXAMPLE, list(range(1, length + 1)), [0] * length, [0.0] + [1.0] * (length - 1))


def test_every_token_once_and_no_micro_batch_over_the_budget() -> None:
    lengths = [3, 50, 7, 20, 20, 4, 90]
    batches = micro_batches([encoded(n) for n in lengths], pad_id=0, token_budget=60)
    assert sum(int((batch.input_ids != 0).sum()) for batch in batches) == sum(lengths)
    assert [batch.input_ids.shape for batch in batches] == [(1, 90), (1, 50), (3, 20), (2, 4)]
    # the second 20 fills its micro-batch with the 7; the 90 is over the budget by itself


def test_padding_bears_no_loss() -> None:
    [batch] = micro_batches([encoded(5), encoded(2)], pad_id=0, token_budget=100)
    assert batch.weights.tolist() == [[0, 1, 1, 1, 1], [0, 1, 0, 0, 0]]
    assert batch.total_weight == 5


def test_the_first_token_is_never_predicted() -> None:
    whole_text = Encoded(EXAMPLE, [1, 2, 3], [0, 0, 0], [1.0, 1.0, 1.0])
    [batch] = micro_batches([whole_text], pad_id=0, token_budget=100)
    assert batch.weights.tolist() == [[0, 1, 1]]
    assert whole_text.supervised == 2


def test_epochs_differ_and_repeat_under_a_seed() -> None:
    def epoch(seed: int, number: int) -> list[int]:
        order = EpochPermutation(range(100), seed)
        order.set_epoch(number)
        return list(order)

    assert sorted(epoch(0, 0)) == list(range(100))
    assert epoch(0, 1) == epoch(0, 1) != epoch(0, 0)
    assert epoch(1, 0) != epoch(0, 0)
