"""One cell to steps: a list, an array, channels by name, records, or the JSON text of any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.media.content import UnreadableError
from plait.media.nested import moments, parsed, transposed

__all__ = ["LARGEST", "Steps", "decode"]

LARGEST = float(np.finfo(np.float32).max)  # what a step may hold


@dataclass(frozen=True)
class Steps:
    """A decoded cell: values float64 ``T x C`` (NaN = not observed), channel names and times where it gives them.

    `time` is float64 ``T``, never decreasing: days since 1970 where `dated`, else the cell's own numbers.
    """

    values: npt.NDArray[np.float64]
    names: tuple[str, ...] | None = None
    time: npt.NDArray[np.float64] | None = None
    dated: bool = False

    def known_by(self, now: float) -> Steps | None:
        """Dated steps up to a moment (days since 1970; NaN: unknown, all are known); None where nothing is left."""
        if self.time is None or not self.dated or np.isnan(now):
            return self
        # Some ulps of tolerance: the same moment comes out of dates and of seconds.
        end = int(np.searchsorted(self.time, now + 4 * np.spacing(abs(now)), side="right"))
        if np.isnan(self.values[:end]).all():
            return None
        return self if end == len(self.time) else Steps(self.values[:end], self.names, self.time[:end], True)


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
    cell = parsed(cell, "a sequence of numbers")
    if isinstance(cell, Sequence) and len(cell) and isinstance(cell[0], Mapping):
        cell = transposed(cell, None if wanted is None else (*wanted, time_key))
    if isinstance(cell, Mapping):
        steps = _named(cell, time_key, wanted)
    elif isinstance(cell, Sequence | np.ndarray) and not isinstance(cell, bytes):
        steps = Steps(_numbers(cell))
    else:
        raise UnreadableError(f"a {type(cell).__name__} is not a sequence of numbers")
    if np.any(np.abs(steps.values) > LARGEST):
        raise UnreadableError("infinity, or a number beyond 3.4e38")
    return None if np.isnan(steps.values).all() else steps


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
    return Steps(values, tuple(map(str, kept)), time, time is not None and not _are_numbers(cell[time_key]))


def _are_numbers(times: object) -> bool:
    """Whether times that could be read are numbers, not dates."""
    first = times[0] if isinstance(times, Sequence | np.ndarray) and len(times) else 0.0
    return isinstance(first, int | float | np.number)


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
