"""A column of lists as the column of their items, and the rows that these belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column, Fault
from plait.data.history import History, facts
from plait.errors import SchemaError
from plait.modalities.list.cells import Items, UnreadableError, decode

__all__ = ["Cut", "cut", "known_by"]

DAY = 86_400.0


@dataclass(frozen=True)
class Cut:
    """The items of ``N`` rows: ``M`` different ones, end to end in ``T`` places.

    Parameters
    ----------
    items
        Column of ``M`` cells.
    which
        int64 ``T``: the item in each place.
    offsets
        int64 ``N + 1``: row ``i`` holds places ``offsets[i]:offsets[i + 1]``, oldest item first.
    time
        float64 ``T``: days since 1970, or the cells' own numbers; NaN where a row's items are not timed.
    now
        float64 ``N``: the row's own time in days where its items are dated, else NaN.
    faults
        Cells that are no lists.
    """

    items: Column
    which: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    time: npt.NDArray[np.float64]
    now: npt.NDArray[np.float64]
    faults: tuple[Fault, ...]

    @property
    def owner(self) -> npt.NDArray[np.int64]:
        """The row of each place."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    @property
    def flat(self) -> Column:
        """A cell a place."""
        return self.items.take(self.which)


def cut(column: Column, time_key: str, max_items: int) -> Cut:
    """The most recent `max_items` items of each row, none of them from after the row's time."""
    now = np.full(len(column), np.nan) if column.row_time is None else column.row_time / DAY
    kept: list[Items] = []
    faults = []
    nothing = Items([], None, False)
    for row in range(len(column)):
        try:
            found = decode(column.values[row], time_key) if column.present[row] else nothing
        except UnreadableError as error:
            faults.append(Fault(row, column.name, str(error)))
            found = nothing
        kept.append(_most_recent(found, now[row], max_items))
    lengths = np.array([len(items.values) for items in kept], np.int64)
    values = np.empty(lengths.sum(), object)
    values[:] = [item for items in kept for item in items.values]
    time = np.concatenate([np.empty(0), *(_times(items) for items in kept)])
    dated = np.array([items.dated for items in kept], bool)
    owner = np.repeat(np.arange(len(column)), lengths)
    row_time = None if column.row_time is None else column.row_time[owner]
    present = np.ones(len(values), bool)
    return Cut(
        Column(column.name, values, present, row_time, folder=column.folder),
        np.arange(len(values)),
        _offsets(lengths),
        time,
        np.where(dated, now, np.nan),
        tuple(faults),
    )


def known_by(column: Column, history: History, max_items: int) -> Cut:
    """The most recent `max_items` items of each row's key in a side table, as of the row's time.

    Raises
    ------
    SchemaError
        If the table has not one column beside key and time.
    """
    names = facts(history.side)
    if len(names) != 1:
        said = f"column {column.name!r}: the items are one column of the long table {history.side.name!r}"
        raise SchemaError(f"{said}, which has {', '.join(map(repr, names)) or 'none'}; name it in the side's columns")
    first, last = history.spans(column, max_items)
    offsets = _offsets(last - first)
    places = np.repeat(first - offsets[:-1], last - first) + np.arange(offsets[-1])
    used, which = np.unique(places, return_inverse=True)
    values = history.values(names[0])[used]
    time = np.full(len(places), np.nan) if history.time is None else history.time[places]
    now = np.full(len(column), np.nan) if column.row_time is None else column.row_time / DAY
    if history.time is None:
        now = np.full(len(column), np.nan)
    items = Column(column.name, values, _there(values), folder=column.folder)
    return Cut(items, which.astype(np.int64), offsets, time, now, ())


def _most_recent(items: Items, now: float, most: int) -> Items:
    """The last items; of dated ones, those not after the row's time, if that is known."""
    end = len(items.values)
    if items.time is not None and items.dated and now == now:
        end = int(np.searchsorted(items.time, now, side="right"))
    begin = max(end - most, 0)
    time = None if items.time is None else items.time[begin:end]
    return Items(items.values[begin:end], time, items.dated)


def _times(items: Items) -> npt.NDArray[np.float64]:
    return np.full(len(items.values), np.nan) if items.time is None else items.time


def _offsets(lengths: Array) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


def _there(values: Array) -> npt.NDArray[np.bool_]:
    if values.dtype.kind == "O":
        return np.array([value is not None and value == value for value in values], bool)
    return ~np.isnat(values) if values.dtype.kind in "mM" else values == values
