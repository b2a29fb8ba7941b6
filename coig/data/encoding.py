"""From examples to token ids, with the borders of their segments.

The prompt with its generation header and the completion are tokenized apart, as at inference; the border between
reasoning and answer is found inside the completion from the tokens' offsets. Text that users wrote never becomes a
control token: wherever it spells one (`<|im_end|>`), the spelling is cut in two before tokenizing, which leaves the
decoded text as it was. All else is tokenized as the model's own tokenizer does it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib.metadata import version
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers.decoders import ByteLevel

from coig.config import Model
from coig.data.chat_template import ChatTemplate
from coig.data.examples import Example
from coig.errors import ConfigError
from coig.text.think_tags import reasoning_block

Ids = NDArray[np.int32]
_NONE: Ids = np.array([], dtype=np.int32)


class Segment(IntEnum):
    PROMPT = 0
    REASONING = 1
    ANSWER = 2


@dataclass(frozen=True)
class Tokens:
    """An example as T token ids, int32, and how many of them belong to prompt, reasoning and answer, in this order.

    The end token is the answer's last.
    """

    ids: Ids
    lengths: tuple[int, int, int]


class ExampleError(ConfigError):
    """Says why the chat template cannot render an example."""

    def __init__(self, example: Example, problem: ConfigError) -> None:
        super().__init__(f"example {example.id}: {problem}")
        self.digest = example.digest


class Encoder:
    """Renders prompts and targets with a model's own chat template.

    Args:
        tokenizer: a fast tokenizer with a chat template.
        system_prompt: stated here so that training and generation use the same one; None leaves it out.
        template_arguments: what the template is given besides.
    """

    def __init__(
        self, tokenizer: Any, system_prompt: str | None, template_arguments: Mapping[str, Any] | None = None
    ) -> None:
        _check(tokenizer)
        self.tokenizer = tokenizer
        self.system_prompt = system_prompt
        self.template = ChatTemplate(tokenizer, template_arguments or {})
        self._backend = tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        self._control = self.template.control_tokens
        self._spelling = re.compile(f"(?=({'|'.join(map(re.escape, self._control))}))")  # finds overlapping ones too
        begins = [token for token in tokenizer("").input_ids if token == tokenizer.bos_token_id]
        self.document_start = np.array(begins, dtype=np.int32)
        self._token_bytes = _bytes_of_tokens(tokenizer)
        self.end_id, self.document_end_id = (
            int(tokenizer.convert_tokens_to_ids(token))
            for token in (self.template.end_of_turn, self.template.end_of_text)
        )
        self._prompt("", None, with_reasoning=True)  # fails if the template takes no system prompt

    @classmethod
    def of(cls, model: Model, tokenizer: Any) -> Encoder:
        return cls(tokenizer, model.system_prompt, model.template_arguments)

    @property
    def settings(self) -> list[Any]:
        """All that bears on the ids but the examples, as JSON types."""
        return [
            self._backend.to_str(),
            {name: str(token) for name, token in self.tokenizer.special_tokens_map.items()},
            self.document_start.tolist(),
            self.end_id,
            self.document_end_id,
            self.tokenizer.chat_template,
            self.system_prompt,
            self.template.arguments,
            [version(library) for library in ("tokenizers", "transformers")],
        ]

    def opening(self, *, with_reasoning: bool = True) -> str:
        """Return the think block that a prompt ends with and its completion goes on with; empty if there is none."""
        return self.template.thinking if with_reasoning and self.template.leaves_thinking_open else ""

    def prompt_ids(self, prompt: str, system: str | None = None, *, with_reasoning: bool = True) -> list[int]:
        """The ids of a prompt with its generation header: what training conditions on and generation is fed."""
        [ids] = self._tokenized([self._prompt(prompt, system, with_reasoning=with_reasoning)])
        return [int(token) for token in ids]

    def encode(self, examples: Sequence[Example], *, with_reasoning: bool) -> list[Tokens]:
        """Ids and segments of whole examples, end token included; `with_reasoning` puts it into the target.

        Raises ExampleError if the chat template refuses an example's texts or leaves one out, and ConfigError if it
        leaves no place for the reasoning.
        """
        if with_reasoning and self.template.writes_whole_block:
            raise ConfigError(
                "model.template_arguments: the chat template ends a prompt with an empty think block, so no reasoning "
                "can follow; let it think (for Qwen3 enable_thinking: true), or train without it, supervision=outcome"
            )
        prompts = self._tokenized([self._prompt_of(one, with_reasoning) for one in examples])
        targets = [self._target(one, with_reasoning and not one.is_document) for one in examples]
        completions = self._tokenized([target.pieces for target in targets])
        encoded = []
        for one, prompt, target, completion in zip(examples, prompts, targets, completions, strict=True):
            start, end = (self.document_start, self.document_end_id) if one.is_document else (prompt, self.end_id)
            reasoning = self._tokens_before_answer(target, completion)
            lengths = len(start), reasoning, len(completion) - reasoning + 1
            encoded.append(Tokens(np.concatenate([start, completion, np.array([end], np.int32)]), lengths))
        return encoded

    def _prompt_of(self, example: Example, with_reasoning: bool) -> list[str]:
        if example.is_document:
            return []
        try:
            return self._prompt(example.prompt, example.system, with_reasoning=with_reasoning)
        except ConfigError as problem:
            raise ExampleError(example, problem) from None

    def _prompt(self, prompt: str, system: str | None, *, with_reasoning: bool) -> list[str]:
        """The rendered prompt in pieces that are tokenized apart."""
        system = system or self.system_prompt
        mark = _unused_character(prompt + (system or ""))
        system = self._marked(system, mark) if system else None
        return self.template.prompt(self._marked(prompt, mark), system, with_reasoning=with_reasoning).split(mark)

    def _target(self, example: Example, with_reasoning: bool) -> _Target:
        mark = _unused_character(example.reasoning + example.answer)
        block = ""
        if with_reasoning:
            block = self.template.continued(reasoning_block(self._marked(example.reasoning, mark)))
        border = len(block) - block.count(mark)
        return _Target((block + self._marked(example.answer, mark)).split(mark), border)

    def _marked(self, text: str, mark: str) -> str:
        """Put `mark` behind the first character of every control token that `text` spells."""
        if not any(token in text for token in self._control):
            return text
        cuts = [match.start() + 1 for match in self._spelling.finditer(text)]
        return mark.join(text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True))

    def _tokenized(self, texts: Sequence[list[str]]) -> list[Ids]:
        """The ids of texts given in pieces that are tokenized apart, on all cores."""
        pieces = [piece for text in texts for piece in text]
        ids = (np.array(one.ids, np.int32) for one in self._backend.encode_batch_fast(pieces, add_special_tokens=False))
        return [np.concatenate([_NONE, *islice(ids, len(text))]) for text in texts]

    def _tokens_before_answer(self, target: _Target, ids: Ids) -> int:
        """Count the target's tokens that start before its answer."""
        if target.border == 0:
            return 0
        text = "".join(target.pieces)
        if self._token_bytes is not None:
            ends = np.cumsum(self._token_bytes[ids])
            if ends[-1] == len(text.encode()):
                return int(np.searchsorted(ends - self._token_bytes[ids], len(text[: target.border].encode())))
        return self._tokens_by_offsets(target)

    def _tokens_by_offsets(self, target: _Target) -> int:
        """The same by the tokenizer's own offsets, which it takes longer to find."""
        count, start = 0, 0
        for piece in target.pieces:
            offsets = self._backend.encode(piece, add_special_tokens=False).offsets
            count += sum(start + first < target.border for first, _ in offsets)
            start += len(piece)
        return count


