"""From cells of any type to numbers, days, seconds and category levels; and what kind of column cells make.

Every reader takes one cell and returns what it says, NaN (or ``""``) when the cell is empty, or None when it cannot be
read; nothing here raises for a cell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column, Fault

__all__ = ["HEAD", "KINDS", "Kind", "codes", "count_levels", "judge", "likeness", "read_head", "values"]

Kind = Literal["number", "category", "boolean", "date", "duration"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Reader = Callable[[Any], float | None]

HEAD = 1_000  # cells from which a column's kind is judged
DAY = 86_400.0

_THOUSANDS = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")
_PLAIN_NUMBER = re.compile(r"[+-]?(0|[1-9]\d{0,14})(\.\d{1,15})?")
_LEADING_ZERO = re.compile(r"0\d+")
_CLOCK = re.compile(r"(\d+):(\d{2})(?::(\d{2}(?:\.\d+)?))?$")
_AMOUNT_OF_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*\+?\s*([a-z]+)")
_WORD = re.compile(r"[^\W\d_]{2,}")
_DAYS_IN = {
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 365.25),
    **dict.fromkeys(("mo", "mon", "month", "months"), 365.25 / 12),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 7.0),
    **dict.fromkeys(("d", "day", "days"), 1.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 1 / 24),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60 / DAY),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1 / DAY),
}
_TRUTH = {
    **dict.fromkeys(("true", "yes", "y", "t", "1", "是"), 1.0),
    **dict.fromkeys(("false", "no", "n", "f", "0", "否"), 0.0),
}


def number(cell: Any) -> float | None:
    """A number, or one written as ``12.5``, ``1,200``, ``$5``, ``(3.20)`` (negative) or ``7%`` (.07)."""
    try:
        if isinstance(cell, str):
            return float(cell)
        return float(cell) if isinstance(cell, Real | Decimal | np.bool_) else None
    except OverflowError:
        return np.inf
    except ValueError:  # only text gets here, and Decimal's signalling NaN
        return _written_number(cell) if isinstance(cell, str) else None


def _written_number(text: str) -> float | None:
    text = text.strip()
    if not text:
        return np.nan
    sign = 1.0
    if text.startswith("(") and text.endswith(")"):
        text, sign = text[1:-1], -1.0
    if text.endswith("%"):
        text, sign = text[:-1], sign / 100
    text = text.strip(" $€£¥₹")
    return sign * float(text.replace(",", "")) if _THOUSANDS.fullmatch(text) else None


def boolean(cell: Any) -> float | None:
    """1 or 0 from a bool, the numbers 0 and 1, or true/false, yes/no, y/n, t/f, 是/否 in any case."""
    if isinstance(cell, str):
        text = cell.strip().lower()
        return _TRUTH.get(text.removesuffix(".0")) if text else np.nan
    value = number(cell)
    return value if value is None or value in (0.0, 1.0) or value != value else None


def seconds(cell: Any) -> float | None:
    """Seconds since 1970 (UTC where no zone is given) from a date, or text as YYYY-MM[-DD][ time], / or - or none."""
    if isinstance(cell, np.datetime64):
        cell = cell.astype("datetime64[us]").item()
    if isinstance(cell, datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).timestamp()
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day, tzinfo=UTC).timestamp()
    text = level(cell)
    if not text:
        return None if text is None else np.nan
    text = text.replace("/", "-", 2)
    try:
        found = datetime.fromisoformat(f"{text}-01" if len(text) == 7 else text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def days(cell: Any) -> float | None:
    """Days from a duration, a number (of days), or text such as ``3 days 04:05:06``, ``36 months``, ``10+ years``."""
    if isinstance(cell, np.timedelta64):
        return float(cell / np.timedelta64(1, "s")) / DAY
    if isinstance(cell, timedelta):
        return cell.total_seconds() / DAY
    value = number(cell)
    if value is not None or not isinstance(cell, str):
        return value
    text = cell.strip().lower()
    total, found = 0.0, False
    if clock := _CLOCK.search(text):
        hours, minutes, rest = clock.groups()
        total, found = (int(hours) * 3600 + int(minutes) * 60 + float(rest or 0)) / DAY, True
        text = text[: clock.start()]
    for amount, unit in _AMOUNT_OF_TIME.findall(text):
        if unit not in _DAYS_IN:
            return None
        total, found = total + float(amount) * _DAYS_IN[unit], True
    return (-total if text.startswith("-") else total) if found else None


def level(cell: Any) -> str | None:
    """The name of a category: ``3``, ``3.0``, ``"3"`` and ``" 3.0 "`` are one level, ``"003"`` is another."""
    if isinstance(cell, str):
        text = cell.strip()
        if text[-1:].isdigit() and _PLAIN_NUMBER.fullmatch(text):
            return _number_name(float(text))
        return text
    if isinstance(cell, bool | np.bool_):
        return str(cell)
    if isinstance(cell, int | np.integer):
        return str(int(cell))
    if isinstance(cell, float | np.floating):
        return "" if cell != cell else _number_name(float(cell))
    return str(cell) if isinstance(cell, date | timedelta | Decimal | np.datetime64 | np.timedelta64) else None


def _number_name(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


_READERS: dict[Kind, tuple[Reader, str, str]] = {  # kind -> reader, numpy kinds read at once, what to call a failure
    "number": (number, "fiub", "not a number"),
    "boolean": (boolean, "b", "neither true nor false"),
    "date": (seconds, "M", "not a date"),
    "duration": (days, "mfiu", "not a duration"),
}


def _listed(column: Column, rows: Array) -> list[Any]:
    found = column.values[rows]
    if found.dtype.kind == "M":  # Python's own dates: nanoseconds would come back as integers
        found = found.astype("datetime64[us]")
    elif found.dtype.kind == "m":
        found = found.astype("timedelta64[us]")
    cells: list[Any] = found.tolist()
    return cells


def values(column: Column, kind: Kind) -> tuple[npt.NDArray[np.float64], list[Fault]]:
    """Cells as float64 ``N`` (numbers, 0/1, seconds since 1970, or days), NaN where missing or a fault."""
    read, at_once, reason = _READERS[kind]
    dtype = column.values.dtype.kind
    if dtype in at_once:
        found = column.values
        if dtype == "M":
            found = np.where(np.isnat(found), np.nan, found.astype("datetime64[us]").astype(np.int64) / 1e6)
        elif dtype == "m":
            found = np.where(np.isnat(found), np.nan, found.astype("timedelta64[us]").astype(np.int64) / 1e6 / DAY)
        return np.where(column.present, found.astype(np.float64, copy=False), np.nan), []
    out = np.full(len(column), np.nan)
    rows = np.flatnonzero(column.present)
    got = [read(cell) for cell in _listed(column, rows)]
    faults = [Fault(row, column.name, reason) for row, v in zip(rows.tolist(), got, strict=True) if v is None]
    out[rows] = [np.nan if v is None else v for v in got]
    return out, faults


def codes(column: Column, known: dict[str, int]) -> tuple[npt.NDArray[np.int32], list[Fault]]:
    """Category codes int32 ``N``: 0 missing, 1 not among the known levels, else as `known` says."""
    out = np.zeros(len(column), np.int32)
    rows = np.flatnonzero(column.present)
    cells = _listed(column, rows)
    found = [known.get(cell, -1) if type(cell) is str else -1 for cell in cells]
    faults = []
    for i, code in enumerate(found):
        if code < 0:  # rare, unknown, or written otherwise than the level's name
            name = level(cells[i])
            found[i] = known.get(name, 1) if name else 0
            if name is None:
                faults.append(Fault(int(rows[i]), column.name, "not a category"))
    out[rows] = found
    return out, faults


def count_levels(column: Column, counts: Counter[str]) -> None:
    """Add the column's cells to the counts of levels."""
    cells = _listed(column, np.flatnonzero(column.present))
    for text, times in Counter(cell for cell in cells if type(cell) is str).items():
        counts[level(text) or ""] += times
    counts.update(level(cell) or "" for cell in cells if type(cell) is not str)
    del counts[""]


