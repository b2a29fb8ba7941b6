"""What `engine=hf` writes is what the library's plain `generate` writes, whatever the batch."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config

from coig.config import Sampling
from coig.generation.completion import Request
from coig.generation.hf import HuggingFaceEngine, bytes_per_token
from coig.records.query import Query
from coig.study.arm import Arm
from tests.generation.asking import GREEDY, NUCLEUS, completions, requests

ALL, FEW = 100_000, 500  # tokens per batch: all queries in one batch, and about three


def engine(arm: Arm, sampling: Sampling, tokens_per_batch: int = ALL, seed: int = 0) -> HuggingFaceEngine:
    made = HuggingFaceEngine(tokens_per_batch)
    made.load(arm, AutoTokenizer.from_pretrained(arm.model), sampling, seed)
    return made


def plainly(arm: Arm, asked: Sequence[Request], **how: Any) -> dict[tuple[str, int], tuple[str, str]]:
    """(text, finish reason) by `model.generate`, one by one."""
    lm, tokenizer = AutoModelForCausalLM.from_pretrained(arm.model), AutoTokenizer.from_pretrained(arm.model)
    written = {}
    for request in asked:
        output = lm.generate(input_ids=torch.tensor([request.prompt]), max_new_tokens=100, do_sample=False, **how)
        new = output[0, len(request.prompt) :].tolist()
        ended = new[-1] in lm.generation_config.eos_token_id
        text = tokenizer.decode(new[:-1] if ended else new)
        written[request.query.id, request.sample] = text, "stop" if ended else "length"
    return written


@pytest.mark.parametrize("penalty", [pytest.param(1.0, marks=pytest.mark.slow), 1.2])
def test_greedy_answers_are_those_of_plain_generate(arm: Arm, queries: list[Query], penalty: float) -> None:
    sampling = GREEDY.model_copy(update={"repetition_penalty": penalty})
    asked = requests(arm, queries)
    answers = completions(engine(arm, sampling), asked)
    assert {key: (c.text, c.finish_reason) for key, c in answers.items()} == plainly(
        arm, asked, repetition_penalty=penalty
    )
    assert {answer.finish_reason for answer in answers.values()} == {"stop", "length"}
    assert len({answer.reasoning_tokens + answer.answer_tokens for answer in answers.values()}) > 3


def test_a_sampled_answer_depends_on_its_query_sample_and_seed_alone(arm: Arm, queries: list[Query]) -> None:
    asked = requests(arm, queries, samples=2)
    answers = completions(engine(arm, NUCLEUS), asked)
    assert completions(engine(arm, NUCLEUS, FEW), asked[::-1]) == answers
    assert len(set(answers.values())) == len(asked)
    assert not set(completions(engine(arm, NUCLEUS, seed=1), asked).values()) & set(answers.values())


def test_rows_that_reach_a_limit_leave_the_batch(arm: Arm, queries: list[Query]) -> None:
    """Each answer is the beginning of what stands there without limits, up to the limit that it met."""
    asked = requests(arm, queries)
    whole = completions(engine(arm, GREEDY), asked)
    limited = GREEDY.model_copy(update={"max_reasoning_tokens": 80, "max_answer_tokens": 18})
    met: set[int | str] = set()
    for key, answer in completions(engine(arm, limited), asked).items():
        free = whole[key]
        if free.reasoning_tokens <= 80 and free.answer_tokens <= 18:
            assert answer == free
            met.add("none")
            continue
        expected = (80, 0) if free.reasoning_tokens > 80 else (free.reasoning_tokens, 18)
        assert (answer.reasoning_tokens, answer.answer_tokens) == expected
        assert answer.finish_reason == "length"
        assert free.text.startswith(answer.text)
        met.add(expected[1])
    assert met == {"none", 0, 18}


def test_a_query_that_does_not_fit_the_model_is_an_error_of_its_own(arm: Arm, queries: list[Query]) -> None:
    long = Query(id="long", lang="en", genre="problem", query="word " * 2000)
    answers = completions(engine(arm, GREEDY), requests(arm, [long, *queries[:2]]))
    assert answers["long", 0].finish_reason == "error"
    assert "exceed the 2048 positions" in str(answers["long", 0].error)
    assert all(answers[query.id, 0].text for query in queries[:2])


def test_the_memory_of_a_token_is_that_of_its_keys_values_and_one_mlp() -> None:
    qwen = Qwen2Config(
        hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28, num_key_value_heads=4
    )  # Qwen2.5 7B, in bf16
    assert bytes_per_token(qwen, itemsize=2) == 2 * (2 * 28 * 4 * 128) + 2 * (3 * 18944) == 171_008
