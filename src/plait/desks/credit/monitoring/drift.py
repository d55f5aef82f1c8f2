"""Calibration drift: whether defaults still come as often as the PDs say, by period, by grade, and loan by loan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.errors import ConfigError
from plait.metrics.calibration import Cox, cox
from plait.metrics.classification import wilson
from plait.metrics.correction import holm
from plait.metrics.shown import Span
from plait.metrics.weights import ratio

__all__ = ["ALL", "Calibration", "CalibrationDrift", "Cusum", "calibration_drift", "cusum", "poisson_binomial_p"]

ALL = "all"  # what all periods together are called
LEVEL = 0.05
CELLS = 4_000_000  # outcomes drawn at once: 32 MB
DRAWS, FEWEST = 2_000, 200
WORK = 40_000_000
EDGE = 1e-9  # PDs nearer to 0 or 1 are taken for this far away


@dataclass(frozen=True)
class Calibration:
    """Defaults beside what the PDs say, in one period or one grade of a period.

    Parameters
    ----------
    observed, expected
        Counts of defaults.
    ratio
        Observed over expected, with a 95% interval (Wilson's of the default rate).
    p, adjusted
        Two-sided, of so many defaults if the PDs are right; after Holm over all of its kind.
    """

    period: str
    grade: str
    rows: int
    observed: float
    expected: float
    ratio: Span
    p: float
    adjusted: float = float("nan")

    @property
    def verdict(self) -> str:
        """``"too many"`` or ``"too few"`` defaults, beyond chance; else empty."""
        if not self.adjusted <= LEVEL:
            return ""
        return "too many" if self.observed > self.expected else "too few"


@dataclass(frozen=True)
class Cusum:
    """Two running sums over loans in order of time: evidence that odds of default are higher, or lower, than said.

    Parameters
    ----------
    odds
        The multiple of the odds of default that the upper chart is tuned to; the lower one to its inverse.
    high, low
        float64 ``N``, both from 0 upwards.
    limit
        What the upper and the lower sum may reach.
    false_alarm
        The chance that either reaches its limit within these loans though all PDs are right.
    run_length
        Loans until a false alarm, in the mean, if PDs are right (the in-control average run length).
    alarm_high, alarm_low
        The first row that reaches the limit; None: none does.
    """

    odds: float
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    limit: tuple[float, float]
    false_alarm: float
    run_length: float
    alarm_high: int | None
    alarm_low: int | None

    @property
    def alarm(self) -> int | None:
        """The first row at which either alarms."""
        return min((each for each in (self.alarm_high, self.alarm_low) if each is not None), default=None)


@dataclass(frozen=True)
class CalibrationDrift:
    """Calibration over time.

    Parameters
    ----------
    overall
        All rows together.
    periods, grades
        By period, and by period and grade where at least five defaults are expected.
    lines
        Period (and ``"all"``) to calibration in the large, intercept and slope (Cox 1958).
    cusum, order
        The charts, and the row of the population that each of their steps is.
    alarm
        The period in which the first alarm fell; empty: none.
    """

    overall: Calibration
    periods: tuple[Calibration, ...]
    grades: tuple[Calibration, ...]
    lines: dict[str, Cox]
    cusum: Cusum
    order: npt.NDArray[np.int64]
    alarm: str

    @property
    def drifted(self) -> tuple[Calibration, ...]:
        """Periods and grades with too many or too few defaults, beyond chance."""
        return tuple(each for each in (*self.periods, *self.grades) if each.verdict)


def calibration_drift(
    pd: Array,
    bad: Array,
    period: Array,
    grade: Array,
    grades: tuple[str, ...],
    order: Array,
    *,
    odds: float = 1.25,
    false_alarm: float = 0.05,
    seed: int = 0,
) -> CalibrationDrift:
    """Hold PDs of ``N`` rows with known outcomes against what came.

    Parameters
    ----------
    pd, bad
        float64 ``N``.
    period
        str ``N``, names that sort in time.
    grade, grades
        int64 ``N``, and names.
    order
        int64 ``N``: rows in order of time, for the charts.
    odds, false_alarm
        See `cusum`.
    """
    overall = _calibration(ALL, "", pd, bad)
    names, code = np.unique(period, return_inverse=True)
    by_period = [_calibration(str(name), "", pd[code == i], bad[code == i]) for i, name in enumerate(names)]
    by_grade = []
    for i, name in enumerate(names):
        for g, called in enumerate(grades):
            own = (code == i) & (grade == g)
            if pd[own].sum() >= 5:
                by_grade.append(_calibration(str(name), called, pd[own], bad[own]))
    lines = {ALL: cox(bad > 0, pd)}
    lines |= {str(name): cox(bad[code == i] > 0, pd[code == i]) for i, name in enumerate(names)}
    found = cusum(pd[order], bad[order], odds=odds, false_alarm=false_alarm, seed=seed)
    alarm = "" if found.alarm is None else str(period[order[found.alarm]])
    return CalibrationDrift(overall, _holm(by_period), _holm(by_grade), lines, found, order, alarm)


def _calibration(period: str, grade: str, pd: Array, bad: Array) -> Calibration:
    seen, said, rows = float(bad.sum()), float(pd.sum()), len(pd)
    low, high = wilson(np.asarray(seen / rows), np.asarray(rows))
    span = Span(*(float(ratio(np.asarray(value), np.asarray(said))) for value in (seen, low * rows, high * rows)))
    p = poisson_binomial_p(pd, seen)
    return Calibration(period, grade, rows, seen, said, span, p, p)


def _holm(found: list[Calibration]) -> tuple[Calibration, ...]:
    p = holm(np.array([each.p for each in found]))
    return tuple(
        Calibration(e.period, e.grade, e.rows, e.observed, e.expected, e.ratio, e.p, float(own))
        for e, own in zip(found, p, strict=True)
    )


def poisson_binomial_p(pd: Array, defaults: float) -> float:
    """Two-sided p-value of so many defaults if every PD is right and loans are independent; 1 where all are 0 or 1.

    The refined normal approximation (Volkova 1996; Hong, Computational Statistics and Data Analysis 59, 2013), which
    corrects for the skew of the sum. Loans of one time share its economy: dependence makes such tests too sure.
    """
    from scipy.special import ndtr

    variance = float((pd * (1 - pd)).sum())
    if variance <= 0:
        return 1.0
    spread = np.sqrt(variance)
    skew = float((pd * (1 - pd) * (1 - 2 * pd)).sum()) / spread**3

    def below(count: float) -> float:
        x = (count + 0.5 - pd.sum()) / spread
        density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        return float(np.clip(ndtr(x) + skew * (1 - x**2) * density / 6, 0, 1))

    return min(1.0, 2 * min(below(defaults), 1 - below(defaults - 1)))


def cusum(pd: Array, bad: Array, *, odds: float = 1.25, false_alarm: float = 0.05, seed: int = 0) -> Cusum:
    """Risk-adjusted cumulative sums of (bad - PD) in order of time (Steiner, Cook, Farewell and Treasure 2000).

    Each loan adds the log likelihood ratio of odds of default `odds` times as high against odds as said: about
    ``(bad - pd) log(odds)``, less a little for each loan; a sum below 0 starts again at 0.

    Parameters
    ----------
    pd, bad
        float64 ``N``, in order of time.
    odds
        Above 1: the change to be found soonest. Smaller ones are found later, larger ones sooner.
    false_alarm
        The chance of an alarm within these loans if all PDs are right. The limits are those that outcomes drawn from
        the PDs themselves reach so often, each chart half as often.

    Raises
    ------
    ConfigError
        If an option is out of range.
    """
    if not odds > 1 or not 0 < false_alarm < 1:
        raise ConfigError(f"odds={odds:g} and false_alarm={false_alarm:g}: odds are above 1, a chance is within 0..1")
    pd = np.clip(np.asarray(pd, np.float64), EDGE, 1 - EDGE)
    rng = np.random.default_rng([seed, 0xC5])
    tops: list[list[float]] = [[], []]
    draws = int(np.clip(WORK // len(pd), FEWEST, DRAWS))
    block = max(1, CELLS // len(pd))
    for start in range(0, draws, block):
        drawn = rng.random((min(block, draws - start), len(pd))) < pd
        for top, change in zip(tops, (odds, 1 / odds), strict=True):
            top += _sums(pd, drawn, change).max(-1).tolist()
    limit = tuple(float(np.quantile(top, 1 - false_alarm / 2)) for top in tops)
    high, low = (_sums(pd, np.asarray(bad) > 0, change) for change in (odds, 1 / odds))
    chance = float(np.mean((np.array(tops[0]) > limit[0]) | (np.array(tops[1]) > limit[1])))
    first = [
        int(np.argmax(line > top)) if (line > top).any() else None for line, top in zip((high, low), limit, strict=True)
    ]
    length = len(pd) / -np.log1p(-chance) if 0 < chance < 1 else float("nan")  # alarms come as good as memoryless
    return Cusum(odds, high, low, (limit[0], limit[1]), chance, float(length), first[0], first[1])


def _sums(pd: Array, bad: Array, odds: float) -> Array:
    """Sums that start again at 0, along the last axis."""
    steps = np.where(bad, np.log(odds), 0.0) - np.log1p(pd * (odds - 1))
    total = np.cumsum(steps, axis=-1)
    return np.asarray(total - np.minimum(np.minimum.accumulate(total, axis=-1), 0))
