"""What each row may see: the records of its cell, or of its key in a side table, up to the row's own moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column, Fault
from plait.data.history import History
from plait.media.content import UnreadableError
from plait.media.nested import moments
from plait.modalities.events.cells import decode

__all__ = ["Seen", "from_cells", "from_side", "unit_of"]

DAY = 86_400.0
EPOCH = (3e8, 5e9)  # numbers that are seconds since 1970: from 1979 to 2128


@dataclass(frozen=True)
class Seen:
    """The visible records of ``N`` rows, those of row ``i`` at ``offsets[i]:offsets[i + 1]``, oldest first.

    Parameters
    ----------
    offsets
        int64 ``N + 1``.
    time
        float64 ``S``, days (since 1970 where dated); the number of the record where records have no time.
    now
        float64 ``N``: the row's moment, or its last record's.
    values
        Column to ``S`` values: of cells.
    place
        Rows of the sorted history: of a side table.
    faults
        Rows that are there but cannot be read.
    """

    offsets: npt.NDArray[np.int64]
    time: npt.NDArray[np.float64]
    now: npt.NDArray[np.float64]
    values: dict[str, list[Any]]
    place: npt.NDArray[np.int64]
    faults: tuple[Fault, ...] = ()


def unit_of(times: npt.NDArray[np.float64]) -> float:
    """How many of these times make a day since 1970: seconds and milliseconds are told by their size.

    Else 0: they are days, or anything else, of no calendar that a row's moment could be compared with.
    """
    middle = float(np.median(times)) if len(times) else 0.0
    for size in (1.0, 1e3):
        if EPOCH[0] * size <= middle <= EPOCH[1] * size:
            return DAY * size
    return 0.0


def from_cells(column: Column, names: tuple[str, ...], time: str | None, unit: float, longest: int) -> Seen:
    """Decode the cells of a column.

    Parameters
    ----------
    names
        The columns of the records to read.
    time
        The column of their times, or None: then they stand in order and all are visible.
    unit
        How many make a day, 1 for times that are dates, 0 for times of no calendar (all are visible).
    longest
        The most recent records that are kept.
    """
    lengths = np.zeros(len(column), np.int64)
    now = np.full(len(column), np.nan)
    times: list[Array] = [np.empty(0)]
    values: dict[str, list[Any]] = {name: [] for name in names}
    faults: list[Fault] = []
    known = unit > 0 and column.row_time is not None
    for row in np.flatnonzero(column.present).tolist():
        moment = column.row_time[row] / DAY if known and column.row_time is not None else np.nan
        try:
            records = decode(column.values[row])
            if records is None:
                continue
            clock, order = _ordered(records, time, unit or 1.0)
        except UnreadableError as error:
            faults.append(Fault(row, column.name, str(error)))
            continue
        if not np.isnan(moment):
            # Some ulps of tolerance: the same moment comes out of dates and of seconds.
            order = order[clock[order] <= moment + 4 * np.spacing(abs(moment))]
        order = order[-longest:]
        if not len(order):
            continue
        lengths[row] = len(order)
        times.append(clock[order])
        now[row] = clock[order[-1]] if np.isnan(moment) else max(moment, clock[order[-1]])
        picked = order.tolist()
        for name in names:
            given = records.get(name)
            values[name] += [None] * len(picked) if given is None else [given[i] for i in picked]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return Seen(offsets, np.concatenate(times), now, values, np.empty(0, np.int64), tuple(faults))


def _ordered(records: dict[str, list[Any]], time: str | None, unit: float) -> tuple[Array, Array]:
    """Days of each record, and the records in order of time, those of one moment as they stand."""
    length = len(next(iter(records.values())))
    if time is None:
        return np.arange(float(length)), np.arange(length)
    if time not in records:
        raise UnreadableError(f"the records have no {time!r}")
    clock = moments(records[time])
    if isinstance(records[time][0], int | float):
        clock = clock / unit
    return clock, np.argsort(clock, kind="stable")


def from_side(column: Column, history: History, longest: int) -> Seen:
    """What each row sees of its key's history."""
    first, last = history.spans(column, longest)
    lengths = last - first
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    place = np.repeat(first - offsets[:-1], lengths) + np.arange(offsets[-1])
    inside = place - np.repeat(first, lengths)
    time = inside.astype(np.float64) if history.time is None else history.time[place]
    there = lengths > 0
    now = np.full(len(column), np.nan)
    now[there] = time[offsets[1:][there] - 1]
    if history.time is not None and column.row_time is not None:
        moment = column.row_time / DAY
        now = np.where(there & ~np.isnan(moment), np.maximum(moment, now), now)
    return Seen(offsets, time, now, {}, place)
