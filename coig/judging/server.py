"""`judge=server`: ask a chat model behind a server of OpenAI's protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from coig.config.fields import local_path
from coig.config.judging import Asked
from coig.errors import ConfigError
from coig.judging.cases import Case, Key, Opinion
from coig.judging.prompt_files import hash_prompts, read_prompts
from coig.judging.replies import opinion_of, reply_to, tags_of
from coig.llm.chat import Chat, ChatQuestion, ChatSettings
from coig.llm.replies import FORMS
from coig.llm.server import Server
from coig.llm.usage import Prices, Usage, estimate_tokens
from coig.records.judgment import JudgeFacts

MOST_ANSWERS = 26  # that have a letter


class ServerJudge:
    """A chat model that judges, told by prompts in the query's language.

    Args:
        base_url: the server's address with `/v1`.
        model: the server's name for the model.
        prompts: a folder with `zh.yaml` and `en.yaml`; None: our own.
        temperature, top_p, max_tokens: of a reply; a None is not sent, so that the server decides.
        extra: keys of a request that only this server knows.
        seed: of the first attempt; each further one adds 1.
        attempts: how often a question is asked until its reply can be read.
        concurrency: most requests in flight at a time.
        timeout: seconds for one reply.
        retries: how often to repeat a refused or failed request, each time after a longer wait.
        prompt_price, reply_price: of a million tokens that are read and written, in any currency.

    Raises ConfigError for wrong options.
    """

    can: tuple[Asked, ...] = ("pairs", "ranking", "rating", "steps")

    def __init__(
        self,
        base_url: str,
        model: str | None,
        prompts: str | None,
        temperature: float | None,
        top_p: float | None,
        max_tokens: int | None,
        extra: dict[str, Any],
        seed: int,
        attempts: int,
        concurrency: int,
        timeout: float,
        retries: int,
        prompt_price: float,
        reply_price: float,
    ) -> None:
        if not model:
            raise ConfigError("judge.model: not set; give the server's name for the model, judge.model=<name>")
        if attempts < 1:
            raise ConfigError("judge.attempts: must be at least 1")
        self.name = Path(model).name
        self.prices = Prices(prompt_price, reply_price)
        self.prompts = read_prompts(local_path(prompts) if prompts else None)
        self.server = Server("judge", base_url, concurrency, timeout, retries)
        sampling = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
        self.settings = ChatSettings(model, sampling, extra, seed, attempts)

    def describe(self, asked: Asked) -> JudgeFacts:
        """Return model, hash of the prompts for `asked`, and sampling settings, without sending a request."""
        settings = self.settings
        sampling = {**settings.sampling, "extra": dict(settings.extra), "seed": settings.seed}
        return JudgeFacts(model=settings.model, prompt=hash_prompts(self.prompts, asked), sampling=sampling)

    def open(self, trial: Case, earlier: JudgeFacts | None) -> JudgeFacts:
        """Ask about `trial` in one form after another until a reply can be read, and keep a chat in that form.

        If none can be read, the last form that the server did not refuse is kept; if `earlier` names a form, only that
        is tried. Returns what `describe` returns, with the form (`reply`) and the server's name for the model that
        replied (`served`) in `sampling`. Raises ConfigError if the server does not answer, or refuses the question.
        """
        known = (earlier.sampling or {}).get("reply") if earlier else None
        forms = tuple(form for form in FORMS if known in (None, form))
        self.chat = Chat.open(self.server, self.settings, self._question(trial), forms)
        facts, found = self.describe(trial.asked), self.chat.abilities
        sampling = {**(facts.sampling or {}), "reply": found.form, "served": found.served}
        return facts.model_copy(update={"sampling": sampling})

    def estimate(self, case: Case) -> Usage:
        """Return about how many tokens a case takes, without the model's reasoning and without repeated attempts.

        Raises ConfigError for a ranking of more answers than there are letters.
        """
        question = self._question(case)
        read = sum(estimate_tokens(message["content"]) for message in question.messages(FORMS[0]))
        return Usage(read, sum(4 + estimate_tokens(name) for name in question.reply.model_json_schema()["properties"]))

    def opinions(self, cases: Iterable[tuple[Key, Case]]) -> Iterator[list[tuple[Key, Opinion]]]:
        """Yield lists of (key, opinion) as the replies come, in any order; `open` must have been called.

        Raises ConfigError if the server is gone, keeps failing, or another model answers.
        """
        asked = (((key, case), self._question(case)) for key, case in cases)
        for replies in self.chat.ask(asked):
            yield [(key, opinion_of(case, reply)) for (key, case), reply in replies]

    def _question(self, case: Case) -> ChatQuestion[Any]:
        """Return the question about a case. Raises ConfigError for a ranking of more answers than there are letters."""
        if case.asked == "ranking" and len(case.texts) > MOST_ANSWERS:
            raise ConfigError(f"ask=ranking: {len(case.texts)} answers are too many; compare fewer with arms=[…]")
        prompt = self.prompts[case.lang]
        texts = dict(zip(tags_of(case), case.texts, strict=True))
        soft = "verdict" if case.asked == "pairs" else None
        return ChatQuestion(prompt.system, prompt.fill(case.asked, case.task, texts), reply_to(case), case.lang, soft)
