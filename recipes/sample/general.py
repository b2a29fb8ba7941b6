"""Make the general-reasoning half of the embedded sample: short problems, generated and solved by program.

They are word problems and problems about dates, units, ordering and logic, in Chinese and English. Every number is
computed, and riddles are selected by search to have exactly one solution, so the answers are right. The wordings are
original and vary at random.

A *family* (in ``families/``) takes a random generator, draws one problem and returns its text as a list of slots: the
setting, the question, the sentences of reasoning, and the answer. Each slot lists wordings with the same meaning, of
which one is drawn here.

Run ``python -m recipes.sample.general`` to write ``general_zh.jsonl`` and ``general_en.jsonl`` afresh.
"""

import json
from collections.abc import Iterator
from itertools import count as count_from
from itertools import islice
from random import Random

from coig.config.fields import SAMPLE
from recipes.sample.families import en_measures, en_puzzles, en_words, zh_measures, zh_puzzles, zh_words
from recipes.sample.families.shared import Family

FAMILIES: dict[str, dict[str, list[Family]]] = {
    "zh": zh_words.FAMILIES | zh_measures.FAMILIES | zh_puzzles.FAMILIES,
    "en": en_words.FAMILIES | en_measures.FAMILIES | en_puzzles.FAMILIES,
}
SEPARATOR = {"zh": "", "en": " "}
PUNCTUATION = {"zh": str.maketrans(",:;?", "，：；？"), "en": {}}  # Chinese families are written with ASCII punctuation
ROWS = 360


def general_examples(lang: str, count: int, seed: int = 0) -> list[dict[str, str]]:
    """Return the first ``count`` problems in ``lang`` ("zh" or "en"), as rows; a larger count only adds rows."""
    return list(islice(_rows(lang, seed), count))


def _rows(lang: str, seed: int) -> Iterator[dict[str, str]]:
    """Yield endlessly many problems, cycling through the topics and through the families of each topic."""
    rng = Random(f"{seed}-{lang}")
    topics = list(FAMILIES[lang].items())
    seen: set[str] = set()
    for number in count_from(1):
        turn, place = divmod(number - 1, len(topics))
        genre, families = topics[place]
        text = _unseen(rng, families[turn % len(families)], SEPARATOR[lang], seen)
        typeset = {field: value.translate(PUNCTUATION[lang]) for field, value in text.items()}
        yield {"id": f"general-{lang}-{number:04d}", "lang": lang, "genre": genre, **typeset}


def _unseen(rng: Random, family: Family, separator: str, seen: set[str]) -> dict[str, str]:
    """Draw problems of ``family`` until the prompt of one is not in ``seen``; add the prompt to ``seen``.

    Return the problem as {prompt, reasoning, answer}.
    """
    while True:
        setting, question, *steps, answer = (rng.choice(slot) for slot in family(rng))
        prompt = setting + separator + question
        if prompt not in seen:
            seen.add(prompt)
            return {"prompt": prompt, "reasoning": separator.join(steps), "answer": answer}


def main() -> None:
    """Write both files of the sample, each atomically."""
    for lang in FAMILIES:
        target = SAMPLE / f"general_{lang}.jsonl"
        unfinished = target.with_suffix(".tmp")
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in general_examples(lang, ROWS)]
        unfinished.write_text("".join(lines), encoding="utf-8")
        unfinished.replace(target)


if __name__ == "__main__":
    main()
