"""Compute how many prompts people need to judge beside a model judge, from the judge's card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from coig.config.fields import local_path
from coig.display.tables import Table
from coig.display.terminal import strip_controls
from coig.errors import ConfigError
from coig.files.limits import parse_json, read_whole
from coig.records.record import describe_error
from coig.statistics.power import Design
from coig.text.language_codes import Language

FURTHER = (0, 200, 500, 1_000, 2_000, 5_000)  # prompts that the judge alone judges
WITH_JUDGE = ("judge", "pairs", "prompt_price", "reply_price")
MOST_TOKENS = 10**15  # of a card
MOST_PAIRS = 1_000_000  # of arms
MOST_RATERS = 1_000_000
WRITTEN = "evaluate.py writes one as multirun/STUDY/evaluation/judges/NAME.json"
ASSUMED = (
    "people: prompts that people judge, drawn at random, for these raters and new prompts; in brackets with the limits "
    "of the judge's correlation. calls: every prompt in both orders, people's too."
)


Correlation = Annotated[float, Field(ge=-1 - 1e-9, le=1 + 1e-9)]  # with room for rounding
Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]


class Worth(BaseModel):
    """How a judge's predictions correlate with people's mean verdict; limits are None for too few prompts."""

    correlation: Correlation
    low: Correlation | None
    high: Correlation | None
    raters: float = Field(ge=1, le=MOST_RATERS)  # mean number of a prompt


class OfLanguage(BaseModel):
    """A judge in one language; `worth` is None if people have judged none of its pairs."""

    calls: Annotated[Count, Field(ge=1)]
    prompt_tokens: Count
    reply_tokens: Count
    worth: Worth | None


class Card(BaseModel):
    """What is read of a judge's card."""

    judge: Annotated[str, AfterValidator(strip_controls)]
    languages: dict[Language, OfLanguage]

    def worths(self) -> dict[Language, Worth]:
        """Return the judge's worth by language, where it is known; raise ConfigError if it is known for none."""
        found = {lang: own.worth for lang, own in self.languages.items() if own.worth is not None}
        if not found:
            raise ConfigError(
                f"judge={self.judge}: people have judged none of its pairs, so its worth is unknown; let them judge "
                "some of them and evaluate again"
            )
        return found


@dataclass(frozen=True)
class Prices:
    """The pairs of arms that are compared, and the price of a million tokens; None if no price was given."""

    pairs: int = 1
    prompt: float | None = None
    reply: float | None = None


def parse_judge(arguments: Sequence[str]) -> tuple[Card, Prices]:
    """Read the card and prices that `key=value` arguments name; raise ConfigError for a wrong file or number.

    `judge` must be among the arguments, and only keys of WITH_JUDGE may be.
    """
    given = {key: value for key, _, value in (argument.partition("=") for argument in arguments)}
    numbers: dict[str, float] = {}
    for key in (key for key in WITH_JUDGE[1:] if key in given):
        try:
            numbers[key] = float(given[key])
        except ValueError:
            raise ConfigError(f"{key}={given[key]}: not a number") from None
    pairs, prompt, reply = numbers.pop("pairs", 1), numbers.get("prompt_price"), numbers.get("reply_price")
    if not (1 <= pairs <= MOST_PAIRS and pairs == int(pairs)):
        raise ConfigError(f"pairs={given['pairs']}: must be a whole number from 1 to {MOST_PAIRS:,}")
    if wrong := [key for key, price in numbers.items() if not 0 <= price < math.inf]:
        raise ConfigError(f"{wrong[0]}={given[wrong[0]]}: must be at least 0, and finite")
    return _read_card(given["judge"]), Prices(int(pairs), prompt, reply)


def _read_card(path: str) -> Card:
    """Read a judge's card; raise ConfigError if the file cannot be read or is no card."""
    try:
        return Card.model_validate(parse_json(read_whole(local_path(path))))
    except ValidationError as error:
        raise ConfigError(f"judge={path}: no judge's card ({describe_error(error)}); {WRITTEN}") from None
    except (OSError, ValueError):
        raise ConfigError(f"judge={path}: no judge's card; {WRITTEN}") from None


def design_table(design: Design, card: Card, lang: Language, prices: Prices) -> Table:
    """Return the table of one language: a row for each number of further prompts, which the judge alone judges.

    A row has the prompts that people need, the judge's calls and tokens, and their cost if a price was given. If the
    design has another number of raters than the card, the correlation is adjusted by `design.agreement`. The card must
    know the judge's worth in the language. Raises ConfigError if `design.agreement` is 0.
    """
    own = card.languages[lang]
    assert own.worth is not None
    if not design.agreement:
        raise ConfigError("agreement=0: must be above 0 beside a judge, as verdicts by chance cannot be predicted")
    scale = (design.reliability(design.raters) / design.reliability(own.worth.raters)) ** 0.5
    priced = prices.prompt is not None or prices.reply is not None
    headings = ("further prompts", "people", "calls", "tokens", *(("cost",) if priced else ()))
    rows = []
    for further in FURTHER:
        found = [
            design.prompts_with_judge(design.raters, min(1.0, scale * value), further)
            for value in (own.worth.correlation, own.worth.high, own.worth.low)
            if value is not None
        ]
        calls = 2 * (found[0] + further) * prices.pairs if further else 0
        prompt, reply = (tokens * calls / max(1, own.calls) for tokens in (own.prompt_tokens, own.reply_tokens))
        ends = f" ({found[1]:,} to {found[2]:,})" if len(found) == 3 else ""
        cost = ((prices.prompt or 0) * prompt + (prices.reply or 0) * reply) / 1e6
        cells = [f"{further:,}", f"{found[0]:,}{ends}", f"{calls:,}", f"{prompt + reply:,.0f}"]
        rows.append((*cells, *([f"{cost:,.2f}"] if priced else [])))
    return Table(headings, (False,) * len(headings), tuple(rows))
