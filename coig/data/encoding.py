"""Turn examples into token ids, and count the tokens of each segment.

The prompt with its generation header and the completion are tokenized separately, as at inference. The tokens' offsets
give the border between reasoning and answer inside the completion. Text that users wrote never becomes a control token
(`spelled_tokens.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers.decoders import ByteLevel

from coig.config import Model
from coig.data.chat_template import ChatTemplate
from coig.data.examples import Example
from coig.data.spelled_tokens import SpelledTokens, unused_character
from coig.data.tokens import Ids, Tokens
from coig.errors import ConfigError
from coig.text.think_tags import reasoning_block

_NONE: Ids = np.array([], dtype=np.int32)


class ExampleError(ConfigError):
    """An example that the chat template cannot render; `digest` identifies it."""

    def __init__(self, example: Example, problem: ConfigError) -> None:
        super().__init__(f"example {example.id}: {problem}")
        self.digest = example.digest


class Encoder:
    """A tokenizer of prompts and targets in a model's chat format, for training and generation alike.

    Args:
        tokenizer: a fast tokenizer with a chat template.
        system_prompt: the system message of examples that have none; None: no system message.
        template_arguments: variables that the template receives besides the messages.

    Raises ConfigError if the tokenizer or its template cannot give exact targets.
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
        self._spelled = SpelledTokens(self.template.control_tokens)
        begins = [token for token in tokenizer("").input_ids if token == tokenizer.bos_token_id]
        self.document_start = np.array(begins, dtype=np.int32)
        self._token_bytes = _bytes_of_tokens(tokenizer)
        self.end_id, self.document_end_id = (
            int(tokenizer.convert_tokens_to_ids(token))
            for token in (self.template.end_of_turn, self.template.end_of_text)
        )
        self._prompt_pieces("", None, with_reasoning=True)  # raises if the template takes no system prompt

    @classmethod
    def of(cls, model: Model, tokenizer: Any) -> Encoder:
        """Return an encoder with the system prompt and template arguments of a model's config."""
        return cls(tokenizer, model.system_prompt, model.template_arguments)

    @property
    def settings(self) -> list[Any]:
        """Return everything besides the examples that the ids depend on, as JSON types, for the cache's key."""
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
        """Return the start of a think block with which the prompt ends and that the completion continues.

        It is "" if the chat template opens no block, or without reasoning.
        """
        return self.template.thinking if with_reasoning and self.template.leaves_thinking_open else ""

    def prompt_ids(self, prompt: str, system: str | None = None, *, with_reasoning: bool = True) -> list[int]:
        """Return the token ids of a prompt with its generation header, the same in training and generation.

        `system` replaces the encoder's system prompt.
        """
        [ids] = self._tokenize([self._prompt_pieces(prompt, system, with_reasoning=with_reasoning)])
        return [int(token) for token in ids]

    def encode(self, examples: Sequence[Example], *, with_reasoning: bool) -> list[Tokens]:
        """Return the tokens of each example, none of them cut.

        These are prompt, target and end token; of a document, the start token if there is one, text and end token. With
        `with_reasoning` a target is the reasoning in a think block, or the rest of the block that the prompt opened,
        then the answer; without, the answer alone. Control tokens that a text spells are encoded as text.

        Raises ExampleError if the chat template refuses or omits a text of an example. Raises ConfigError if the
        template ends its prompt with an empty think block, after which no reasoning can follow.
        """
        if with_reasoning and self.template.writes_whole_block:
            raise ConfigError(
                "model.template_arguments: the chat template ends a prompt with an empty think block, so no reasoning "
                "can follow; let it think (for Qwen3 enable_thinking: true), or train without it, supervision=outcome"
            )
        prompts = self._tokenize([self._prompt_of(one, with_reasoning) for one in examples])
        targets = [self._target(one, with_reasoning and not one.is_document) for one in examples]
        completions = self._tokenize([target.pieces for target in targets])
        encoded = []
        for one, prompt, target, completion in zip(examples, prompts, targets, completions, strict=True):
            start, end = (self.document_start, self.document_end_id) if one.is_document else (prompt, self.end_id)
            reasoning = self._tokens_before_answer(target, completion)
            lengths = len(start), reasoning, len(completion) - reasoning + 1
            encoded.append(Tokens(np.concatenate([start, completion, np.array([end], np.int32)]), lengths))
        return encoded

    def _prompt_of(self, example: Example, with_reasoning: bool) -> list[str]:
        """Return the pieces of an example's prompt, none for a document.

        Raises ExampleError if the chat template refuses or omits a text.
        """
        if example.is_document:
            return []
        try:
            return self._prompt_pieces(example.prompt, example.system, with_reasoning=with_reasoning)
        except ConfigError as problem:
            raise ExampleError(example, problem) from None

    def _prompt_pieces(self, prompt: str, system: str | None, *, with_reasoning: bool) -> list[str]:
        """Render a prompt, and return it in pieces to be tokenized separately, cut inside spelled control tokens.

        Raises ConfigError if the chat template refuses or omits a text.
        """
        system = system or self.system_prompt
        mark = unused_character(prompt + (system or ""))
        system = self._spelled.mark_cuts(system, mark) if system else None
        return self.template.prompt(self._spelled.mark_cuts(prompt, mark), system, with_reasoning=with_reasoning).split(
            mark
        )

    def _target(self, example: Example, with_reasoning: bool) -> _Target:
        """Return an example's completion in pieces: its think block if `with_reasoning`, and its answer.

        What the generation prompt already has of the think block is left out.
        """
        mark = unused_character(example.reasoning + example.answer)
        block = ""
        if with_reasoning:
            block = self.template.continue_block(reasoning_block(self._spelled.mark_cuts(example.reasoning, mark)))
        border = len(block) - block.count(mark)
        return _Target((block + self._spelled.mark_cuts(example.answer, mark)).split(mark), border)

    def _tokenize(self, texts: Sequence[list[str]]) -> list[Ids]:
        """Tokenize the pieces of each text separately, on all cores; return each text's ids, joined."""
        pieces = [piece for text in texts for piece in text]
        ids = (np.array(one.ids, np.int32) for one in self._backend.encode_batch_fast(pieces, add_special_tokens=False))
        return [np.concatenate([_NONE, *islice(ids, len(text))]) for text in texts]

    def _tokens_before_answer(self, target: _Target, ids: Ids) -> int:
        """Return how many tokens of a target, whose ids are given, start before its answer; 0 without a think block."""
        if target.border == 0:
            return 0
        text = "".join(target.pieces)
        if self._token_bytes is not None:
            ends = np.cumsum(self._token_bytes[ids])
            if ends[-1] == len(text.encode()):
                return int(np.searchsorted(ends - self._token_bytes[ids], len(text[: target.border].encode())))
        return self._tokens_by_offsets(target)

    def _tokens_by_offsets(self, target: _Target) -> int:
        """Return how many tokens start before the answer, by the tokenizer's offsets, which are slow to compute."""
        count, start = 0, 0
        for piece in target.pieces:
            offsets = self._backend.encode(piece, add_special_tokens=False).offsets
            count += sum(start + first < target.border for first, _ in offsets)
            start += len(piece)
        return count


@dataclass(frozen=True)
class _Target:
    """A completion in pieces to be tokenized separately; the answer starts at character `border` of the joined text."""

    pieces: list[str]
    border: int


def _check(tokenizer: Any) -> None:
    """Raise ConfigError if a tokenizer is slow, lacks a template, dates prompts or changes text tokenized in pieces."""
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
    """Return (vocabulary,) the number of bytes of each token's text; None unless the vocabulary is byte-level."""
    if not isinstance(tokenizer.backend_tokenizer.decoder, ByteLevel):
        return None
    added = tokenizer.get_added_vocab()
    vocabulary = tokenizer.get_vocab()
    sizes = np.zeros(max(vocabulary.values()) + 1, dtype=np.int64)
    for token, number in vocabulary.items():
        sizes[number] = len(token.encode()) if token in added else len(token)
    return sizes
