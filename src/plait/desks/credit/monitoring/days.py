"""Columns of dates as days."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.data.frame import column, seconds
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dates", "day_of", "days_of"]

Dates: TypeAlias = npt.NDArray[np.datetime64]
DAY = 86_400.0


def days_of(frame: pd.DataFrame, name: str) -> Dates:
    """The day of each cell: datetime64[D] ``N``, NaT where missing.

    Raises
    ------
    ConfigError
        If there is no such column.
    DataError
        If it holds no dates; numbers are none, whatever calendar somebody had in mind.
    """
    if name not in frame.columns:
        raise unknown("column", name, map(str, frame.columns))
    cells = column(frame[name])
    if cells.values.dtype.kind in "fb" and cells.present.any():
        first = cells.values[cells.present][0]
        raise DataError(f"column {name!r} holds numbers (first {first:g}), not dates; write them as 2011-07-01")
    at = seconds(frame[name], name)
    days = np.full(len(at), np.datetime64("NaT"), "datetime64[D]")
    known = ~np.isnan(at)
    days[known] = np.floor(at[known] / DAY).astype(np.int64).astype("datetime64[D]")
    return days


def day_of(text: str, name: str) -> np.datetime64:
    """A date as a person writes it.

    Raises
    ------
    ConfigError
        If it is none.
    """
    try:
        return np.datetime64(date.fromisoformat(text), "D")
    except ValueError:
        raise ConfigError(f"{name}={text!r} is no date; write it as 2024-03-31") from None
