"""From whatever the user holds to numpy columns: frames, cells with presence, moments in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait.contracts import Array, Column, Side
from plait.data.columns import as_keys, from_numpy, moments, numbers_of, read_columns
from plait.errors import DataError

if TYPE_CHECKING:
    from plait.data.schema import Schema
    from plait.data.stream import Stream

__all__ = [
    "Cells",
    "as_frame",
    "as_keys",
    "column",
    "extra_columns",
    "groups_of",
    "read_columns",
    "seconds",
    "source_columns",
    "times_of",
]

Cells: TypeAlias = "pd.Series[Any]"


def as_frame(X: object) -> pd.DataFrame:
    """Look at `X` as a frame with unique string column names; a frame that is one already is returned as it is.

    Parameters
    ----------
    X
        A pandas DataFrame, a 2-D array or nested list (columns become ``x0, x1, ...``), a dict of equal-length lists,
        or anything with ``to_pandas()`` or ``to_arrow()`` (pyarrow, polars).

    Raises
    ------
    DataError
        If `X` is none of these, is not two-dimensional, or has two columns of one name.
    """
    if not isinstance(X, pd.DataFrame):
        X = _frame_of(X)
    if isinstance(X.columns, pd.MultiIndex):
        raise DataError("the frame has column names of several levels; flatten them to one name a column")
    if not all(isinstance(name, str) for name in X.columns):
        X = X.set_axis([str(name) for name in X.columns], axis=1)
    if not X.columns.is_unique:
        twice = sorted(set(X.columns[X.columns.duplicated()]))
        raise DataError(f"duplicate column{'s' * (len(twice) > 1)} {', '.join(map(repr, twice))}: rename or drop one")
    return X


def _frame_of(X: Any) -> pd.DataFrame:
    if hasattr(X, "tocsr"):
        raise DataError("sparse input is not supported; pass a dense array (X.toarray()) or a data frame")
    if hasattr(X, "to_arrow"):  # polars: needs no more than pyarrow, which is here
        X = X.to_arrow()
    if hasattr(X, "to_pandas"):
        return pd.DataFrame(X.to_pandas())
    if isinstance(X, Mapping):
        try:
            return pd.DataFrame(dict(X))
        except ValueError as error:
            raise DataError(f"the dict is not a table: {error}; give lists of one length") from None
    if not hasattr(X, "__array__") and not isinstance(X, list | tuple):
        raise DataError(f"expected a data frame, a 2D array or a dict of lists, got {type(X).__name__}")
    values = np.asarray(X)
    if values.ndim != 2:
        raise DataError(
            f"Expected 2D array, got {values.ndim}D array of shape {values.shape}. "
            "Reshape your data: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row"
        )
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])


def column(
    series: Cells,
    row_time: npt.NDArray[np.float64] | None = None,
    side: Side | None = None,
    folder: str | None = None,
) -> Column:
    """Take a pandas column apart into values and presence.

    Integers, decimals and nullable numbers become float64; times with a zone become UTC without one; a pandas category
    becomes its labels as str (that it is no number is the user's word); a moment outside the years 1678..2261, which
    64-bit nanoseconds cannot hold, counts as missing. All other cells stay the Python objects they are. Values may
    share memory with `series`: never write to them.

    Raises
    ------
    DataError
        If the numbers are complex.
    """
    values, present = _cells(series)
    return Column(str(series.name), values, present, row_time, side, folder)


def _cells(series: Cells) -> tuple[Array, npt.NDArray[np.bool_]]:
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return _from_numpy(series.to_numpy(), series.name)
    if isinstance(dtype, pd.CategoricalDtype):
        labels = np.array([*map(str, dtype.categories), None], object)
        codes = series.cat.codes.to_numpy()
        return labels[codes], codes >= 0
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _from_numpy(series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(), series.name)
    if isinstance(dtype, pd.PeriodDtype):
        return _from_numpy(series.dt.to_timestamp().to_numpy(), series.name)
    if isinstance(dtype, pd.ArrowDtype):
        import pyarrow as pa

        return _cells(pa.array(series).to_pandas(date_as_object=False).rename(series.name))
    present = series.notna().to_numpy()
    if dtype.kind in "iuf":
        return series.to_numpy(np.float64, na_value=np.nan), present
    if dtype.kind == "b":
        return series.to_numpy(np.bool_, na_value=False), present
    values = np.array(series, object)
    values[~present] = None
    return values, present


def _from_numpy(values: Array, name: object) -> tuple[Array, npt.NDArray[np.bool_]]:
    return _from_objects(values) if values.dtype.kind == "O" else from_numpy(values, name)


def _from_objects(values: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    present = ~pd.isna(values)
    if not present.any() or isinstance(values[present.argmax()], str | list | dict | np.ndarray | tuple | bytes):
        return values, present
    kinds = {type(cell) for cell in values[present]}

    def all_are(*wanted: type) -> bool:
        return all(issubclass(kind, wanted) for kind in kinds)

    if all_are(bool, np.bool_):
        return np.where(present, values, False).astype(bool), present
    if not kinds & {bool, np.bool_} and all_are(int, float, np.integer, np.floating, Decimal):
        return numbers_of(values, present)
    if all_are(date, datetime, np.datetime64):
        dates = pd.to_datetime(pd.Series(values), errors="coerce", utc=True).dt.tz_localize(None)
        return _from_numpy(dates.to_numpy("datetime64[ns]"), None)
    if all_are(timedelta, np.timedelta64):
        return _from_numpy(pd.to_timedelta(pd.Series(values), errors="coerce").to_numpy("timedelta64[ns]"), None)
    return values, present


def seconds(series: Cells, name: str | None = None) -> npt.NDArray[np.float64]:
    """Moments as seconds since 1970 (float64 ``N``, NaN where missing); numbers are taken as they are.

    Parameters
    ----------
    series
        Datetimes, numbers, or text in one date format (ISO 8601, ``01.07.2011``, ``2011/07/01``, ``Jul-2011``, ...).
    name
        What to call the column in errors; its own name by default.

    Raises
    ------
    DataError
        If a cell does not parse (the first is shown), or if day and month cannot be told apart.
    """
    name = str(series.name) if name is None else name
    cells = column(series)
    return moments(cells.values, cells.present, name)


def source_columns(
    frame: pd.DataFrame, schema: Schema, sides: Mapping[str, Side] | None = None
) -> dict[str, tuple[Column, ...]]:
    """The columns of every source of `schema`, in its order, each with the row's time where the schema names one.

    Parameters
    ----------
    frame
        Rows; columns that the schema does not know are left alone (`extra_columns` tells them). Cells that are paths
        lie in ``frame.attrs["folder"]`` (`plait.data.read.read` sets it), else in the current folder; where that is
        None, no path is opened.
    sides
        The long tables that the schema's sides name (see `plait.data.asof.sides`).

    Raises
    ------
    DataError
        If columns or long tables are missing (all are named), or the time column does not parse.
    """
    place = read_columns(frame.columns, schema)
    given = sides or {}
    lost = sorted(side.name for side in schema.sides if side.name not in given)
    if lost:
        raise DataError(f"no long table given for {', '.join(map(repr, lost))}: pass sides={{{lost[0]!r}: ...}}")
    row_time = None if schema.time is None else seconds(frame[schema.time], schema.time)
    place_of_files = frame.attrs.get("folder", ".")
    folder = None if place_of_files is None else str(place_of_files)
    used = {spec.name: given[spec.side] for spec in schema.columns if spec.side is not None}

    def one(name: str) -> Column:
        cells = column(frame[place[name]], row_time, used.get(name), folder)
        if cells.side is None:
            return cells
        keyed = as_keys(cells.values, cells.present) if cells.values.dtype == object else cells.values
        return replace(cells, name=name, values=keyed)

    return {source.name: tuple(one(name) for name in source.columns) for source in schema.sources}


def extra_columns(frame: pd.DataFrame | Stream, schema: Schema) -> tuple[str, ...]:
    """Columns of `frame` that the schema does not know; they are ignored, and the caller says so."""
    known = {spec.name for spec in schema.columns} | {side.key for side in schema.sides}
    return tuple(str(name) for name in frame.columns if name not in known)


def times_of(frame: pd.DataFrame | Stream, name: str | None, *, required: bool) -> npt.NDArray[np.float64] | None:
    """The moments of column `name` (float64 ``N``, infinite where unknown), if there is one.

    Raises
    ------
    DataError
        If a cell is empty though every one is `required`.
    """
    if name is None:
        return None
    times = seconds(frame[name], name)
    missing = int(np.isnan(times).sum())
    if missing and required:
        raise DataError(f"time column {name!r} is empty in {missing} row(s); fill or drop them")
    return np.where(np.isnan(times), np.inf, times)


def groups_of(frame: pd.DataFrame | Stream, name: str | None) -> npt.NDArray[np.int64] | None:
    """Group numbers (int64 ``N``) of column `name`, if there is one; rows without a group are each their own."""
    if name is None:
        return None
    codes, labels = pd.factorize(frame[name])
    alone = codes < 0
    codes = codes.astype(np.int64)
    codes[alone] = len(labels) + np.arange(alone.sum())
    return codes
