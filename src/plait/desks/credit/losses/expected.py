"""Expected loss of a portfolio: of the next twelve months and of the whole lifetime, by scenario, to the coin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.calc.discounting import balances
from plait.calc.expected_loss import (
    basel_capital,
    expected_loss,
    loss_distribution,
    monthly_losses,
)
from plait.calc.money import rounded, total
from plait.calc.vasicek import Exposure, asset_correlation
from plait.contracts import Array, Json
from plait.desks.credit.losses.book import Book
from plait.desks.credit.losses.scenarios import Scenarios
from plait.desks.credit.losses.term import TermStructure
from plait.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Lifetime", "PortfolioLoss", "lifetime_losses", "portfolio_loss"]

Floats = npt.NDArray[np.float64]

BLOCK = 2048  # rows at a time: with 360 months some 6 MB an array
YEAR = 12


@dataclass(frozen=True)
class Lifetime:
    """Discounted expected losses of ``N`` rows over scenarios ``S``.

    Parameters
    ----------
    names, weights
        Of the scenarios.
    year_by, life_by
        float64 ``S x N``: from defaults within twelve months, and within the whole term.
    pd
        float64 ``N``: probability of a default before the last payment, weighted over scenarios.
    """

    names: tuple[str, ...]
    weights: Floats
    year_by: Floats
    life_by: Floats
    pd: Floats

    @property
    def year(self) -> Floats:
        """Weighted over scenarios: float64 ``N``."""
        return np.asarray(self.weights @ self.year_by)

    @property
    def life(self) -> Floats:
        """Weighted over scenarios: float64 ``N``."""
        return np.asarray(self.weights @ self.life_by)


def lifetime_losses(book: Book, term: TermStructure, scenarios: Scenarios | None = None) -> Lifetime:
    """Losses of each row in each scenario: marginal PD x LGD x exposure, discounted at the effective rate.

    A default in a month loses LGD of what is owed at its start, at its end. The weights are put on losses, not on the
    scenarios: the loss of the mean scenario is another, as a rule smaller, figure (`Scenarios.average`).

    Parameters
    ----------
    term
        Spreads each row's PD over time.
    scenarios
        None: the PDs as they are.
    """
    scenarios = scenarios or Scenarios()
    year, life = (np.empty((len(scenarios), len(book))) for _ in range(2))
    pd = np.zeros(len(book))
    order = np.argsort(book.months, kind="stable")  # rows of like terms together: short ones are not carried along
    for start in range(0, len(book), BLOCK):
        at = order[start : start + BLOCK]
        part = book.at(at)
        months = int(part.months.max())
        usual = term.rows(part.pd, months, part.curve)
        alive = np.arange(months) < part.months[:, None]
        owed = balances(part.ead, part.rate, part.months, part.schedule)
        for i, scenario in enumerate(scenarios):
            moved = scenarios.intensities(scenario, usual)
            losses = monthly_losses(moved, scenarios.lgd(scenario, part.lgd, months), owed, part.rate)
            year[i, at], life[i, at] = losses[:, :YEAR].sum(1), losses.sum(1)
            pd[at] += scenario.weight * -np.expm1(-(moved * alive).sum(1))
    names = tuple(scenario.name for scenario in scenarios)
    return Lifetime(names, np.array([scenario.weight for scenario in scenarios]), year, life, pd)


@dataclass(frozen=True)
class PortfolioLoss:
    """Losses of a portfolio, each row rounded to the coin and the rows added exactly.

    Parameters
    ----------
    loss
        float64 ``N``: PD x LGD x EAD of the next twelve months, neither discounted nor falling with repayment.
    capitals
        float64 ``N``: the capital of Basel for what is lost beyond expectation.
    expected, ead, capital
        Sums: of the losses, the exposures, the capital.
    sd, low, high, worst
        Of the loss within a year: standard deviation, the middle 95%, and what is exceeded once in a thousand years.
    independent_sd
        The standard deviation if debtors had nothing in common.
    lifetime
        Where rates and terms are known.
    """

    loss: Floats
    capitals: Floats
    expected: Decimal
    ead: Decimal
    capital: Decimal
    sd: float
    low: float
    high: float
    worst: float
    independent_sd: float
    exposure: str
    lifetime: Lifetime | None = None

    def added(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with their losses to the coin, whose sums are the totals."""
        more = {"expected_loss": self.loss, "capital": self.capitals}
        if self.lifetime is not None:
            more |= {"loss_12m": rounded(self.lifetime.year), "loss_lifetime": rounded(self.lifetime.life)}
            more["pd_lifetime"] = self.lifetime.pd
        return frame.assign(**more)

    @property
    def totals(self) -> Mapping[str, Json]:
        """The sums, for people and programs: exact ones as text."""
        found: dict[str, Json] = {
            "rows": len(self.loss),
            "ead": str(self.ead),
            "expected_loss": str(self.expected),
            "expected_loss_rate": float(self.expected / self.ead) if self.ead else None,
            "sd": self.sd,
            "sd_if_independent": self.independent_sd,
            "low": self.low,
            "high": self.high,
            "exceeded_once_in_1000_years": self.worst,
            "capital": str(self.capital),
            "exposure": self.exposure,
        }
        if self.lifetime is not None:
            found["lifetime"] = {
                "year": str(total(self.lifetime.year)),
                "life": str(total(self.lifetime.life)),
                "by_scenario": {
                    name: {"weight": float(weight), "year": str(total(year)), "life": str(total(life))}
                    for name, weight, year, life in zip(
                        self.lifetime.names,
                        self.lifetime.weights,
                        self.lifetime.year_by,
                        self.lifetime.life_by,
                        strict=True,
                    )
                },
            }
        return found

    def __str__(self) -> str:
        rate = f" ({float(self.expected / self.ead):.3%} of it)" if self.ead else ""
        rows = [
            ("exposure", f"{self.ead:,}"),
            ("expected loss within a year", f"{self.expected:,}{rate}"),
            ("in 95 years of 100", f"{self.low:,.0f} to {self.high:,.0f}"),
            ("exceeded once in 1,000 years", f"{self.worst:,.0f}"),
            ("standard deviation", f"{self.sd:,.0f} (independent debtors: {self.independent_sd:,.0f})"),
            (f"capital, Basel {self.exposure}", f"{self.capital:,}"),
        ]
        if self.lifetime is not None:
            rows += [
                ("discounted, defaults within a year", f"{total(self.lifetime.year):,}"),
                ("discounted, whole lifetime", f"{total(self.lifetime.life):,}"),
            ]
        return "\n".join(f"{label}  {value}" for label, value in _padded(rows))


