"""Ratios of statements: liquidity, leverage, coverage, profitability, activity, growth; and why one is missing.

A ratio whose denominator is zero, negative where only a positive one has a meaning, or not there is NaN with a reason:
a loss divided by a negative equity is no return on equity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.calc.altman import MODELS, bond_rating
from plait.contracts import Array
from plait.desks.credit.losses.design import fractional_logit
from plait.errors import unknown

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.grades import MasterScale

__all__ = ["RATIOS", "Ratio", "Ratios", "altman", "altman_pd", "ratios"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """One ratio of a statement.

    Parameters
    ----------
    group
        What it tells of.
    above, below
        Items that are added up over and under the line; one that starts with ``-`` is taken away.
    better
        1: more is safer; -1: less is; 0: neither by itself.
    growth
        The ratio is of this year's item to last year's, less 1.
    """

    group: str
    above: tuple[str, ...]
    below: tuple[str, ...]
    better: int
    growth: bool = False


RATIOS: Mapping[str, Ratio] = {
    "current_ratio": Ratio("liquidity", ("current_assets",), ("current_liabilities",), 1),
    "quick_ratio": Ratio("liquidity", ("current_assets", "-inventory"), ("current_liabilities",), 1),
    "cash_ratio": Ratio("liquidity", ("cash",), ("current_liabilities",), 1),
    "working_capital_to_assets": Ratio("liquidity", ("current_assets", "-current_liabilities"), ("total_assets",), 1),
    "liabilities_to_assets": Ratio("leverage", ("total_liabilities",), ("total_assets",), -1),
    "debt_to_assets": Ratio("leverage", ("short_term_debt", "long_term_debt"), ("total_assets",), -1),
    "equity_to_liabilities": Ratio("leverage", ("equity",), ("total_liabilities",), 1),
    "market_equity_to_liabilities": Ratio("leverage", ("market_equity",), ("total_liabilities",), 1),
    "retained_earnings_to_assets": Ratio("leverage", ("retained_earnings",), ("total_assets",), 1),
    "interest_cover": Ratio("coverage", ("ebit",), ("interest_expense",), 1),
    "cash_flow_to_debt": Ratio("coverage", ("operating_cash_flow",), ("short_term_debt", "long_term_debt"), 1),
    "cash_flow_to_current_liabilities": Ratio("coverage", ("operating_cash_flow",), ("current_liabilities",), 1),
    "ebit_to_assets": Ratio("profitability", ("ebit",), ("total_assets",), 1),
    "return_on_assets": Ratio("profitability", ("net_income",), ("total_assets",), 1),
    "return_on_equity": Ratio("profitability", ("net_income",), ("equity",), 1),
    "operating_margin": Ratio("profitability", ("ebit",), ("sales",), 1),
    "net_margin": Ratio("profitability", ("net_income",), ("sales",), 1),
    "sales_to_assets": Ratio("activity", ("sales",), ("total_assets",), 0),
    "inventory_to_sales": Ratio("activity", ("inventory",), ("sales",), -1),
    "receivables_to_sales": Ratio("activity", ("receivables",), ("sales",), -1),
    "sales_growth": Ratio("growth", ("sales",), ("sales",), 1, growth=True),
    "assets_growth": Ratio("growth", ("total_assets",), ("total_assets",), 0, growth=True),
    "equity_growth": Ratio("growth", ("equity",), ("equity",), 1, growth=True),
}


@dataclass(frozen=True)
class Ratios:
    """Ratios of each statement.

    Parameters
    ----------
    values
        ``N`` rows as in the statements, a float64 column a ratio, and ``log_assets``.
    reasons
        The same shape without ``log_assets``: why a ratio is NaN, ``""`` where it is not.
    """

    values: pd.DataFrame
    reasons: pd.DataFrame


def ratios(table: pd.DataFrame) -> Ratios:
    """Work out all ratios.

    Parameters
    ----------
    table
        Of `plait.desks.credit.companies.statements.Statements`: sorted by company and year. Growth is against the
        company's statement of the year before.
    """
    import pandas as pd

    follows = table["company"].eq(table["company"].shift()) & table["year"].eq(table["year"].shift() + 1)
    before = table.shift().where(follows)
    values, reasons = {}, {}
    for name, ratio in RATIOS.items():
        above = _sum(table, ratio.above)
        below = _sum(before if ratio.growth else table, ratio.below)
        why = np.select(
            [~follows & ratio.growth, np.isnan(above), np.isnan(below), below == 0, below < 0],
            [
                "no statement of the year before",
                f"{_told(ratio.above)} not known",
                f"{_told(ratio.below)} not known",
                f"{_told(ratio.below)} is zero",
                f"{_told(ratio.below)} is negative",
            ],
            "",
        )
        reasons[name] = why.astype(object)
        values[name] = np.where(why == "", above / np.where(below > 0, below, 1.0) - ratio.growth, np.nan)
    assets = table["total_assets"].to_numpy(np.float64)
    values["log_assets"] = np.log(np.where(assets > 0, assets, np.nan))
    return Ratios(pd.DataFrame(values, index=table.index), pd.DataFrame(reasons, index=table.index))


def _sum(table: pd.DataFrame, items: tuple[str, ...]) -> Floats:
    total = np.zeros(len(table))
    for item in items:
        sign = -1 if item.startswith("-") else 1
        total = total + sign * table[item.removeprefix("-")].to_numpy(np.float64)
    return total


def _told(items: tuple[str, ...]) -> str:
    return " ".join(items).replace("_", " ").replace(" -", " less ")


def altman(values: pd.DataFrame, model: str = "emerging") -> pd.DataFrame:
    """Altman's score of each row, its zone, and the bond rating that Z'' + 3.25 stands for.

    Parameters
    ----------
    values
        Of `Ratios`.
    model
        ``"public"``: Z of 1968, listed manufacturers. ``"private"``: Z'. ``"any"``: Z'', any trade.
        ``"emerging"``: Z'' + 3.25, on the scale of bond ratings.

    Returns
    -------
    DataFrame with ``z``, ``zone`` and ``bond_rating``.

    Raises
    ------
    ConfigError
        If there is no such model.
    """
    import pandas as pd

    if model not in MODELS:
        raise unknown("model of Altman", model, MODELS)
    chosen = MODELS[model]
    columns = {name: values[name].to_numpy(np.float64) for name in values.columns}
    score = chosen.score(columns)
    found = {"z": score, "zone": chosen.zone(score), "bond_rating": bond_rating(MODELS["emerging"].score(columns))}
    return pd.DataFrame(found, index=values.index)


def altman_pd(scores: pd.DataFrame, scale: MasterScale, bad: Array | None = None) -> Floats:
    """What Altman's score says of the PD: float64 ``N``, NaN where there is no score.

    Parameters
    ----------
    scores
        Of `altman`.
    scale
        Without known defaults, the mid-PD of the grade on it that is called like the bond rating, else like its letters
        alone, else the worst: an agreement of names, not an estimate.
    bad
        Known defaults, 0 or 1, ``N``: a logistic regression on the score, fitted on the rows themselves.
    """
    z = scores["z"].to_numpy(np.float64)
    if bad is None:
        pds = dict(zip(scale.names, scale.pds, strict=True))
        named = [pds.get(name, pds.get(name.rstrip("+-"), scale.pds[-1])) for name in scores["bond_rating"]]
        return np.where(scores["bond_rating"] == "", np.nan, named)
    known = ~np.isnan(z)
    level, slope = fractional_logit(z[known, None], np.asarray(bad, np.float64)[known])
    return np.asarray(1 / (1 + np.exp(-level - slope * z)))
