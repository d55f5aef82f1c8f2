"""Histories from a long side table: what was known of a key at the row's time, and nothing later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column, Side

__all__ = ["History", "facts"]

DAY = 86_400.0


def facts(side: Side) -> tuple[str, ...]:
    """The columns of a side table, its key and time aside."""
    return tuple(name for name in side.columns if name not in {side.key, side.time})


@dataclass(frozen=True)
class History:
    """A side table sorted by key and time, so that what a row may see is one slice.

    Parameters
    ----------
    side
        The table that was sorted.
    order
        Its rows that anyone may see, sorted: int64 ``S``.
    keys
        Its distinct keys, sorted: float64 or str ``K``.
    moments
        Its distinct times, sorted: float64 ``M``, seconds since 1970 (numbers count as seconds).
    place
        Key and time of each sorted row as one rising number: int64 ``S``.
    time
        float64 ``S``, days since 1970, or None for a table without times.
    """

    side: Side
    order: npt.NDArray[np.int64]
    keys: Array
    moments: npt.NDArray[np.float64]
    place: npt.NDArray[np.int64]
    time: npt.NDArray[np.float64] | None

    @classmethod
    def of(cls, side: Side) -> Self:
        """Sort a side table; rows whose time is missing are left out, since nobody knows when they became known."""
        keys, code = np.unique(_keys(side.columns[side.key]), return_inverse=True)
        if side.time is None:
            order = np.argsort(code, kind="stable")
            return cls(side, order, keys, np.full(1, -np.inf), code[order] * 2, None)
        stamps = side.columns[side.time]
        dated = stamps.dtype.kind == "M"
        seconds = stamps.astype("datetime64[ns]").astype(np.int64) / 1e9 if dated else stamps.astype(np.float64)
        known = np.flatnonzero(~np.isnat(stamps) if dated else np.isfinite(seconds))
        moments, rank = np.unique(seconds[known], return_inverse=True)
        place = code[known] * (len(moments) + 1) + rank
        sorted_ = np.argsort(place, kind="stable")
        order = known[sorted_]
        return cls(side, order, keys, moments, place[sorted_], seconds[order] / DAY)

    def values(self, name: str) -> Array:
        """A column of the table in sorted order."""
        return self.side.columns[name][self.order]

    def spans(self, column: Column, longest: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """First and last + 1 sorted row that each row of `column` sees, its most recent `longest` at most."""
        empty = np.zeros(len(column), np.int64)
        if not len(self.keys):
            return empty, empty
        wanted = _keys(column.values, like=self.keys)
        code = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        found = column.present & (self.keys[code] == wanted)
        now = np.full(len(column), np.inf) if column.row_time is None else column.row_time
        # Side rows up to and with the row's own moment: known at that time. An unknown moment sees everything.
        seen = np.searchsorted(self.moments, np.where(np.isnan(now), np.inf, now), side="right")
        base = code * (len(self.moments) + 1)
        first, last = np.searchsorted(self.place, base), np.searchsorted(self.place, base + seen)
        first = np.maximum(first, last - longest)
        return np.where(found, first, 0), np.where(found, last, 0)


def _keys(values: Array, like: Array | None = None) -> Array:
    """Keys as float64 or str: numbers stay numbers, and 12, 12.0 and "12" are the same key."""
    numeric = values.dtype.kind in "biuf"
    if like is None and numeric:
        return values.astype(np.float64)
    if like is not None and like.dtype.kind == "f":
        return values.astype(np.float64) if numeric else np.array([_as_number(item) for item in values], np.float64)
    return np.array([_as_text(item) for item in values.tolist()], dtype=str)


def _as_text(item: object) -> str:
    return str(int(item)) if isinstance(item, float) and item.is_integer() else str(item)


def _as_number(item: object) -> float:
    try:
        return float(item)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return np.nan