@dataclass(frozen=True)
class _Target:
    """A completion in pieces that are tokenized apart; the answer starts at character `border`."""

    pieces: list[str]
    border: int


def _check(tokenizer: Any) -> None:
    """Raises ConfigError if the tokenizer cannot give exact targets and the same prompts every day."""
    name, template = tokenizer.name_or_path, str(tokenizer.chat_template)
    if not tokenizer.is_fast or not tokenizer.chat_template:
        raise ConfigError(
            f"model.path: the tokenizer of {name} is not fast or has no chat template; take another model"
        )
    if "strftime_now" in template and "date_string" not in template:
        raise ConfigError(
            f"model.path: the chat template of {name} writes today's date, so prompts would change from day to day; "
            "write a fixed date into chat_template.jinja of a downloaded model"
        )
    apart = [token for text in ("a", "b") for token in tokenizer(text, add_special_tokens=False).input_ids]
    if tokenizer.decode(apart) != "ab":
        raise ConfigError(
            f"model.path: the tokenizer of {name} does not give back texts that were tokenized apart (it puts spaces "
            "between them), so targets would not be exact; take another model"
        )


def _bytes_of_tokens(tokenizer: Any) -> NDArray[np.int64] | None:
    """(vocabulary,), how many bytes of text each token is, where that is known: in byte-level vocabularies."""
    if not isinstance(tokenizer.backend_tokenizer.decoder, ByteLevel):
        return None
    added = tokenizer.get_added_vocab()
    vocabulary = tokenizer.get_vocab()
    sizes = np.zeros(max(vocabulary.values()) + 1, dtype=np.int64)
    for token, number in vocabulary.items():
        sizes[number] = len(token.encode()) if token in added else len(token)
    return sizes


def _unused_character(text: str) -> str:
    """A private-use character that `text` does not hold, to mark cuts with."""
    return next(character for code in range(0xE000, 0xF8FF) if (character := chr(code)) not in text)
