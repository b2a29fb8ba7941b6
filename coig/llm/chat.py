"""Ask a chat model typed questions: each gets a validated reply, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

import openai
from pydantic import BaseModel

from coig.errors import ConfigError, first_line
from coig.llm.probabilities import Token, choice_probabilities
from coig.llm.replies import AGAIN, FORMS, Form, UnreadableError, describe_form, read_reply, response_format
from coig.llm.server import Server, describe_failure
from coig.llm.usage import NO_USAGE, Usage

LIKELIEST = 20  # tokens whose log-probabilities are asked for at each place; more is refused by most servers
TOO_LONG = (openai.BadRequestError, openai.UnprocessableEntityError)  # how servers refuse a single question
Key = TypeVar("Key")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class ChatQuestion(Generic[Model]):
    """A question to a chat model.

    Attributes:
        system, user: the texts of the system's and the user's message, without instructions on the form of the reply.
        reply: the flat pydantic model that the reply must fit.
        lang: language of the instructions on the form, `zh` or `en`.
        soft: a field whose choices' probabilities are wanted; None for none.
    """

    system: str
    user: str
    reply: type[Model]
    lang: str
    soft: str | None = None

    def messages(self, form: Form) -> list[Any]:
        """Return the system's and the user's message; the user's ends with how to reply in this form."""
        user = f"{self.user.strip()}\n\n{describe_form(form, self.reply, self.lang)}"
        return [{"role": "system", "content": self.system.strip()}, {"role": "user", "content": user}]


@dataclass(frozen=True)
class Reply(Generic[Model]):
    """A model's reply to a question: `value`, or else `failure`, which says why there is none.

    Attributes:
        attempts: how often the question was asked, once more after each unreadable reply.
        usage: tokens of all attempts; 0 if the server does not count them.
        probabilities: of the choices of the question's `soft` field; {} if the server gives no log-probabilities.
    """

    value: Model | None
    failure: str | None = None
    attempts: int = 1
    usage: Usage = NO_USAGE
    probabilities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ChatSettings:
    """How a chat model is asked.

    Attributes:
        model: the server's name for the model.
        sampling: temperature, top_p, max_tokens and other keys of the protocol; a None is not sent.
        extra: keys of a request that only this server knows, such as `chat_template_kwargs`.
        seed: of the first attempt; each further one adds 1.
        attempts: how often a question is asked until a reply can be read.
    """

    model: str
    sampling: Mapping[str, Any]
    extra: Mapping[str, Any]
    seed: int
    attempts: int


@dataclass(frozen=True)
class Abilities:
    """What a server can do: the form of replies, log-probabilities, and the name that it gives the model in replies."""

    form: Form
    log_probabilities: bool
    served: str


class Chat:
    """A chat with a model behind a server of OpenAI's protocol."""

    def __init__(self, server: Server, settings: ChatSettings, abilities: Abilities) -> None:
        self.server, self.settings, self.abilities = server, settings, abilities

    @classmethod
    def open(
        cls, server: Server, settings: ChatSettings, trial: ChatQuestion[Any], forms: Sequence[Form] = FORMS
    ) -> Chat:
        """Ask a trial question in one form after another until a reply can be read, and return a chat in that form.

        If no reply can be read, the chat is in the last form that the server did not refuse. Log-probabilities are
        asked for if the question has a `soft` field, unless the server refuses that. Raises ConfigError if no server
        answers, or it refuses the question in every form.
        """
        chat, refused = None, ""
        with server.client() as client:
            models = server.models(client, "start one, or give another address")
            patient = client.with_options(timeout=server.timeout)
            for form, soft in product(forms, (True, False) if trial.soft else (False,)):
                if chat and chat.abilities.form == form:  # its log-probabilities were not refused
                    continue
                try:
                    abilities, can_read = _try(patient, settings, trial, Abilities(form, soft, settings.model))
                except (openai.OpenAIError, ValueError) as error:
                    refused = describe_failure(error)
                    if _is_final(error):
                        break
                    continue
                chat = cls(server, settings, abilities)
                if can_read:
                    break
        if chat is None:
            raise ConfigError(
                f"{server.node}.model={settings.model}: a trial question failed ({refused}); the server at "
                f"{server.base_url} serves {', '.join(models) or 'no model'}"
            )
        return chat

    def ask(self, questions: Iterable[tuple[Key, ChatQuestion[Model]]]) -> Iterator[list[tuple[Key, Reply[Model]]]]:
        """Ask all questions, many at a time; yield lists of (key, reply) as they finish, in any order.

        A key is the caller's own. A question is asked up to `attempts` times until its reply can be read; if that
        fails, or the request does, its reply has a `failure`. Raises
        ConfigError if the server is gone, fails many times in a row, or answers with another model than before.
        """
        for told in self.server.ask_all(questions, lambda client, pair: self._ask_one(client, pair[1])):
            yield [
                (key, Reply(None, describe_failure(reply)) if isinstance(reply, openai.OpenAIError) else reply)
                for (key, _), reply in told
            ]

    async def _ask_one(self, client: openai.AsyncOpenAI, question: ChatQuestion[Model]) -> Reply[Model]:
        """Return the reply to a question, asked up to `attempts` times until one can be read.

        A further attempt shows the model its last reply and the problem with it. If the server refuses the question, or
        no reply can be read, the reply has a failure. Raises OpenAIError if a request fails in another way, ConfigError
        if another model answers.
        """
        messages, usage, failure = question.messages(self.abilities.form), NO_USAGE, ""
        for attempt in range(self.settings.attempts):
            asked = _request(self.settings, self.abilities, question, messages, attempt)
            try:
                told = await client.chat.completions.create(**asked)
                text = _text(told)
            except TOO_LONG as error:
                return Reply(None, describe_failure(error), attempt + 1, usage)
            except ValueError as error:  # no JSON
                raise openai.OpenAIError(f"the reply cannot be read ({first_line(error)})") from None
            self._check_model(told)
            if told.usage:
                usage += Usage(told.usage.prompt_tokens, told.usage.completion_tokens)
            try:
                value = read_reply(text, question.reply)
            except UnreadableError as error:
                cut = "; it was cut off" if told.choices[0].finish_reason == "length" else ""
                problem = f"{error}{cut}"
                again = {"role": "user", "content": AGAIN[question.lang].format(problem=problem)}
                messages = [*question.messages(self.abilities.form), {"role": "assistant", "content": text}, again]
                failure = f"unreadable reply: {problem}: {' '.join(text.split())[:120]!r}"
            else:
                return Reply(value, None, attempt + 1, usage, _probabilities(told, question))
        return Reply(None, failure, self.settings.attempts, usage)

    def _check_model(self, told: Any) -> None:
        """Raise ConfigError if another model answered than the one that was found when the chat was opened.

        A reply that names no model is accepted.
        """
        if told.model and told.model != self.abilities.served:
            raise ConfigError(
                f"{self.server.node}.model={self.settings.model}: {self.abilities.served} answered first, {told.model} "
                "now; name one that does not move"
            )