def read_head(column: Column, found: list[Any]) -> None:
    """Add cells of the next chunk to the first ones of a column that say anything, until there are 1,000."""
    rows = np.flatnonzero(column.present)
    for start in range(0, len(rows), HEAD):
        if len(found) == HEAD:
            break
        cells = _listed(column, rows[start : start + HEAD])
        said = [cell for cell in cells if cell is not None and not (isinstance(cell, str) and not cell.strip())]
        found += said[: HEAD - len(found)]


def judge(cells: Sequence[Any]) -> Kind:
    """What kind of column these cells make; a kind other than category needs 95% of them."""
    if not cells:
        return "category"
    need = 0.95 * len(cells)

    def mostly(test: Callable[[Any], bool]) -> bool:
        return sum(map(test, cells)) >= need

    if mostly(lambda c: isinstance(c, bool | np.bool_) or (isinstance(c, str) and c.strip().lower() in _BOTH)):
        return "boolean"
    if mostly(lambda c: isinstance(c, timedelta | np.timedelta64)):
        return "duration"
    if mostly(lambda c: number(c) is not None):
        padded = sum(isinstance(c, str) and _LEADING_ZERO.fullmatch(c.strip()) is not None for c in cells)
        return "category" if padded > 0.01 * len(cells) else "number"
    if mostly(lambda c: not isinstance(c, Real) and seconds(c) is not None):
        return "date"
    return "category"


_BOTH = frozenset({"true", "false"})


def likeness(cells: Sequence[Any]) -> float:
    """How much these cells look like a tabular column, 0..1.

    Numbers, booleans and dates do in any writing. Other strings do as far as they repeat: a code of one word may have
    many levels (postcodes, merchants), while names of several words are better read word by word (employers), and
    sentences are text.
    """
    if not cells:
        return 0.5
    kind = judge(cells)
    if kind != "category":
        return 1.0 if not any(isinstance(cell, str) for cell in cells) else 0.95
    read = [level(cell) for cell in cells]
    if read.count(None) > 0.1 * len(cells):  # lists, dicts, bytes
        return 0.0
    names = [name for name in read if name]
    counts = Counter(names)
    repeated = sum(times for times in counts.values() if times > 1) / len(names)
    words = sum(len(_WORD.findall(name)) + len(re.findall(r"[\u4e00-\u9fff]", name)) / 4 for name in counts)
    words /= len(counts)
    if words <= 1.5:
        return 0.4 + 0.5 * repeated
    return (0.2 if words <= 8 else 0.05) + 0.7 * repeated**2
