"""Long tables beside a frame, sorted so that a room finds a row's records, as of the row's time, by binary search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plait.contracts import Array, Side
from plait.data.frame import as_frame, as_keys, column, seconds
from plait.data.read import read
from plait.errors import SchemaError, unknown

if TYPE_CHECKING:
    from plait.data.schema import Schema, SideSpec

__all__ = ["side", "sides"]


def side(
    name: str,
    table: object,
    key: str,
    time: str | None = None,
    columns: Sequence[str] | None = None,
) -> Side:
    """Make a long table ready to stand behind the cells of a frame.

    Parameters
    ----------
    name
        What the schema calls it.
    table
        A path that `plait.data.read.read` reads, or anything that `as_frame` takes.
    key
        Column of `table` with the keys; the frame has them in a column of the same name.
    time
        Column of `table` that says when each record was known: dates, date text or numbers.
    columns
        Columns to keep besides `key` and `time`; all by default.

    Returns
    -------
    Side
        Arrays sorted by key and then time: keys float64 or str (object), time float64 seconds since 1970 (numbers as
        they are), other columns as in `Column.values` with NaN, NaT or None where missing. Records without a key, or
        with `time` but without a moment, are left out: no row may see them.

    Raises
    ------
    SchemaError
        If a named column is not in the table.
    DataError
        If the table cannot be read or its time does not parse.
    """
    frame = read(table) if isinstance(table, str | Path) else as_frame(table)
    for wanted in (key, *(() if time is None else (time,)), *(columns or ())):
        if wanted not in frame.columns:
            raise SchemaError(f"the long table {name!r}: {unknown('column', wanted, frame.columns)}")
    keyed = column(frame[key])
    keys = as_keys(keyed.values, keyed.present)
    keep = keyed.present
    moments = np.zeros(len(frame)) if time is None else seconds(frame[time], f"{name}.{time}")
    keep = keep & ~np.isnan(moments)
    rows = np.flatnonzero(keep)
    ranks = np.unique(keys[rows], return_inverse=True)[1]
    rows = rows[np.lexsort((moments[rows], ranks))]
    arrays: dict[str, Array] = {key: keys[rows]}
    if time is not None:
        arrays[time] = moments[rows]
    for other in frame.columns if columns is None else columns:
        if other not in arrays:
            arrays[other] = _with_gaps(frame, other)[rows]
    return Side(name, arrays, key, time)


def _with_gaps(frame: object, name: str) -> Array:
    """Values of a column, with what stands for missing in its dtype where it is missing."""
    cells = column(as_frame(frame)[name])
    if cells.present.all():
        return cells.values
    kind = cells.values.dtype.kind
    if kind == "f":
        return np.where(cells.present, cells.values, np.nan)
    if kind in "mM":
        return np.where(cells.present, cells.values, np.array("NaT", cells.values.dtype))
    values = cells.values.astype(object)
    values[~cells.present] = None
    return values


def sides(schema: Schema, given: Mapping[str, object] | None = None) -> dict[str, Side]:
    """Every long table of `schema`: from `given` (a `Side`, a table or a path), else from the path in the schema.

    Raises
    ------
    SchemaError
        If a table is given that the schema does not know, or none can be had.
    """
    given = dict(given or {})
    for name in given:
        if name not in {spec.name for spec in schema.sides}:
            raise SchemaError(str(unknown("long table", name, [spec.name for spec in schema.sides])))
    return {spec.name: _one(spec, given.get(spec.name, spec.path)) for spec in schema.sides}


def _one(spec: SideSpec, table: object) -> Side:
    if isinstance(table, Side):
        if (table.key, table.time) != (spec.key, spec.time):
            raise SchemaError(
                f"the long table {spec.name!r} has key {table.key!r} and time {table.time!r}; "
                f"the schema says {spec.key!r} and {spec.time!r}"
            )
        return table
    if table is None:
        raise SchemaError(f"no long table given for {spec.name!r}: pass sides={{{spec.name!r}: ...}} or name its path")
    return side(spec.name, table, spec.key, spec.time, spec.columns or None)
