"""Records of one history: the history without some of them, and each as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Batch, Nested, Place, Ragged
from plait.media.runs import bounds, runs, staying

__all__ = ["divide", "readable", "without"]

LONGEST = 40  # characters of a value
FACTS = 3  # of a record, that its label tells


def divide(records: Sequence[Mapping[str, object]], most: int, within: Place | None) -> tuple[Place, ...]:
    """Runs of records of like length, down to single ones; the label of one record tells what it says."""
    first, last = (0, len(records)) if within is None else bounds(within)
    if within is not None and last - first < 2:
        return ()
    return tuple(_told(place, records) for place in runs("records", first, last, most))


def _told(place: Place, records: Sequence[Mapping[str, object]]) -> Place:
    first, last = bounds(place)
    said = ", ".join(str(value) for value in list(records[first].values())[: FACTS + 1])
    return place if last - first > 1 or not said else replace(place, label=f"{place.label}: {said}")


def without(row: Batch, places: Sequence[Place], kept: npt.NDArray[np.bool_], *, numbered: bool, moment: bool) -> Batch:
    """Versions of one history without the records of some places; with none left, the history is missing.

    Parameters
    ----------
    row
        A row of the room's batch, present.
    kept
        bool ``M x P``.
    numbered
        Whether times are the records' numbers: then they are counted anew.
    moment
        Whether the row has a moment of its own; else it is the last record's.
    """
    time = row.arrays["time"]
    assert isinstance(time, Ragged)
    stay = staying(places, kept, len(time.values))
    version, record = np.nonzero(stay)
    lengths = stay.sum(axis=1)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    clock = time.values[record]
    if numbered:
        clock = time.values[np.arange(len(record)) - offsets[version]]
    now = np.tile(np.asarray(row.arrays["now"]), len(kept))
    some = lengths > 0
    if not moment:
        now[some] = clock[offsets[1:][some] - 1]
    arrays: dict[str, Array | Ragged | Nested] = {"now": np.where(some, now, np.nan)}
    for name, values in row.arrays.items():
        if isinstance(values, Ragged):
            arrays[name] = Ragged(clock if name == "time" else values.values[record], offsets)
    return replace(row, arrays={name: arrays[name] for name in row.arrays}, present=np.asarray(some))


def readable(
    time: npt.NDArray[np.float64], values: Mapping[str, Sequence[Any]], *, dated: bool, numbered: bool
) -> tuple[dict[str, object], ...]:
    """Records as a person reads them: when, and what each column says.

    Parameters
    ----------
    time
        float64 ``T``, days; dates where `dated`.
    values
        Column to ``T`` values.
    """
    made = []
    for i, when in enumerate(time.tolist()):
        record: dict[str, object] = {}
        if not numbered:
            record["time"] = _date(when) if dated else f"{when:g}"
        record |= {name: _plain(given[i]) for name, given in values.items() if _plain(given[i]) != ""}
        made.append(record)
    return tuple(made)


def _date(days: float) -> str:
    moment = np.datetime64(round(days * 86_400.0), "s")
    return str(moment).replace("T", " ").removesuffix(":00").removesuffix(" 00:00")


def _plain(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float | np.floating):
        return f"{value:,.10g}"
    return str(value).strip()[:LONGEST]
