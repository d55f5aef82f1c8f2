"""Cells of a variable as scorecards take them: numbers, days before the row's time, or levels."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait.data.frame import column, seconds
from plait.errors import DataError

__all__ = [
    "DAY",
    "Cells",
    "Kind",
    "Levels",
    "days",
    "kind_of",
    "level",
    "levels",
    "numbers",
    "one_moment",
    "one_number",
    "read",
]

Kind: TypeAlias = Literal["numbers", "days", "levels"]
DAY = 86_400.0  # seconds
DATE = 8  # characters that a date has at least: 2011-7-1
ASKED = 200  # distinct texts that are tried as dates


class Levels(NamedTuple):
    """Cells as codes into `names`: int64 ``N``, -1 where missing."""

    codes: npt.NDArray[np.int64]
    names: tuple[str, ...]


Cells: TypeAlias = "npt.NDArray[np.float64] | Levels"


def kind_of(series: pd.Series[Any]) -> Kind | None:
    """What a column is to a scorecard; None where its cells are none of these (lists, bytes, spans of time)."""
    if series.dtype.kind == "c":
        return None
    if series.dtype == "category":
        return "levels"
    cells = column(series)
    if cells.values.dtype.kind in "fb":
        return "numbers"
    if cells.values.dtype.kind in "Mm":
        return "days" if cells.values.dtype.kind == "M" else None
    known = cells.values[cells.present]
    if any(isinstance(cell, list | dict | tuple | set | bytes | np.ndarray) for cell in known):
        return None
    some = dict.fromkeys(known[:ASKED].tolist())
    if some and all(isinstance(cell, str) and len(cell) >= DATE and any(map(str.isdigit, cell)) for cell in some):
        try:
            seconds(series)
        except DataError:  # a text that is no date is a level
            return "levels"
        return "days"
    return "levels"


def numbers(series: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """float64 ``N``, NaN where missing; true is 1.

    Raises
    ------
    DataError
        If a cell is no number; the first is shown.
    """
    if series.dtype == np.float64:
        return series.to_numpy()
    cells = column(series)
    if cells.values.dtype.kind in "fb":
        return np.where(cells.present, cells.values, np.nan).astype(np.float64)
    out = np.full(len(cells), np.nan)
    for row in np.flatnonzero(cells.present):
        out[row] = one_number(cells.values[row], str(series.name))
    return out


def days(series: pd.Series[Any], moments: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
    """Days from the cell's date to the row's time (seconds since 1970): float64 ``N``."""
    assert moments is not None
    return (moments - seconds(series)) / DAY


def levels(series: pd.Series[Any]) -> Levels:
    """Levels as text, each distinct cell named once."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, found = series.cat.codes.to_numpy(np.int64), series.cat.categories
    else:
        codes, found = pd.factorize(series)
    return Levels(np.asarray(codes, np.int64), tuple(level(cell) for cell in found))


def level(cell: object) -> str:
    """A cell as a level: whole numbers without a point, whatever type they have."""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell)


def one_number(cell: object, name: str) -> float:
    """One cell as a number, NaN where missing.

    Raises
    ------
    DataError
        If it is no number.
    """
    if cell is None or cell is pd.NA:
        return math.nan
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DataError(
            f"column {name!r} holds {str(cell)[:40]!r}, which is no number; mend it or leave it empty"
        ) from None


def one_moment(cell: object, name: str) -> float:
    """One date as seconds since 1970, NaN where missing; without a zone it is UTC.

    Raises
    ------
    DataError
        If it is no date.
    """
    if pd.isna(cell):  # type: ignore[call-overload]
        return math.nan
    if isinstance(cell, str):
        return float(seconds(pd.Series([cell], dtype=object), name)[0])
    if isinstance(cell, np.datetime64):
        return float(cell.astype("datetime64[ns]").astype(np.int64) / 1e9)
    if isinstance(cell, datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).timestamp()
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day, tzinfo=UTC).timestamp()
    return one_number(cell, name)


def read(frame: pd.DataFrame, name: str, kind: Kind, moments: npt.NDArray[np.float64] | None) -> Cells:
    """The cells of a column as its kind; `moments` are the rows' times in seconds, which days are counted from."""
    if kind == "levels":
        return levels(frame[name])
    return numbers(frame[name]) if kind == "numbers" else days(frame[name], moments)
