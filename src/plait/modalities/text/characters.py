"""What each Unicode character is to the text room: its kind, and its folded form."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["APOSTROPHE", "CJK", "DIGIT", "KINDS", "LETTER", "LIMIT", "PUNCTUATION", "SPACE", "UPPER", "fold", "kinds"]

# Kinds from CJK on make words: each CJK character is one by itself, the others make words by runs.
OTHER, SPACE, PUNCTUATION, APOSTROPHE, CJK, DIGIT, LETTER, UPPER = range(8)
KINDS = 8

LIMIT = 0x40000  # beyond the third ideographic plane nothing makes words: such code points are clipped to the last one
_PLANE = 0x20000  # the two planes that hold every alphabet
_CJK_RANGES = (
    (0x3005, 0x3007),  # iteration mark, closing mark, zero
    (0x3041, 0x3096),  # hiragana
    (0x309D, 0x309F),
    (0x30A1, 0x30FA),  # katakana
    (0x30FC, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # extension A
    (0x4E00, 0x9FFF),  # unified ideographs
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFF66, 0xFF9D),  # half-width katakana
    (_PLANE, LIMIT - 3),  # supplementary and tertiary planes
)
_FULL_WIDTH = (0xFF01, 0xFF5E, 0xFEE0)  # first, last, distance to ASCII
_APOSTROPHES = [0x27, 0x2019, 0xFF07]
_CONTROL_SPACES = [*range(0x09, 0x0E), *range(0x1C, 0x20), 0x85]


@cache
def kinds() -> npt.NDArray[np.uint8]:
    """The kind of every code point below `LIMIT` (uint8), from its general category. Marks count as letters."""
    of_class = {"L": LETTER, "M": LETTER, "N": DIGIT, "P": PUNCTUATION, "S": PUNCTUATION, "Z": SPACE, "C": OTHER}
    categories = list(map(unicodedata.category, map(chr, range(_PLANE))))
    kind = {name: UPPER if name in ("Lu", "Lt") else of_class[name[0]] for name in set(categories)}
    table = np.full(LIMIT, OTHER, np.uint8)
    table[:_PLANE] = [kind[name] for name in categories]
    table[_CONTROL_SPACES] = SPACE
    for first, last in _CJK_RANGES:
        table[first : last + 1] = CJK
    table[_APOSTROPHES] = APOSTROPHE
    return table


@cache
def fold(lowercase: bool) -> npt.NDArray[np.uint32]:
    """One code point for each below `LIMIT` (uint32): full-width forms become ASCII, capitals small if `lowercase`.

    One to one, so that positions stay: where Python's ``str.lower`` gives two characters, the first is taken.
    """
    table = np.arange(LIMIT, dtype=np.uint32)
    first, last, distance = _FULL_WIDTH
    table[first : last + 1] -= distance
    table[_APOSTROPHES] = ord("'")
    if lowercase:
        table[:_PLANE] = [ord(chr(code).lower()[0]) for code in table[:_PLANE]]
    return table
