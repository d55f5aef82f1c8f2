"""Discounting, effective interest rates, and what is still owed under a repayment schedule.

Rates are effective and yearly, as IFRS 9 has them: 0.12 turns 100 into 112 within twelve months, not within one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.errors import DataError, unknown

__all__ = ["SCHEDULES", "balances", "discount", "effective_rate", "monthly", "present_value"]

Floats = npt.NDArray[np.float64]

SCHEDULES = ("annuity", "linear", "bullet")
LOWEST, HIGHEST = -0.99, 100.0  # yearly rates among which the effective one is looked for


def monthly(rate: npt.ArrayLike) -> Floats:
    """The rate of one month of an effective yearly rate: ``(1 + r)^(1/12) - 1``."""
    return np.asarray(np.expm1(np.log1p(np.asarray(rate, np.float64)) / 12))


def discount(rate: npt.ArrayLike, years: npt.ArrayLike) -> Floats:
    """Today's value of 1 paid after some years: ``(1 + r)^-years``; arguments broadcast."""
    return np.asarray(np.exp(-np.log1p(np.asarray(rate, np.float64)) * np.asarray(years, np.float64)))


def present_value(flows: npt.ArrayLike, years: npt.ArrayLike, rate: npt.ArrayLike) -> Floats:
    """Today's value of flows, summed over the last axis; `rate` broadcasts against the other axes."""
    weights = discount(np.asarray(rate, np.float64)[..., None], years)
    return np.asarray((np.asarray(flows, np.float64) * weights).sum(-1))


def effective_rate(flows: npt.ArrayLike, years: npt.ArrayLike) -> float:
    """The yearly rate at which flows are worth nothing today: the effective interest rate of IFRS 9, appendix A.

    Parameters
    ----------
    flows
        ``K`` amounts: what is lent (with the fees that belong to it) negative, what comes back positive.
    years
        ``K`` moments.

    Raises
    ------
    DataError
        If no rate between -99% and 10,000% does that: flows of one sign, say.
    """
    flows, years = np.asarray(flows, np.float64), np.asarray(years, np.float64)
    low, high = LOWEST, HIGHEST
    at_low, at_high = float(present_value(flows, years, low)), float(present_value(flows, years, high))
    if not at_low * at_high < 0:
        raise DataError("these cash flows have no effective interest rate; what is lent is negative, the rest positive")
    while high - low > 1e-15 * max(1.0, abs(high)):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if float(present_value(flows, years, middle)) * at_low > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def balances(owed: npt.ArrayLike, rate: npt.ArrayLike, months: npt.ArrayLike, schedule: str = "annuity") -> Floats:
    """What is owed at the start of every month: float64 ``N x T``, ``T`` the longest term; 0 once it is repaid.

    Parameters
    ----------
    owed
        ``N`` amounts owed today.
    rate
        ``N`` effective yearly rates, or one.
    months
        ``N`` whole months left, 1 or more, or one number.
    schedule
        ``"annuity"``: equal instalments of interest and principal. ``"linear"``: equal parts of the principal.
        ``"bullet"``: all of it at the end.

    Raises
    ------
    ConfigError
        If there is no such schedule.
    """
    if schedule not in SCHEDULES:
        raise unknown("schedule", schedule, SCHEDULES)
    owed, step, term = np.broadcast_arrays(np.asarray(owed, np.float64), monthly(rate), np.asarray(months))
    owed, step, term = np.atleast_1d(owed), np.atleast_1d(step)[:, None], np.atleast_1d(term)[:, None]
    gone = np.arange(int(term.max(initial=1)))
    left = 1.0 - gone / term
    if schedule == "annuity":
        growth = np.log1p(step)
        flat = np.abs(growth) < 1e-12  # without interest an annuity is linear
        bent = np.expm1(-growth * (term - gone)) / np.where(flat, 1.0, np.expm1(-growth * term))
        left = np.where(flat, left, bent)
    elif schedule == "bullet":
        left = np.ones_like(left)
    return np.asarray(owed[:, None] * np.where(gone < term, left, 0.0))
