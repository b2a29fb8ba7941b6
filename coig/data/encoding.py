"""From examples to token ids, with the borders of their segments.

The prompt with its generation header and the completion are tokenized apart, as at inference; the border between
reasoning and answer is found inside the completion from the tokens' offsets. Text that users wrote never becomes a
control token: wherever it spells one (`<|im_end|>`), the spelling is cut in two before tokenizing, which leaves the
decoded text as it was.
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
from coig.data.examples import Example
from coig.errors import ConfigError
from coig.text.think_tags import reasoning_block

Ids = NDArray[np.int32]
_NONE: Ids = np.array([], dtype=np.int32)
DATE = {"date_string": "26 Jul 2024"}  # for templates that would write today's; this is the default of Llama 3.2's


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
        self.template_arguments = DATE | dict(template_arguments or {})
        self._backend = tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        self._added = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)
        self._spelling = re.compile(f"(?=({'|'.join(map(re.escape, self._added))}))")  # finds overlapping ones too
        begins = [token for token in tokenizer("").input_ids if token == tokenizer.bos_token_id]
        self._document_start = np.array(begins, dtype=np.int32)
        self._token_bytes = _bytes_of_tokens(tokenizer)
        self.end_id = self._end_of_turn()
        self._end = np.array([self.end_id], dtype=np.int32)

    @classmethod
    def of(cls, model: Model, tokenizer: Any) -> Encoder:
        return cls(tokenizer, model.system_prompt, model.template_arguments)

    @property
    def settings(self) -> list[Any]:
        """All that bears on the ids but the examples, as JSON types."""
        return [
            self._backend.to_str(),
            {name: str(token) for name, token in self.tokenizer.special_tokens_map.items()},
            self._document_start.tolist(),
            self.end_id,
            self.tokenizer.chat_template,
            self.system_prompt,
            self.template_arguments,
            [version(library) for library in ("tokenizers", "transformers")],
        ]

    def prompt_ids(self, prompt: str, system: str | None = None) -> list[int]:
        """The ids of a prompt with its generation header: what training conditions on and generation is fed."""
        [ids] = self._tokenized([self._prompt(prompt, system)])
        return [int(token) for token in ids]

    def encode(self, examples: Sequence[Example], *, with_reasoning: bool) -> list[Tokens]:
        """Ids and segments of whole examples, end token included; `with_reasoning` puts it into the target."""
        prompts = self._tokenized([[] if one.is_document else self._prompt(one.prompt, one.system) for one in examples])
        targets = [self._target(one, with_reasoning and not one.is_document) for one in examples]
        completions = self._tokenized([target.pieces for target in targets])
        encoded = []
        for one, prompt, target, completion in zip(examples, prompts, targets, completions, strict=True):
            start = self._document_start if one.is_document else prompt
            reasoning = self._tokens_before_answer(target, completion)
            lengths = len(start), reasoning, len(completion) - reasoning + 1
            encoded.append(Tokens(np.concatenate([start, completion, self._end]), lengths))
        return encoded

    def _prompt(self, prompt: str, system: str | None) -> list[str]:
        """The rendered prompt in pieces that are tokenized apart."""
        system = system or self.system_prompt
        mark = _unused_character(prompt + (system or ""))
        messages = [{"role": "user", "content": self._marked(prompt, mark)}]
        if system:
            messages.insert(0, {"role": "system", "content": self._marked(system, mark)})
        return self._rendered(messages, add_generation_prompt=True).split(mark)

    def _target(self, example: Example, with_reasoning: bool) -> _Target:
        mark = _unused_character(example.reasoning + example.answer)
        block = reasoning_block(self._marked(example.reasoning, mark)) if with_reasoning else ""
        border = len(block) - block.count(mark)
        return _Target((block + self._marked(example.answer, mark)).split(mark), border)

    def _marked(self, text: str, mark: str) -> str:
        """Put `mark` behind the first character of every control token that `text` spells."""
        if not any(token in text for token in self._added):
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

    def _rendered(self, messages: list[dict[str, str]], **how: Any) -> str:
        text: str = self.tokenizer.apply_chat_template(messages, tokenize=False, **self.template_arguments, **how)
        return text

    def _end_of_turn(self) -> int:
        """The control token that the template puts behind an assistant's message."""
        content = "\ue000"
        messages = [{"role": "user", "content": "u"}, {"role": "assistant", "content": content}]
        tail = self._rendered(messages).rpartition(content)[2].lstrip()
        for token in self._added:
            if tail.startswith(token):
                return int(self.tokenizer.convert_tokens_to_ids(token))
        raise ConfigError(
            f"model.path: the chat template of {self.tokenizer.name_or_path} ends no turn with a control token"
        )


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
