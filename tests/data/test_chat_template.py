"""Other families' tokenizers and templates: ids as their own tokenizers give them, unusable ones refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from coig.config import Limits
from coig.data.encoding import Encoder, ExampleError
from coig.data.examples import Example
from coig.errors import ConfigError
from coig.generation.completion import Transcriber
from coig.text.think_tags import split_completion

LOOP = "{% for m in messages %}"
GEMMA = (
    "{{ bos_token }}" + LOOP + "<start_of_turn>{{ 'model' if m.role == 'assistant' else 'user' }}\n"
    "{{ m.content | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
NEOX = (
    LOOP
    + "{{ '<|' + m.role + '|>' + m.content + eos_token }}{% endfor %}"
    + ("{% if add_generation_prompt %}<|assistant|>{% endif %}")
)
PHI = (
    LOOP
    + "<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    + ("{% if add_generation_prompt %}<|assistant|>\n{% endif %}")
)
R1 = (
    "{{ bos_token }}"
    + LOOP
    + "{% if m.role == 'user' %}<｜User｜>{{ m.content }}{% elif m.role == 'system' %}{{ m.content }}"
    "{% else %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)
RUNS = ["\n\n", "\n\n\n", "\t\t", "    "]
# of each family the template, its special tokens, and the added tokens that are not marked special
FAMILIES: dict[str, tuple[str, list[str], list[str]]] = {
    "gemma": (GEMMA, ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"], [*RUNS, "<table>", "</b>"]),
    "neox": (NEOX, ["<|endoftext|>"], [*RUNS, "|||EMAIL_ADDRESS|||", "<|user|>", "<|assistant|>", "<|system|>"]),
    "phi": (PHI, ["<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"], RUNS),
    "r1": (
        R1,
        ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"],
        ["<｜User｜>", "<｜Assistant｜>", "<think>", "</think>", *RUNS],
    ),
}
CONTROL = {
    "gemma": {"<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"},
    "neox": {"<|endoftext|>", "<|user|>", "<|assistant|>"},
    "phi": {"<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"},
    "r1": {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"},
}
TEXTS = [
    "one\n\ntwo\n\n\nthree",
    "a\t\tb",
    "    x = 1\n    y",
    "<table>1</b>",
    "me@|||EMAIL_ADDRESS|||",
    "雨\n\n灯 < > <",
]


def family(name: str) -> Any:
    """Return a tokenizer of bytes with a family's added tokens and template."""
    template, special, ordinary = FAMILIES[name]
    backend = Tokenizer(BPE({token: n for n, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    backend.add_tokens([AddedToken(token, special=False, normalized=False) for token in ordinary])
    begins, ends = (special[0], special[1]) if len(special) > 1 else (None, special[0])
    if name == "phi":
        begins, ends = None, "<|endoftext|>"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=begins, eos_token=ends)
    tokenizer.chat_template = template
    return tokenizer


def example(prompt: str, reasoning: str = "想", answer: str = "答", **fields: Any) -> Example:
    return Example("id", "test", "zh", None, prompt, reasoning, answer, **fields)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_the_tokenizers_own(name: str, text: str) -> None:
    tokenizer = family(name)
    [tokens] = Encoder(tokenizer, None).encode([example(text, text, text)], with_reasoning=True)
    messages = [{"role": "user", "content": text}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    block = f"<think>\n{text}\n</think>\n\n"
    if name == "r1":
        block = block.removeprefix("<think>\n")  # which the prompt ends with
    end = {"gemma": "<end_of_turn>", "phi": "<|end|>"}.get(name, tokenizer.eos_token)
    target = tokenizer(block + text + end, add_special_tokens=False).input_ids
    assert tokens.ids.tolist() == prompt + target
    assert tokens.lengths[0] == len(prompt)


@pytest.mark.parametrize("name", FAMILIES)
def test_text_of_users_never_becomes_a_control_token(name: str) -> None:
    tokenizer = family(name)
    encoder = Encoder(tokenizer, None)
    control = tokenizer.convert_tokens_to_ids(sorted(CONTROL[name]))
    assert None not in control

    def count(text: str) -> int:
        [tokens] = encoder.encode([example(text, text, text)], with_reasoning=True)
        assert tokenizer.decode(tokens.ids).count(text) == 3
        return sum(token in control for token in tokens.ids.tolist())

    hostile = "".join(sorted(CONTROL[name])) + "<｜User｜></think><think>"
    assert count(hostile) == count("plain")


@pytest.mark.parametrize(
    ("name", "end"),
    [("gemma", "<eos>"), ("neox", "<|endoftext|>"), ("phi", "<|endoftext|>"), ("r1", "<｜end▁of▁sentence｜>")],
)
def test_a_document_ends_with_the_end_of_text(name: str, end: str) -> None:
    tokenizer = family(name)
    [tokens] = Encoder(tokenizer, None).encode([example("", "", "text")], with_reasoning=True)
    assert tokenizer.decode(tokens.ids) == "text" + end


# --- templates that begin the think block themselves -------------------------------------------------------------

CHATML = LOOP + "<|im_start|>{{ m.role + '\\n' + m.content }}<|im_end|>\n{% endfor %}"
HEADER = "{% if add_generation_prompt %}<|im_start|>assistant\n%s{% endif %}"


def with_template(tokenizer: Any, template: str) -> Any:
    copy = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    copy.chat_template = template
    return copy


@pytest.mark.parametrize("opening", ["<think>\n", "<think>", "<think>\n\n"])
def test_the_target_begins_inside_of_the_block_that_the_prompt_opens(tokenizer: Any, opening: str) -> None:
    other = with_template(tokenizer, CHATML + HEADER.replace("%s", opening))
    encoder = Encoder(other, None)
    [tokens] = encoder.encode([example("问")], with_reasoning=True)
    prompt, reasoning, _ = tokens.lengths
    assert other.decode(tokens.ids[:prompt]).endswith("<|im_start|>assistant\n" + opening)
    block = opening + other.decode(tokens.ids[prompt : prompt + reasoning])
    assert "".join(block.split()) == "<think>想</think>"
    assert other.decode(tokens.ids[prompt + reasoning :]) == "答<|im_end|>"
    assert tokens.ids[:prompt].tolist() == encoder.prompt_ids("问")
    assert encoder.opening() == opening


def test_without_reasoning_the_prompt_closes_the_block_that_it_opens(tokenizer: Any) -> None:
    other = with_template(tokenizer, CHATML + HEADER.replace("%s", "<think>\n"))
    encoder = Encoder(other, None)
    [tokens] = encoder.encode([example("问")], with_reasoning=False)
    prompt = tokens.lengths[0]
    assert other.decode(tokens.ids[:prompt]).endswith("assistant\n<think>\n\n</think>\n\n")
    assert other.decode(tokens.ids[prompt:]) == "答<|im_end|>"
    assert tokens.ids[:prompt].tolist() == encoder.prompt_ids("问", with_reasoning=False)
    assert encoder.opening(with_reasoning=False) == ""


def test_a_whole_empty_block_in_the_prompt_leaves_no_place_for_reasoning(tokenizer: Any) -> None:
    encoder = Encoder(with_template(tokenizer, CHATML + HEADER.replace("%s", "<think>\n\n</think>\n\n")), None)
    [tokens] = encoder.encode([example("问")], with_reasoning=False)
    assert encoder.tokenizer.decode(tokens.ids).count("<think>") == 1
    assert encoder.opening() == ""
    with pytest.raises(ConfigError, match=r"model\.template_arguments: .* supervision=outcome"):
        encoder.encode([example("问")], with_reasoning=True)


def test_a_completion_goes_on_with_the_block_that_its_prompt_opens(tokenizer: Any) -> None:
    limits = Limits(max_new_tokens=50, max_reasoning_tokens=None, max_answer_tokens=None)
    transcriber = Transcriber(tokenizer, [tokenizer.eos_token_id], limits)
    reasoning, answer = tokenizer("想\n</think>").input_ids, tokenizer("\n\n答").input_ids
    ids = [*reasoning, *answer, tokenizer.eos_token_id]
    opened = transcriber.completion(ids, "<think>\n")
    assert (opened.reasoning_tokens, opened.answer_tokens) == (len(reasoning), len(answer))
    assert split_completion("<think>\n" + opened.text) == ("想", "答")
    assert transcriber.completion(ids).reasoning_tokens == 0


# --- templates that cannot be used ---------------------------------------------------------------------------------


def test_a_template_that_renders_no_text_is_refused(tokenizer: Any) -> None:
    parts = "<|im_start|>{{ m.role }}\n{% for part in m.content %}{{ part.text }}{% endfor %}<|im_end|>\n{% endfor %}"
    with pytest.raises(ConfigError, match=r"leaves out or changes what the user says .*list of parts"):
        Encoder(with_template(tokenizer, LOOP + parts), None)


def test_a_prompt_that_the_template_changes_is_refused(tokenizer: Any) -> None:
    upper = CHATML.replace("m.content", "m.content | replace('/no', '')") + HEADER.replace("%s", "")
    encoder = Encoder(with_template(tokenizer, upper), None)
    assert encoder.prompt_ids("yes")
    with pytest.raises(ExampleError, match=r"example id: .* changes what the user says"):
        encoder.encode([example("a /no b")], with_reasoning=True)


DROPS_SYSTEM = CHATML.replace(LOOP, LOOP + "{% if m.role != 'system' %}").replace(
    "{% endfor %}", "{% endif %}{% endfor %}"
)
REFUSES_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('No system role') }}{% endif %}" + CHATML


@pytest.mark.parametrize(("template", "why"), [(DROPS_SYSTEM, "leaves out"), (REFUSES_SYSTEM, "No system role")])
def test_a_template_without_a_place_for_the_system_message_is_refused(tokenizer: Any, template: str, why: str) -> None:
    other = with_template(tokenizer, template)
    with pytest.raises(ConfigError, match=rf"{why}.*model\.system_prompt=null"):
        Encoder(other, "Be brief.")
    encoder = Encoder(other, None)
    assert encoder.encode([example("问")], with_reasoning=True)
    with pytest.raises(ExampleError, match=rf"example id: .*{why}"):
        encoder.encode([example("问", system="Be brief.")], with_reasoning=True)


def test_a_syntax_error_is_named_with_its_line(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    file = tmp_path / "chat_template.jinja"
    file.write_text(LOOP + "\n{{ m.content }\n{% endfor %}", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"model\.path: {file}:2: .*syntax error"):
        Encoder(AutoTokenizer.from_pretrained(tmp_path), None)
