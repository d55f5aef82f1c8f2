"""From plain cells to numpy columns, without pandas: types, presence, moments, keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.data.dates import read_dates
from plait.errors import DataError

if TYPE_CHECKING:
    from plait.data.schema import Schema

__all__ = ["as_keys", "from_cells", "from_numpy", "moments", "numbers_of", "read_columns"]

_LONELY = (float, np.floating, Decimal, datetime, np.datetime64, np.timedelta64)  # of these, one may be unlike itself
_NESTED = (str, list, dict, np.ndarray, tuple, bytes)


def from_numpy(values: Array, name: object) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Values and presence of an array that holds no objects; see `plait.data.frame.column`.

    Raises
    ------
    DataError
        If the numbers are complex; `name` is what the column is called then.
    """
    kind = values.dtype.kind
    if kind == "f":
        return values.astype(np.float64, copy=False), ~np.isnan(values)
    if kind in "iu":
        return values.astype(np.float64), np.ones(len(values), bool)
    if kind == "b":
        return values, np.ones(len(values), bool)
    if kind in "mM":
        fine = values.astype(f"{kind}8[ns]", copy=False)
        return fine, ~np.isnat(values) & (fine.astype(values.dtype, copy=False) == values)
    if kind == "c":
        raise DataError(f"Complex data not supported: column {str(name)!r} holds complex numbers")
    return values.astype(object), np.ones(len(values), bool)


def from_cells(cells: Sequence[Any]) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Values and presence of Python's own cells, as JSON, Arrow or a database gives them.

    All booleans become bool, all numbers float64, all dates datetime64[ns] (in UTC, without a zone), all durations
    timedelta64[ns]; anything else stays the objects it is. None, NaN and moments outside the years 1678..2261 are
    missing. It is what a pandas column of the same cells becomes.
    """
    values = np.empty(len(cells), object)
    values[:] = cells
    present = np.array([not _missing(cell) for cell in cells], bool)
    kinds = {type(cell) for cell in values[present]}

    def all_are(*wanted: type) -> bool:
        return all(issubclass(kind, wanted) for kind in kinds)

    if not kinds or any(issubclass(kind, _NESTED) for kind in kinds):
        return values, present
    if all_are(bool, np.bool_):
        return np.where(present, values, False).astype(bool), present
    if not kinds & {bool, np.bool_} and all_are(int, float, np.integer, np.floating, Decimal):
        return numbers_of(values, present)
    if all_are(date, datetime, np.datetime64):
        return _filled([_moment(cell) for cell in values[present]], present, "datetime64[us]")
    if all_are(timedelta, np.timedelta64):
        return _filled(values[present], present, "timedelta64[us]")
    return values, present


def numbers_of(values: Array, present: npt.NDArray[np.bool_]) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Objects that are numbers as float64; an integer beyond any float leaves them the objects they are."""
    try:
        return np.where(present, values, np.nan).astype(np.float64), present
    except OverflowError:
        return values, present


def _missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, _LONELY) and bool(cell != cell))


def _moment(cell: Any) -> Any:
    """A date without a zone, in UTC."""
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        return cell.astimezone(UTC).replace(tzinfo=None)
    return cell


def _filled(cells: Any, present: npt.NDArray[np.bool_], dtype: str) -> tuple[Array, npt.NDArray[np.bool_]]:
    out = np.full(len(present), "NaT", dtype)
    out[present] = np.array(list(cells), dtype)
    return from_numpy(out, None)


def moments(values: Array, present: npt.NDArray[np.bool_], name: str) -> npt.NDArray[np.float64]:
    """Moments as seconds since 1970 (float64 ``N``, NaN where missing) of what `from_cells` gave.

    Raises
    ------
    DataError
        If they are neither dates nor numbers nor text in one format; if day and month cannot be told apart.
    """
    out = np.full(len(values), np.nan)
    kind = values.dtype.kind
    if kind == "f":
        return np.asarray(np.where(present, values, np.nan))
    if kind == "M":
        out[present] = values[present].astype(np.int64) / 1e9
    elif kind == "O":
        texts = [str(cell).strip() for cell in values[present]]
        out[present] = read_dates(texts, name).astype(np.int64) / 1e9
    else:
        raise DataError(f"time column {name!r} holds {values.dtype.name}, not dates or numbers")
    return out


def as_keys(values: Array, present: Array) -> Array:
    """Keys of a long table in one comparable form: numbers as float64, all else as str (object)."""
    if values.dtype.kind == "f":
        return values
    keys = np.full(len(values), "", object)
    keys[present] = [str(cell) for cell in values[present]]
    return keys


def read_columns(columns: Collection[str], schema: Schema) -> dict[str, str]:
    """The column of a frame that each column of `schema` is read from: of a long table, its key.

    Raises
    ------
    DataError
        If the frame's `columns` lack one that sources or their time are read from (all are named).
    """
    keys = {side.name: side.key for side in schema.sides}
    place = {spec.name: spec.name if spec.side is None else keys[spec.side] for spec in schema.columns}
    needed = [place[name] for source in schema.sources for name in source.columns]
    needed += [] if schema.time is None else [schema.time]
    absent = sorted({name for name in needed if name not in columns})
    if absent:
        raise DataError(f"the frame lacks {len(absent)} column(s) that the model reads: {', '.join(map(repr, absent))}")
    return place
