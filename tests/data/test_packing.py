"""Where examples go bears on speed only; that it uses all of them, in room, evenly, is checked on arbitrary lengths."""

from hypothesis import given
from hypothesis import strategies as st

from coig.data.packing import pack_documents

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=40)


@given(LENGTHS, st.integers(1, 400), st.integers(1, 4))
def test_every_document_once_and_in_room(lengths: list[int], budget: int, ranks: int) -> None:
    shares = pack_documents(lengths, budget, ranks, attention_cost=0.01)
    batches = [batch for share in shares for batch in share]
    assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
    assert len({len(share) for share in shares}) == 1
    assert all(sum(lengths[n] for n in batch) <= budget or len(batch) == 1 for batch in batches)
    assert all(batch for batch in batches) or len(lengths) < len(batches)


def test_a_longer_document_has_a_micro_batch_of_its_own() -> None:
    assert sorted(pack_documents([90, 50, 20, 20, 7, 4, 3], token_budget=60)[0]) == [[0], [1, 6], [2, 3, 4, 5]]


def test_as_few_micro_batches_as_the_budget_allows() -> None:
    [share] = pack_documents([40, 30, 30, 20], token_budget=60)
    assert sorted(share) == [[0, 3], [1, 2]]


def test_ranks_are_balanced_by_the_square_of_lengths() -> None:
    lengths = [800, *[100] * 16]

    def long_ones_companions(attention_cost: float) -> int:
        [share] = [share for share in pack_documents(lengths, 2400, 2, attention_cost) if 0 in share[0]]
        return len(share[0]) - 1

    assert long_ones_companions(0.0) == 4  # 1,200 tokens each
    assert long_ones_companions(0.01) == 0  # 800 + 6,400 beside 16 · (100 + 100)


def test_ranks_without_an_example_have_empty_micro_batches() -> None:
    assert sorted(pack_documents([5], 100, ranks=3)) == [[[]], [[]], [[0]]]
