"""Turn a text into the set of its shingles, short overlapping pieces by which copies of a text are found."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

from coig.text.cleaning import simplified_characters

Shingles = NDArray[np.uint64]
HAN_SIZE = 5  # characters of a shingle
ALPHABET_SIZE = 8  # of one that begins with a letter of an alphabet or a digit; 5 letters are often shared by chance
FIRST_OF_CJK = 0x2E80  # the code points of alphabets lie below
FIRST_WITHOUT_LETTERS = 0x40000  # Unicode's planes 4 to 16 have neither letters nor digits
START, PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # of the hash FNV-1a
SHIFT, FACTORS = np.uint64(33), (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))  # of MurmurHash3


def comparison_form(text: str) -> str:
    """Return a text's letters and digits in a form that is equal for copies of a text.

    Character width, compatibility forms (NFKC) and case are made alike, white space and punctuation removed, and
    traditional characters replaced by the simplified ones.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().translate(simplified_characters())
    codes = code_points(folded)
    return codes[is_letter()[codes]].tobytes().decode("utf-32-le")


def shingles_of(text: str) -> Shingles:
    """Return the sorted, distinct 64-bit hashes of a text's shingles.

    A shingle is 5 consecutive characters of the comparison form, 8 if the first is a letter of an alphabet or a digit.
    A text too short for any is one shingle as a whole; a text without letters and digits has none. Two of n distinct
    shingles share a hash with a probability of about n² / 2⁶⁵: 10⁻⁵ for the 20 million of 10,000 texts.
    """
    codes = code_points(comparison_form(text))
    of_han = _hash_windows(codes, 0, HAN_SIZE)
    of_alphabet = _hash_windows(codes, HAN_SIZE, ALPHABET_SIZE, of_han)
    is_alphabet = codes < FIRST_OF_CJK
    found = np.concatenate([of_han[~is_alphabet[: len(of_han)]], of_alphabet[is_alphabet[: len(of_alphabet)]]])
    return np.unique(mix(found if len(found) else _hash_windows(codes, 0, max(1, len(codes)))))


def code_points(text: str) -> NDArray[np.uint32]:
    """Return a text's code points, (characters,); a lone surrogate, as in a damaged text, is one code point."""
    return np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)


def _hash_windows(codes: NDArray[np.uint32], start: int, end: int, hashes: Shingles | None = None) -> Shingles:
    """Hash every window of `end` consecutive code points by FNV-1a; return the hashes, one for each window.

    If the hashes of the windows' first `start` code points are given as `hashes`, the others are added to these. None
    goes with a `start` of 0. A text shorter than a window has no hashes.
    """
    count = max(0, len(codes) - end + 1)
    found = np.full(count, START) if hashes is None else hashes[:count]
    for place in range(start, end):
        found = (found ^ codes[place : place + count]) * PRIME
    return found


def mix(hashes: Shingles) -> Shingles:
    """Spread hashes evenly over 64 bits, as the last steps of MurmurHash3 do."""
    for factor in FACTORS:
        hashes = (hashes ^ (hashes >> SHIFT)) * factor
    return hashes ^ (hashes >> SHIFT)


@cache
def is_letter() -> NDArray[np.bool_]:
    """Return an array over all code points, (0x110000,), true for letters and digits."""
    found = np.zeros(0x110000, np.bool_)
    found[:FIRST_WITHOUT_LETTERS] = [chr(code).isalnum() for code in range(FIRST_WITHOUT_LETTERS)]
    return found
