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

__all__ = ["Prints", "printed"]

Hashes = npt.NDArray[np.uint64]
CHANCE = float(np.log(1e-3))  # rows that chance may give a row as copies, at most
RICH, LONG, SEEN = 12.0, 40, 3  # surprise and characters of a cell that nobody writes twice, and how often it may stand
MISSING = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Prints:
    """A number of 64 bits for every cell of some rows, equal for equal cells, up to spaces and case in texts; and how
    surprising the cell is, the negative logarithm of its share in its column.

    Dates, and columns that identify rows, are left out: a row copied with another of these is still a copy.
    """

    columns: Mapping[str, Hashes]
    surprise: Mapping[str, npt.NDArray[np.float64]]

    @classmethod
    def of(cls, parts: Sequence[Mapping[str, Column]], names: Sequence[str]) -> Self:
        """Of the rows of all `parts`, one after the other."""
        kept = {name: [part[name] for part in parts] for name in names if all(name in part for part in parts)}
        told = {name: cells for name, cells in kept.items() if not any(map(_identifying, cells))}
        columns = {name: np.concatenate([printed(own) for own in cells]) for name, cells in told.items()}
        rich = {name: np.concatenate([_rich(own) for own in cells]) for name, cells in told.items()}
        return cls(columns, _surprises(columns, rich))

    def rows(self) -> Hashes:
        """One number for all cells of a row: a sum, so that a column can be taken out again."""
        total = np.zeros(len(self), np.uint64)
        for name, hashes in self.columns.items():
            total += _mixed(hashes, name)
        return total

    def without(self, rows: Hashes, name: str) -> Hashes:
        """`rows` without one of its columns."""
        return rows - _mixed(self.columns[name], name)

    def telling(self, without: str | None = None) -> npt.NDArray[np.bool_]:
        """Rows whose cells hardly any other row has by chance.

        For independent columns, the product of the shares of a row's cells is the chance that another row agrees; its
        square root is taken, as if half of what the columns say were said twice.
        """
        said = sum(told for name, told in self.surprise.items() if name != without)
        return np.asarray(np.log(max(len(self), 1)) - 0.5 * said <= CHANCE)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0


def _rich(cells: Column) -> npt.NDArray[np.bool_]:
    """Cells that nobody would write twice: numbers of many digits, long texts, nested cells."""
    if cells.values.dtype.kind == "f":
        own = np.where(cells.present & np.isfinite(cells.values), cells.values, 0.0)
        return np.asarray(own != np.round(own, 4))
    if cells.values.dtype != object:
        return np.zeros(len(cells), bool)
    return np.array([not isinstance(cell, str) or len(cell) >= LONG for cell in cells.values], bool) & cells.present


def _identifying(cells: Column) -> bool:
    return cells.values.dtype.kind == "M" or bool(identifies(cells, 1.0))


def _surprises(
    columns: Mapping[str, Hashes], rich: Mapping[str, npt.NDArray[np.bool_]]
) -> dict[str, npt.NDArray[np.float64]]:
    """Of each cell; one whose row has said the same in an earlier column, the zeros of an idle account say, is none.

    Of long cells that hardly any row has, few rows would tell too little: they count as `RICH` at least.
    """
    if not columns or not len(next(iter(columns.values()))):
        return dict.fromkeys(columns, np.zeros(0))
    table = np.stack(list(columns.values()), axis=1)
    order = np.argsort(table, axis=1, kind="stable")
    ordered = np.take_along_axis(table, order, axis=1)
    said = np.zeros(table.shape, bool)
    np.put_along_axis(said, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    out = {}
    for i, (name, hashes) in enumerate(columns.items()):
        codes, counts = np.unique(hashes, return_inverse=True, return_counts=True)[1:]
        own = np.log(len(hashes)) - np.log(counts)[codes]
        own = np.where(rich[name] & (counts[codes] <= SEEN), np.maximum(own, RICH), own)
        out[name] = np.where(said[:, i], 0.0, own)
    return out


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
