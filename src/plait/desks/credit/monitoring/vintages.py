"""Vintages: how the loans opened at one time go bad as they age, beside those opened at other times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.desks.credit.monitoring.days import Dates
from plait.errors import ConfigError, DataError, unknown
from plait.metrics.classification import Z95
from plait.metrics.correction import holm, normal_p
from plait.metrics.shown import aligned, chance, number, plain
from plait.metrics.weights import ratio

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["PERIODS", "Cohort", "Curve", "Period", "Spells", "VintageReport", "curve", "period_names", "vintages"]

Period: TypeAlias = Literal["month", "quarter", "year"]
PERIODS: tuple[Period, ...] = ("month", "quarter", "year")
AGES = (3, 6, 9, 12, 18, 24, 30, 36, 48, 60)  # months on book at which the triangle is printed
LEVEL = 0.05
ON_BOOK, DEFAULTED, CLOSED = 0, 1, 2


@dataclass(frozen=True)
class Spells:
    """What was seen of each of ``N`` loans.

    Parameters
    ----------
    opened
        datetime64[D] ``N``.
    age
        int64 ``N``: months on book at which what was seen of it ended: 1 is the first month.
    ended
        int64 ``N``, why: 0 still on the book (nothing later is known yet), 1 defaulted, 2 closed.
    horizon
        int64 ``N``: full months that had passed at the reporting date.
    as_of
        The reporting date.
    """

    opened: Dates
    age: npt.NDArray[np.int64]
    ended: npt.NDArray[np.int64]
    horizon: npt.NDArray[np.int64]
    as_of: np.datetime64

    @classmethod
    def of_loans(cls, opened: Dates, defaulted: Dates, closed: Dates | None, as_of: np.datetime64) -> Spells:
        """Of dates, a row a loan; NaT where something has not happened.

        A month counts once it is over: a default in the unfinished month of a loan is left to the next report, since
        the loans that do not default in it cannot be told yet.

        Raises
        ------
        DataError
            If a loan was opened after the reporting date or has no opening date, or ended before it was opened, or
            defaulted after it was closed.
        """
        none = np.full(len(opened), np.datetime64("NaT"), "datetime64[D]")
        closed = none if closed is None else closed
        for wrong, said in (
            (np.isnat(opened), "have no opening date; leave these rows out"),
            (opened > as_of, f"were opened after {as_of}; report as of a later date"),
            ((defaulted < opened) | (closed < opened), "ended before they were opened; put these dates right"),
            (defaulted > closed, "defaulted after they were closed; put these dates right"),
        ):
            if wrong.any():
                raise DataError(f"{int(wrong.sum()):,} loans (first in row {int(wrong.argmax())}) {said}")
        horizon = _full_months(opened, np.broadcast_to(as_of, opened.shape))
        bad = ~np.isnat(defaulted)
        first = np.where(bad, defaulted, closed)
        over = ~np.isnat(first)
        age = np.where(over, _month_of(opened, np.where(over, first, opened)), horizon)
        known = over & (age <= horizon)
        ended = np.where(known, np.where(bad, DEFAULTED, CLOSED), ON_BOOK)
        return cls(opened, np.where(known, age, horizon), ended, horizon, as_of)

    @classmethod
    def of_panel(cls, keys: Array, dates: Dates, bad: Array, opened: Dates | None = None) -> Spells:
        """Of a row a loan and month: it defaults at its first bad row, and is closed if its rows end before the last
        date of the panel.

        Parameters
        ----------
        keys
            ``N`` identifiers.
        dates
            datetime64[D] ``N``.
        bad
            bool ``N``.
        opened
            datetime64[D] ``N``, the same in all rows of a loan (the earliest counts); None: the date of its first row.
        """
        _, code = np.unique(keys, return_inverse=True)
        loans = int(code.max()) + 1
        far = np.datetime64("9999-12-31", "D")
        begin, default = np.full(loans, far), np.full(loans, far)
        last = np.full(loans, np.datetime64("0001-01-01", "D"))
        np.minimum.at(begin, code, dates if opened is None else opened)
        np.minimum.at(default, code[bad], dates[bad])
        np.maximum.at(last, code, dates)
        default[default == far] = np.datetime64("NaT")
        gone = np.where(np.isnat(default) & (last < dates.max()), last, np.datetime64("NaT"))
        return cls.of_loans(begin, default, gone, dates.max())

    def take(self, rows: Array) -> Spells:
        return Spells(self.opened[rows], self.age[rows], self.ended[rows], self.horizon[rows], self.as_of)

    def __len__(self) -> int:
        return len(self.opened)


@dataclass(frozen=True)
class Curve:
    """Cumulative defaults by months on book, every array float64 ``A`` over the ages 1 to ``A``.

    Parameters
    ----------
    at_risk, defaults, closed
        Loans that were on the book at the beginning of the month and could be seen to its end, and how they ended.
    incidence, low, high
        Share of all opened loans that defaulted by then, those that closed never to default: cumulative incidence
        (Aalen and Johansen 1978) with a 95% interval. Loans too young for an age lend it the experience of the others.
    kaplan_meier
        The same, had no loan closed early (Kaplan and Meier 1958, closings censored).
    naive
        Defaults seen so far over all opened loans: too low wherever some are too young.
    """

    at_risk: Array
    defaults: Array
    closed: Array
    incidence: Array
    low: Array
    high: Array
    kaplan_meier: Array
    naive: Array

    @property
    def hazard(self) -> Array:
        """Share of the loans on the book that default in each month."""
        return ratio(self.defaults, self.at_risk)

    @property
    def peak(self) -> int:
        """The age of the highest hazard over three months, among ages that a tenth of the loans reached; 0: none."""
        enough = self.at_risk >= 0.1 * self.at_risk[0] if len(self.at_risk) else np.zeros(0, bool)
        events, exposed = (np.convolve(each[enough], np.ones(3), "same") for each in (self.defaults, self.at_risk))
        return int(np.argmax(ratio(events, exposed))) + 1 if events.any() else 0

    def __len__(self) -> int:
        return len(self.at_risk)


@dataclass(frozen=True)
class Cohort:
    """The loans opened in one period.

    Parameters
    ----------
    complete
        The age that its youngest loan has reached: beyond it, what is said rests on its older loans.
    observed, expected, p, adjusted
        Defaults up to the age of comparison, as many as the other cohorts would have had with its loans, the p-value of
        the log-rank test against them (Mantel 1966), and that after Holm over all cohorts; NaN where there is nothing
        to compare.
    """

    name: str
    loans: int
    complete: int
    curve: Curve
    observed: float
    expected: float
    p: float
    adjusted: float

    @property
    def verdict(self) -> str:
        """``"worse"`` or ``"better"`` than the other cohorts at the same age, beyond chance; else empty."""
        if not self.adjusted <= LEVEL:
            return ""
        return "worse" if self.observed > self.expected else "better"


@dataclass(frozen=True)
class VintageReport:
    """Cohorts, oldest first; all loans together (the seasoning); and the age at which cohorts are compared."""

    by: Period
    as_of: str
    loans: int
    age: int
    cohorts: tuple[Cohort, ...]
    seasoning: Curve

    def __getitem__(self, name: str) -> Cohort:
        for cohort in self.cohorts:
            if cohort.name == name:
                return cohort
        raise KeyError(name)

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The triangle, the header first: cumulative default rates; ``*`` where some loans have not reached the age."""
        ages = [age for age in AGES if age <= len(self.seasoning)] or [len(self.seasoning)]
        body = [(each.name, f"{each.loans:,}", *(_cell(each, age) for age in ages)) for each in self.cohorts]
        return (("opened", "loans", *(f"{age} m" for age in ages)), *body)

    def compared(self) -> tuple[tuple[str, ...], ...]:
        """Each cohort beside the others at the same age, the header first."""
        header = ("opened", f"defaults to {self.age} m", "expected", "ratio", "p (Holm)", "")
        return (
            header,
            *(
                (
                    each.name,
                    f"{each.observed:,.0f}",
                    f"{each.expected:,.1f}",
                    number(float(ratio(np.asarray(each.observed), np.asarray(each.expected)))),
                    chance(each.adjusted),
                    each.verdict,
                )
                for each in self.cohorts
            ),
        )

    def frame(self) -> pd.DataFrame:
        """A row a cohort and age."""
        import pandas as pd

        parts = []
        for each in self.cohorts:
            ages = np.arange(1, len(each.curve) + 1)
            said = {"opened": each.name, "age": ages, **vars(each.curve), "complete": ages <= each.complete}
            parts.append(pd.DataFrame(said))
        return pd.concat(parts, ignore_index=True)

    def draw(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Pictures: ``vintages.png``, ``triangle.png``, ``seasoning.png``."""
        from plait.desks.credit.monitoring.pictures import draw_vintages

        return draw_vintages(self, folder)

    def to_json(self) -> Json:
        cohorts = [{**plain(each), "verdict": each.verdict} for each in self.cohorts]
        return {**plain(self), "cohorts": cohorts, "peak": self.seasoning.peak}

    def __str__(self) -> str:
        head = f"{self.loans:,} loans as of {self.as_of}, by {self.by} of opening; cumulative default rates by months"
        odd = [f"{each.name} is {each.verdict} than the others" for each in self.cohorts if each.verdict]
        told = "; ".join(odd) or "no cohort differs from the others beyond chance"
        peak = self.seasoning.peak
        last = f"most default at about {peak} months on book" if peak else "no loan has defaulted"
        said = [f"at {self.age} months: {told}", last]
        marked = "* not every loan of the cohort has reached the age: the older ones speak for it (Aalen-Johansen)"
        return "\n".join([head, *aligned(self.rows()), marked, "", *aligned(self.compared()), "", *said])


def vintages(spells: Spells, *, by: Period = "quarter", age: int | None = None) -> VintageReport:
    """Follow loans by when they were opened.

    Parameters
    ----------
    by
        What is one cohort.
    age
        Months on book at which cohorts are compared; None: the greatest that half of the cohorts have reached in full.

    Raises
    ------
    ConfigError
        If `by` is unknown or `age` is under 1.
    DataError
        If there are no loans, or none has been on the book for a month.
    """
    if by not in PERIODS:
        raise unknown("period", by, PERIODS)
    if age is not None and age < 1:
        raise ConfigError(f"age={age} is out of range; months on book are 1 or more")
    if not len(spells) or not spells.horizon.max() > 0:
        raise DataError("no loan has been on the book for a month; vintages need some that have")
    if age is not None and age > spells.horizon.max():
        raise ConfigError(f"age={age} is out of range; the oldest loan has {spells.horizon.max()} months on book")
    names, code = np.unique(period_names(spells.opened, by), return_inverse=True)
    parts = [spells.take(np.flatnonzero(code == i)) for i in range(len(names))]
    complete = [int(part.horizon.min()) for part in parts]
    curves = [curve(part) for part in parts]
    at = max(1, int(np.quantile(complete, 0.5, method="lower"))) if age is None else age
    tests = _log_rank(curves, at)
    p = np.array([test[2] for test in tests])
    cohorts = tuple(
        Cohort(str(name), len(part), reached, own, test[0], test[1], test[2], float(fair))
        for name, part, reached, own, test, fair in zip(names, parts, complete, curves, tests, holm(p), strict=True)
    )
    return VintageReport(by, str(spells.as_of), len(spells), at, cohorts, curve(spells))


def period_names(dates: Dates, by: Period) -> npt.NDArray[np.str_]:
    """The period of each date, named so that names sort in time: ``"2011-07"``, ``"2011 Q3"``, ``"2011"``."""
    if by == "quarter":
        months = dates.astype("datetime64[M]").astype(np.int64)
        return np.array([f"{1970 + m // 12} Q{m % 12 // 3 + 1}" for m in months.tolist()])
    return dates.astype("datetime64[M]" if by == "month" else "datetime64[Y]").astype(str)


def curve(spells: Spells) -> Curve:
    """Cumulative defaults of loans by age; ages at which none can be seen are left out."""
    top = int(spells.horizon.max())
    ends = np.arange(top + 2)
    exposed = np.bincount(spells.age, minlength=top + 2)
    at_risk = (len(spells) - np.searchsorted(np.sort(spells.age), ends, side="left")).astype(np.float64)[1 : top + 1]
    counts = [np.bincount(spells.age[spells.ended == k], minlength=len(exposed)) for k in (DEFAULTED, CLOSED)]
    defaults, closed = (each.astype(np.float64)[1 : top + 1] for each in counts)
    seen = int((at_risk > 0).sum())
    at_risk, defaults, closed = at_risk[:seen], defaults[:seen], closed[:seen]
    left = np.cumprod(1 - (defaults + closed) / at_risk)
    before = np.concatenate([[1.0], left])[:-1]
    incidence = np.cumsum(before * defaults / at_risk)
    low, high = _interval(incidence, _error(at_risk, defaults, closed, before, incidence))
    survived = 1 - np.cumprod(1 - defaults / at_risk)
    return Curve(at_risk, defaults, closed, incidence, low, high, survived, np.cumsum(defaults) / len(spells))


def _error(at_risk: Array, defaults: Array, closed: Array, before: Array, incidence: Array) -> Array:
    """Standard error of a cumulative incidence by the delta method (Marubini and Valsecchi 1995, section 10.2)."""
    events = defaults + closed
    last = np.maximum(at_risk - events, 0)
    spread = np.where(last > 0, ratio(events, at_risk * last), 0.0)
    gap = np.tril(incidence[:, None] - incidence[None, :])
    lower = np.tril(np.ones(gap.shape))
    variance = (gap**2) @ np.nan_to_num(spread)
    variance += lower @ (before**2 * defaults * (at_risk - defaults) / at_risk**3)
    variance -= 2 * gap @ (before * defaults / at_risk**2)
    return np.asarray(np.sqrt(np.maximum(variance, 0)))


def _interval(share: Array, error: Array) -> tuple[Array, Array]:
    """95% on the scale of log(-log(1 - share)), which keeps within 0..1; NaN where nothing or everything happened."""
    inside = (share > 0) & (share < 1) & (error > 0)
    left = np.where(inside, 1 - share, 0.5)
    reach = np.exp(Z95 * error / (left * -np.log(left)))
    low, high = 1 - left ** (1 / reach), 1 - left**reach
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def _log_rank(curves: Sequence[Curve], age: int) -> list[tuple[float, float, float]]:
    """Each cohort against all others up to an age: defaults observed, expected, and the two-sided p-value."""
    risk, events = (_stacked([getattr(each, name)[:age] for each in curves]) for name in ("at_risk", "defaults"))
    total, died = risk.sum(0), events.sum(0)
    share = np.nan_to_num(ratio(risk, total))
    expected = (share * died).sum(1)
    loose = np.nan_to_num(ratio(died * (total - died), total - 1))
    variance = (share * (1 - share) * loose).sum(1)
    seen = events.sum(1)
    return [
        (float(o), float(e), normal_p(float(o - e), float(np.sqrt(v))))
        for o, e, v in zip(seen, expected, variance, strict=True)
    ]


def _stacked(rows: Sequence[Array]) -> Array:
    wide = max(len(row) for row in rows)
    return np.array([np.pad(row, (0, wide - len(row))) for row in rows])


def _full_months(begin: Dates, end: Dates) -> npt.NDArray[np.int64]:
    """Months from one date to another that are over; a month that is too short ends on its last day."""
    months = (end.astype("datetime64[M]") - begin.astype("datetime64[M]")).astype(np.int64)
    days = [(each - each.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) for each in (begin, end)]
    closing = (end + 1).astype("datetime64[M]") != end.astype("datetime64[M]")
    return np.asarray(months - ((days[1] < days[0]) & ~closing))


def _month_of(begin: Dates, end: Dates) -> npt.NDArray[np.int64]:
    """In which month on book something happened: 1 is the first; the day that ends a month belongs to it."""
    before = _full_months(begin, end - 1)
    return np.asarray(np.maximum(np.where(end > begin, before, 0) + 1, 1))


def _cell(cohort: Cohort, age: int) -> str:
    if age > len(cohort.curve):
        return ""
    return f"{cohort.curve.incidence[age - 1]:.1%}" + ("" if age <= cohort.complete else "*")
