import torch

from coig.config import Sampling
from coig.generation.sampling import SeededSampling, seed_of
from tests.generation.asking import GREEDY

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, -5.0])


def draws(sampling: Sampling, count: int) -> torch.Tensor:
    """The token drawn for each of `count` queries from the same logits."""
    processor = SeededSampling(sampling, [seed_of(0, str(query)) for query in range(count)])
    return processor(torch.empty(count, 0), LOGITS.expand(count, -1)).argmax(-1)


def settings(temperature: float = 1.0, top_p: float = 1.0, top_k: int = 0) -> Sampling:
    return GREEDY.model_copy(update={"temperature": temperature, "top_p": top_p, "top_k": top_k})


def test_frequencies_are_the_softmax() -> None:
    frequencies = torch.bincount(draws(settings(temperature=0.7), 20_000), minlength=5) / 20_000
    assert torch.allclose(frequencies, (LOGITS / 0.7).softmax(-1), atol=0.015)


def test_top_k_and_top_p_cut_the_tail() -> None:
    assert set(draws(settings(top_k=2), 2_000).tolist()) == {0, 1}
    # softmax 0.64, 0.24, 0.09, 0.03, …: the first three reach 0.9
    assert set(draws(settings(top_p=0.9), 2_000).tolist()) == {0, 1, 2}
    assert set(draws(settings(top_p=0.01), 2_000).tolist()) == {0}


def test_a_rows_draw_does_not_depend_on_its_neighbours() -> None:
    alone, among = SeededSampling(settings(), [7]), SeededSampling(settings(), [5, 7, 6])
    generator = torch.Generator().manual_seed(0)
    for step in range(20):
        logits = torch.randn(50, generator=generator)
        drawn = among(torch.empty(len(among.generators), 0), logits.expand(len(among.generators), -1))
        assert torch.equal(alone(torch.empty(1, 0), logits[None])[0], drawn[1])
        if step == 10:
            among.keep([2, 1])


def test_seeds_are_of_seed_query_and_sample() -> None:
    seeds = [seed_of(seed, query, sample) for seed in (0, 1) for query in ("a", "1:a") for sample in (0, 1)]
    assert len(set(seeds)) == 8
