"""One cell to records: a list of mappings, lists by column, or the JSON text of either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

import numpy as np

from plait.media.content import UnreadableError
from plait.media.nested import parsed, transposed

__all__ = ["Kind", "Records", "decode", "is_moment", "kind_of", "text_of"]

Kind: TypeAlias = Literal["number", "category", "moment"]
Records: TypeAlias = "dict[str, list[Any]]"  # lists of one length by column

LONGEST_LEVEL = 100  # characters of a category that count
MOST = 0.9  # share of the values that make a column what it is
ISO = 10  # characters of a date in ISO 8601


def decode(cell: object) -> Records | None:
    """Read one cell; None where it holds no record.

    Raises
    ------
    UnreadableError
        If it is neither a list of mappings, nor a mapping of lists of one length, nor JSON text of these.
    """
    cell = parsed(cell, "a list of records")
    if isinstance(cell, Sequence) and not isinstance(cell, str | bytes):
        return transposed(cell) or None
    if not isinstance(cell, Mapping):
        raise UnreadableError(f"a {type(cell).__name__} is not a list of records")
    columns: Records = {}
    for key, values in cell.items():
        if isinstance(values, np.ndarray) and values.ndim == 1:
            # Dates stay what they are: tolist makes integers of nanoseconds.
            columns[str(key)] = list(values) if values.dtype.kind in "mM" else values.tolist()
        elif isinstance(values, list | tuple):
            columns[str(key)] = list(values)
        else:
            raise UnreadableError(f"column {str(key)[:40]!r} of the records is not a list")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise UnreadableError(f"columns of unequal lengths ({', '.join(map(str, sorted(lengths)))})")
    return columns if any(lengths) else None


def kind_of(values: Iterable[object]) -> Kind | None:
    """What a column is by most of the values that are there; None where there are none to tell."""
    numbers = moments = others = 0
    for value in values:
        if isinstance(value, bool | np.bool_):
            others += 1
        elif isinstance(value, int | float | np.integer | np.floating):
            numbers += not np.isnan(value) if isinstance(value, float | np.floating) else True
        elif is_moment(value):
            moments += 1
        else:
            others += text_of(value) is not None
    seen = numbers + moments + others
    if not seen:
        return None
    return "number" if numbers >= MOST * seen else "moment" if moments >= MOST * seen else "category"


def is_moment(value: object) -> bool:
    """Whether a value is a date or a text that begins like one in ISO 8601."""
    if isinstance(value, date | np.datetime64):
        return True
    if not isinstance(value, str) or len(value) < ISO or value[4] != "-":
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def text_of(value: object) -> str | None:
    """The level that a category's value stands for; None where it is missing or no plain value."""
    if isinstance(value, str):
        return value.strip()[:LONGEST_LEVEL] or None
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(value)[:LONGEST_LEVEL] if abs(int(value)) < 10**LONGEST_LEVEL else None
    if isinstance(value, float | np.floating) and np.isfinite(value):
        return f"{value:.15g}"
    return None
