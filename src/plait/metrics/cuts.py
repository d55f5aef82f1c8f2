"""A column cut into groups of rows: categories, ranges of numbers or dates, and what is missing."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from numbers import Real
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.errors import InputError

__all__ = ["MISSING", "Cut", "cut"]

MISSING = "missing"
FEW = 12  # different numbers up to which each is a group of its own


class Cut(NamedTuple):
    """Groups of rows.

    `labels` names ``G`` groups; `code` (int64 ``N``) is the group of each row, -1 in none; `others` counts the
    categories beyond those that are groups.
    """

    labels: tuple[str, ...]
    code: npt.NDArray[np.int64]
    others: int = 0


def cut(name: str, values: Array, *, bins: int = 5, most: int = 20) -> Cut:
    """Cut a column into groups.

    Parameters
    ----------
    name
        Name of the column, for messages.
    values
        ``N`` numbers, dates, words or booleans, with None, NaN or NaT where a cell is missing.
    bins
        Ranges of equally many rows for numbers of more than 12 different values, and for dates.
    most
        Categories that are groups, the largest first; rows of the others are in no group.

    Raises
    ------
    InputError
        If cells are lists, arrays or other things that cannot be told apart.
    """
    values = np.asarray(values)
    if values.ndim != 1:
        raise InputError(f"column {name!r} has shape {values.shape}; a slice is of one cell a row")
    missing = np.array([_missing(cell) for cell in values.tolist()]) if values.dtype == object else values != values
    present = _typed(values[~missing])
    if present.dtype.kind in "iufmM":
        labels, code = _ranges(present, bins)
        others = 0
    else:
        labels, code, others = _categories(name, present.tolist(), most)
    whole = np.full(len(values), len(labels), np.int64)
    whole[~missing] = code
    return Cut((*labels, MISSING) if missing.any() else labels, whole, others)


def _missing(cell: object) -> bool:
    """None, NaN, NaT and pandas' NA: what is not equal to itself."""
    if cell is None:
        return True
    same = cell == cell
    return not same if isinstance(same, bool | np.bool_) else type(cell).__name__ == "NAType"


def _typed(present: Array) -> Array:
    """Numbers and dates among objects in an array of their own type."""
    cells = present.tolist() if present.dtype == object else []
    if cells and all(isinstance(cell, Real | Decimal) and not isinstance(cell, bool) for cell in cells):
        return present.astype(np.float64)
    if cells and all(isinstance(cell, date) for cell in cells):
        plain = [cell.replace(tzinfo=None) if isinstance(cell, datetime) else cell for cell in cells]
        return np.array(plain, "datetime64[s]")
    return present


def _ranges(present: Array, bins: int) -> tuple[tuple[str, ...], Array]:
    levels, code = np.unique(present, return_inverse=True)
    if len(levels) <= FEW and present.dtype.kind not in "mM":
        return tuple(f"{level:g}" for level in levels), code
    edges = np.unique(np.quantile(present.astype(np.float64), np.arange(1, bins) / bins, method="lower"))
    ends = edges.astype(present.dtype)
    told = [_told(end) for end in ends]
    between = (f"{low} to {high}" for low, high in pairwise(told))
    labels = (f"up to {told[0]}", *between, f"above {told[-1]}")
    code = np.searchsorted(ends, present, side="left")
    used, code = np.unique(code, return_inverse=True)
    return tuple(labels[i] for i in used), code


def _told(end: np.generic) -> str:
    if end.dtype.kind == "M":
        return str(end.astype("datetime64[D]"))
    if end.dtype.kind == "m":
        return f"{end.astype('timedelta64[s]').astype(np.float64) / 86_400:g} days"
    return f"{end:.4g}" if abs(float(end)) < 1e4 else f"{end:,.0f}"


def _categories(name: str, cells: list[object], most: int) -> tuple[tuple[str, ...], Array, int]:
    counts: dict[object, int] = {}
    try:
        for cell in cells:
            counts[cell] = counts.get(cell, 0) + 1
    except TypeError:
        what = type(cells[0]).__name__
        raise InputError(
            f"column {name!r} holds cells like {what}; slice by numbers, words, dates or booleans"
        ) from None
    levels = sorted(counts, key=lambda cell: (-counts[cell], str(cell)))
    place = {level: i for i, level in enumerate(levels[:most])}
    code = np.array([place.get(cell, -1) for cell in cells], np.int64)
    return tuple(str(level) for level in place), code, max(0, len(levels) - most)
