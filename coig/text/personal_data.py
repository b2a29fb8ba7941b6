"""Find personal data in a text: what identifies or reaches a person. People decide about each finding."""

from __future__ import annotations

import re
from typing import NamedTuple

ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # of a Chinese identity number (GB 11643-1999)
ID_CHECKS = "10X98765432"
PATTERNS = {
    "email": re.compile(r"(?<![\w.+-])[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?![\w-])", re.ASCII),
    "identity number": re.compile(r"(?<![0-9A-Za-z])\d{17}[\dXx](?![0-9A-Za-z])"),
    "bank card": re.compile(r"(?<![\d-])\d{4}(?:[ -]?\d{4}){3}(?:[ -]?\d{1,3})?(?![\d-])"),
    "phone": re.compile(
        r"(?<![\d+-])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![\d-])"
        r"|(?<![\d-])0\d{2,3}-\d{7,8}(?![\d-])"
        r"|(?<![\d-])(?:\+1[ .-])?\(?[2-9]\d{2}\)?[ .-][2-9]\d{2}[ .-]\d{4}(?![\d-])"
    ),
    "account": re.compile(
        r"(?:微信号?|薇信|威信|QQ号?|扣扣|[Ww]e[Cc]hat|VX|vx)\s*(?:[:：]|是|为|号是)?\s*([A-Za-z][\w-]{5,19}|[1-9]\d{4,11})(?![\w-])"
    ),
}


class Finding(NamedTuple):
    """A piece of a text that may be personal data: its kind and where it stands, in characters."""

    kind: str
    start: int
    end: int


def find_personal_data(text: str) -> list[Finding]:
    """Return e-mail addresses, phone, identity and card numbers, and accounts in a text, in the order of their places.

    Identity and card numbers count only with a right check digit. An account is one of WeChat or QQ; its finding
    includes the word before it, such as `QQ:`. Of findings that overlap, the kind that is earlier in PATTERNS is kept.
    Names of people are not found.
    """
    found: list[Finding] = []
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            is_free = all(match.end() <= other.start or other.end <= match.start() for other in found)
            if is_free and _is_sound(kind, match.group()):
                found.append(Finding(kind, match.start(), match.end()))
    return sorted(found, key=lambda finding: finding.start)


def _is_sound(kind: str, text: str) -> bool:
    """Tell whether a number's check digit is right; true for kinds that have none."""
    if kind == "identity number":
        return ID_CHECKS[sum(int(d) * w for d, w in zip(text[:17], ID_WEIGHTS, strict=True)) % 11] == text[17].upper()
    if kind == "bank card":
        digits = [int(digit) for digit in reversed(re.sub(r"\D", "", text))]
        return sum(digits[::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0  # Luhn
    return True
