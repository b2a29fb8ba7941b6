"""Exact masks: what bears loss decodes to exactly the target, and users' text never becomes a control token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from transformers import AutoTokenizer

from coig.cli import CONF
from coig.config import Supervision
from coig.data.encoding import Encoder, Segment, encode_all
from coig.data.examples import DataError, Example, split_completion
from coig.data.sources import local
from tests.conftest import ROOT, SHARED

SYSTEM = "You are a helpful assistant."
TOKENIZERS = {"sample": ROOT / "coig" / "sample" / "tiny", "qwen2.5": SHARED / "tokenizers" / "qwen2.5"}


def supervision(name: str) -> Supervision:
    return Supervision.model_validate(OmegaConf.to_container(OmegaConf.load(CONF / "supervision" / f"{name}.yaml")))


@pytest.fixture(scope="module", params=TOKENIZERS)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    folder: Path = TOKENIZERS[request.param]
    if not folder.exists():
        pytest.skip(f"{folder} is not beside this checkout")
    return Encoder(AutoTokenizer.from_pretrained(folder), SYSTEM)


def example(prompt: str = "问", reasoning: str = "想", answer: str = "答", **fields: Any) -> Example:
    return Example("id", "test", "creative", "zh", None, prompt, reasoning, answer, **fields)


def decoded(encoder: Encoder, ids: list[int]) -> str:
    return str(encoder.tokenizer.decode(ids, skip_special_tokens=False))


TARGETS = {
    "process": "<think>\n{r}\n</think>\n\n{a}<|im_end|>",
    "outcome": "{a}<|im_end|>",
    "answer_loss": "{a}<|im_end|>",
    "text": "<|im_start|>system\n" + SYSTEM + "<|im_end|>\n<|im_start|>user\n{p}<|im_end|>\n<|im_start|>assistant\n"
    "<think>\n{r}\n</think>\n\n{a}<|im_end|>",
}


@pytest.mark.parametrize("name", TARGETS)
def test_supervised_tokens_of_the_sample_decode_to_exactly_the_target(encoder: Encoder, name: str) -> None:
    how = supervision(name)
    for one in local("sample:creative.jsonl", lang="zh", kind="creative"):
        encoded = encoder.encode(one, how)
        supervised = [token for token, w in zip(encoded.input_ids, encoded.weights, strict=True) if w > 0]
        assert decoded(encoder, supervised) == TARGETS[name].format(p=one.prompt, r=one.reasoning, a=one.answer)


def test_segments(encoder: Encoder) -> None:
    encoded = encoder.encode(example("问题", "想想", "答案"), supervision("process"))
    texts = {
        segment: decoded(encoder, [t for t, s in zip(encoded.input_ids, encoded.segments, strict=True) if s == segment])
        for segment in Segment
    }
    assert texts[Segment.PROMPT].endswith("<|im_start|>user\n问题<|im_end|>\n<|im_start|>assistant\n")
    assert texts[Segment.REASONING] == "<think>\n想想\n</think>\n\n"
    assert texts[Segment.ANSWER] == "答案<|im_end|>"


def test_the_prompt_is_what_generation_feeds(encoder: Encoder) -> None:
    one = example("写一首诗。", "想", "答")
    encoded = encoder.encode(one, supervision("process"))
    prompt = [t for t, s in zip(encoded.input_ids, encoded.segments, strict=True) if s == Segment.PROMPT]
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": one.prompt}]
    library = encoder.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert prompt == encoder.prompt_ids(one.prompt) == library


def test_an_examples_own_system_prompt_wins(encoder: Encoder) -> None:
    assert "Be brief." in decoded(encoder, encoder.prompt_ids("问", system="Be brief."))


HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            ["<|im_end|>", "<|im_start|>system\n", "<think>", "<|endoftext|>", "\n\n", "中文", "🀄", "\ue000"]
        ),
        st.sampled_from(["<|im_<|im_end|>end|>", "<tool_call>", "\x00", " \n", "\r\n", "é"]),
    ),
    max_size=6,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(prompt=HOSTILE, reasoning=HOSTILE, answer=HOSTILE)
def test_users_text_never_becomes_a_control_token(encoder: Encoder, prompt: str, reasoning: str, answer: str) -> None:
    import unicodedata

    one = example(*(unicodedata.normalize("NFC", text) for text in (prompt, reasoning, answer)))
    encoded = encoder.encode(one, supervision("process"))
    control = {i for token, i in encoder.tokenizer.get_added_vocab().items() if token not in ("<think>", "</think>")}
    # system, user and assistant open and close; the target ends once
    assert sum(token in control for token in encoded.input_ids) == 6
    supervised = [token for token, w in zip(encoded.input_ids, encoded.weights, strict=True) if w > 0]
    assert decoded(encoder, supervised) == f"<think>\n{one.reasoning}\n</think>\n\n{one.answer}<|im_end|>"
    assert sum(token == encoder.end_id for token in supervised) == 1


def test_a_truncated_example_has_no_end_token(encoder: Encoder) -> None:
    one = example(answer="很长的答案" * 50)
    [kept], counts = encode_all([one], encoder, supervision("process"), max_length=60, overlong="truncate")
    assert len(kept.input_ids) == 60
    assert encoder.end_id not in kept.input_ids[-30:]
    assert counts == {"truncated": 1, "dropped": 0}


def test_an_example_without_supervised_tokens_is_dropped(encoder: Encoder) -> None:
    one = example(prompt="很长的问题" * 50)
    kept, counts = encode_all([one, example()], encoder, supervision("process"), max_length=60, overlong="truncate")
    assert [encoded.example for encoded in kept] == [example()]
    assert counts == {"truncated": 0, "dropped": 1}


def test_overlong_examples_can_be_dropped_or_refused(encoder: Encoder) -> None:
    long = example(answer="很长的答案" * 50)
    kept, counts = encode_all([long], encoder, supervision("process"), max_length=60, overlong="drop")
    assert (kept, counts["dropped"]) == ([], 1)
    with pytest.raises(DataError, match=r"example id of test has \d+ tokens, over model.max_length=60"):
        encode_all([long], encoder, supervision("process"), max_length=60, overlong="error")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>\n想\n</think>\n\n答", ("想", "答")),
        ("<think>\n想了一半", ("想了一半", "")),  # unfinished reasoning is no answer
        ("只有答", ("", "只有答")),
        ("<think>\n想\n</think>\n\n答里有</think>", ("想", "答里有</think>")),
        ("", ("", "")),
    ],
)
def test_split_of_a_completion(text: str, expected: tuple[str, str]) -> None:
    assert split_completion(text) == expected
