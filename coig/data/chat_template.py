"""Render messages with a tokenizer's chat template, and find the control tokens that the template uses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError

from coig.errors import ConfigError, first_line
from coig.text.think_tags import OPENING, REASONING_END, REASONING_START, reasoning_block

DATE = {"date_string": "26 Jul 2024"}  # the default of Llama 3.2's template; keeps today's date out of prompts
PROBE = "\ue000"  # a private-use character, which no template contains
ENDS_OF_TEXT = ("<|endoftext|>", "<|end_of_text|>", "<eos>", "</s>")
Messages = list[dict[str, str]]


class ChatTemplate:
    """Renders messages with a tokenizer's chat template.

    control_tokens: the added tokens that structure a conversation, longest first. They are the special tokens, the
        tokens that the template writes or mentions, and the think tags. The flag `special` alone is not enough:
        some models do not set it for `<｜User｜>`. All other added tokens (blank lines, HTML tags) are ordinary text.
    thinking: the start of a think block, or the whole block, that ends the generation prompt; empty if it has none.
    end_of_turn: the control token that follows an assistant's message.

    Args:
        tokenizer: a tokenizer with a chat template.
        arguments: variables that the template receives besides the messages.

    Raises ConfigError if the template cannot be rendered or leaves out what a user says.
    """

    def __init__(self, tokenizer: Any, arguments: Mapping[str, Any]) -> None:
        self._tokenizer = tokenizer
        self.arguments = DATE | dict(arguments)
        self.source = str(tokenizer.chat_template)
        self._user = [{"role": "user", "content": PROBE}]
        conversation = self.render([*self._user, {"role": "assistant", "content": PROBE}])
        self._check_user_text(PROBE, conversation)
        header = self.render(self._user, add_generation_prompt=True).rpartition(PROBE)[2]
        self.thinking = OPENING + header.rpartition(OPENING)[2] if OPENING in header else ""
        self.control_tokens = _control_tokens(tokenizer, self.source + conversation + header)
        self.end_of_turn = self._token_at_start(conversation.rpartition(PROBE)[2])

    @property
    def name(self) -> str:
        """Return the tokenizer's hub id or folder."""
        return str(self._tokenizer.name_or_path)

    @property
    def end_of_text(self) -> str:
        """Return the token, as text, that ends a document.

        It is the tokenizer's `eos_token`. If that is missing or ends a turn, it is the first of `ENDS_OF_TEXT` that is
        a control token; if none is, `end_of_turn`.
        """
        end = self._tokenizer.eos_token
        if end and end != self.end_of_turn:
            return str(end)
        return next((token for token in ENDS_OF_TEXT if token in self.control_tokens), self.end_of_turn)

    @property
    def leaves_thinking_open(self) -> bool:
        """Tell whether the generation prompt opens a think block and leaves it open."""
        return bool(self.thinking) and REASONING_END not in self.thinking

    @property
    def writes_whole_block(self) -> bool:
        """Tell whether the generation prompt ends with a closed, empty think block, so that the model only answers."""
        return REASONING_END in self.thinking

    def continue_block(self, block: str) -> str:
        """Return `block` (`<think>…</think>`) without the start that the generation prompt already wrote.

        It is unchanged unless the generation prompt leaves a think block open.
        """
        return block[min(len(self.thinking), len(REASONING_START)) :] if self.leaves_thinking_open else block

    def prompt(self, user: str, system: str | None, *, with_reasoning: bool) -> str:
        """Return the prompt as text: the system message if there is one, the user's message, the generation header.

        Without reasoning, a think block that the template leaves open is closed. Raises ConfigError if the rendered
        text lacks the user's or the system message.
        """
        messages = [{"role": "user", "content": user}]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        text = self.render(messages, add_generation_prompt=True)
        if system and system.strip() not in text:
            raise ConfigError(
                f"model.path: the chat template of {self.name} leaves out the system message; set "
                "model.system_prompt=null, and remove those of rows"
            )
        self._check_user_text(user, text)
        if self.leaves_thinking_open and not with_reasoning:
            text += self.continue_block(reasoning_block(""))
        return text

    def render(self, messages: Messages, *, add_generation_prompt: bool = False) -> str:
        """Return messages as the template's text. Raises ConfigError with the template's error if rendering fails."""
        try:
            text: str = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=add_generation_prompt, **self.arguments
            )
        except TemplateSyntaxError as error:
            raise ConfigError(
                f"model.path: {self._place}:{error.lineno}: the chat template has a syntax error ({error.message})"
            ) from None
        except Exception as error:  # a template can raise any of Python's exceptions
            raise ConfigError(self._refusal(messages, error)) from None
        return text

    def _check_user_text(self, user: str, rendered: str) -> None:
        """Raise ConfigError if the rendered text lacks the user's message, white space around it aside."""
        if user.strip() not in rendered:
            raise ConfigError(
                f"model.path: the chat template of {self.name} leaves out or changes what the user says (it may expect "
                "a list of parts in place of a text); take another model, or mend the chat_template.jinja of a "
                "downloaded one"
            )

    def _refusal(self, messages: Messages, error: Exception) -> str:
        """Return the text of the ConfigError for a template that fails on these messages."""
        said = f"the chat template of {self.name} fails: {first_line(error)}"
        if messages[0]["role"] == "system":
            return f"model.path: with a system message, {said}; set model.system_prompt=null, and remove those of rows"
        return f"model.path: {said}; take another model"

    @property
    def _place(self) -> str:
        """Return the path of the file that holds the template; if it is not a local file, the tokenizer's name."""
        file = Path(self.name) / "chat_template.jinja"
        return str(file) if file.exists() else f"{self.name} (tokenizer_config.json)"

    def _token_at_start(self, tail: str) -> str:
        """Return the control token that `tail`, the text after an assistant's message, starts with.

        White space before the token is ignored. Raises ConfigError if `tail` starts with none.
        """
        for token in self.control_tokens:
            if tail.lstrip().startswith(token):
                return token
        raise ConfigError(f"model.path: the chat template of {self.name} ends no turn with a control token")


def _control_tokens(tokenizer: Any, written: str) -> list[str]:
    """Return the added tokens that users' text must never be tokenized as, longest first.

    They are the special tokens, the think tags, and those that occur in `written`, the template's source together with
    texts that it rendered. Mere words and white space that occur there are left out.
    """
    added = {str(token): token.special for token in tokenizer.added_tokens_decoder.values()}
    special = {token for token, is_special in added.items() if is_special} | set(tokenizer.all_special_tokens)
    tags = {OPENING, REASONING_END}
    # words and white space occur in every template, so finding them there does not make them control tokens
    named = {token for token in added if token in written and not token.isspace() and not token.isalnum()}
    return sorted((special | named | tags) & added.keys(), key=lambda token: (-len(token), token))
