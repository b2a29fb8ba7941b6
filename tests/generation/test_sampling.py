import torch

from coig.generation.sampling import SeededSampling
from coig.schema import Sampling

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, -5.0])


def draws(sampling: Sampling, count: int) -> torch.Tensor:
    """The token drawn for each of `count` queries from the same logits."""
    processor = SeededSampling(sampling, 0, [str(query) for query in range(count)])
    return processor(torch.empty(count, 0), LOGITS.expand(count, -1)).argmax(-1)


def settings(temperature: float = 1.0, top_p: float = 1.0, top_k: int = 0) -> Sampling:
    return Sampling(temperature=temperature, top_p=top_p, top_k=top_k, max_new_tokens=8)


def test_frequencies_are_the_softmax() -> None:
    frequencies = torch.bincount(draws(settings(temperature=0.7), 20_000), minlength=5) / 20_000
    assert torch.allclose(frequencies, (LOGITS / 0.7).softmax(-1), atol=0.015)


def test_top_k_and_top_p_cut_the_tail() -> None:
    assert set(draws(settings(top_k=2), 2_000).tolist()) == {0, 1}
    # softmax 0.64, 0.24, 0.09, 0.03, …: the first three reach 0.9
    assert set(draws(settings(top_p=0.9), 2_000).tolist()) == {0, 1, 2}
    assert set(draws(settings(top_p=0.01), 2_000).tolist()) == {0}


def test_a_querys_draw_does_not_depend_on_its_neighbours() -> None:
    alone = SeededSampling(settings(), 7, ["b"])
    among = SeededSampling(settings(), 7, ["a", "b", "c"])
    for _ in range(20):
        logits = torch.randn(50)
        assert torch.equal(alone(torch.empty(1, 0), logits[None]), among(torch.empty(3, 0), logits.expand(3, -1))[1:2])
