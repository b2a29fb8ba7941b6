"""Ask a chat model behind a server of OpenAI's protocol about articles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from coig.config import CurateConfig
from coig.curation.screen import Screener, Screening
from coig.curation.store import Text
from coig.errors import ConfigError
from coig.llm.chat import Chat, ChatQuestion, ChatSettings
from coig.llm.server import Server

PROMPTS = Path(__file__).with_name("screening.json")
NODE = "screen.judge"


def make_judge(config: CurateConfig) -> tuple[str, Screener]:
    """Return a judge's name (model, hash of the prompts, temperature) and the judge, which asks the configured server.

    Sends no request yet. Raises ConfigError if no model is named.
    """
    judge = config.screen.judge
    if not judge.model:
        raise ConfigError(f"{NODE}.model: not set; give the server's name for the model, {NODE}.model=<name>")
    settings = ChatSettings(
        judge.model, {"temperature": judge.temperature, "max_tokens": judge.max_tokens}, {}, config.seed, judge.attempts
    )
    server = Server(NODE, judge.base_url, judge.concurrency, judge.timeout, judge.retries)
    prompts = hashlib.sha256(PROMPTS.read_bytes()).hexdigest()[:8]

    def ask(texts: list[Text]) -> Iterator[tuple[Text, Screening | str]]:
        """Ask about all texts; yield each with the model's reply, or the reason why there is none, as replies come.

        Raises ConfigError if the server does not answer, or is gone.
        """
        if texts:
            chat = Chat.open(server, settings, make_question(texts[0]))
            for told in chat.ask((text, make_question(text)) for text in texts):
                for text, reply in told:
                    yield text, reply.value or f"{reply.failure}"

    return f"{judge.model}, prompts {prompts}, temperature {judge.temperature:g}", ask


def make_question(text: Text) -> ChatQuestion[Screening]:
    """Return the question, in the article's language, that asks for its scores with quotations."""
    prompts = json.loads(PROMPTS.read_text(encoding="utf-8"))[text.lang]
    user = prompts["user"].replace("{genre}", text.genre or "–").replace("{article}", text.article)
    return ChatQuestion(prompts["system"], user, Screening, text.lang)
