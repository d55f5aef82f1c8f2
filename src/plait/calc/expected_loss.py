"""Expected and unexpected loss: PD x LGD x EAD, its lifetime form, the losses of a portfolio, the capital of Basel.

Sources: O. Vasicek, "Loan portfolio value", Risk 15 (2002); Basel Committee on Banking Supervision, "International
convergence of capital measurement and capital standards" (June 2006), paragraphs 272 and 327-330; IFRS 9, 5.5 and B5.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.calc.discounting import discount
from plait.calc.vasicek import Exposure, asset_correlation, conditional_pd
from plait.contracts import Array

__all__ = [
    "LossDistribution",
    "basel_capital",
    "cumulative",
    "expected_loss",
    "intensity",
    "loss_distribution",
    "marginal",
    "monthly_losses",
]

Floats = npt.NDArray[np.float64]

BASEL_LEVEL = 0.999
LOWEST_PD = 0.0003  # of the Accord; here it only keeps the maturity adjustment finite
NODES = np.linspace(-6.4, 6.4, 65)  # of the factor, at which portfolios are looked at
FINE = np.linspace(-6.4, 6.4, 6401)


def expected_loss(pd: npt.ArrayLike, lgd: npt.ArrayLike, ead: npt.ArrayLike) -> Floats:
    """What is lost on average: ``PD x LGD x EAD``, in the unit of EAD; arguments broadcast."""
    return np.asarray(pd, np.float64) * np.asarray(lgd, np.float64) * np.asarray(ead, np.float64)


def intensity(pd: npt.ArrayLike, months: float = 12) -> Floats:
    """The constant monthly intensity at which a default within `months` has probability `pd`: ``-ln(1 - PD) / m``."""
    return np.asarray(-np.log1p(-np.asarray(pd, np.float64)) / months)


def cumulative(intensities: Array) -> Floats:
    """Probability of a default by the end of every month: ``1 - exp(-sum)`` along the last axis."""
    return np.asarray(-np.expm1(-np.cumsum(intensities, axis=-1)))


def marginal(intensities: Array) -> Floats:
    """Probability of a default in every month, seen from today, along the last axis: survival before times hazard."""
    before = np.cumsum(intensities, axis=-1) - intensities
    return np.asarray(np.exp(-before) * -np.expm1(-intensities))


def monthly_losses(intensities: Array, lgd: Array, owed: Array, rate: npt.ArrayLike) -> Floats:
    """Expected discounted loss of every month: float64 ``N x T``; IFRS 9 asks for the first twelve, or for all.

    Parameters
    ----------
    intensities
        ``N x T`` monthly intensities of default.
    lgd
        ``N x T`` or ``N x 1``.
    owed
        ``N x T``, at the start of the month. A default in it loses ``LGD`` of that, at the month's end.
    rate
        ``N`` effective yearly rates, or one.
    """
    years = np.arange(1, np.shape(intensities)[-1] + 1) / 12
    return np.asarray(marginal(intensities) * lgd * owed * discount(np.asarray(rate, np.float64)[..., None], years))


def basel_capital(
    pd: npt.ArrayLike,
    lgd: npt.ArrayLike,
    exposure: Exposure,
    *,
    maturity: npt.ArrayLike = 2.5,
    sales: Array | float | None = None,
) -> Floats:
    """Capital for unexpected loss, as a share of EAD: K of the internal-ratings-based approach.

    ``K = LGD (Vasicek PD at the 99.9th percentile - PD)``, for corporates times the maturity adjustment. Times 12.5 it
    is the risk weight. The scaling factor of 1.06 that some rules add is not in it.

    Parameters
    ----------
    exposure
        ``"corporate"``, ``"mortgage"``, ``"revolving"`` or ``"retail"``.
    maturity, sales
        Years, and millions of euros (`plait.calc.vasicek.asset_correlation`); of corporates only.
    """
    from scipy.special import ndtri

    pd, lgd = np.asarray(pd, np.float64), np.asarray(lgd, np.float64)
    share = asset_correlation(pd, exposure, sales)
    found = lgd * (conditional_pd(pd, -ndtri(BASEL_LEVEL), share) - pd)
    if exposure == "corporate":
        slope = (0.11852 - 0.05478 * np.log(np.clip(pd, LOWEST_PD, 1))) ** 2
        found = found * (1 + (np.asarray(maturity, np.float64) - 2.5) * slope) / (1 - 1.5 * slope)
    return np.asarray(np.maximum(found, 0.0))


@dataclass(frozen=True)
class LossDistribution:
    """What a portfolio may lose in the period of its PDs.

    Parameters
    ----------
    weights, means, spreads
        Of the states of the economy: their probability, and mean and standard deviation of the loss in each.
    """

    weights: Floats
    means: Floats
    spreads: Floats

    @property
    def mean(self) -> float:
        return float(self.weights @ self.means)

    @property
    def sd(self) -> float:
        """Standard deviation: the unexpected loss in the narrow sense."""
        return float(np.sqrt(self.weights @ (self.spreads**2 + (self.means - self.mean) ** 2)))

    def quantile(self, level: float) -> float:
        """The loss that is not exceeded with this probability; never below 0."""
        from scipy.special import ndtr

        reach = 10 * self.spreads
        low, high = float((self.means - reach).min()), float((self.means + reach).max())
        spreads = np.maximum(self.spreads, 1e-12 * max(high, 1e-300))
        for _ in range(80):
            middle = (low + high) / 2
            if self.weights @ ndtr((middle - self.means) / spreads) < level:
                low = middle
            else:
                high = middle
        return max((low + high) / 2, 0.0)


def loss_distribution(pd: Array, lost: Array, correlation: npt.ArrayLike) -> LossDistribution:
    """Losses of a portfolio whose debtors share one factor, without simulation.

    Given the factor, defaults are independent, and the sum of many is taken as normal; over the factor it is summed
    numerically. Where a few debtors are most of the portfolio, the normal form is rough: quantiles then are, too.

    Parameters
    ----------
    pd
        float64 ``N``.
    lost
        float64 ``N``: LGD x EAD, 0 or more.
    correlation
        ``N`` or one; 0: defaults are independent.
    """
    from scipy.interpolate import CubicSpline
    from scipy.special import ndtr, ndtri

    pd, lost = np.asarray(pd, np.float64), np.asarray(lost, np.float64)
    shared = np.asarray(correlation, np.float64)
    level, slope = ndtri(pd) / np.sqrt(1 - shared), np.sqrt(shared / (1 - shared))
    moments = np.empty((len(NODES), 2))
    for i, node in enumerate(NODES):
        given = ndtr(level - slope * node)  # `conditional_pd`, but for what is the same at every node
        moments[i] = given @ lost, (given * (1 - given)) @ lost**2
    fine = CubicSpline(NODES, moments)(FINE)
    weights = np.exp(-(FINE**2) / 2)
    return LossDistribution(weights / weights.sum(), fine[:, 0], np.sqrt(np.maximum(fine[:, 1], 0.0)))
