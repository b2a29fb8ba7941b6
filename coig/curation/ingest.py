"""Take articles in: read their rows, strip HTML, and apply the rules of language, length and date."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import polars as pl
from pydantic import ValidationError

from coig.config import CurateConfig
from coig.config.curation import Ingest
from coig.config.fields import files_of
from coig.curation.records import Article, State
from coig.curation.store import Pen, Store, key_of
from coig.data.cache import batched
from coig.errors import DataError
from coig.files.rows import Damaged, read_rows
from coig.records.record import describe_error
from coig.text.cleaning import clean_text
from coig.text.language import language_of, script_share
from coig.text.language_codes import LANGUAGES
from coig.text.markup import strip_html
from coig.text.personal_data import find_personal_data

log = logging.getLogger(__name__)
AT_A_TIME = 1000  # rows in a transaction
RULE = "rules of ingestion"
FEWEST_OF_SCRIPT = 0.5  # least share of a text's script that is its language's


def ingest(store: Store, config: CurateConfig) -> None:
    """Add the articles of the input files that are not in the curation yet, as texts ingested or excluded.

    Stores rows that cannot be read as damaged, and logs counts. Raises DataError if no row can be read.
    """
    counts: Counter[str] = Counter()
    files = files_of(config.input)
    for rows in batched((found for file in files for found in read_rows(file)), lambda _: 1, AT_A_TIME):
        with store.writing() as pen:
            for place, row in rows:
                counts[_add_row(pen, place, row, config.ingest)] += 1
    if counts["damaged"] and counts["damaged"] == counts.total():
        columns = next((list(row) for _, row in read_rows(files[0]) if isinstance(row, dict) and row), ["content"])
        raise DataError(
            f"input={files[0]}: no row can be read; of its columns ({', '.join(columns)}) name those that hold an "
            f"article's fields: 'ingest.columns={{text: {columns[0]}}}'"
        )
    log.info("ingest: %s", ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "no rows")


def _add_row(pen: Pen, place: str, row: Any, rules: Ingest) -> str:
    """Add a row's article; return what became of it: ingested, excluded, known or damaged.

    An article gets one version as it was collected, another if HTML was stripped, and an event with the reasons to
    exclude it and possible personal data. A known one is not added; a damaged row is stored as such.
    """
    try:
        article = read_article(row, rules)
    except ValueError as error:
        pen.add_damaged(place, str(error))
        return "damaged"
    stripped = strip_html(article.text)
    lang, reasons = judge_article(article, stripped, rules)
    about = article.model_dump(mode="json", exclude={"text"}) | {"place": place}
    text = pen.add_text(key_of(article.url, article.text), lang, article.genre, about)
    if text is None:
        return "known"
    rule = pen.find_actor(RULE, "rule")
    pen.add_version(text, "article", {"text": article.text}, rule, "as it was collected")
    if stripped != article.text:
        pen.add_version(text, "article", {"text": stripped}, rule, "without HTML")
    state: State = "excluded" if reasons else "ingested"
    found = [finding._asdict() for finding in find_personal_data(stripped)]
    pen.add_event(text, "ingest", state, {"reasons": reasons, "personal_data": found}, rule)
    return state


def read_article(row: Any, rules: Ingest) -> Article:
    """Return a row as an article: columns renamed and defaults filled in as `rules` say, its text in NFC and stripped.

    None and "" count as missing, other columns are ignored, a blank text becomes "". Raises ValueError with the reason
    if the row is damaged, lacks a text, or has an invalid value.
    """
    if isinstance(row, Damaged):
        raise ValueError(row.reason)
    if not isinstance(row, dict):
        raise ValueError(f"not an object but {type(row).__name__}")
    row = row | {field: row[column] for field, column in rules.columns.items() if column in row}
    given = {name: value for name, value in row.items() if value is not None and value != ""}
    defaults = {"collector": rules.collector, "licence": rules.licence}
    try:
        return Article.model_validate({**defaults, **given, "text": _text_of(row)})
    except ValidationError as error:
        raise ValueError(describe_error(error)) from None


def _text_of(row: dict[str, Any]) -> str:
    """Return the row's value of `text` in NFC, "" if it is blank. Raises ValueError if it is missing or damaged."""
    text = row.get("text")
    return "" if isinstance(text, str) and not text.strip() else clean_text(row, "text")


def judge_article(article: Article, text: str, rules: Ingest) -> tuple[str, list[str]]:
    """Return an article's language, and the reasons to exclude it, such as `length: 8 characters, fewer than 12`.

    The language is the one that the row gives, else that of the script of `text`, the article without HTML.
    """
    share = pl.select(script_share(pl.lit(text))).item()
    script = pl.select(language_of(pl.lit(share, pl.Float64))).item()
    lang = article.lang or (script if script in LANGUAGES else "zh" if share is not None and share >= 0.5 else "en")
    return lang, [*_language_reasons(lang, share, rules), *_length_reasons(text, rules), *_date_reasons(article, rules)]


def _language_reasons(lang: str, share: float | None, rules: Ingest) -> Iterator[str]:
    """Yield why a text's language excludes it, at most one reason.

    `share` is the share of Chinese in its script; None if it is written in neither Chinese nor Latin script.
    """
    if lang not in rules.languages:
        yield f"language: {lang}, not {' or '.join(rules.languages)}"
    elif share is None:
        yield "language: neither Chinese nor Latin script"
    elif (share if lang == "zh" else 1 - share) < FEWEST_OF_SCRIPT:
        yield f"language: said to be {lang}, written in another script"


def _length_reasons(text: str, rules: Ingest) -> Iterator[str]:
    """Yield that a text has too few or too many characters; nothing if neither."""
    if len(text) < rules.min_characters:
        yield f"length: {len(text):,} characters, fewer than {rules.min_characters:,}"
    if len(text) > rules.max_characters:
        yield f"length: {len(text):,} characters, more than {rules.max_characters:,}"


def _date_reasons(article: Article, rules: Ingest) -> Iterator[str]:
    """Yield that an article has no date or is too old; nothing if neither, or no date is asked for."""
    if rules.published_after is not None:
        if article.published is None:
            yield "date: not given"
        elif article.published <= rules.published_after:
            yield f"date: {article.published}, not after {rules.published_after}"
