"""One cell to steps: a list, an array, channels by name, records, or the JSON text of any of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.contracts import Array

__all__ = ["LARGEST", "Steps", "UnreadableError", "decode", "moments"]

DAY = 86_400.0
LARGEST = float(np.finfo(np.float32).max)  # what a step may hold
LONGEST_TEXT = 1 << 26  # characters of JSON in a cell


class UnreadableError(ValueError):
    """A cell holds no sequence of numbers; the message is the reason of its `Fault`."""


@dataclass(frozen=True)
class Steps:
    """A decoded cell: values float64 ``T x C`` (NaN = not observed), channel names and times where it gives them.

    `time` is float64 ``T``, never decreasing: days since 1970 for datetimes, else the cell's own numbers.
    """

    values: npt.NDArray[np.float64]
    names: tuple[str, ...] | None = None
    time: npt.NDArray[np.float64] | None = None


def decode(cell: object, time_key: str = "time", wanted: tuple[str, ...] | None = None) -> Steps | None:
    """Read one cell; None when it is empty or holds no observed number.

    Parameters
    ----------
    cell
        Numbers in time order (list, tuple, array ``T`` or ``T x C``), a mapping of channel to numbers, a list of
        records (mappings of channel to number), or JSON text of these.
    time_key
        The mapping key that holds the steps' times: numbers, datetimes or ISO texts. Without it steps are regular.
    wanted
        Channels to read from mappings and records; None reads all.

    Raises
    ------
    UnreadableError
        If the cell is anything else, is infinite or beyond float32 somewhere, or has a step without a time.
    """
    if isinstance(cell, str):
        cell = _parse(cell)
    if isinstance(cell, np.ndarray) and cell.dtype.kind == "O":
        cell = cell.tolist()
    if isinstance(cell, Sequence) and len(cell) and isinstance(cell[0], Mapping):
        cell = _channels(cell, time_key, wanted)
    if isinstance(cell, Mapping):
        steps = _named(cell, time_key, wanted)
    elif isinstance(cell, Sequence | np.ndarray) and not isinstance(cell, bytes):
        steps = Steps(_numbers(cell))
    else:
        raise UnreadableError(f"a {type(cell).__name__} is not a sequence of numbers")
    if np.any(np.abs(steps.values) > LARGEST):
        raise UnreadableError("infinity, or a number beyond 3.4e38")
    return None if np.isnan(steps.values).all() else steps


def moments(values: object) -> npt.NDArray[np.float64]:
    """Times as float64: days since 1970 for datetimes and ISO texts (UTC where no zone is given), numbers as they are.

    Raises
    ------
    UnreadableError
        If a time is missing or is neither a number nor a date.
    """
    array = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    if array.ndim != 1:
        raise UnreadableError("the times are not a flat list")
    if array.dtype.kind == "M":
        time = array.astype("datetime64[ns]").astype(np.int64) / (DAY * 1e9)
        time[np.isnat(array)] = np.nan
    elif array.dtype.kind in "iuf":
        time = array.astype(np.float64)
    else:
        time = np.array([_moment(item) for item in array.tolist()], np.float64)
    if not np.isfinite(time).all():
        raise UnreadableError("a step has no time")
    return time


def _moment(item: object) -> float:
    if isinstance(item, int | float | np.integer | np.floating) and not isinstance(item, bool):
        return _number(item)
    if isinstance(item, np.datetime64):
        item = item.astype("datetime64[us]").item()
    if isinstance(item, str):
        text = item
        try:
            item = datetime.fromisoformat(text)
        except ValueError:
            raise UnreadableError(f"{text[:30]!r} is not a time") from None
    if isinstance(item, datetime):
        return (item if item.tzinfo else item.replace(tzinfo=UTC)).timestamp() / DAY
    if isinstance(item, date):
        return (item - date(1970, 1, 1)).days
    raise UnreadableError("a step has no time")


def _number(item: int | float | np.integer[Any] | np.floating[Any]) -> float:
    try:
        return float(item)
    except OverflowError:
        raise UnreadableError("a time beyond every calendar") from None


def _parse(text: str) -> object:
    if not text.lstrip().startswith(("[", "{")):
        raise UnreadableError("a text is not a sequence of numbers")
    if len(text) > LONGEST_TEXT:
        raise UnreadableError(f"a text of {len(text):,} characters (allowed: {LONGEST_TEXT:,})")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError("a text that is not JSON") from None


def _channels(records: Sequence[object], time_key: str, wanted: tuple[str, ...] | None) -> dict[str, list[object]]:
    """Records to channels; a key that a record lacks is a step at which that channel was not observed."""
    keys: dict[str, None] = {}
    for record in records:
        if not isinstance(record, Mapping):
            raise UnreadableError("records and other items mixed")
        keys.update(dict.fromkeys(record))
    kept = [key for key in keys if wanted is None or key in wanted or key == time_key]
    return {key: [record.get(key) for record in records] for key in kept}  # type: ignore[attr-defined]


def _named(cell: Mapping[str, object], time_key: str, wanted: tuple[str, ...] | None) -> Steps:
    kept = [key for key in cell if key != time_key and (wanted is None or key in wanted)]
    if not kept:
        return Steps(np.empty((0, 0)))
    channels = [_numbers(cell[key]) for key in kept]
    if any(channel.shape[1] != 1 for channel in channels):
        raise UnreadableError("a channel is not a flat list of numbers")
    time = moments(cell[time_key]) if cell.get(time_key) is not None else None
    lengths = {len(channel) for channel in channels} | ({len(time)} if time is not None else set())
    if len(lengths) > 1:
        raise UnreadableError(f"channels of unequal lengths ({', '.join(map(str, sorted(lengths)))})")
    values = np.concatenate(channels, axis=1)
    if time is not None and np.any(np.diff(time) < 0):
        order = np.argsort(time, kind="stable")
        values, time = values[order], time[order]
    return Steps(values, tuple(map(str, kept)), time)


def _numbers(cell: object) -> npt.NDArray[np.float64]:
    """Numbers as float64 ``T x C``."""
    try:
        array: Array = np.asarray(cell)
        if array.dtype.kind == "O":  # None among the numbers, decimals, or integers beyond 64 bits
            array = np.asarray(array.tolist(), np.float64)
    except (ValueError, TypeError, OverflowError):
        raise UnreadableError("not all items are numbers, or steps have unequal widths") from None
    if array.dtype.kind not in "biuf":
        raise UnreadableError("the items are not numbers")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise UnreadableError(f"an array of {array.ndim} dimensions (allowed: steps, or steps x channels)")
    return array.astype(np.float64)
