"""Take the text out of HTML. Rows of collected articles are often fragments of pages."""

from __future__ import annotations

import html
import re

from selectolax.lexbor import LexborHTMLParser

from coig.text.language import HAN_LETTERS

BLOCKS = (
    *("address", "article", "aside", "blockquote", "dd", "div", "dl", "dt", "figcaption", "figure", "footer", "header"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "main", "ol", "p", "pre", "section", "table", "tr", "ul"),
)
INLINE = ("a", "b", "body", "em", "font", "html", "i", "img", "script", "span", "strong", "style", "sub", "sup", "u")
UNSEEN = ("script", "style", "template", "noscript", "head", "iframe", "object", "svg")
TAG = re.compile(rf"</?(?:{'|'.join((*BLOCKS, *INLINE, 'br'))})(?:\s[^<>]*)?/?>", re.IGNORECASE)
LINE_TAG = re.compile(rf"<(?:{'|'.join((*BLOCKS, 'br'))})(?:\s[^<>]*)?/?>", re.IGNORECASE)
ENTITY = re.compile(r"&(?:nbsp|amp|lt|gt|quot|apos|ldquo|rdquo|hellip|mdash|middot|#\d{2,6}|#x[0-9a-fA-F]{2,5});")
BETWEEN_HAN = re.compile(rf"(?<=[{HAN_LETTERS}，。！？、；：”』」])\s*\n\s*(?=[{HAN_LETTERS}“『「])")


def strip_html(text: str) -> str:
    """Return a text without HTML tags, scripts and entities; a text that matches neither TAG nor ENTITY is unchanged.

    If a tag of TAG is in the text, other tags in Latin letters are removed, too. `a < b` and `<作者>` always stay.
    Blocks become paragraphs and `<br>` a line break; in a text with either, the source's line breaks are mere white
    space. Runs of blanks and of empty lines are shortened, also in a text that has entities alone.
    """
    if not TAG.search(text):
        return _tidy(html.unescape(text)) if ENTITY.search(text) else text
    if LINE_TAG.search(text):  # then a line break of the source is mere white space, as in a browser
        text = re.sub(r"\s*\n\s*", " ", BETWEEN_HAN.sub("", text))
    page = LexborHTMLParser(text)
    for node in page.css(", ".join(UNSEEN)):
        node.decompose()
    for node in page.css("br"):
        node.replace_with("\n")
    for node in page.css(", ".join(BLOCKS)):
        node.insert_before("\n\n")
        node.insert_after("\n\n")
    return _tidy(page.body.text() if page.body else "")


def _tidy(text: str) -> str:
    """Return a text without white space around it or its lines, and with at most one empty line in a row.

    Several blanks in a line become one.
    """
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
