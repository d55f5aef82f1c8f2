"""What columns, nested cells and long tables hold that was not known yet at the row's time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait.contracts import Array, Column, Side
from plait.data.findings import Finding
from plait.data.frame import as_keys, column, seconds
from plait.errors import InputError

if TYPE_CHECKING:
    from plait.data.schema import Schema

__all__ = ["known_later"]

DAY = 86_400.0
MONTH = 30.4375  # days
SHARE = 0.01  # of the rows, from which dates after the row's time are no slips
LOOK = 500  # nested cells that are opened
PARSED = 0.9  # share of texts that must be dates
TERMS = 12  # different terms in whole months that due dates have at most
EPOCH = (3e8, 5e9)  # numbers that are seconds since 1970: from 1979 to 2128

Moments = npt.NDArray[np.float64]


def known_later(
    frame: pd.DataFrame, cells: Mapping[str, Column], schema: Schema, sides: Mapping[str, Side]
) -> Iterator[Finding]:
    """Dates after the row's time, items of nested cells after it, and records of long tables that no time guards."""
    now = None
    if schema.time is not None and schema.time in frame.columns:
        try:
            now = seconds(frame[schema.time], schema.time)
        except InputError:  # said of the time column itself
            return
    for name in schema.names("source"):
        if name not in cells:
            continue
        if now is not None and cells[name].values.dtype.kind in "MO":
            found = _dates(frame, cells[name], now)
            if found is not None:
                yield found
                continue
        if cells[name].values.dtype.kind == "O" and (found := _items(cells[name], now)) is not None:
            yield found
    for spec in schema.sides:
        if spec.name in sides and spec.key in frame.columns:
            yield from _records(sides[spec.name], column(frame[spec.key]), now)


def _dates(frame: pd.DataFrame, cells: Column, now: Moments) -> Finding | None:
    then = _moments(frame, cells)
    if then is None:
        return None
    both = np.isfinite(then) & np.isfinite(now)
    if not both.any():
        return None
    whole_days = bool((now[both] % DAY == 0).all())
    ahead = (then - now)[both]
    late = ahead > (DAY if whole_days else 0.0)
    if late.mean() < SHARE:
        return None
    evidence = {"share": round(float(late.mean()), 4), "rows": int(late.sum())}
    if late.all() and _terms(ahead / DAY):
        said = "lies whole months after the row's time in every row, as due dates do: known beforehand?"
        return Finding("future", (cells.name,), "note", said, evidence)
    said = (
        f"likely leak: later than the row's time in {late.mean():.0%} of rows; "
        "leave it out unless it was known beforehand, as a due date is"
    )
    return Finding("future", (cells.name,), "leak", said, evidence)


def _moments(frame: pd.DataFrame, cells: Column) -> Moments | None:
    """A column's moments, where it holds dates or texts in a format of dates."""
    if cells.values.dtype.kind == "M":
        return seconds(frame[cells.name])
    some = cells.values[cells.present][:20]
    if not len(some) or not all(isinstance(text, str) and 6 <= len(text) <= 40 for text in some):
        return None
    try:
        seconds(pd.Series(some, dtype=object, name=cells.name))
        return seconds(frame[cells.name])
    except InputError:
        return None


def _terms(ahead: Moments) -> bool:
    """Whether spans are whole months of few lengths, as those of contracts are."""
    months = np.round(ahead / MONTH)
    return len(np.unique(months)) <= TERMS and bool((np.abs(ahead - months * MONTH) <= 3).mean() >= PARSED)


def _items(cells: Column, now: Moments | None) -> Finding | None:
    """Nested cells whose items are later than the row."""
    rows = np.flatnonzero(cells.present if now is None else cells.present & np.isfinite(now))
    rows = rows[np.linspace(0, len(rows) - 1, min(LOOK, len(rows))).astype(np.int64)] if len(rows) else rows
    dated = late = items = 0
    for row in rows.tolist():
        times = _clock(cells.values[row])
        if times is None:
            if not dated and row == rows[min(20, len(rows) - 1)]:
                return None  # no times in the first cells: not that kind of column
            continue
        dated += 1
        if now is not None:
            after = int((times > now[row] + 1e-3).sum())
            late += after > 0
            items += after
    if not dated:
        return None
    if now is None:
        said = "its items have times but the rows have none: name the time of a row, so that later items are left out"
        return Finding("future", (cells.name,), "note", said, {"cells_looked_at": dated})
    if not late:
        return None
    said = (
        f"likely leak: {late / dated:.0%} of its cells hold items later than the row's time ({items:,} in {dated:,} "
        "cells looked at); no room reads them where items are dated, but fetch cells as of the row's time"
    )
    return Finding("future", (cells.name,), "leak", said, {"share": round(late / dated, 4), "items": items})


def _clock(cell: object) -> Moments | None:
    """The times of a cell's items as seconds since 1970: of the first key whose values all are dates."""
    if isinstance(cell, str):
        if not cell.startswith(("[", "{")) or len(cell) > 1_000_000:
            return None
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    if isinstance(cell, np.ndarray) and cell.dtype.kind == "O":
        cell = cell.tolist()
    if isinstance(cell, list | tuple) and len(cell) and isinstance(cell[0], Mapping):
        records = [item for item in cell if isinstance(item, Mapping)]
        cell = {key: [record.get(key) for record in records] for key in cell[0]}
    if not isinstance(cell, Mapping):
        return None
    for values in cell.values():
        if isinstance(values, list | tuple | np.ndarray) and len(values):
            found = _as_moments(values)
            if found is not None:
                return found
    return None


def _as_moments(values: list[object] | tuple[object, ...] | Array) -> Moments | None:
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype("datetime64[ms]").astype(np.int64) / 1e3
    out = np.empty(len(values))
    for i, value in enumerate(values):
        moment = _moment(value)
        if moment is None:
            return None
        out[i] = moment
    return out


def _moment(value: object) -> float | None:
    if isinstance(value, str) and len(value) >= 8:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days * DAY
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        for unit in (1.0, 1e3):
            if EPOCH[0] * unit <= float(value) <= EPOCH[1] * unit:
                return float(value) / unit
    return None


def _records(side: Side, keys: Column, now: Moments | None) -> Iterator[Finding]:
    if side.time is None:
        dated = [name for name, values in side.columns.items() if name != side.key and values.dtype.kind == "M"]
        if dated:
            said = (
                f"long table {side.name!r}: no column is its time, so every row sees all records, later ones too; "
                f"name it (is it {dated[0]!r}?)"
            )
            yield Finding("future", (side.name, dated[0]), "warning", said)
        return
    if now is None:
        said = f"long table {side.name!r}: records have times but rows have none, so later records are read; name it"
        yield Finding("future", (side.name, side.time), "warning", said)
        return
    held = side.columns[side.key]
    last = pd.Series(side.columns[side.time]).groupby(held).max()
    wanted = as_keys(keys.values, keys.present) if held.dtype.kind == "O" else keys.values
    latest = last.reindex(wanted).to_numpy(np.float64)
    later = keys.present & (latest > now)
    if later.any():
        share = float(later.sum() / max(int((keys.present & np.isfinite(latest)).sum()), 1))
        said = f"long table {side.name!r}: {share:.0%} of rows have records later than their time, which are not read"
        yield Finding("future", (side.name, side.time), "note", said, {"share": round(share, 4)})
