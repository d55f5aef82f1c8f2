"""Words and characters of texts as hashed n-grams, weighted by TF-IDF: numpy alone, no Python loop over rows.

Texts are worked on in slices as one array of code points. A word's hash is a polynomial in its (scrambled) code points
modulo 2^64, read off prefix sums (Karp and Rabin, 1987), so that every word of a slice costs two look-ups; character
n-grams are hashed once for each distinct word of a slice. Two n-grams are taken for one with a chance of about 1 in
10^9 for 100,000 terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from plait.contracts import Ragged
from plait.modalities.text import characters

__all__ = ["FAMILY_SHIFT", "GRAM", "STATISTICS", "Counts", "count", "slices"]

UInt64 = npt.NDArray[np.uint64]
Int64 = npt.NDArray[np.int64]

SLICE = 1 << 18  # bytes of text worked on at once: more than any one text has, since cells are cut
WORD, PAIR, GRAM = range(3)  # families: words, pairs of neighbouring words, characters within a word
FAMILY_SHIFT = np.uint64(62)  # a hash's two high bits tell its family, so that sorted hashes keep families together
CHARACTERS = (2, 3, 4)  # lengths of character n-grams, the marks of a word's two ends included
BASE = 0x9E3779B97F4A7C15 | 1
STATISTICS = (
    "characters",
    "words",
    "mean word length",
    "digit share",
    "upper-case share",
    "punctuation share",
    "CJK share",
    "distinct word share",
    "numbers",
)
EDGE = np.uint64(0xD1B54A32D192ED03)  # stands for a word's end among scrambled code points
PAIR_FACTORS = (np.uint64(0xA24BAED4963EE407), np.uint64(0x9FB21C651E98DF25))


@dataclass(frozen=True)
class Words:
    """The words of a slice of rows, in order.

    Parameters
    ----------
    codes
        uint32 ``C``: the slice's code points, as they stand.
    starts, ends
        int64 ``W``: where each word stands in `codes`.
    row
        int64 ``W``: the row of each word, counted from the slice's first.
    hashes
        uint64 ``W``.
    """

    codes: npt.NDArray[np.uint32]
    starts: Int64
    ends: Int64
    row: Int64
    hashes: UInt64


@dataclass(frozen=True)
class Counts:
    """What one slice of rows holds.

    Parameters
    ----------
    hashes
        uint64 ``U``, sorted: the distinct n-grams.
    where
        int64 ``U``: where each is met: the index of its (first) word; for characters, that times 2^32, plus 8 times
        the start in the word, plus the length.
    row, ids, counts
        int64: row, index into `hashes` and count of each distinct n-gram of each row, sorted by row, then by hash.
    statistics
        float32 ``N x S``, see `STATISTICS`.
    """

    words: Words
    hashes: UInt64
    where: Int64
    row: Int64
    ids: Int64
    counts: Int64
    statistics: npt.NDArray[np.float32]

    def terms(self, indices: Int64, lowercase: bool) -> list[str]:
        """Some of the n-grams as a person reads them; in parts of a word ``·`` is its end and ``…`` that it goes on."""
        words = self.words
        text = characters.fold(lowercase)[words.codes].astype("<u4").tobytes().decode("utf-32-le")
        cjk = characters.kinds()[words.codes[words.starts]] == characters.CJK
        family = self.hashes[indices] >> FAMILY_SHIFT
        where = self.where[indices]
        first = np.where(family == GRAM, where >> 32, where)
        second = np.minimum(first + 1, len(words.starts) - 1)
        spans = np.stack([words.starts[first], words.ends[first], words.starts[second], words.ends[second]], axis=1)
        apart = np.where(cjk[first] & cjk[second], "", " ").tolist()
        found = []
        for kind, place, (start, stop, begin, end), gap in zip(
            family.tolist(), (where % 2**32).tolist(), spans.tolist(), apart, strict=True
        ):
            if kind == GRAM:
                found.append(_gram(f"·{text[start:stop]}·", place // 8, place % 8))
            else:
                found.append(text[start:stop] if kind == WORD else f"{text[start:stop]}{gap}{text[begin:end]}")
        return found


def _gram(word: str, start: int, length: int) -> str:
    stop = start + length
    return f"{'…' if start else ''}{word[start:stop]}{'…' if stop < len(word) else ''}"


@dataclass(frozen=True)
class _Family:
    """All n-grams of one family in a slice: distinct ones as in `Counts`, then row and index of every occurrence."""

    hashes: UInt64
    where: Int64
    row: Int64
    ids: Int64


@cache
def _scrambled(lowercase: bool) -> UInt64:
    """A random-looking number for each folded code point (the finaliser of splitmix64; Steele, Lea and Flood, 2014)."""
    z = (characters.fold(lowercase).astype(np.uint64) + np.uint64(1)) * np.uint64(BASE)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


@cache
def _powers() -> tuple[UInt64, UInt64]:
    """Powers of the base and of its inverse modulo 2^64, for every position in a slice."""
    both = []
    for base in (BASE, pow(BASE, -1, 2**64)):
        factors = np.full(SLICE, base, np.uint64)
        factors[0] = 1
        both.append(np.cumprod(factors))
    return both[0], both[1]


def slices(texts: Ragged) -> Iterator[tuple[int, int]]:
    """Ranges of rows of at most `SLICE` bytes each."""
    start = 0
    while start < len(texts):
        limit = int(texts.offsets[start]) + SLICE
        stop = max(start + 1, int(np.searchsorted(texts.offsets, limit, side="right")) - 1)
        yield start, stop
        start = stop


def _code_points(texts: Ragged, start: int, stop: int) -> tuple[npt.NDArray[np.uint32], Int64]:
    """Clipped code points of the rows from `start` to `stop`, and where each row begins (``N + 1``)."""
    offsets = texts.offsets[start : stop + 1]
    raw = texts.values[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    codes = np.frombuffer(raw.tobytes().decode("utf-8").encode("utf-32-le"), "<u4").astype(np.uint32, copy=False)
    if len(codes) < len(raw):  # not ASCII alone: count the bytes that begin a character
        begun = np.zeros(len(raw) + 1, np.int64)
        np.cumsum((raw & 0xC0) != 0x80, out=begun[1:])
        offsets = begun[offsets]
        codes = np.minimum(codes, np.uint32(characters.LIMIT - 1))
    return codes, offsets


def _distinct(hashes: UInt64) -> tuple[UInt64, Int64, Int64]:
    """Sorted distinct values, an index of each, and each element's place among them."""
    order = np.argsort(hashes)
    ordered = hashes[order]
    new = np.ones(len(hashes), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    places = np.empty(len(hashes), np.int64)
    places[order] = np.cumsum(new) - 1
    return ordered[new], order[new], places


def _family(hashes: UInt64, family: int) -> UInt64:
    return (hashes >> np.uint64(2)) | np.uint64(family << int(FAMILY_SHIFT))


def _runs(kind: npt.NDArray[np.uint8]) -> tuple[Int64, Int64]:
    """Starts and ends of words: runs of letters and digits (apostrophes inside too), or one CJK character."""
    run = kind >= characters.DIGIT
    inside = kind == characters.APOSTROPHE
    inside[:1] = False
    inside[1:] &= run[:-1]
    inside[:-1] &= run[1:]
    run |= inside
    single = kind == characters.CJK
    starts, ends = run | single, run | single
    starts[1:] &= single[1:] | ~run[:-1]
    ends[:-1] &= single[:-1] | ~run[1:]
    return np.flatnonzero(starts), np.flatnonzero(ends) + 1


def _hash_words(codes: npt.NDArray[np.uint32], kind: npt.NDArray[np.uint8], offsets: Int64, scrambled: UInt64) -> Words:
    starts, ends = _runs(kind)
    row = np.repeat(np.arange(len(offsets) - 1), np.diff(np.searchsorted(starts, offsets)))
    forward, backward = _powers()
    prefix = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(scrambled * forward[: len(codes)], out=prefix[1:])
    return Words(codes, starts, ends, row, (prefix[ends] - prefix[starts]) * backward[starts])


def _singles(words: Words) -> _Family:
    hashes, first, ids = _distinct(_family(words.hashes, WORD))
    return _Family(hashes, first, words.row, ids)


def _pairs(words: Words) -> _Family:
    left = np.flatnonzero(words.row[1:] == words.row[:-1])
    both = words.hashes[left] * PAIR_FACTORS[0] + words.hashes[left + 1] * PAIR_FACTORS[1]
    hashes, first, ids = _distinct(_family(both, PAIR))
    return _Family(hashes, left[first], words.row[left], ids)


def _grams(words: Words, singles: _Family, scrambled: UInt64) -> _Family:
    """Character n-grams of each distinct word, spread over its occurrences; a CJK character is its own only one."""
    cjk = characters.kinds()[words.codes[words.starts[singles.where]]] == characters.CJK
    spelled = singles.where[~cjk]
    lengths = words.ends[spelled] - words.starts[spelled] + 2
    offsets = np.zeros(len(spelled) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    position = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    letters = scrambled[np.repeat(words.starts[spelled] - 1, lengths) + position]
    letters[offsets[:-1]] = EDGE
    letters[offsets[1:] - 1] = EDGE

    sizes = np.asarray(CHARACTERS)
    hashes = np.zeros((len(letters), len(sizes)), np.uint64)
    rolling, factor = letters, 1
    for column, n in enumerate(CHARACTERS):
        factor = factor * BASE % 2**64
        rolling = rolling[:-1] + np.uint64(factor) * letters[n - 1 :]
        hashes[: len(rolling), column] = rolling
    valid = (np.repeat(lengths, lengths) - position)[:, None] >= sizes
    where = (np.repeat(spelled, lengths) << 32)[:, None] + position[:, None] * 8 + sizes
    distinct, first, places = _distinct(_family(hashes[valid], GRAM))

    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(valid.sum(axis=1))])[offsets]
    each = np.zeros(len(cjk), np.int64)
    each[~cjk] = np.diff(before)
    spread = Ragged(places, np.concatenate([np.zeros(1, np.int64), np.cumsum(each)])).take(singles.ids)
    return _Family(distinct, where[valid][first], np.repeat(words.row, spread.lengths), spread.values)


