"""From an example to token ids, with every token's segment and loss weight.

The prompt with its generation header and the completion are tokenized apart, as at inference; the border between
reasoning and answer is found inside the completion from character offsets. Text that users wrote never becomes a
control token: wherever it spells one (`<|im_end|>`), the spelling is cut in two before tokenizing, which leaves the
decoded text as it was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Literal

from coig.config import ConfigError, Supervision
from coig.data.examples import DataError, Example, reasoning_block


class Segment(IntEnum):
    PROMPT = 0
    REASONING = 1
    ANSWER = 2


@dataclass(frozen=True)
class Encoded:
    """One example as tokens: three lists of equal length T."""

    example: Example
    input_ids: list[int]
    segments: list[int]
    weights: list[float]  # 0: no loss
    truncated: bool = False

    @property
    def supervised(self) -> int:
        """Tokens that bear loss; the first has nothing before it to be predicted from."""
        return sum(weight > 0 for weight in self.weights[1:])


class Encoder:
    """Renders prompts and targets with a model's own chat template.

    Args:
        tokenizer: a fast tokenizer with a chat template.
        system_prompt: stated here so that training and generation use the same one; None leaves it out.
    """

    def __init__(self, tokenizer: Any, system_prompt: str | None) -> None:
        if not tokenizer.is_fast or not tokenizer.chat_template:
            raise ConfigError(
                f"model.path: the tokenizer of {tokenizer.name_or_path} is not fast or has no chat template"
            )
        self.tokenizer = tokenizer
        self.system_prompt = system_prompt
        added = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)
        # a lookahead finds overlapping spellings too
        self._control = re.compile(f"(?=({'|'.join(map(re.escape, added))}))") if added else re.compile("(?!)")
        self.end_id = self._end_of_turn(added)

    def prompt_ids(self, prompt: str, system: str | None = None) -> list[int]:
        """The ids of a prompt with its generation header: what training conditions on and generation is fed."""
        system = system or self.system_prompt
        cut = _unused_character(prompt + (system or ""))
        messages = [{"role": "user", "content": self._cut(prompt, cut)}]
        if system:
            messages.insert(0, {"role": "system", "content": self._cut(system, cut)})
        rendered = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self._encode(rendered, cut)[0]

    def encode(self, example: Example, supervision: Supervision) -> Encoded:
        """Token ids, segments and weights of a whole example, end token included."""
        cut = _unused_character(example.reasoning + example.answer)
        reasoning = reasoning_block(self._cut(example.reasoning, cut)) if supervision.with_reasoning else ""
        border = len(reasoning) - reasoning.count(cut)
        ids, starts = self._encode(reasoning + self._cut(example.answer, cut), cut)
        prompt = self.prompt_ids(example.prompt, example.system)
        segments = [Segment.PROMPT] * len(prompt)
        segments += [Segment.REASONING if start < border else Segment.ANSWER for start in starts] + [Segment.ANSWER]
        weights = supervision.weights
        by_segment = (weights.prompt, weights.reasoning, weights.answer)
        return Encoded(
            example,
            [*prompt, *ids, self.end_id],
            [int(segment) for segment in segments],
            [by_segment[segment] for segment in segments],
        )

    def _cut(self, text: str, mark: str) -> str:
        """Put `mark` behind the first character of every control token that `text` spells."""
        cuts = [match.start() + 1 for match in self._control.finditer(text)]
        return mark.join(text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True))

    def _encode(self, text: str, cut: str) -> tuple[list[int], list[int]]:
        """Ids of `text`, tokenized apart at every `cut`, and each token's first character in it without the cuts."""
        ids: list[int] = []
        starts: list[int] = []
        offset = 0
        for piece in text.split(cut):
            tokens = self.tokenizer(piece, add_special_tokens=False, return_offsets_mapping=True)
            ids += tokens["input_ids"]
            starts += [offset + start for start, _ in tokens["offset_mapping"]]
            offset += len(piece)
        return ids, starts

    def _end_of_turn(self, added: list[str]) -> int:
        """The control token that the template puts behind an assistant's message."""
        content = "\ue000"
        messages = [{"role": "user", "content": "u"}, {"role": "assistant", "content": content}]
        tail = self.tokenizer.apply_chat_template(messages, tokenize=False).rpartition(content)[2].lstrip()
        for token in added:
            if tail.startswith(token):
                return int(self.tokenizer.convert_tokens_to_ids(token))
        raise ConfigError(
            f"model.path: the chat template of {self.tokenizer.name_or_path} ends no turn with a control token"
        )


def encode_all(
    examples: Iterable[Example],
    encoder: Encoder,
    supervision: Supervision,
    max_length: int,
    overlong: Literal["truncate", "drop", "error"],
) -> tuple[list[Encoded], Counter[str]]:
    """Encode examples and settle those of more than `max_length` tokens.

    `truncate` cuts the end of the answer, so no end token is learned there; an example left without a supervised
    token is dropped. Returns the kept ones and counts of `truncated` and `dropped`. Raises DataError on `error`.
    """
    kept: list[Encoded] = []
    counts: Counter[str] = Counter(truncated=0, dropped=0)
    for example in examples:
        encoded = encoder.encode(example, supervision)
        if len(encoded.input_ids) > max_length:
            if overlong == "error":
                raise DataError(
                    f"example {example.id} of {example.source} has {len(encoded.input_ids)} tokens, over "
                    f"model.max_length={max_length}; raise it, or set data.overlong=truncate or drop"
                )
            encoded = _truncated(encoded, 0 if overlong == "drop" else max_length)
        if encoded.supervised == 0:
            counts["dropped"] += 1
        else:
            counts["truncated"] += encoded.truncated
            kept.append(encoded)
    return kept, counts


def group_counts(encoded: Iterable[Encoded]) -> list[dict[str, Any]]:
    """Examples, tokens and supervised tokens per (kind, lang, source)."""
    totals: dict[tuple[str, str, str], Counter[str]] = {}
    for one in encoded:
        group = totals.setdefault((one.example.kind, one.example.lang, one.example.source), Counter())
        group.update(examples=1, tokens=len(one.input_ids), supervised_tokens=one.supervised)
    return [{"kind": k, "lang": lang, "source": source, **c} for (k, lang, source), c in sorted(totals.items())]


def _truncated(encoded: Encoded, length: int) -> Encoded:
    return replace(
        encoded,
        input_ids=encoded.input_ids[:length],
        segments=encoded.segments[:length],
        weights=encoded.weights[:length],
        truncated=True,
    )


def _unused_character(text: str) -> str:
    """A private-use character that `text` does not hold, to mark cuts with."""
    return next(character for code in range(0xE000, 0xF8FF) if (character := chr(code)) not in text)
