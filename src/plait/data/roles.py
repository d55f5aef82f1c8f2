"""What a column is, as far as its cells tell: evidence for one of the rooms, an identifier, or nothing at all."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import numpy as np

from plait import registry
from plait.contracts import Array, Column
from plait.data.frame import Cells, column

__all__ = ["Verdict", "best_modality", "identifies", "is_constant", "judge", "named_identifier", "number_modality"]

SAMPLE = 1000  # cells that a room is asked about
FEW = 20  # rows under which distinct or equal cells prove little
CLAIMED = 0.5  # how sure a room must be of distinct strings before they count as evidence, not as an identifier

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_IDENTIFIER_WORDS = {"id", "uuid", "guid"}
_TOKEN = re.compile(r"\S{1,64}")


class Verdict(NamedTuple):
    """Role and modality of a column, and why where it is no evidence."""

    role: str
    modality: str | None = None
    why: str = ""


def judge(series: Cells) -> Verdict:
    """Say what a column of evidence is; rooms see at most 1,000 of its cells."""
    cells = column(series)
    if not cells.present.any():
        return Verdict("ignored", why="no value in any row")
    if len(cells) >= FEW and is_constant(cells):
        return Verdict("ignored", why="the same value in every row")
    modality, sure = best_modality(sample(cells))
    why = identifies(cells, sure)
    if why:
        return Verdict("id", why=why)
    if sure <= 0:
        return Verdict("ignored", why="no modality reads these cells")
    return Verdict("source", modality)


def sample(cells: Column) -> Column:
    """At most 1,000 cells that are present, spread evenly over the column."""
    rows = np.flatnonzero(cells.present)
    if len(rows) > SAMPLE:
        rows = rows[np.linspace(0, len(rows) - 1, SAMPLE).astype(np.int64)]
    return cells.take(rows)


def best_modality(cells: Column) -> tuple[str | None, float]:
    """The room that is surest that the column is its own, and how sure it is (0..1)."""
    sure = {name: float(registry.get("modalities", name).accepts(cells)) for name in registry.names("modalities")}
    best = max(sure, key=lambda name: sure[name], default=None)
    return best, 0.0 if best is None else sure[best]


@cache
def number_modality() -> str | None:
    """The room for columns of numbers that have no name to tell more."""
    numbers = np.linspace(-1.0, 1.0, 50)
    return best_modality(Column("x0", numbers, np.ones(len(numbers), bool)))[0]


def is_constant(cells: Column) -> bool:
    """Whether every cell is there and is the same; nested cells are never compared."""
    if not len(cells) or not cells.present.all():
        return False
    if cells.values.dtype != object:
        return bool((cells.values == cells.values[0]).all())
    return isinstance(cells.values[0], str) and all(cell == cells.values[0] for cell in cells.values)


def identifies(cells: Column, claimed: float = 0.0) -> str:
    """Why the column is an identifier, in a few words; empty if it is none.

    `claimed` is how sure a room is of the column: distinct strings that a room reads well are evidence.
    """
    values = cells.values[cells.present]
    if len(values) < 2 or not _distinct(values):
        return ""
    if named_identifier(cells.name):
        return "unique, and named as an identifier"
    if len(values) < FEW:
        return ""
    if values.dtype.kind == "f":
        return "counts the rows" if cells.present.all() and (np.diff(values) == 1).all() else ""
    return "distinct short codes" if values.dtype == object and claimed < CLAIMED else ""


def _distinct(values: Array) -> bool:
    """Whether whole numbers, or strings without spaces, are all different."""
    if values.dtype.kind == "f":
        whole = bool((np.isfinite(values) & (np.floor(values) == values)).all())
        return whole and len(np.unique(values)) == len(values)
    if values.dtype != object or not all(isinstance(cell, str) and _TOKEN.fullmatch(cell) for cell in values):
        return False
    return len(set(values)) == len(values)


def named_identifier(name: str) -> bool:
    """Whether one of the words of a column's name says identifier."""
    return "编号" in name or not _IDENTIFIER_WORDS.isdisjoint(word.lower() for word in _WORDS.findall(name))
