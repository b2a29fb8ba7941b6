"""Count openings and personal names that recur across an arm's prompts."""

from __future__ import annotations

import calendar
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl
import rjieba

from coig.evaluation.measures.sameness import PEOPLE
from coig.text.language import HAN
from coig.text.words import WORD

OPENING = {"zh": 6, "en": 4}  # characters, words
SHOWN = 5  # of an arm's openings and names
SURNAMES = frozenset(  # the hundred most frequent of the census of 2010
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜"
    "崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常"
)
INSIDE = re.compile(r"(?<=[a-z,;:] )[\"“‘']?([A-Z][a-z]{2,})\b")  # a capitalised word that begins no sentence
DATES = frozenset(calendar.day_name) | frozenset(calendar.month_name)
RECURRING: dict[str, Any] = {
    **dict.fromkeys(("lang", "arm"), pl.String),
    "texts": pl.Int64,
    "same_opening": pl.Float64,  # share of the texts that begin like another one
    "openings": pl.String,
    "same_name": pl.Float64,  # share of the texts with a name that another one has too
    "names": pl.String,
}


def find_recurring(answers: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Return what share of texts have an opening, or a name, that another text has too; columns as in RECURRING.

    There is a row for each language and arm, and for people's texts as the arm PEOPLE. `openings` and `names` list up
    to SHOWN that recur, with their counts; null if none does. Names in a text's own query do not count.

    Args:
        answers: with the columns lang, arm, query and answer, one answer of an arm for each prompt.
        people: people's texts, with the columns lang, prompt and answer.
    """
    of_people = people.select("lang", pl.lit(PEOPLE).alias("arm"), pl.col("prompt").alias("query"), "answer")
    everything = pl.concat([answers.select("lang", "arm", "query", "answer"), of_people])
    rows = []
    for (lang,), part in everything.group_by("lang", maintain_order=True):
        lower = {word for text in part["answer"] for word in re.findall(r"\b[a-z]{3,}\b", text)}
        for (arm,), own in part.group_by("arm", maintain_order=True):
            texts = own.select("query", "answer").rows()
            openings = [_opening(text, str(lang)) for _, text in texts]
            names = [_names(text, lower) - _names(query, lower) for query, text in texts]
            rows.append(
                {"lang": lang, "arm": arm, "texts": len(texts)}
                | _summarize("opening", [{one} - {""} for one in openings])
                | _summarize("name", names)
            )
    return pl.DataFrame(rows, schema=RECURRING)


def _opening(text: str, lang: str) -> str:
    """Return a Chinese text's first 6 letters and digits, an English one's first 4 words in lower case; "" if fewer."""
    if lang == "zh":
        characters = re.sub(r"[\W_]+", "", text[:100])
        return characters[: OPENING[lang]] if len(characters) >= OPENING[lang] else ""
    found = WORD.findall(text[:200].lower())
    return " ".join(found[: OPENING[lang]]) if len(found) >= OPENING[lang] else ""


def _names(text: str, lower: Iterable[str]) -> set[str]:
    """Return the names in a text: Chinese ones with a frequent surname (谢谢 is none), and capitalised English words.

    An English word is left out if it begins a sentence, is a day or a month, or is in `lower`, the words that occur
    without a capital, too.
    """
    chinese = set()
    if HAN.search(text):
        tagged = (word for word, tag in rjieba.tag(text) if tag.startswith("nr"))
        chinese = {word for word in tagged if len(word) in (2, 3) and word[0] in SURNAMES and word[0] != word[1]}
    return chinese | {word for word in INSIDE.findall(text) if word.lower() not in lower and word not in DATES}


def _summarize(name: str, of_texts: list[set[str]]) -> dict[str, Any]:
    """Return two columns of RECURRING: `same_…`, the share of texts with an item that another text has, and `…s`.

    `…s`, such as `names`, is `_list_most` of the items. `of_texts` has each text's items; there must be a text.
    """
    counts = Counter(one for found in of_texts for one in found)
    shared = sum(any(counts[one] > 1 for one in found) for found in of_texts)
    return {f"same_{name}": shared / len(of_texts), f"{name}s": _list_most(counts)}


def _list_most(counts: Mapping[str, int]) -> str | None:
    """Return up to SHOWN items that recur most, with counts, as "Elara (12), Marcus (7)"; None if nothing recurs."""
    recurring = sorted((-count, one) for one, count in counts.items() if count > 1)
    return ", ".join(f"{one} ({-count})" for count, one in recurring[:SHOWN]) or None
