"""Let a chat model write a draft of a triplet for a writer who asks for one."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from coig.config import CurateConfig
from coig.curation.server import Drafter
from coig.curation.store import Text
from coig.errors import ConfigError
from coig.llm.chat import Chat, ChatQuestion, ChatSettings
from coig.llm.server import Server

PROMPTS = Path(__file__).with_name("drafting.json")
NODE = "draft"


class Drafted(BaseModel):
    """A model's draft: the prompt that could have led to an article, and the five kinds of decisions."""

    model_config = ConfigDict(extra="forbid")
    prompt: str = Field(min_length=1)
    planning: str = Field(min_length=1)
    style: str = Field(min_length=1)
    culture: str = Field(min_length=1)
    narrative: str = Field(min_length=1)
    revision: str = Field(min_length=1)


def make_drafter(config: CurateConfig) -> Drafter | None:
    """Return a function that asks the configured server for a draft, None if no model is configured.

    Sends no request yet.
    """
    if not config.draft.model:
        return None
    model = config.draft
    sampling = {"temperature": model.temperature, "max_tokens": model.max_tokens}
    settings = ChatSettings(str(model.model), sampling, {}, config.seed, model.attempts)
    server = Server(NODE, model.base_url, model.concurrency, model.timeout, model.retries)

    def write(text: Text) -> dict[str, str]:
        """Return a draft's prompt and five kinds of decisions. Raises ValueError if there is none."""
        question = make_question(text)
        try:
            chat = Chat.open(server, settings, question)
            [[(_, reply)]] = chat.ask([(text.key, question)])
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if reply.value is None:
            raise ValueError(str(reply.failure))
        return reply.value.model_dump()

    return write


def make_question(text: Text) -> ChatQuestion[Drafted]:
    """Return the question, in the article's language, that asks for a draft."""
    prompts = json.loads(PROMPTS.read_text(encoding="utf-8"))[text.lang]
    user = prompts["user"].replace("{genre}", text.genre or "–").replace("{article}", text.article)
    return ChatQuestion(prompts["system"], user, Drafted, text.lang)