def count(texts: Ragged, start: int, stop: int, *, grams: bool, lowercase: bool) -> Counts:
    """Count the n-grams of the rows from `start` to `stop` (a range of `slices`).

    Parameters
    ----------
    texts
        Ragged uint8: each text as UTF-8 bytes and a newline, so that no word runs into the next row.
    grams
        Count n-grams of characters too.
    lowercase
        Whether capitals count as small letters.
    """
    codes, offsets = _code_points(texts, start, stop)
    kind = characters.kinds()[codes]
    scrambled = _scrambled(lowercase)[codes]
    words = _hash_words(codes, kind, offsets, scrambled)
    singles = _singles(words)
    families = [singles, _pairs(words)]
    if grams:
        families.append(_grams(words, singles, scrambled))
    begin = np.cumsum([0, *(len(family.hashes) for family in families)])
    bits = int(begin[-1]).bit_length()
    key = np.concatenate([(f.row << bits) + (f.ids + b) for f, b in zip(families, begin, strict=False)])
    key.sort()
    new = np.flatnonzero(np.concatenate([np.ones(min(len(key), 1), bool), key[1:] != key[:-1]]))
    row, ids = key[new] >> bits, key[new] & ((1 << bits) - 1)
    distinct = np.bincount(row[ids < begin[1]], minlength=stop - start)
    return Counts(
        words,
        np.concatenate([family.hashes for family in families]),
        np.concatenate([family.where for family in families]),
        row,
        ids,
        np.diff(np.append(new, len(key))),
        _statistics(words, kind, offsets, distinct),
    )


