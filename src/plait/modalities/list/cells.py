"""One cell to its items and their times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.media.content import UnreadableError
from plait.media.nested import moments, parsed

__all__ = ["Items", "UnreadableError", "decode"]

ITEM = "item"  # the key of the item in mappings that hold more than an item and its time


class Items(NamedTuple):
    """The items of a cell that are there, oldest first, and their times.

    `time` (float64) counts days since 1970 where `dated` (the cell held dates), else it is in the cell's own numbers;
    None where the items are not timed.
    """

    values: list[Any]
    time: npt.NDArray[np.float64] | None
    dated: bool


def decode(cell: object, time_key: str = "time") -> Items:
    """Take a cell apart: a list of items, of mappings of time and item, or of pairs (time, item); or JSON text of one.

    Items that are None or NaN are left out. Timed items are sorted by their time.

    Raises
    ------
    UnreadableError
        If the cell is no list, or only some of its items are timed, or a time cannot be read.
    """
    cell = parsed(cell, "a list")
    if not isinstance(cell, list | tuple):
        raise UnreadableError(f"a {type(cell).__name__} is no list")
    pairs = [pair for pair in (_timed(item, time_key) for item in cell) if not _nothing(pair[1])]
    times = [time for time, _ in pairs if time is not None]
    values = [value for _, value in pairs]
    if not times:
        return Items(values, None, False)
    if len(times) < len(values):
        raise UnreadableError("only some of the items have a time")
    dated = not any(isinstance(time, int | float | np.integer | np.floating) for time in times)
    time = moments(times)
    order = np.argsort(time, kind="stable")
    return Items([values[i] for i in order], time[order], dated)


def _timed(item: object, time_key: str) -> tuple[Any, Any]:
    """Time (or None) and value of an item."""
    if isinstance(item, Mapping):
        if isinstance(item.get(time_key, ()), list | tuple | np.ndarray):  # no time, or the item has times of its own
            return None, item[ITEM] if len(item) == 1 and ITEM in item else item
        rest = {key: value for key, value in item.items() if key != time_key}
        return item[time_key], next(iter(rest.values())) if len(rest) == 1 else rest.get(ITEM, rest)
    if isinstance(item, list | tuple) and len(item) == 2 and _is_time(item[0]) and not _is_time(item[1]):
        return item[0], item[1]
    return None, item


def _is_time(value: object) -> bool:
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float | np.number | date | np.datetime64) and not isinstance(value, bool)


def _nothing(item: object) -> bool:
    return item is None or (isinstance(item, float) and item != item)
