"""The places of a text: sentences, clauses, a few words, a word; and texts without some of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

from plait.contracts import Place

__all__ = ["divide", "span_of", "without"]

Span: TypeAlias = "tuple[int, int]"

CJK = "぀-ヿ㐀-䶿一-鿿豈-﫿"
CLOSING = "\"'’”)\\]」』）》"
# Where a part ends: after a full stop before white space, after a Chinese one anywhere, at the end of a line.
SENTENCE = re.compile(rf"[.!?…]+[{CLOSING}]*(?=\s)|[。！？…]+[{CLOSING}]*|\n")
CLAUSE = re.compile(rf"[,;:)]+[{CLOSING}]*(?=\s)|[，、；：）]+|\s[–—-](?=\s)")
# A word with the signs around it; a Chinese character with those behind it.
UNIT = re.compile(rf"[{CJK}][^\w\s]*|[^\s{CJK}]+")
RUN = 4  # words of a run
FEW = 2 * RUN  # up to so many words are taken one by one


def divide(text: str, most: int, within: Span | None = None) -> tuple[Place, ...]:
    """At most `most` places that share out a text, or its characters `within`: the coarsest parts that there are."""
    first, last = within or (0, len(text))
    for parts in (_cut(text, SENTENCE, first, last), _cut(text, CLAUSE, first, last), _runs(text, first, last)):
        if len(parts) > 1:
            return tuple(_place(text, span) for span in _joined(parts, most))
    return tuple(_place(text, whole) for whole in parts) if within is None else ()


def _place(text: str, span: Span) -> Place:
    return Place("span", (float(span[0]), float(span[1])), text[slice(*span)])


def span_of(place: Place) -> Span:
    """First character of a place, and the one after its last."""
    first, last = place.where
    return int(first), int(last)


def without(text: str, gone: Iterable[Span]) -> str:
    """The text with some characters cut out; where white space met white space, one of the two stays."""
    kept, start = "", 0
    for first, last in sorted(gone):
        kept = _meet(kept, text[start:first]) if start else text[:first]
        start = max(start, last)
    if not start:
        return text
    return _meet(kept, text[start:]) if text[start:].strip() else kept.rstrip()


def _meet(left: str, right: str) -> str:
    return left + (right.lstrip() if not left or left[-1].isspace() else right)


def _cut(text: str, end: re.Pattern[str], first: int, last: int) -> list[Span]:
    """The parts between ends, without the white space around them."""
    ends = [found.end() for found in end.finditer(text, first, last)]
    return list(filter(None, (_stripped(text, a, b) for a, b in zip([first, *ends], [*ends, last], strict=True))))


def _stripped(text: str, first: int, last: int) -> Span | None:
    part = text[first:last]
    begin, end = first + len(part) - len(part.lstrip()), last - len(part) + len(part.rstrip())
    return (begin, end) if begin < end else None


def _runs(text: str, first: int, last: int) -> list[Span]:
    """Words, or runs of a few where there are many."""
    units = [found.span() for found in UNIT.finditer(text, first, last)]
    return units if len(units) <= FEW else _joined(units, -(-len(units) // RUN))


def _joined(parts: Sequence[Span], most: int) -> list[Span]:
    """Neighbours joined, evenly, so that at most `most` remain."""
    if len(parts) <= most:
        return list(parts)
    bounds = [len(parts) * i // most for i in range(most + 1)]
    return [(parts[a][0], parts[b - 1][1]) for a, b in pairwise(bounds)]
