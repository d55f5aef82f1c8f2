"""One factor behind all defaults: PDs given the state of the economy, and the state given default rates (Vasicek).

Debtor ``i`` defaults where ``sqrt(rho) z + sqrt(1 - rho) e_i < Phi^-1(PD)``: ``z`` is the state that all share
(standard normal, higher = better times), ``rho`` the asset correlation. Given ``z``, defaults are independent. Source:
Vasicek, "The distribution of loan portfolio value", Risk 2002; point in time and through the cycle: Aguais et al. 2007.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from plait.contracts import Array
from plait.errors import ConfigError, DataError, InputError, unknown

__all__ = [
    "Exposure",
    "Factor",
    "asset_correlation",
    "conditional_pd",
    "count_p",
    "factor_of",
    "fit_factor",
    "unconditional_pd",
]

Exposure: TypeAlias = Literal["corporate", "mortgage", "revolving", "retail"]

NODES = np.linspace(-10, 10, 161)  # of the trapezoidal rule, in posterior standard deviations
STATES = np.linspace(-8, 8, 1601)  # the same for the prior
BETWEEN = 1e-4, 0.9  # asset correlations that are looked for
STEP = 1e-3  # of differences, in probits and in log-odds of the correlation


def asset_correlation(pd: Array | float, exposure: Exposure = "corporate", sales: Array | float | None = None) -> Array:
    """Asset correlation that the Basel framework supposes (Basel Committee, CRE31).

    Parameters
    ----------
    pd
        float64, within 0..1.
    exposure
        ``"corporate"`` (also banks and sovereigns), ``"mortgage"`` (homes), ``"revolving"`` (qualifying retail) or
        ``"retail"`` (any other).
    sales
        Of corporates, in millions of euros: below 50 the correlation is lowered by up to .04.

    Raises
    ------
    ConfigError
        If there is no such exposure, or `sales` are given for another than corporates.
    """
    pd = np.asarray(pd, np.float64)
    if exposure not in get_args(Exposure):
        raise unknown("exposure", exposure, get_args(Exposure))
    if sales is not None and exposure != "corporate":
        raise ConfigError(f"sales lower the correlation of corporates alone, not of {exposure}; leave them out")
    if exposure in ("mortgage", "revolving"):
        return np.full(pd.shape, 0.15 if exposure == "mortgage" else 0.04)
    low, high, pace = (0.12, 0.24, 50.0) if exposure == "corporate" else (0.03, 0.16, 35.0)
    nearness = np.expm1(-pace * pd) / np.expm1(-pace)  # 0 at PD 0, 1 at PD 1
    found = low * nearness + high * (1 - nearness)
    if sales is not None:
        found = found - 0.04 * (1 - (np.clip(sales, 5, 50) - 5) / 45)
    return np.asarray(found)


def conditional_pd(pd: Array, state: Array | float, correlation: Array | float) -> Array:
    """PD given the state: ``Phi((Phi^-1(PD) - sqrt(rho) z) / sqrt(1 - rho))`` (Vasicek 2002).

    With ``state = -Phi^-1(.999)`` it is the PD within the capital formula of Basel (CRE31).

    Parameters
    ----------
    pd
        float64 ``N``: through the cycle, the mean over all states.
    state
        Standard normal; above 0: better times than usual.
    correlation
        Within 0..1, 1 excluded.
    """
    from scipy.special import ndtr, ndtri

    rho = _correlation(correlation, zero=True)
    return np.asarray(ndtr((ndtri(pd) - np.sqrt(rho) * state) / np.sqrt(1 - rho)))


def unconditional_pd(pd: Array, state: Array | float, correlation: Array | float) -> Array:
    """PD through the cycle of a PD that holds in a state: the inverse of `conditional_pd`."""
    from scipy.special import ndtr, ndtri

    rho = _correlation(correlation, zero=True)
    return np.asarray(ndtr(np.sqrt(1 - rho) * ndtri(pd) + np.sqrt(rho) * state))


def factor_of(rate: Array, pd: Array | float, correlation: Array | float) -> Array:
    """The state in which a very large portfolio of this PD shows this default rate.

    For counted defaults use `fit_factor`: a rate of 0 is no infinitely good state.
    """
    from scipy.special import ndtri

    rho = _correlation(correlation)
    return np.asarray((ndtri(pd) - np.sqrt(1 - rho) * ndtri(rate)) / np.sqrt(rho))


class Factor(NamedTuple):
    """What default counts of periods tell of the cycle.

    Parameters
    ----------
    pd
        Through the cycle.
    correlation
        Of assets.
    states
        float64 ``T``: posterior mean of the state of each period; NaN for a period without rows.
    errors
        float64 ``T``: its standard error, that of PD and correlation included.
    """

    pd: float
    correlation: float
    states: Array
    errors: Array


def fit_factor(defaults: Array, rows: Array, correlation: float | None = None) -> Factor:
    """PD through the cycle, asset correlation and state of each period, by maximum likelihood.

    The likelihood of a period is the binomial one, integrated over its state: a small period tells little, and zero
    defaults are no trouble (Gordy and Heitfield 2002; Duellmann and Trapp 2004). Errors of the states allow for those
    of PD and correlation (Kass and Steffey, JASA 1989). Periods count as independent; a correlation from few periods
    is known badly and biased downwards.

    Parameters
    ----------
    defaults, rows
        ``T`` counts.
    correlation
        Known beforehand (from `asset_correlation`, say); None: estimated, which takes three periods at least.

    Raises
    ------
    DataError
        If there are too few periods, or no defaults, or only such.
    InputError
        If counts are negative, or there are more defaults than rows.
    """
    from scipy.optimize import minimize
    from scipy.special import expit, logit, ndtr, ndtri

    defaults, rows = np.asarray(defaults, np.float64), np.asarray(rows, np.float64)
    if defaults.shape != rows.shape or defaults.ndim != 1 or not ((defaults >= 0) & (defaults <= rows)).all():
        raise InputError("defaults and rows of periods must be counts of equal length, and defaults no more than rows")
    seen = rows > 0
    defaults, rows = defaults[seen], rows[seen]
    needed = 3 if correlation is None else 1
    if len(rows) < needed or not 0 < defaults.sum() < rows.sum():
        raise DataError(
            f"{defaults.sum():,.0f} defaults in {len(rows)} periods do not tell the cycle; give at least {needed} "
            "periods with rows, some of which default, or a correlation"
        )
    probits = ndtri((defaults + 0.5) / (rows + 1))
    rho = float(np.clip(np.var(probits), 0.002, 0.5)) if correlation is None else float(_correlation(correlation))
    start = np.array([ndtri(defaults.sum() / rows.sum()) * np.sqrt(1 - rho), logit(rho)])[: 2 if needed == 3 else 1]

    def read(at: Array) -> tuple[float, float]:
        """Threshold and correlation."""
        return float(at[0]), float(np.clip(expit(at[1]), *BETWEEN)) if len(at) == 2 else rho

    def lost(at: Array) -> float:
        return -_posterior(defaults, rows, *read(at))[0]

    def states(at: Array) -> Array:
        return _posterior(defaults, rows, *read(at))[1]

    best = minimize(lost, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8, "maxiter": 1000}).x
    threshold, rho = read(best)
    _, mean, variance = _posterior(defaults, rows, threshold, rho)
    slopes = np.stack([(states(best + step) - states(best - step)) / (2 * STEP) for step in STEP * np.eye(len(best))])
    variance = variance + np.einsum("it,ij,jt->t", slopes, np.linalg.pinv(_curvature(lost, best)), slopes)
    found, errors = np.full((2, len(seen)), np.nan)
    found[seen], errors[seen] = mean, np.sqrt(np.maximum(variance, 0))
    return Factor(float(ndtr(threshold)), rho, found, errors)


def _curvature(lost: Callable[[Array], float], at: Array) -> Array:
    """Second derivatives by central differences: float64 ``P x P``."""
    steps = STEP * np.eye(len(at))
    both = [[lost(at + a + b) - lost(at + a - b) - lost(at - a + b) + lost(at - a - b) for a in steps] for b in steps]
    return np.array(both) / (4 * STEP**2)


def _posterior(defaults: Array, rows: Array, threshold: float, rho: float) -> tuple[float, Array, Array]:
    """Log-likelihood, and mean and variance of the state of each period (``T``), by trapezoids.

    In probits the rate is a line in the state, which gives centre and width in closed form; ten standard deviations
    to either side leave nothing out however rough that is.
    """
    from scipy.special import log_ndtr, ndtri

    level, slope = threshold / np.sqrt(1 - rho), np.sqrt(rho / (1 - rho))
    rate = (defaults + 0.5) / (rows + 1)
    probit = ndtri(rate)
    error = np.sqrt(rate * (1 - rate) / rows) / (np.exp(-(probit**2) / 2) / np.sqrt(2 * np.pi))
    precision = 1 + (slope / error) ** 2
    centre = (slope / error) ** 2 * (level - probit) / slope / precision
    z = centre[:, None] + NODES / np.sqrt(precision)[:, None]
    at = level - slope * z
    log = defaults[:, None] * log_ndtr(at) + (rows - defaults)[:, None] * log_ndtr(-at) - z**2 / 2
    top = log.max(1)
    mass = np.exp(log - top[:, None])
    step = (z[:, 1] - z[:, 0]) / np.sqrt(2 * np.pi)
    share = mass / mass.sum(1, keepdims=True)
    mean = (share * z).sum(1)
    likelihood = float((np.log(mass.sum(1) * step) + top).sum())
    return likelihood, mean, (share * (z - mean[:, None]) ** 2).sum(1)


def count_p(defaults: Array, rows: Array, pd: Array, correlation: float = 0.0) -> Array:
    """How likely so many defaults or more are, ``P(X >= defaults)``, where debtors share a state.

    At a correlation of 0 this is the exact one-sided binomial test. Source: Tasche, "A traffic lights approach to PD
    validation", 2003.

    Parameters
    ----------
    defaults, rows, pd
        float64 ``G``.
    correlation
        Of assets; 0: defaults are independent.
    """
    defaults, rows = (np.asarray(each, np.float64) for each in (defaults, rows))
    pd = np.asarray(pd, np.float64)
    if correlation == 0:
        return _at_least(defaults, rows, pd)
    given = conditional_pd(pd[..., None], STATES, correlation)
    weight = np.exp(-(STATES**2) / 2)
    return np.asarray(_at_least(defaults[..., None], rows[..., None], given) @ (weight / weight.sum()))


def _at_least(defaults: Array, rows: Array, pd: Array) -> Array:
    """``P(X >= defaults)`` of a binomial count, by the incomplete beta function."""
    from scipy.special import betainc

    return np.where(
        defaults <= 0, 1.0, betainc(np.maximum(defaults, 1e-300), np.maximum(rows - defaults + 1, 1e-300), pd)
    )


def _correlation(given: Array | float, *, zero: bool = False) -> Array:
    rho = np.asarray(given, np.float64)
    if not ((rho >= 0 if zero else rho > 0) & (rho < 1)).all():
        raise ConfigError(
            f"asset correlation {given} is out of range; it is within 0..1, {'' if zero else '0 and '}1 excluded"
        )
    return rho
