"""Rows of unequal length and sparse rows, in numpy alone: the edge runtime has no scipy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Ragged", "Sparse"]

Array: TypeAlias = npt.NDArray[Any]

BLOCK = 64  # rows multiplied at once: their gathered terms stay in the processor's cache


@dataclass(frozen=True)
class Ragged:
    """Rows of unequal length: row ``i`` is ``values[offsets[i]:offsets[i + 1]]`` (offsets int64, ``N + 1``)."""

    values: Array
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.offsets)

    @classmethod
    def from_rows(cls, rows: Sequence[Array], empty: Array) -> Self:
        """Pack a list of arrays; `empty` (length 0) gives dtype and trailing shape when there are no rows."""
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return cls(np.concatenate([empty, *rows]) if rows else empty, offsets)

    def row(self, i: int) -> Array:
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def take(self, rows: Array) -> Ragged:
        """Rows by index (int) in the given order."""
        rows = np.asarray(rows)
        lengths = self.lengths[rows]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        where = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Ragged(self.values[where], offsets)

    @staticmethod
    def concatenate(parts: Sequence[Ragged]) -> Ragged:
        lengths = np.concatenate([part.lengths for part in parts])
        values = np.concatenate([part.values[part.offsets[0] : part.offsets[-1]] for part in parts])
        return Ragged(values, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))


@dataclass(frozen=True)
class Sparse:
    """A compressed-sparse-row matrix: ``N x width``, float32 data."""

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    data: npt.NDArray[np.float32]
    width: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def take(self, rows: Array) -> Sparse:
        rows = np.asarray(rows)
        pairs = Ragged(np.arange(len(self.indices)), self.indptr).take(rows)
        return Sparse(pairs.offsets, self.indices[pairs.values], self.data[pairs.values], self.width)

    def keep(self, present: Array) -> Sparse:
        """Zero the rows where `present` (bool ``N``) is false."""
        lengths = np.diff(self.indptr)
        inside = np.repeat(present, lengths)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.where(present, lengths, 0))])
        return Sparse(indptr, self.indices[inside], self.data[inside], self.width)

    def columns(self, kept: Array) -> Sparse:
        """Some of the columns (rising indices), numbered anew."""
        place = np.searchsorted(kept, self.indices).clip(max=max(len(kept) - 1, 0))
        known = kept[place] == self.indices if len(kept) else np.zeros(len(place), bool)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(known)])
        return Sparse(starts[self.indptr], place[known].astype(np.int32), self.data[known], len(kept))

    def dot(self, dense: Array) -> Array:
        """Product with a dense ``width x K`` matrix: ``N x K``, in the precision of `dense`."""
        out = np.zeros((len(self), dense.shape[1]), dense.dtype)
        lengths = np.diff(self.indptr)
        for start in range(0, len(self), BLOCK):
            stop = min(start + BLOCK, len(self))
            first, last = self.indptr[start], self.indptr[stop]
            terms = dense[self.indices[first:last]]
            terms *= self.data[first:last, None]
            filled = start + np.flatnonzero(lengths[start:stop])
            if len(filled):
                out[filled] = np.add.reduceat(terms, self.indptr[filled] - first, axis=0)
        return out

    @staticmethod
    def beside(parts: Sequence[Sparse]) -> Sparse:
        """Matrices of the same rows side by side."""
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0, *(part.width for part in parts)])
        lengths = np.sum([np.diff(part.indptr) for part in parts], axis=0)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        indices = np.empty(indptr[-1], np.int32)
        data = np.empty(indptr[-1], np.float32)
        filled = indptr[:-1].copy()
        for start, part in zip(starts, parts, strict=False):
            own = np.diff(part.indptr)
            where = np.repeat(filled - part.indptr[:-1], own) + np.arange(len(part.indices))
            indices[where] = part.indices + start
            data[where] = part.data
            filled += own
        return Sparse(indptr, indices, data, int(starts[-1]))
