"""Cells that hold many items: JSON text, records, and the times of the items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.media.content import UnreadableError

__all__ = ["moments", "parsed", "transposed"]

DAY = 86_400.0
LONGEST_TEXT = 1 << 26  # characters of JSON in a cell


def parsed(cell: object, what: str) -> object:
    """A cell with JSON text and arrays of objects unpacked; any other cell as it is.

    Raises
    ------
    UnreadableError
        If a text is not JSON, or is too long; `what` says in the reason what was expected.
    """
    if isinstance(cell, str):
        if not cell.lstrip().startswith(("[", "{")):
            raise UnreadableError(f"a text is not {what}")
        if len(cell) > LONGEST_TEXT:
            raise UnreadableError(f"a text of {len(cell):,} characters (allowed: {LONGEST_TEXT:,})")
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            raise UnreadableError("a text that is not JSON") from None
    return cell.tolist() if isinstance(cell, np.ndarray) and cell.dtype.kind == "O" else cell


def transposed(records: Sequence[object], wanted: Sequence[str] | None = None) -> dict[str, list[Any]]:
    """Records (mappings) as lists by key, in order of appearance; None where a record lacks the key.

    Raises
    ------
    UnreadableError
        If an item is not a mapping.
    """
    keys: dict[str, None] = {}
    for record in records:
        if not isinstance(record, Mapping):
            raise UnreadableError("records and other items mixed")
        keys.update(dict.fromkeys(record))
    kept = [key for key in keys if wanted is None or key in wanted]
    return {key: [record.get(key) for record in records] for key in kept}  # type: ignore[attr-defined]


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
