"""`judge=reward`: a reward model, a sequence classifier of Hugging Face with one output, run in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from coig.config.judging import Asked
from coig.data.chat_template import ChatTemplate
from coig.data.spelled_tokens import SpelledTokens, unused_character
from coig.errors import ConfigError, first_line
from coig.judging.cases import Case, Key, Opinion
from coig.judging.scores import SCORED, opinion_by_scores
from coig.llm.usage import Prices, Usage, estimate_tokens
from coig.records.judgment import JudgeFacts

CASES = 64  # that are scored before their opinions are written
Pair = tuple[str, str]  # task and answer


class RewardJudge:
    """A reward model, which scores one answer to a task at a time, in the chat template that it was trained with.

    The probability that one answer beats another is the logistic function of the difference of their scores, as in
    training on pairs (Ouyang et al. 2022, arXiv 2203.02155). Scores in bfloat16 on a GPU, in float32 on a CPU.

    Args:
        model: a hub id or a folder.
        revision: of the hub's model; None: the newest.
        tokens_per_batch: padding included.

    Raises ConfigError if an option is wrong.
    """

    can: tuple[Asked, ...] = SCORED

    def __init__(self, model: str | None, revision: str | None, tokens_per_batch: int) -> None:
        if not model:
            raise ConfigError("judge.model: not set; name a reward model, a hub id or a folder, judge.model=<model>")
        if tokens_per_batch < 1:
            raise ConfigError("judge.tokens_per_batch: must be at least 1")
        self.path, self.revision, self.tokens_per_batch = model, revision, tokens_per_batch
        self.name, self.prices = Path(model).name, Prices()
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._scores: dict[Pair, float | str] = {}

    def describe(self, asked: Asked) -> JudgeFacts:
        """Return model, revision and precision (float32 or bfloat16), which moves scores a little."""
        precision = "bfloat16" if self.device == "cuda" else "float32"
        return JudgeFacts(model=self.path, sampling={"revision": self.revision, "precision": precision})

    def open(self, trial: Case, earlier: JudgeFacts | None) -> JudgeFacts:
        """Load the model and its tokenizer, and return what `describe` returns.

        Raises ConfigError if they cannot be loaded, there is no chat template, it fails, or the model is no classifier
        with one output.
        """
        facts = self.describe(trial.asked)
        dtype = getattr(torch, str((facts.sampling or {})["precision"]))
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(self.path, revision=self.revision, trust_remote_code=False)
            loaded, about = AutoModelForSequenceClassification.from_pretrained(
                self.path,
                revision=self.revision,
                num_labels=1,
                dtype=dtype,
                output_loading_info=True,
                trust_remote_code=False,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigError(f"judge.model={self.path}: cannot be loaded ({first_line(error)})") from None
        if missing := sorted(about["missing_keys"]):
            raise ConfigError(
                f"judge.model={self.path}: is no reward model: it has no weights for {missing[0]}; name a sequence "
                "classifier with one output"
            )
        if not self.tokenizer.chat_template:
            raise ConfigError(f"judge.model={self.path}: its tokenizer has no chat template")
        try:
            self.template = ChatTemplate(self.tokenizer, {})
        except ConfigError as error:
            raise ConfigError(f"judge.model={self.path}: {str(error).removeprefix('model.path: ')}") from None
        self._spelled = SpelledTokens(self.template.control_tokens)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        loaded.config.pad_token_id = self.tokenizer.pad_token_id
        self.tokenizer.padding_side = "right"
        self.model = loaded.to(self.device).eval()
        return facts

    def estimate(self, case: Case) -> Usage:
        """Return about how many tokens a case takes if none of its answers was scored before.

        In fact each answer is scored only once for all cases, so a sum over cases is too large.
        """
        return Usage(estimate_tokens(case.task) * len(case.texts) + sum(map(estimate_tokens, case.texts)))

    def opinions(self, cases: Iterable[tuple[Key, Case]]) -> Iterator[list[tuple[Key, Opinion]]]:
        """Yield lists of up to CASES (key, opinion) pairs in the order of the cases; `open` must have been called.

        A case with an answer that is too long for the model gets a failure.
        """
        waiting = iter(cases)
        while batch := list(islice(waiting, CASES)):
            wanted = dict.fromkeys((case.task, text) for _, case in batch for text in case.texts)
            self._score([pair for pair in wanted if pair not in self._scores])
            yield [(key, self._opinion(case)) for key, case in batch]

    def _opinion(self, case: Case) -> Opinion:
        """Return the opinion on a case whose answers were all scored; a failure if one of them has no score."""
        scores = [self._scores[case.task, text] for text in case.texts]
        if problems := [score for score in scores if isinstance(score, str)]:
            return Opinion(None, failure=problems[0])
        return opinion_by_scores(case, [float(score) for score in scores], tie=0.0)

    def _score(self, pairs: Sequence[Pair]) -> None:
        """Score answers to tasks, and keep in `_scores` each score or, as text, why there is none."""
        positions = getattr(self.model.config, "max_position_embeddings", None) or 1 << 30
        ids: dict[Pair, list[int]] = {}
        for pair in pairs:
            found = self.encode(pair)
            if len(found) <= positions:
                ids[pair] = found
            else:
                self._scores[pair] = f"an answer of {len(found)} tokens exceeds the model's {positions} positions"
        for batch in self._batches(ids):
            padded = self.tokenizer.pad({"input_ids": [ids[pair] for pair in batch]}, return_tensors="pt")
            with torch.inference_mode():
                logits = self.model(**padded.to(self.device)).logits
            self._scores |= dict(zip(batch, logits[:, 0].float().tolist(), strict=True))

    def encode(self, pair: Pair) -> list[int]:
        """Return the token ids of a chat, in the chat template, in which the answer replies to the task.

        Control tokens that the two texts spell are encoded as text. `open` must have been called.
        """
        mark = unused_character("".join(pair))
        task, answer = (self._spelled.mark_cuts(text, mark) for text in pair)
        chat = self.template.render([{"role": "user", "content": task}, {"role": "assistant", "content": answer}])
        pieces: list[list[int]] = self.tokenizer(chat.split(mark), add_special_tokens=False).input_ids
        return [token for piece in pieces for token in piece]

    def _batches(self, ids: dict[Pair, list[int]]) -> Iterator[list[Pair]]:
        """Yield batches of answers, the longest first, each with at most `tokens_per_batch` tokens, padding included.

        An answer that is longer is a batch by itself.
        """
        batch: list[Pair] = []
        for pair in sorted(ids, key=lambda pair: -len(ids[pair])):
            if batch and (len(batch) + 1) * len(ids[batch[0]]) > self.tokens_per_batch:
                yield batch
                batch = []
            batch.append(pair)
        if batch:
            yield batch
