"""`judge=local`: a stated rule that needs no model and no server. It shows how judging works, not which answer is good.

An answer's score is `language` · (share of it in the query's language) + `fresh` · (share of its 4-grams of Chinese
characters and English words that are not repetitions) + `ended` · (1 if it ends with the end of a sentence, else 0). An
empty answer scores 0. The higher score wins; a difference below `tie` is a tie. The rule sees neither the task nor what
an answer means: it cannot tell whether sentences stand in the right order, or whether a text is any good.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from coig.config.judging import Asked
from coig.errors import ConfigError
from coig.judging.cases import Case, Key, Opinion
from coig.judging.scores import SCORED, opinion_by_scores
from coig.llm.usage import NO_USAGE, Prices, Usage
from coig.records.judgment import JudgeFacts
from coig.text.diversity import self_repetition
from coig.text.language import HAN, HAN_PER_WORD, LATIN_LETTERS, LATIN_WORD

VERSION = 1  # of the rule above; another rule is another judge
TOKEN = re.compile(f"{HAN.pattern}|[{LATIN_LETTERS}]+")
ENDED = re.compile(r"[。！？!?.…~～][”’」』\"')）*_\s]*$")
SCALE = 4.0  # a difference of 0.5 is a probability of 0.88
BATCH = 256  # cases after which opinions are written


class RuleJudge:
    """The rule of this module.

    Args:
        language, fresh, ended: weights of the three parts of the score.
        tie: a smaller difference of two scores is a tie.

    Raises ConfigError for negative numbers.
    """

    name = "local"
    can: tuple[Asked, ...] = SCORED
    prices = Prices()

    def __init__(self, language: float, fresh: float, ended: float, tie: float) -> None:
        if min(language, fresh, ended, tie) < 0:
            raise ConfigError("judge: the weights of judge=local and its tie must be at least 0")
        self.weights = {"language": language, "fresh": fresh, "ended": ended, "tie": tie}
        self._score = lru_cache(maxsize=1 << 14)(self.score)

    def describe(self, asked: Asked) -> JudgeFacts:
        """Return the rule's version and weights; they are the same for every `asked`."""
        return JudgeFacts(model=f"rule {VERSION}", sampling=dict(self.weights))

    def open(self, trial: Case, earlier: JudgeFacts | None) -> JudgeFacts:
        """Return what `describe` returns; there is nothing to open."""
        return self.describe(trial.asked)

    def estimate(self, case: Case) -> Usage:
        """Return a usage of 0 tokens, for the rule uses no model."""
        return NO_USAGE

    def opinions(self, cases: Iterable[tuple[Key, Case]]) -> Iterator[list[tuple[Key, Opinion]]]:
        """Yield lists of BATCH (key, opinion) pairs in the order of the cases; the last one may be shorter."""
        batch = []
        for key, case in cases:
            scores = [self._score(text, case.lang) for text in case.texts]
            batch.append((key, opinion_by_scores(case, scores, self.weights["tie"], SCALE)))
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def score(self, text: str, lang: str) -> float:
        """Return the score of an answer to a query in `lang`, as the module defines it; higher is better."""
        if not text.strip():
            return 0.0
        weights = self.weights
        fresh = 1 - (self_repetition(TOKEN.findall(text)) or 0.0)
        return (
            weights["language"] * _share_in(lang, text)
            + weights["fresh"] * fresh
            + weights["ended"] * bool(ENDED.search(text))
        )


def _share_in(lang: str, text: str) -> float:
    """Return the share of a text that is in one language, where a Latin word counts as HAN_PER_WORD Han characters.

    Any `lang` but zh means Latin script. A text without words has the share 0.
    """
    han, latin = len(HAN.findall(text)), HAN_PER_WORD * len(LATIN_WORD.findall(text))
    return (han if lang == "zh" else latin) / (han + latin) if han + latin else 0.0
