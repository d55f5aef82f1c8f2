"""Cells to text, and how much a column's cells look like text."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.contracts import Column, Fault, Ragged

__all__ = ["LONGEST", "decode", "likeness", "pick", "read", "strings"]

LONGEST = 20_000  # characters read of a cell

_SAMPLE = 300  # cells that `likeness` looks at
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_CJK = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿]")
_CJK_A_WORD = 2  # characters of a Chinese word, on average
_SENTENCE = 6  # words from which a cell is no name any more


def decode(column: Column) -> tuple[Ragged, npt.NDArray[np.bool_], tuple[Fault, ...]]:
    """Texts as UTF-8 bytes (Ragged uint8, each ending in a newline), presence, and faults.

    Strings and UTF-8 bytes are text, cut after 20,000 characters; a lone surrogate becomes ``?``. Blank text is
    missing. Anything else is a fault.
    """
    texts = [b""] * len(column)
    faults = []
    for row in np.flatnonzero(column.present).tolist():
        cell = column.values[row]
        if isinstance(cell, bytes):
            try:
                cell = cell.decode()
            except UnicodeDecodeError:
                faults.append(Fault(row, column.name, "bytes that are not UTF-8"))
                continue
        if isinstance(cell, str):
            cell = cell[:LONGEST]
            if cell and not cell.isspace():
                texts[row] = cell.encode("utf-8", "replace") + b"\n"
        elif not _is_missing(cell):
            faults.append(Fault(row, column.name, f"a cell of type {type(cell).__name__}, not text"))
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    packed = Ragged(np.frombuffer(b"".join(texts), np.uint8), offsets)
    return packed, packed.lengths > 0, tuple(faults)


def read(column: Column, row: int) -> str:
    """The text of one row, as `decode` reads it; empty where it is missing or a fault."""
    texts, _, _ = decode(column.take(np.array([row])))
    return strings(texts)[0]


def strings(texts: Ragged) -> list[str]:
    """Texts as Python strings."""
    packed = texts.values.tobytes()
    bounds = texts.offsets.tolist()
    return [packed[start : max(stop - 1, start)].decode() for start, stop in pairwise(bounds)]


def pick(texts: Ragged, rows: npt.NDArray[np.int64]) -> Ragged:
    """Some rows, rising; faster than `Ragged.take` where rows are long, and free where what is left out is empty."""
    lengths = texts.lengths[rows]
    if lengths.sum() == len(texts.values):
        return Ragged(texts.values, np.append(texts.offsets[rows], texts.offsets[-1]))
    packed = texts.values.tobytes()
    bounds = texts.offsets.tolist()
    parts = [packed[bounds[row] : bounds[row + 1]] for row in rows.tolist()]
    return Ragged(np.frombuffer(b"".join(parts), np.uint8), np.append(0, np.cumsum(lengths)))


def likeness(column: Column) -> float:
    """How much a column's cells look like text, 0..1.

    Sentences do (up to .95), however often some of them repeat; names of a few words, most of them distinct, do
    somewhat (.5); labels, codes, dates, numbers and other single words do not (.05); cells that are no strings never
    do (0).
    """
    if column.side is not None or column.values.dtype != object:
        return 0.0
    rows = np.flatnonzero(column.present)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.int64))] if len(rows) else rows
    cells = [column.values[row] for row in rows.tolist()]
    texts = [cell[:LONGEST] for cell in cells if isinstance(cell, str) and cell.strip()]
    if not texts or sum(isinstance(cell, str) for cell in cells) < 0.9 * len(cells):
        return 0.0
    words = [_words(text) for text in texts]
    mean = sum(words) / len(words)
    lettered = sum(map(len, _WORD.findall(" ".join(texts)))) / max(sum(len("".join(text.split())) for text in texts), 1)
    distinct = len(set(texts)) / len(texts)
    if mean < 1.5 or lettered < 0.6:
        return 0.05
    if mean >= _SENTENCE:
        return 0.95 if distinct > 0.3 else 0.5 + distinct
    return 0.5 if distinct > 0.3 else 0.05


def _words(text: str) -> float:
    """Words of a text as spaces divide it (an address of mail or the web is one); a Chinese one has two characters."""
    chinese = len(_CJK.findall(text))
    return sum(bool(_WORD.search(word)) for word in _CJK.sub(" ", text).split()) + chinese / _CJK_A_WORD


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and bool(np.isnan(cell)))
