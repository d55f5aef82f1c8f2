"""Frames of loans, or of loans by month, to what was seen of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plait.data.frame import column
from plait.desks.credit.monitoring.days import day_of, days_of
from plait.desks.credit.monitoring.vintages import Spells
from plait.errors import DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["loans", "panel"]


def loans(frame: pd.DataFrame, opened: str, defaulted: str, closed: str | None, as_of: str | None) -> Spells:
    """A row a loan: columns of dates, empty where something has not happened.

    Parameters
    ----------
    as_of
        ISO date up to which all is known; None: the latest date in these columns.

    Raises
    ------
    ConfigError
        If a column is unknown, or `as_of` no date.
    DataError
        If there are no loans, or their dates do not fit together (`Spells.of_loans`).
    """
    begin, default = days_of(frame, opened), days_of(frame, defaulted)
    end = None if closed is None else days_of(frame, closed)
    if not len(frame):
        raise DataError("there are no loans")
    if as_of is None:
        known = [each[~np.isnat(each)] for each in (begin, default, *([] if end is None else [end]))]
        last = np.concatenate(known).max() if any(map(len, known)) else np.datetime64("1970-01-01", "D")
    else:
        last = day_of(as_of, "as_of")
    return Spells.of_loans(begin, default, end, last)


def panel(frame: pd.DataFrame, id: str, date: str, bad: str, opened: str | None) -> Spells:
    """A row a loan and date: whether it was bad by then.

    Raises
    ------
    ConfigError
        If a column is unknown.
    DataError
        If a cell is missing, or `bad` holds anything but 0 and 1.
    """
    for name in (id, bad):
        if name not in frame.columns:
            raise unknown("column", name, map(str, frame.columns))
    dates = days_of(frame, date)
    cells = column(frame[bad])
    if frame[id].isna().any() or np.isnat(dates).any() or not cells.present.all() or not len(frame):
        raise DataError(f"a panel needs {id!r}, {date!r} and {bad!r} in every row, and a row at least")
    if cells.values.dtype.kind not in "fb" or not np.isin(cells.values, (0, 1)).all():
        raise DataError(f"column {bad!r} must be 1 from default on and 0 before")
    begin = None if opened is None else days_of(frame, opened)
    return Spells.of_panel(frame[id].astype(str).to_numpy(), dates, cells.values.astype(bool), begin)
