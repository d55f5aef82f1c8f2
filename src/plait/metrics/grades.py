"""Whether grades hold what they promise: tests of their probabilities of default, of their order, of how rows spread.

Counts are float64 ``G``, one for each grade, best first. The exact binomial test, with or without correlated defaults,
is `plait.calc.vasicek.count_p`; the chi-square over grades is `plait.metrics.calibration.hosmer_lemeshow`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from plait.contracts import Array
from plait.errors import InputError
from plait.metrics.correction import normal_p
from plait.metrics.weights import finite, ratio

__all__ = [
    "Concentration",
    "Inversion",
    "Spiegelhalter",
    "concentration",
    "inversions",
    "jeffreys_interval",
    "jeffreys_p",
    "normal_test",
    "spiegelhalter",
]


def jeffreys_p(defaults: Array, rows: Array, pd: Array) -> Array:
    """How probable it is, given the defaults, that the true rate is not above the PD: small = the PD is too low.

    The posterior under Jeffreys' prior, ``Beta(defaults + 1/2, rows - defaults + 1/2)``, up to the PD. Source: European
    Central Bank, "Instructions for reporting the validation results of internal models", 2019.
    """
    from scipy.special import betainc

    defaults, rows = np.asarray(defaults, np.float64), np.asarray(rows, np.float64)
    return np.asarray(betainc(defaults + 0.5, rows - defaults + 0.5, pd))


def jeffreys_interval(defaults: Array, rows: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Interval of the true rate under Jeffreys' prior: down to 0 without defaults, up to 1 with nothing else.

    Source: Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", Statistical Science 2001.
    """
    from scipy.special import betaincinv

    defaults, rows = np.asarray(defaults, np.float64), np.asarray(rows, np.float64)
    tail, shape = (1 - level) / 2, (defaults + 0.5, rows - defaults + 0.5)
    low = np.where(defaults == 0, 0.0, betaincinv(*shape, tail))
    return low, np.where(defaults == rows, 1.0, betaincinv(*shape, 1 - tail))


class Spiegelhalter(NamedTuple):
    """A standard normal statistic, and its two-sided p-value; NaN where every probability is 0, 1/2 or 1."""

    z: float
    p: float


def spiegelhalter(true: Array, probabilities: Array) -> Spiegelhalter:
    """Whether the Brier score is what it would be if the probabilities were right (Spiegelhalter, Stat. Med. 1986).

    Row by row, so that it sees what grades hide.

    Parameters
    ----------
    true
        ``N``, 0 or 1.
    probabilities
        float64 ``N``.
    """
    p = finite(probabilities, len(true), "probabilities")
    tilt = 1 - 2 * p
    gap = float(((np.asarray(true, np.float64) - p) * tilt).sum())
    error = float(np.sqrt((tilt**2 * p * (1 - p)).sum()))
    return Spiegelhalter(gap / error if error > 0 else float("nan"), normal_p(gap, error))


def normal_test(observed: Array, predicted: Array) -> float:
    """One-sided p-value of PDs being too low over ``T`` periods; NaN for fewer than two, or without any scatter.

    The mean gap in units of its own scatter over the periods, by Student's t as these are few; so defaults may depend
    on one another within a period (the normal test of the Basel Committee, Working Paper 14, "Studies on the validation
    of internal rating systems", 2005).
    """
    from scipy.special import stdtr

    gap = np.asarray(observed, np.float64) - np.asarray(predicted, np.float64)
    if len(gap) < 2 or np.ptp(gap) == 0:
        return float("nan")
    return float(stdtr(len(gap) - 1, -np.sqrt(len(gap)) * gap.mean() / gap.std(ddof=1)))


class Concentration(NamedTuple):
    """How rows gather in few grades.

    Parameters
    ----------
    herfindahl
        Sum of squared shares: 1 over the number of grades if even, 1 if all are in one.
    normalised
        The same from 0 (even) to 1 (all in one); NaN for one grade.
    largest, share
        Place of the grade with most rows, and its share of them.
    """

    herfindahl: float
    normalised: float
    largest: int
    share: float


def concentration(rows: Array) -> Concentration:
    """How rows gather in grades (Herfindahl's index).

    Raises
    ------
    InputError
        If there are no rows.
    """
    rows = np.asarray(rows, np.float64)
    if not rows.sum() > 0:
        raise InputError("there are no rows in any grade; concentration needs at least one")
    share, grades = rows / rows.sum(), len(rows)
    index = float(share @ share)
    normalised = (index - 1 / grades) / (1 - 1 / grades) if grades > 1 else float("nan")
    return Concentration(index, normalised, int(share.argmax()), float(share.max()))


class Inversion(NamedTuple):
    """A grade with a lower default rate than the next better one that has rows, and how likely chance alone does that.

    Parameters
    ----------
    better, worse
        Places of the two.
    p
        One-sided, of as great a gap if both rates were the same.
    """

    better: int
    worse: int
    p: float


def inversions(defaults: Array, rows: Array) -> tuple[Inversion, ...]:
    """Where observed default rates do not rise from grade to grade; grades without rows are passed over."""
    from scipy.special import ndtr

    defaults, rows = np.asarray(defaults, np.float64), np.asarray(rows, np.float64)
    held, found = np.flatnonzero(rows > 0), []
    for better, worse in pairwise(held):
        gap = defaults[better] / rows[better] - defaults[worse] / rows[worse]
        if gap > 0:
            pooled = (defaults[better] + defaults[worse]) / (rows[better] + rows[worse])
            error = np.sqrt(pooled * (1 - pooled) * (1 / rows[better] + 1 / rows[worse]))
            found.append(Inversion(int(better), int(worse), float(ndtr(-ratio(gap, error)))))
    return tuple(found)
