"""A portfolio as the arithmetic of losses sees it: a PD, an LGD, an exposure, a rate and a term for every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.calc.discounting import SCHEDULES
from plait.contracts import Array
from plait.data.frame import Cells
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    from pandas import DataFrame

    from plait.desks.credit.losses.term import TermStructure

__all__ = ["RANGES", "Book", "flags", "numbers"]

Floats = npt.NDArray[np.float64]

RANGES: Mapping[str, tuple[float, float, str]] = {
    "pd": (0.0, 1.0, "a probability between 0 and 1"),
    "pd_origin": (0.0, 1.0, "a probability between 0 and 1"),
    "lgd": (0.0, 1.0, "a share between 0 and 1"),
    "ead": (0.0, np.inf, "an amount of 0 or more"),
    "rate": (-0.5, 1.0, "an effective yearly rate up to 1, 0.08 for 8%"),
    "months": (1.0, 600.0, "whole months, 1 to 600"),
    "dpd": (0.0, np.inf, "days, 0 or more"),
}


def numbers(frame: DataFrame, said: str, what: str, *, missing: bool = False) -> Floats:
    """A column of numbers, or one number for all rows: float64 ``N``.

    Parameters
    ----------
    said
        Name of the column, or the number itself.
    what
        What it is; `RANGES` says what is allowed.
    missing
        Leave what is missing NaN.

    Raises
    ------
    ConfigError
        If there is no such column and it is no number.
    DataError
        If a cell is no number, or out of range; the first such row is named.
    """
    if said in frame.columns:
        found = _parsed(frame[said])
        absent = frame[said].isna().to_numpy()
    else:
        try:
            found = np.full(len(frame), float(said))
        except ValueError:
            raise unknown(f"column for {what}", said, map(str, frame.columns)) from None
        absent = np.zeros(len(frame), bool)
    low, high, allowed = RANGES.get(what, (-np.inf, np.inf, "a number"))
    wrong = ~((found >= low) & (found <= high) & np.isfinite(found))
    if missing:
        wrong &= ~absent
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        if said not in frame.columns:
            raise ConfigError(f"{what} is {said}; it is {allowed}")
        shown = "missing" if absent[row] else frame[said].iloc[row]
        raise DataError(
            f"{what} ({said!r}) is {shown} in row {row}, and wrong in {int(wrong.sum()):,} of {len(frame):,} rows; "
            f"it is {allowed}"
        )
    return found


def flags(frame: DataFrame, said: str, what: str) -> npt.NDArray[np.bool_]:
    """A column of yes and no, as booleans or as 0 and 1: bool ``N``; missing is no.

    Raises
    ------
    ConfigError
        If there is no such column.
    DataError
        If it holds anything else.
    """
    if said not in frame.columns:
        raise unknown(f"column for {what}", said, map(str, frame.columns))
    found = _parsed(frame[said].fillna(0))
    if not np.isin(found, (0, 1)).all():
        raise DataError(f"{what} ({said!r}) is to hold 0 and 1 (or false and true) and holds something else")
    return np.asarray(found == 1)


def _parsed(cells: Cells) -> Floats:
    import pandas as pd

    return np.asarray(pd.to_numeric(cells, errors="coerce"), np.float64)


@dataclass(frozen=True)
class Book:
    """Rows of a portfolio, ``N``.

    Parameters
    ----------
    pd
        float64 ``N``: probability of a default within twelve months.
    lgd, ead
        float64 ``N``: share lost in a default, and what is owed today.
    rate
        float64 ``N``: effective yearly interest rate, by which losses are discounted.
    months
        int64 ``N``: until the last payment, 1 or more.
    schedule
        How exposures fall: ``"annuity"``, ``"linear"`` or ``"bullet"``.
    curve
        int64 ``N``: which curve of the term structure a row follows; None: the first.

    Raises
    ------
    ConfigError
        If there is no such schedule.
    """

    READ: ClassVar = ("pd", "lgd", "ead", "rate", "months")

    pd: Floats
    lgd: Floats
    ead: Floats
    rate: Floats
    months: npt.NDArray[np.int64]
    schedule: str = "annuity"
    curve: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise unknown("schedule", self.schedule, SCHEDULES)

    def __len__(self) -> int:
        return len(self.pd)

    def at(self, rows: npt.NDArray[np.int64]) -> Self:
        """Some of the rows."""
        curve = None if self.curve is None else self.curve[rows]
        pd, lgd, ead, rate = (each[rows] for each in (self.pd, self.lgd, self.ead, self.rate))
        return type(self)(pd, lgd, ead, rate, self.months[rows], self.schedule, curve)

    def with_lgd(self, lgd: Array) -> Self:
        """The same rows with other LGDs."""
        return replace(self, lgd=np.asarray(lgd, np.float64))

    def along(self, term: TermStructure, frame: DataFrame, grade: str | None) -> Self:
        """The same rows, each on the curve that its grade names; a structure of one curve needs no grades.

        Raises
        ------
        ConfigError, DataError
            If there are several curves and no such column, or a grade without a curve.
        """
        if len(term.names) == 1:
            return self
        if grade is None or grade not in frame.columns:
            raise unknown("column of the grade, by which curves are told apart", grade, map(str, frame.columns))
        at = {name: i for i, name in enumerate(term.names)}
        cells = frame[grade].astype(str)
        if not (known := cells.isin(list(at))).all():
            raise DataError(f"grade {cells[~known].iloc[0]!r} has no curve (there are: {', '.join(term.names[:12])})")
        return replace(self, curve=np.asarray(cells.map(at), np.int64))

    @classmethod
    def read(cls, frame: DataFrame, columns: Mapping[str, str], schedule: str = "annuity") -> Self:
        """From the columns (or numbers) said for ``pd``, ``lgd``, ``ead``, ``rate`` and ``months``.

        Raises
        ------
        ConfigError, DataError
            As `numbers` does.
        """
        pd, lgd, ead, rate, months = (numbers(frame, columns[what], what) for what in cls.READ)
        if (months != np.round(months)).any():
            raise DataError(f"months ({columns['months']!r}) is to hold whole months; round them")
        return cls(pd, lgd, ead, rate, months.astype(np.int64), schedule)
