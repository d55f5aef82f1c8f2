"""Altman's Z-scores of companies: the original, that of private firms, and that of any trade.

Sources: E. I. Altman, "Financial ratios, discriminant analysis and the prediction of corporate bankruptcy", Journal of
Finance 23 (1968); Z' and Z'': Altman, "Corporate Financial Distress" (1983) and "Predicting financial distress of
companies: revisiting the Z-score and ZETA models" (2000); ratings of Z'' + 3.25: Altman, Hartzell and Peck, "Emerging
market corporate bonds: a scoring system" (1995).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array

__all__ = ["ANY_TRADE", "BOND_RATINGS", "EMERGING", "MODELS", "PRIVATE", "PUBLIC", "ZModel", "bond_rating"]

Floats = npt.NDArray[np.float64]

BOND_RATINGS = (  # lowest Z'' + 3.25 of each rating
    ("AAA", 8.15),
    ("AA+", 7.60),
    ("AA", 7.30),
    ("AA-", 7.00),
    ("A+", 6.85),
    ("A", 6.65),
    ("A-", 6.40),
    ("BBB+", 6.25),
    ("BBB", 5.85),
    ("BBB-", 5.65),
    ("BB+", 5.25),
    ("BB", 4.95),
    ("BB-", 4.75),
    ("B+", 4.50),
    ("B", 4.15),
    ("B-", 3.75),
    ("CCC+", 3.20),
    ("CCC", 2.50),
    ("CCC-", 1.75),
    ("D", -np.inf),
)


@dataclass(frozen=True)
class ZModel:
    """A linear score of ratios, each as a fraction (0.12, not 12%).

    Parameters
    ----------
    weights
        Ratio name to weight.
    distress, safe
        Below the first a firm is in distress, above the second it is safe; between them is the grey zone.
    """

    name: str
    weights: Mapping[str, float]
    distress: float
    safe: float
    constant: float = 0.0

    def score(self, ratios: Mapping[str, Array]) -> Floats:
        """Z of ``N`` firms: float64, NaN where a ratio that it needs is NaN."""
        return np.asarray(sum(weight * np.asarray(ratios[name], float) for name, weight in self.weights.items())) + (
            self.constant
        )

    def zone(self, score: Array) -> npt.NDArray[np.str_]:
        """``"distress"``, ``"grey"`` or ``"safe"``; ``""`` where the score is NaN."""
        score = np.asarray(score)
        named = np.select(
            [score < self.distress, score <= self.safe, score > self.safe], ["distress", "grey", "safe"], ""
        )
        return np.asarray(named)


PUBLIC = ZModel(
    "Z (1968)",
    {
        "working_capital_to_assets": 1.2,
        "retained_earnings_to_assets": 1.4,
        "ebit_to_assets": 3.3,
        "market_equity_to_liabilities": 0.6,
        "sales_to_assets": 0.999,
    },
    1.81,
    2.99,
)
PRIVATE = ZModel(
    "Z' (1983)",
    {
        "working_capital_to_assets": 0.717,
        "retained_earnings_to_assets": 0.847,
        "ebit_to_assets": 3.107,
        "equity_to_liabilities": 0.420,
        "sales_to_assets": 0.998,
    },
    1.23,
    2.90,
)
ANY_TRADE = ZModel(
    "Z'' (1993)",
    {
        "working_capital_to_assets": 6.56,
        "retained_earnings_to_assets": 3.26,
        "ebit_to_assets": 6.72,
        "equity_to_liabilities": 1.05,
    },
    1.10,
    2.60,
)
EMERGING = ZModel("Z'' + 3.25 (1995)", ANY_TRADE.weights, 4.35, 5.85, 3.25)
MODELS: Mapping[str, ZModel] = {"public": PUBLIC, "private": PRIVATE, "any": ANY_TRADE, "emerging": EMERGING}


def bond_rating(emerging: Array) -> npt.NDArray[np.str_]:
    """The bond rating whose firms score like this: from Z'' + 3.25, ``N``; ``""`` where it is NaN."""
    emerging = np.asarray(emerging, float)
    names = [name for name, _ in BOND_RATINGS]
    return np.asarray(np.select([emerging >= lowest for _, lowest in BOND_RATINGS], names, ""))