def _request(
    settings: ChatSettings, abilities: Abilities, question: ChatQuestion[Any], messages: list[Any], attempt: int
) -> dict[str, Any]:
    """Return the arguments of a request for a chat completion; `attempt`, from 0, is added to the seed."""
    form = response_format(abilities.form, question.reply)
    soft = {"logprobs": True, "top_logprobs": LIKELIEST} if question.soft and abilities.log_probabilities else {}
    return {
        "model": settings.model,
        "messages": messages,
        **{key: value for key, value in settings.sampling.items() if value is not None},
        "seed": settings.seed + attempt,
        **({"response_format": form} if form else {}),
        **soft,
        "extra_body": dict(settings.extra),
    }


def _text(told: Any) -> str:
    """Return the text of a chat completion: the refusal if it is one, "" if there is no text.

    Raises OpenAIError if `told` is no chat completion.
    """
    choices = getattr(told, "choices", None) or [None]
    message = getattr(choices[0], "message", None)
    if refusal := getattr(message, "refusal", None):
        return str(refusal)
    if message is None:
        raise openai.OpenAIError(f"the reply is no chat completion: {str(told)[:80]!r}")
    return message.content or ""


def _tokens(told: Any) -> list[Token]:
    """Return the tokens of a reply with their log-probabilities; [] if the server gives none."""
    given = getattr(getattr(told.choices[0], "logprobs", None), "content", None) or []
    return [Token(one.token, {other.token: other.logprob for other in one.top_logprobs or ()}) for one in given]


def _probabilities(told: Any, question: ChatQuestion[Any]) -> dict[str, float]:
    """Return {choice: probability} of the question's `soft` field; {} if it has none, or they are not known."""
    if question.soft is None:
        return {}
    annotation = question.reply.model_fields[question.soft].annotation
    choices = [str(one) for one in get_args(annotation)] if get_origin(annotation) is Literal else []
    return choice_probabilities(_tokens(told), question.soft, choices)


def _try(
    client: openai.OpenAI, settings: ChatSettings, trial: ChatQuestion[Any], abilities: Abilities
) -> tuple[Abilities, bool]:
    """Ask a trial question once; return the abilities that the server has shown, and whether its reply can be read.

    `abilities` says in which form, and whether with log-probabilities, to ask. Raises OpenAIError or ValueError if the
    server refuses or fails.
    """
    told = client.chat.completions.create(**_request(settings, abilities, trial, trial.messages(abilities.form), 0))
    text = _text(told)
    served = Abilities(
        abilities.form, abilities.log_probabilities and bool(_tokens(told)), told.model or settings.model
    )
    try:
        read_reply(text, trial.reply)
    except UnreadableError:
        return served, False
    return served, True


def _is_final(error: Exception) -> bool:
    """Tell whether a server that failed in this way would fail for every form of a reply.

    That is so if the key, the permission or the model is missing, the rate is limited, or no HTTP status came back.
    """
    refusals = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError, openai.RateLimitError)
    return isinstance(error, refusals) or not isinstance(error, openai.APIStatusError)