def _statistics(words: Words, kind: npt.NDArray[np.uint8], offsets: Int64, distinct: Int64) -> npt.NDArray[np.float32]:
    """float32 ``N x S`` in the order of `STATISTICS`. Every row has at least its newline, which is not counted."""
    rows = len(offsets) - 1
    cell = np.repeat(np.arange(rows) * characters.KINDS, np.diff(offsets)) + kind
    kinds = np.bincount(cell, minlength=rows * characters.KINDS).reshape(rows, characters.KINDS)
    counts = np.bincount(words.row, minlength=rows)
    letters = np.bincount(words.row, words.ends - words.starts, minlength=rows)
    numbers = np.bincount(words.row[kind[words.starts] == characters.DIGIT], minlength=rows)
    length = np.maximum(np.diff(offsets) - 1, 1)
    some = np.maximum(counts, 1)
    marks = kinds[:, characters.PUNCTUATION] + kinds[:, characters.APOSTROPHE]
    columns = [
        np.diff(offsets) - 1,
        counts,
        letters / some,
        kinds[:, characters.DIGIT] / length,
        kinds[:, characters.UPPER] / length,
        marks / length,
        kinds[:, characters.CJK] / length,
        distinct / some,
        numbers,
    ]
    return np.stack(columns, axis=1).astype(np.float32)
