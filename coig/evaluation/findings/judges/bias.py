"""What raises a judge's verdict beyond people's: length, its own model family, and flaws of answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from coig.evaluation.findings.judges.figures import Figure
from coig.evaluation.findings.judges.items import Items
from coig.statistics.intervals import FEWEST, Floats
from coig.statistics.probes import estimate_bias, estimate_slope

BEYOND = "beyond people's verdicts, prefers"
LONGER = f"{BEYOND} the longer answer, per doubling"
FAMILY = f"{BEYOND} its own model family's answer"
NAMES = {  # columns of `Traits.of_answers`
    "doublings": LONGER,
    "foreign": f"{BEYOND} the answer in the other language",
    "empty": f"{BEYOND} the empty answer",
    "cut_off": f"{BEYOND} the answer that is cut off",
    "repetitive": f"{BEYOND} the repetitive answer",
}
REPETITIVE = 0.2  # share of an answer's 4-grams that occurred in it before
MOST_DOUBLINGS = 2.0  # of length between two answers; more count as so many
WIDEST = 1.0  # of an interval of a bias; a wider one says nothing
FAMILIES = {  # by a word of a model's name
    **dict.fromkeys(("qwen", "qwq", "qvq"), "qwen"),
    **dict.fromkeys(("llama", "codellama"), "llama"),
    **dict.fromkeys(("gemma", "codegemma"), "gemma"),
    **dict.fromkeys(("mistral", "mixtral", "ministral", "magistral", "codestral", "devstral", "pixtral"), "mistral"),
    **dict.fromkeys(("glm", "chatglm"), "glm"),
    **dict.fromkeys(("gpt", "chatgpt"), "gpt"),
    **{word: word for word in ("gemini", "internlm", "baichuan", "doubao", "claude", "grok", "kimi", "minicpm")},
    **{word: word for word in ("minimax", "olmo", "phi", "hunyuan", "ernie", "smollm", "yi")},
    "deepseek": "deepseek",  # the last, because a distilled model is of the family that it was made from
}


@dataclass(frozen=True)
class Traits:
    """What answers differ in. families: of the arms' models, without arms whose family is not known.

    of_answers: arm, query_id and the columns of NAMES as numbers; None if no answers were read.
    """

    of_answers: pl.DataFrame | None
    families: Mapping[str, str]


def find_traits(answers: pl.DataFrame | None, models: Mapping[str, str]) -> Traits:
    """Return the traits of the answers and the families of the arms' models.

    Args:
        answers: the frame of `measure_answers`; None if no answers were read. models: the model's name of each arm.
    """
    families = {arm: family for arm, model in models.items() if (family := family_of(model)) is not None}
    if answers is None:
        return Traits(None, families)
    length, empty = pl.coalesce("tokens", "words"), pl.col("answer").str.strip_chars() == ""
    of_answers = answers.select(
        "arm",
        "query_id",
        doublings=pl.when(length > 0).then(length).log(2),
        foreign=pl.col("contaminated_any").fill_null(False).cast(pl.Float64),
        empty=empty.cast(pl.Float64),
        cut_off=(~pl.col("finished") & ~empty).cast(pl.Float64),
        repetitive=(pl.col("self_repetition") >= REPETITIVE).cast(pl.Float64),
    )
    return Traits(of_answers.unique(["arm", "query_id"], keep="first", maintain_order=True), families)


def family_of(model: str | None) -> str | None:
    """Return a model's family by the first word of FAMILIES in its name, qwen for Qwen/Qwen2.5-7B; None without one."""
    words = re.findall("[a-z]+", (model or "").lower())
    return next((family for word, family in FAMILIES.items() if word in words), None)


def difference_in(pairs: pl.DataFrame, traits: Traits, trait: str) -> Floats:
    """Return how much more of a trait the first answer of each pair has than the second, (N,).

    It is 0 where unknown, and limited to ±MOST_DOUBLINGS. `trait` is a column of `traits.of_answers`, which must exist.
    """
    assert traits.of_answers is not None
    values = traits.of_answers.select("query_id", "arm", pl.col(trait).alias("value"))
    first, second = (
        pairs.select("query_id", arm=side).join(values, on=["query_id", "arm"], how="left", maintain_order="left")
        for side in ("arm", "opponent")
    )
    known = (first["value"] - second["value"]).cast(pl.Float64).to_numpy()
    difference: Floats = np.nan_to_num(known).clip(-MOST_DOUBLINGS, MOST_DOUBLINGS)
    return difference


def figures_of_bias(items: Items, traits: Traits, family: str | None) -> Iterator[Figure]:
    """Yield a figure for each trait: how much it raises the judge's verdict beyond people's, beside people's own bias.

    Only pairs that two or more people judged are used. A figure that cannot be estimated has a note instead.

    Args:
        family: of the judge's model, None if unknown.
    """
    items = items.select(items.raters > 1)
    yield _figure_of_family(items, traits, family)
    for trait, name in NAMES.items():
        if traits.of_answers is None:
            yield Figure(name, note="could not run: no answers were read")
        else:
            yield _figure_of_trait(items, name, difference_in(items.pairs, traits, trait))


def _figure_of_family(items: Items, traits: Traits, family: str | None) -> Figure:
    """Return the judge's bias for answers of its own model family, `family`; an arm of unknown family is of another.

    There is only a note if the judge's family, or that of every arm, is not known.
    """
    if family is None or not traits.families:
        return Figure(FAMILY, note="could not run: the family of the judge's or of the arms' model is not known")
    own = pl.col("arm", "opponent").replace_strict(traits.families, default="").eq(family).cast(pl.Float64)
    sides = items.pairs.select(own)
    return _figure_of_trait(items, FAMILY, (sides["arm"] - sides["opponent"]).to_numpy())


def _figure_of_trait(items: Items, name: str, difference: Floats) -> Figure:
    """Return a judge's bias by a trait, and people's own preference for the trait, with counts of what differs in it.

    If answers differ in it on fewer than FEWEST prompts, there is only a note; if people agree too little, or the
    interval is wider than WIDEST, a note instead of the bias. `difference`, (N,), is how much more of the trait the
    first answer of each pair has.
    """
    if not len(items.people):
        return Figure(name, note="could not run: no pair has verdicts of the judge and of two people")
    differ, prompts = difference != 0, items.prompts
    count = len(np.unique(prompts[differ]))
    if count < FEWEST:
        return Figure(name, note=f"could not run: answers differ in it for {count} prompts")
    people = estimate_slope(np.nanmean(items.people, axis=1), difference, prompts)
    bias = estimate_bias(items.pairs["soft"].to_numpy(), items.people, difference, prompts)
    if bias is not None and bias.low is not None and bias.high is not None and bias.high - bias.low > WIDEST:
        bias = None
    note = "" if bias is not None else "could not run: people agree too little, or on too few prompts, to tell"
    return Figure(name, bias, people, count, int(differ.sum()), note)