def _padded(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    wide = max(len(label) for label, _ in rows)
    return [(label.ljust(wide), value) for label, value in rows]


def portfolio_loss(
    pd: Array, lgd: Array, ead: Array, *, exposure: Exposure = "retail", lifetime: Lifetime | None = None
) -> PortfolioLoss:
    """Expected and unexpected loss of the next twelve months.

    Parameters
    ----------
    pd, lgd, ead
        float64 ``N``.
    exposure
        Which correlation and capital formula of Basel hold (`plait.calc.vasicek.Exposure`).

    Raises
    ------
    DataError
        If there are no rows.
    ConfigError
        If there is no such exposure.
    """
    if not len(pd):
        raise DataError("the portfolio has no rows")
    lost = np.asarray(lgd) * np.asarray(ead)
    loss = rounded(expected_loss(pd, lgd, ead))
    spread = loss_distribution(pd, lost, asset_correlation(pd, exposure))
    low, high, worst = (spread.quantile(level) for level in (0.025, 0.975, 0.999))
    alone = float(np.sqrt((np.asarray(pd) * (1 - np.asarray(pd))) @ lost**2))
    capitals = rounded(basel_capital(pd, lgd, exposure) * ead)
    return PortfolioLoss(
        loss, capitals, total(loss), total(ead), total(capitals), spread.sd, low, high, worst, alone, exposure, lifetime
    )
