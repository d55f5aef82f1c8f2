"""Rows and cells that stand more than once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait.contracts import Column
from plait.data.read import as_json
from plait.data.roles import identifies

__all__ = ["Prints", "chance", "printed"]

Hashes = npt.NDArray[np.uint64]
MISSING = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Prints:
    """A number of 64 bits for every cell of some rows: equal for equal cells, up to spaces and case in texts.

    Dates, and columns that identify rows, are left out: a row copied with another of these is still a copy.
    """

    columns: Mapping[str, Hashes]

    @classmethod
    def of(cls, cells: Mapping[str, Column], names: Sequence[str]) -> Self:
        kept = [n for n in names if n in cells and cells[n].values.dtype.kind != "M" and not identifies(cells[n], 1.0)]
        return cls({name: printed(cells[name]) for name in kept})

    def rows(self, names: Sequence[str]) -> Hashes:
        """One number for the cells of these columns together; a sum, so that a column can be taken out again."""
        return sum((_mixed(self.columns[name], name) for name in names), np.zeros(self._length(), np.uint64))

    def without(self, rows: Hashes, name: str) -> Hashes:
        """`rows` without one of its columns."""
        return rows - _mixed(self.columns[name], name)

    def _length(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0


def _mixed(hashes: Hashes, name: str) -> Hashes:
    """Hashes of one column, made unlike those of equal cells in another (splitmix64; Steele et al., 2014)."""
    seed = np.uint64(int.from_bytes(hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest(), "little"))
    out = hashes + seed
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        out = (out ^ (out >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(out ^ (out >> np.uint64(31)))


def printed(cells: Column) -> Hashes:
    """uint64 ``N``: a number a cell."""
    values = cells.values
    if values.dtype == object:
        texts = np.array(
            [_text(cell) if there else "" for cell, there in zip(values, cells.present, strict=True)], object
        )
        out = pd.util.hash_array(texts, categorize=True)
    elif values.dtype.kind == "f":
        out = pd.util.hash_array(np.where(cells.present, values, 0.0) + 0.0)  # -0.0 is 0.0
    else:
        out = pd.util.hash_array(values)
    return np.where(cells.present, out, MISSING)


def _text(cell: object) -> str:
    if isinstance(cell, str):
        return " ".join(cell.lower().split())
    if isinstance(cell, bytes):
        return hashlib.sha256(cell).hexdigest()
    return as_json(cell)


def chance(prints: Prints, names: Sequence[str]) -> float:
    """How likely two rows agree in all of these columns by chance.

    The product of the columns' own shares of agreeing pairs would hold for independent columns; its square root is
    taken, as if half of what the columns say were said twice.
    """
    total = 1.0
    for name in names:
        counts = np.unique(prints.columns[name], return_counts=True)[1]
        total *= float(((counts / counts.sum()) ** 2).sum())
    return float(np.sqrt(total))
