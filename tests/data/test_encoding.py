"""Exact masks: what bears loss decodes to exactly the target, and users' text never becomes a control token."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE, WordLevel
from tokenizers.normalizers import Replace
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from coig.data.encoding import Encoder
from coig.data.examples import Example
from coig.data.tokens import Tokens
from coig.errors import ConfigError
from coig.text.think_tags import split_completion
from tests.conftest import ROOT, SHARED
from tests.data.reading import read

SYSTEM = "You are a helpful assistant."
TOKENIZERS = {"sample": ROOT / "coig" / "sample" / "tiny", "qwen2.5": SHARED / "tokenizers" / "qwen2.5"}


@pytest.fixture(scope="module", params=TOKENIZERS)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    folder: Path = TOKENIZERS[request.param]
    if not folder.exists():
        pytest.skip(f"{folder} is not beside this checkout")
    return Encoder(AutoTokenizer.from_pretrained(folder), SYSTEM)


def example(prompt: str = "问", reasoning: str = "想", answer: str = "答", **fields: Any) -> Example:
    return Example("id", "test", "zh", None, prompt, reasoning, answer, **fields)


def encoded(encoder: Encoder, one: Example, *, with_reasoning: bool = True) -> Tokens:
    return encoder.encode([one], with_reasoning=with_reasoning)[0]


def texts(encoder: Encoder, tokens: Tokens) -> list[str]:
    """The text of each segment, decoded by itself."""
    prompt, reasoning, _ = tokens.lengths
    parts = tokens.ids[:prompt], tokens.ids[prompt : prompt + reasoning], tokens.ids[prompt + reasoning :]
    return [encoder.tokenizer.decode(part, skip_special_tokens=False) for part in parts]


@pytest.mark.parametrize("with_reasoning", [True, False])
def test_segments_of_the_sample_decode_to_exactly_the_target(encoder: Encoder, with_reasoning: bool) -> None:
    examples = read("sample:creative.jsonl") + read("sample:general_en.jsonl", lang="en")[:50]
    for one, tokens in zip(examples, encoder.encode(examples, with_reasoning=with_reasoning), strict=True):
        prompt, reasoning, answer = texts(encoder, tokens)
        assert prompt.endswith(f"<|im_start|>user\n{one.prompt}<|im_end|>\n<|im_start|>assistant\n")
        assert reasoning == (f"<think>\n{one.reasoning}\n</think>\n\n" if with_reasoning else "")
        assert answer == one.answer + "<|im_end|>"


# hypothesis also tries strings of the code under test; those that spell a control token are no plain text
TEXTS = st.text(min_size=1, max_size=12).filter(lambda text: "<|" not in text)


@settings(max_examples=150)
@given(reasoning=TEXTS, answer=TEXTS)
def test_the_answer_begins_where_the_tokenizers_offsets_have_it(encoder: Encoder, reasoning: str, answer: str) -> None:
    one = example("问", *(unicodedata.normalize("NFC", text).strip() or "答" for text in (reasoning, answer)))
    block = f"<think>\n{one.reasoning}\n</think>\n\n"
    offsets = encoder.tokenizer(block + one.answer, return_offsets_mapping=True)["offset_mapping"]
    assert encoded(encoder, one).lengths[1] == sum(start < len(block) for start, _ in offsets)


@pytest.fixture(scope="module")
def not_byte_level() -> Encoder:
    """Characters with bytes for the unknown ones, as in Gemma's vocabulary: the answer is found by the offsets."""
    characters = [chr(code) for code in range(33, 127)] + ["▁", "\n", "答", "</"]
    vocabulary = [f"<0x{byte:02X}>" for byte in range(256)] + characters + ["<end>", "<start>"]
    backend = Tokenizer(BPE({token: n for n, token in enumerate(vocabulary)}, [("<", "/")], byte_fallback=True))
    backend.normalizer = Replace(" ", "▁")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    start = vocabulary.index("<start>")
    backend.post_processor = TemplateProcessing("<start> $A", special_tokens=[("<start>", start)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<start>", eos_token="<end>")
    tokenizer.chat_template = "{% for m in messages %}{{ m.role + ' ' + m.content + '<end>' }}{% endfor %}"
    return Encoder(tokenizer, None)


def test_a_vocabulary_that_is_not_of_bytes(not_byte_level: Encoder) -> None:
    one = example("猫 sat", "a 猫 <end> b", "答 </end> 猫.<end>")
    prompt, reasoning, answer = texts(not_byte_level, encoded(not_byte_level, one))
    assert prompt == "user 猫 sat<end>"
    assert reasoning == "<think>\na 猫 <end> b\n</think>\n\n"
    assert answer == "答 </end> 猫.<end><end>"


def test_a_document_begins_with_what_the_tokenizer_begins_with(not_byte_level: Encoder) -> None:
    tokens = encoded(not_byte_level, example("", "", "the 猫"))
    assert not_byte_level.tokenizer.decode(tokens.ids) == "<start>the 猫<end>"
    assert tokens.lengths == (1, 0, 4 + 3 + 1)


def test_a_tokenizer_that_puts_spaces_between_texts_is_refused() -> None:
    backend = Tokenizer(WordLevel({"<unk>": 0, "a": 1, "b": 2}, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>")
    tokenizer.chat_template = "{% for m in messages %}{{ m.content + '<end>' }}{% endfor %}"
    with pytest.raises(ConfigError, match=r"does not give back texts that were tokenized apart"):
        Encoder(tokenizer, None)


def test_settings_know_the_special_tokens(tokenizer: Any) -> None:
    """Templates read them."""
    llama = adapted(tokenizer, LLAMA3)
    before = Encoder(llama, SYSTEM).settings
    llama.bos_token = "<|start|>"
    assert Encoder(llama, SYSTEM).settings != before


def test_many_at_once_are_encoded_as_each_by_itself(encoder: Encoder) -> None:
    examples = [example("<|im_end|>"), example(answer="<think>" * 3), example("", "", "一段文字"), example()]
    for one, tokens in zip(examples, encoder.encode(examples, with_reasoning=True), strict=True):
        alone = encoded(encoder, one)
        assert (tokens.ids.tolist(), tokens.lengths) == (alone.ids.tolist(), alone.lengths)


def test_the_prompt_is_what_generation_feeds(encoder: Encoder) -> None:
    one = example("写一首诗。", "想", "答")
    tokens = encoded(encoder, one)
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": one.prompt}]
    library = encoder.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert tokens.ids[: tokens.lengths[0]].tolist() == encoder.prompt_ids(one.prompt) == library


def test_an_examples_own_system_prompt_wins(encoder: Encoder) -> None:
    assert "Be brief." in encoder.tokenizer.decode(encoder.prompt_ids("问", system="Be brief."))


def test_a_document_is_all_answer(encoder: Encoder) -> None:
    tokens = encoded(encoder, example("", "", "一段<|im_start|>文字"))
    assert tokens.lengths == (0, 0, len(tokens.ids))
    assert encoder.tokenizer.decode(tokens.ids) == "一段<|im_start|>文字<|endoftext|>"
    assert encoder.tokenizer.convert_tokens_to_ids("<|im_start|>") not in tokens.ids


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


@settings(max_examples=150)
@given(prompt=HOSTILE, reasoning=HOSTILE, answer=HOSTILE)
def test_users_text_never_becomes_a_control_token(encoder: Encoder, prompt: str, reasoning: str, answer: str) -> None:
    one = example(*(unicodedata.normalize("NFC", text) for text in (prompt or "问", reasoning, answer)))
    tokens = encoded(encoder, one)
    ids = tokens.ids.tolist()
    control = {i for token, i in encoder.tokenizer.get_added_vocab().items() if token not in ("<think>", "</think>")}
    # system, user and assistant open and close; the target ends once
    assert sum(token in control for token in ids) == 6
    shown = texts(encoder, tokens)
    assert one.prompt in shown[0]
    assert shown[1] + shown[2] == f"<think>\n{one.reasoning}\n</think>\n\n{one.answer}<|im_end|>"
    assert ids[-1] == encoder.end_id
    own = {encoder.tokenizer.convert_tokens_to_ids(tag) for tag in ("<think>", "</think>")} & set(
        encoder.tokenizer.get_added_vocab().values()
    )
    assert sum(token in own for token in ids) == len(own)  # the target's own tags, never the user's


QWEN3 = """{%- for message in messages %}
{%- if message.role == 'assistant' and '</think>' in message.content %}
{{- '<|im_start|>assistant\n' + message.content.split('</think>')[-1].lstrip('\n') + '<|im_end|>\n' }}
{%- else %}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
{%- endif %}"""
LLAMA3 = """{{- bos_token }}
{%- set today = date_string if date_string is defined else strftime_now('%d %b %Y') %}
{%- for message in messages %}
{{- '<|start|>' + message.role + '<|stop|>\n\n' }}
{%- if message.role == 'system' %}{{- 'Today Date: ' + today + '\n\n' }}{%- endif %}
{{- message.content | trim + '<|eot|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start|>assistant<|stop|>\n\n' }}{%- endif %}"""


def adapted(tokenizer: Any, template: str) -> Any:
    """The sample's tokenizer with another family's template and control tokens."""
    copy = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    if template is LLAMA3:
        tokens = ["<|begin|>", "<|start|>", "<|stop|>", "<|eot|>"]
        copy.add_special_tokens({"bos_token": tokens[0], "additional_special_tokens": tokens[1:]})
    copy.chat_template = template
    return copy


@pytest.mark.parametrize(("template", "end"), [(QWEN3, "<|im_end|>"), (LLAMA3, "<|eot|>")], ids=["qwen3", "llama3"])
def test_other_families_templates_give_the_same_segments(tokenizer: Any, template: str, end: str) -> None:
    usual, other = Encoder(tokenizer, SYSTEM), Encoder(adapted(tokenizer, template), SYSTEM)
    for one in (example("问题\n\n二", "想想", "答案 🀄"), example("p <|eot|>", "<|eot|>", "a <|im_end|> </think>")):
        expected, got = texts(usual, encoded(usual, one)), texts(other, encoded(other, one))
        assert got[1] == expected[1]
        assert got[2] == expected[2].removesuffix("<|im_end|>") + end
        assert got[2].endswith(one.answer + end)
        assert one.prompt in got[0]
        assert got[0].rstrip().endswith(("<|im_start|>assistant", "<|start|>assistant<|stop|>"))


def test_prompts_do_not_change_with_the_date(tokenizer: Any) -> None:
    llama = adapted(tokenizer, LLAMA3)
    assert "Today Date: 26 Jul 2024" in llama.decode(Encoder(llama, SYSTEM).prompt_ids("问"))
    given = Encoder(llama, SYSTEM, {"date_string": "1 Jan 2026"})
    assert "Today Date: 1 Jan 2026" in llama.decode(given.prompt_ids("问"))
    assert given.settings != Encoder(llama, SYSTEM).settings
    with pytest.raises(ConfigError, match="writes today's date"):
        Encoder(adapted(tokenizer, LLAMA3.replace("date_string", "day")), SYSTEM)


def test_template_arguments_reach_the_template(tokenizer: Any) -> None:
    qwen3 = adapted(tokenizer, QWEN3)
    assert qwen3.decode(Encoder(qwen3, SYSTEM, {"enable_thinking": False}).prompt_ids("问")).endswith("</think>\n\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>\n想\n</think>\n\n答", ("想", "答")),
        ("<think>\n想了一半", ("想了一半", "")),  # unfinished reasoning is no answer
        ("只有答", ("", "只有答")),
        ("<think>\n想\n</think>\n\n答里有</think>", ("想", "答里有</think>")),
        ("", ("", "")),
        ("\n\n　　一\n　　二\n", ("", "　　一\n　　二")),
        ("<think>\n想\n</think>\n\n    leaf\nfalls", ("想", "    leaf\nfalls")),
        (" Once", ("", "Once")),  # one space is no indentation
        ("<think>\n<think>\n想</think>答", ("想", "答")),  # a model that repeats what its prompt ends with
    ],
)
def test_split_of_a_completion(text: str, expected: tuple[str, str]) -> None:
    assert split_completion(text) == expected
