"""Through the cycle and at a point in time: the state of the economy from a history of default rates, and PDs in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, TypeAlias, cast, get_args

import numpy as np

from plait.calc.vasicek import Exposure, asset_correlation, conditional_pd, fit_factor, unconditional_pd
from plait.contracts import Array, Json
from plait.desks.credit.monitoring.vintages import Period, period_names
from plait.errors import ConfigError, DataError, SchemaError, unknown
from plait.metrics.grades import normal_test
from plait.metrics.shown import aligned, chance, number, plain

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Cycle", "LongRun", "View", "correlation_of", "long_run", "periods_of"]

View: TypeAlias = Literal["pit", "ttc"]

FARTHEST = 6.0  # standard deviations: a year such as 2031 is no state


@dataclass(frozen=True)
class Cycle:
    """What a history of defaults tells of the economy.

    Parameters
    ----------
    periods
        Names, earliest first.
    rows, defaults
        float64 ``T``.
    pd
        Through the cycle, of the whole portfolio.
    correlation
        Asset correlation.
    given
        Whether the correlation was, else it was estimated.
    states, errors
        float64 ``T``: state of each period (standard normal, above 0: better than usual), and its standard error.
    """

    periods: tuple[str, ...]
    rows: Array
    defaults: Array
    pd: float
    correlation: float
    given: bool
    states: Array
    errors: Array

    @classmethod
    def fit(
        cls, periods: Sequence[str], rows: Array, defaults: Array, correlation: float | Exposure | None = None
    ) -> Self:
        """Estimate the state of each period.

        Parameters
        ----------
        periods, rows, defaults
            Of ``T`` periods, earliest first.
        correlation
            Of assets; or whose formula of the Basel framework gives it at the mean default rate (``"retail"``, ...);
            None: estimated from the scatter of the default rates, for which three periods are the least and ten few.

        Raises
        ------
        DataError
            If there are too few periods, or no defaults, or only such.
        ConfigError
            If the correlation is out of range, or no exposure.
        """
        rows, defaults = np.asarray(rows, np.float64), np.asarray(defaults, np.float64)
        if isinstance(correlation, str):
            correlation = float(asset_correlation(defaults.sum() / max(rows.sum(), 1), correlation))
        found = fit_factor(defaults, rows, correlation)
        told = correlation is not None
        return cls(tuple(periods), rows, defaults, found.pd, found.correlation, told, found.states, found.errors)

    @classmethod
    def of(cls, frame: DataFrame, correlation: float | Exposure | None = None) -> Self:
        """From a table of periods: columns ``period``, ``rows`` and ``defaults``, or ``rate`` instead of the last.

        Raises
        ------
        SchemaError
            If a column is not there.
        DataError
            If a cell is no number, or a period stands twice.
        ConfigError
            As `fit` does.
        """
        import pandas as pd

        last = "defaults" if "defaults" in frame.columns else "rate"
        for name in ("period", "rows", last):
            if name not in frame.columns:
                raise SchemaError(
                    f"a history of default rates needs the columns period, rows, and defaults or rate; {name!r} is not "
                    f"among {', '.join(map(str, frame.columns[:12]))}"
                )
        counts = [pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64) for name in ("rows", last)]
        names = frame["period"].astype(str)
        if not all(np.isfinite(each).all() for each in counts) or names.duplicated().any():
            raise DataError("a history of default rates needs numbers in every row, and every period once")
        order = np.argsort(names.to_numpy(str), kind="stable")
        rows, defaults = (each[order] for each in counts)
        return cls.fit(
            names.to_numpy(str)[order].tolist(), rows, defaults * (rows if last == "rate" else 1), correlation
        )

    def state(self, named: str | float) -> float:
        """The state of a period, or a state said as a number within -6..6.

        Raises
        ------
        ConfigError
            If it is neither.
        """
        if str(named) in self.periods:
            return float(self.states[self.periods.index(str(named))])
        try:
            said = float(named)
        except ValueError:
            raise unknown("period", named, self.periods) from None
        if not abs(said) <= FARTHEST:
            raise unknown("period", named, self.periods)
        return said

    def through(self, pd: Array, now: str | float) -> Array:
        """PDs through the cycle of PDs (float64 ``N``) that hold in the state `now`."""
        return unconditional_pd(pd, self.state(now), self.correlation)

    def point(self, pd: Array, now: str | float, state: str | float) -> Array:
        """PDs in a `state` of PDs (float64 ``N``) that hold in the state `now`."""
        return conditional_pd(self.through(pd, now), self.state(state), self.correlation)

    def table(self) -> list[list[str]]:
        """Periods as a table of strings, the header first."""
        made = [["period", "rows", "defaults", "rate", "state", "error"]]
        for t, name in enumerate(self.periods):
            rate = self.defaults[t] / self.rows[t] if self.rows[t] else float("nan")
            told = (f"{self.rows[t]:,.0f}", f"{self.defaults[t]:,.0f}", f"{rate:.2%}" if rate == rate else "-")
            made.append([name, *told, number(float(self.states[t])), number(float(self.errors[t]))])
        return made

    def to_json(self) -> dict[str, Json]:
        return dict(plain(self))

    def __str__(self) -> str:
        how = "given" if self.given else "estimated"
        head = f"PD through the cycle {self.pd:.2%}, asset correlation {self.correlation:.4f} ({how})"
        return "\n".join([head, *aligned(self.table())])


@dataclass(frozen=True)
class LongRun:
    """Default rates of grades over periods.

    Parameters
    ----------
    periods
        Names, earliest first.
    rates
        float64 ``T x G``: NaN where a grade had no rows.
    average
        float64 ``G``: plain mean over the periods, each counting the same (European Banking Authority, Guidelines
        on PD estimation, EBA/GL/2017/16: the long-run average default rate).
    low, high
        float64 ``G``: the best and the worst period.
    p
        float64 ``G``: of the grade's PD being too low over the periods, allowing for dependence within each
        (`plait.metrics.grades.normal_test`); NaN with fewer than two periods.
    """

    periods: tuple[str, ...]
    rates: Array
    average: Array
    low: Array
    high: Array
    p: Array

    def table(self, names: Sequence[str], pds: Sequence[float]) -> list[list[str]]:
        """Grades as a table of strings, the header first."""
        made = [["grade", "PD", "long-run average", "lowest", "highest", "p over periods"]]
        for g, name in enumerate(names):
            shares = (pds[g], self.average[g], self.low[g], self.high[g])
            made.append(
                [name, *("-" if np.isnan(each) else f"{each:.2%}" for each in shares), chance(float(self.p[g]))]
            )
        return made


def long_run(grade: Array, bad: Array, period: Array, pds: Sequence[float]) -> LongRun:
    """Long-run average default rate of each grade.

    Parameters
    ----------
    grade, bad
        ``N``: place in the scale, and 1 = default.
    period
        ``N`` names (`periods_of`).
    pds
        ``G``: what stands for the grades, tested against the rates.
    """
    names, code = np.unique(np.asarray(period, str), return_inverse=True)
    size = len(pds)
    cell = code * size + np.asarray(grade)
    rows, defaults = (
        np.bincount(cell, part, len(names) * size).reshape(-1, size) for part in (np.ones(len(cell)), bad)
    )
    rates = np.divide(defaults, rows, out=np.full(rows.shape, np.nan), where=rows > 0)
    held = [rates[~np.isnan(rates[:, g]), g] for g in range(size)]
    figures = np.array([(r.mean(), r.min(), r.max()) if len(r) else [np.nan] * 3 for r in held])
    tests = np.array([normal_test(r, np.full(len(r), pd)) for r, pd in zip(held, pds, strict=True)])
    return LongRun(tuple(names.tolist()), rates, figures[:, 0], figures[:, 1], figures[:, 2], tests)


def periods_of(moments: Array, by: Period = "year") -> Array:
    """The year, quarter or month of moments in seconds since 1970: str ``N``, as `period_names` has them.

    Raises
    ------
    ConfigError
        If `by` is something else.
    DataError
        If a moment is missing.
    """
    if by not in get_args(Period):
        raise unknown("span of a period", by, get_args(Period))
    moments = np.asarray(moments, np.float64)
    if np.isnan(moments).any():
        raise DataError(f"{int(np.isnan(moments).sum()):,} rows have no time; leave them out, or fill it in")
    return period_names(moments.astype("datetime64[s]").astype("datetime64[D]"), by)


def correlation_of(said: str | None) -> float | Exposure | None:
    """What a person wrote for the asset correlation: a number, or an exposure of the Basel framework.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if said is None:
        return None
    for exposure in get_args(Exposure):
        if said == exposure:
            return cast("Exposure", exposure)
    try:
        return float(said)
    except ValueError:
        raise ConfigError(
            f"asset correlation {said!r} is no number, nor one of {', '.join(get_args(Exposure))}"
        ) from None
