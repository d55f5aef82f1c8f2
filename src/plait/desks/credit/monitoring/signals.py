"""Signals of trouble in a borrower's own history: one rule each, over all borrowers and months at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Place
from plait.data.frame import column
from plait.desks.credit.monitoring.days import Dates, days_of
from plait.desks.credit.monitoring.lexicon import hits
from plait.errors import DataError, unknown
from plait.metrics.shown import plain
from plait.metrics.weights import ratio

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EVIDENCE", "Histories", "Signal", "named_columns", "signals"]

WINDOW, FEWEST = 12, 4  # earlier rows that a borrower is held against, and how many there must be
MAD = 1.4826  # makes the median absolute deviation a standard deviation of normal values
FLOOR = 0.05  # of the median: no history is so even that a smaller spread would count


@dataclass(frozen=True)
class Signal:
    """One sign of trouble.

    Parameters
    ----------
    cause
        Stable name.
    severity
        1 worth knowing, 2 a concern, 3 grave; between them by size.
    why
        One sentence with the figures, or the words that were found, personal data masked.
    column
        The column of the frame that shows it.
    place
        Where inside its cell, if it is a part of one.
    """

    cause: str
    severity: float
    why: str
    column: str
    place: Place | None = None

    def to_json(self) -> dict[str, Json]:
        return dict(plain(self))


class Histories(NamedTuple):
    """Rows of borrowers, each borrower's together and in time.

    Parameters
    ----------
    order
        int64 ``N``: the frame's row of each.
    key
        object ``N``: borrowers as text.
    day
        datetime64[D] ``N``.
    place
        int64 ``N``: how many rows of the same borrower come before.
    """

    order: npt.NDArray[np.int64]
    key: npt.NDArray[np.object_]
    day: Dates
    place: npt.NDArray[np.int64]

    @classmethod
    def of(cls, frame: pd.DataFrame, id: str, date: str) -> Histories:
        """Rows in order.

        Raises
        ------
        DataError
            If a column or a cell of it is missing, or a borrower has two rows of one date.
        """
        if id not in frame.columns:
            raise unknown("column", id, map(str, frame.columns))
        days = days_of(frame, date)
        for name, missing in ((id, frame[id].isna().to_numpy()), (date, np.isnat(days))):
            if missing.any():
                raise DataError(f"{int(missing.sum()):,} rows have no {name!r}; leave them out")
        keys = frame[id].astype(str).to_numpy(object)
        order = np.lexsort((days, keys.astype(str)))
        keys, days = keys[order], days[order]
        fresh = np.append(True, keys[1:] != keys[:-1]) if len(keys) else np.zeros(0, bool)
        twice = ~fresh[1:] & (days[1:] == days[:-1]) if len(keys) else fresh
        if twice.any():
            at = int(twice.argmax())
            raise DataError(f"borrower {keys[at]!r} has two rows of {days[at]}; keep one a date")
        begins = np.flatnonzero(fresh)[np.cumsum(fresh) - 1]
        return cls(order, keys, days, np.arange(len(keys)) - begins)

    def before(self, values: Array) -> Array:
        """The values of up to twelve earlier rows of the same borrower, the latest first: float64 ``N x 12``."""
        made = np.full((len(values), WINDOW), np.nan)
        for back in range(1, min(WINDOW, len(values) - 1) + 1):
            there = np.flatnonzero(self.place >= back)
            made[there, back - 1] = values[there - back]
        return made


class Found(NamedTuple):
    """How grave each row is (float64 ``N``, 0 nothing), and what is said of it."""

    severity: Array
    said: Callable[[int], str]


Rule = Callable[[Histories, Array], Found]


def _usual(rows: Histories, values: Array) -> tuple[Array, Array]:
    """Median and robust spread of each row's own history: float64 ``N``, NaN where it is too short."""
    earlier = rows.before(values)
    long = np.flatnonzero((~np.isnan(earlier)).sum(1) >= FEWEST)
    middle, spread = np.full((2, len(values)), np.nan)
    if len(long):
        middle[long] = np.nanmedian(earlier[long], axis=1)
        spread[long] = MAD * np.nanmedian(np.abs(earlier[long] - middle[long, None]), axis=1)
    return middle, np.maximum(spread, FLOOR * np.abs(middle))


def _balance(rows: Histories, values: Array) -> Found:
    middle, spread = _usual(rows, values)
    z = np.nan_to_num(ratio(values - middle, spread))
    fell = (z <= -3) & (values < 0.7 * middle)
    severity = np.where(fell, 1 + np.clip((-3 - z) / 5, 0, 1), 0.0)
    return Found(severity, lambda i: f"balance {values[i]:,.0f}, usually {middle[i]:,.0f} ({-z[i]:.1f} spreads below)")


