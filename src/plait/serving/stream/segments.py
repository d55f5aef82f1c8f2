"""Events that windows took in, as bytes: names as JSON, times and numbers as arrays."""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import TypeAlias

__all__ = ["Taken", "newest", "pack", "unpack"]

Taken: TypeAlias = tuple[float, Sequence[str | None], Sequence[float]]  # time, names, numbers

HEAD = struct.Struct("<Id")  # bytes of the JSON, and the newest time


def pack(events: Sequence[Taken]) -> bytes:
    """At least one event, in the order of arrival; numbers are little-endian float64, column by column."""
    names = json.dumps([list(column) for column in zip(*(names for _, names, _ in events), strict=True)]).encode()
    values = array("d", [time for time, _, _ in events])
    for column in zip(*(numbers for _, _, numbers in events), strict=True):
        values.extend(column)
    return HEAD.pack(len(names), max(time for time, _, _ in events)) + names + _little(values).tobytes()


def unpack(body: bytes) -> Iterator[Taken]:
    """The events of a segment, in the order of arrival."""
    size, _ = HEAD.unpack_from(body)
    names = json.loads(body[HEAD.size : HEAD.size + size])
    values = array("d")
    values.frombytes(body[HEAD.size + size :])
    values = _little(values)
    rows = len(names[0])
    columns = [values[start : start + rows] for start in range(rows, len(values), rows)]
    numbers = list(zip(*columns, strict=True)) if columns else [()] * rows
    yield from zip(values[:rows], zip(*names, strict=True), numbers, strict=True)


def newest(body: bytes) -> float:
    """The newest time in a segment."""
    return float(HEAD.unpack_from(body)[1])


def _little(values: array[float]) -> array[float]:
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        values = array("d", values)
        values.byteswap()
    return values
