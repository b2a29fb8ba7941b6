"""What `engine=hf` writes is what the library's plain `generate` writes, whatever the batch."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from coig.data.queries import Query
from coig.data.tokenizer import load_tokenizer
from coig.generation.hf import Completion, HuggingFaceEngine
from coig.models.causal_lm import load_model
from coig.models.export import export
from coig.schema import Model, Sampling
from coig.study import Arm
from tests.data.reading import read

GREEDY = Sampling(temperature=0, top_p=1, top_k=0, max_new_tokens=100)
# problems that the base has seen, so that answers end, sooner and later
QUERIES = [
    Query(example.id, lang, "problem", example.prompt)
    for lang in ("zh", "en")
    for example in read(f"sample:general_{lang}.jsonl")[:8]
]


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Arm:
    """The base itself, in the folder of an arm."""
    model = Model(
        name="tiny",
        path="sample:tiny",
        max_length=1024,
        learning_rate=1,
        system_prompt="Be kind.",
        template_arguments={},
    )
    folder = tmp_path_factory.mktemp("arm")
    (folder / "config.yaml").write_text(json.dumps({"model": model.model_dump()}))
    lm, tokenizer = load_model(model, seed=0), load_tokenizer(model)
    export(lm, lm.state_dict(), None, tokenizer, tokenizer.eos_token_id, folder / "model")
    return Arm(folder)


def answered(arm: Arm, sampling: Sampling, batch_size: int) -> dict[str, Completion]:
    batches = HuggingFaceEngine(arm, batch_size).answers(QUERIES, sampling, seed=0)
    return {query.id: completion for batch in batches for query, completion in batch}


def test_greedy_answers_are_those_of_plain_generate(arm: Arm) -> None:
    answers = answered(arm, GREEDY, batch_size=16)
    engine = HuggingFaceEngine(arm, 1)
    lm = AutoModelForCausalLM.from_pretrained(arm.model)
    for query in QUERIES:
        prompt = engine.encoder.prompt_ids(query.query)
        output = lm.generate(input_ids=torch.tensor([prompt]), max_new_tokens=100, do_sample=False)[0, len(prompt) :]
        stopped = int(output[-1]) == engine.encoder.end_id
        assert answers[query.id].text == engine.tokenizer.decode(output[:-1] if stopped else output)
        assert answers[query.id].finish_reason == ("stop" if stopped else "length")
        assert answers[query.id].prompt_tokens == len(prompt)
    assert {answer.finish_reason for answer in answers.values()} == {"stop", "length"}
    assert len({answer.reasoning_tokens + answer.answer_tokens for answer in answers.values()}) > 3


def test_a_sampled_answer_does_not_depend_on_its_batch(arm: Arm) -> None:
    sampling = Sampling(temperature=0.7, top_p=0.8, top_k=20, max_new_tokens=100)
    assert answered(arm, sampling, batch_size=16) == answered(arm, sampling, batch_size=3)