def _salary(rows: Histories, values: Array) -> Found:
    middle, _ = _usual(rows, np.where(values > 0, values, np.nan))
    share = np.nan_to_num(ratio(values, middle), nan=1.0)
    severity = np.select([share < 0.25, share < 0.6], [2.0, 1.0], 0.0)
    return Found(severity, lambda i: f"salary {values[i]:,.0f}, usually {middle[i]:,.0f}")


def _utilisation(rows: Histories, values: Array) -> Found:
    middle, _ = _usual(rows, values)
    rise = values - middle
    full = (rise >= 0.15) & (values >= 0.9)
    severity = np.select([full & (values >= 1.0), full, rise >= 0.25], [2.0, 1.5, 1.0], 0.0)
    return Found(severity, lambda i: f"{values[i]:.0%} of the limit used, usually {middle[i]:.0%}")


def _overdrafts(rows: Histories, values: Array) -> Found:
    middle, _ = _usual(rows, values)
    more = values - np.nan_to_num(middle)
    severity = np.select([more >= 4, more >= 2], [1.5, 1.0], 0.0)
    return Found(severity, lambda i: f"overdrawn {values[i]:.0f} times, usually {np.nan_to_num(middle[i]):.0f}")


def _late(rows: Histories, values: Array) -> Found:
    severity = np.select([values >= 60, values >= 30, values >= 10], [3.0, 2.0, 1.0], 0.0)
    return Found(severity, lambda i: f"{values[i]:.0f} days past due")


NUMBERS: Mapping[str, tuple[str, Rule]] = {
    "balance": ("balance dropped", _balance),
    "salary": ("salary missed", _salary),
    "utilisation": ("limit filling up", _utilisation),
    "overdrafts": ("overdrafts", _overdrafts),
    "days_past_due": ("days past due", _late),
}
NEWS = "note"
EVIDENCE = (*NUMBERS, NEWS)


def named_columns(frame: pd.DataFrame, given: Mapping[str, str]) -> dict[str, str]:
    """Which column holds which evidence: as given, else the column of its own name where there is a fitting one.

    Raises
    ------
    ConfigError
        If evidence or a column is unknown.
    DataError
        If a column that was given holds no numbers where there must be some.
    """
    for what, name in given.items():
        if what not in EVIDENCE:
            raise unknown("evidence", what, EVIDENCE)
        if name not in frame.columns:
            raise unknown("column", name, map(str, frame.columns))
        if what != NEWS and not _numeric(frame, name):
            raise DataError(f"column {name!r} ({what}) holds no numbers; name another, as in {what}=COLUMN")
    own = [what for what in EVIDENCE if what not in given and what in frame.columns and frame[what].notna().any()]
    for what in own:
        if (what != NEWS) != _numeric(frame, what):
            wanted = "words" if what == NEWS else "numbers"
            raise DataError(f"column {what!r} holds no {wanted}; mend or rename it")
    return {what: what for what in own} | dict(given)


def _numeric(frame: pd.DataFrame, name: str) -> bool:
    return column(frame[name]).values.dtype.kind in "fb"


def signals(
    frame: pd.DataFrame, rows: Histories, columns: Mapping[str, str], terms: Mapping[str, float]
) -> dict[int, list[Signal]]:
    """Signals of every row that has any, by its place in `rows`.

    Parameters
    ----------
    columns
        Evidence to column, as `named_columns` gives them.
    terms
        Own words of trouble (`plait.desks.credit.monitoring.lexicon.terms_of`).

    Notes
    -----
    Each borrower is held against its own last 12 rows, of which at least 4 must be known: balances by a robust z
    (median and median absolute deviation; Iglewicz and Hoaglin 1993), below -3 and at least 30% down; a salary under a
    quarter (a concern) or 60% of the usual; a quarter of a limit more than usual, or 15 points more and 90% of it; two
    overdrafts more than usual. Days past due count from 10 on (a concern from 30, grave from 60). Nothing later than
    the row is looked at.
    """
    found: dict[int, list[Signal]] = {}
    for what, name in columns.items():
        if what == NEWS:
            continue
        cells = column(frame[name])
        cause, rule = NUMBERS[what]
        values = np.where(cells.present, cells.values, np.nan).astype(np.float64)[rows.order]
        if (endless := np.isinf(values)).any():
            raise DataError(f"column {name!r} holds infinity in {int(endless.sum()):,} rows; leave these cells empty")
        severity, said = rule(rows, values)
        for i in np.flatnonzero(severity > 0).tolist():
            found.setdefault(i, []).append(Signal(cause, float(severity[i]), said(i), name))
    if NEWS in columns:
        cells = column(frame[columns[NEWS]])
        for i in np.flatnonzero(cells.present[rows.order]).tolist():
            for hit in hits(str(cells.values[rows.order[i]]), terms):
                why = f"{hit.term!r} in: {hit.quote}"
                found.setdefault(i, []).append(Signal("bad news", float(hit.weight), why, columns[NEWS], hit.place))
    return found
