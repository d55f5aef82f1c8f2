"""Made loan applications: a table, a letter and a balance series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.data.samples import letters

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["loans", "loans_oracle"]

Floats = npt.NDArray[np.float64]

PURPOSES = ("car", "home", "medical", "moving", "refinancing", "studies", "wedding")
PURPOSE_RISK = np.array([-0.3, -0.2, 0.5, 0.1, 0.3, -0.4, 0.0])
REGIONS = (
    "north",
    "north-east",
    "east",
    "south-east",
    "south",
    "south-west",
    "west",
    "north-west",
    "centre",
    "islands",
)
HOMES = ("rent", "mortgage", "own")
MONTHS = 36


def loans(n: int = 4000, seed: int = 0) -> pd.DataFrame:
    """Make loan applications of three years, with the signal divided among columns, letters and balances.

    Parameters
    ----------
    n
        Rows, in order of time.
    seed
        Same seed, same frame.

    Returns
    -------
    DataFrame with the columns

    ========================================  =====================================================================
    ``issued_at``                             datetime64[ns], 2022 to 2024
    ``income``, ``amount``                    per year, and asked for
    ``term``                                  months, 36 or 60
    ``purpose``, ``region``, ``home``         categories of 7, 10 and 3 levels
    ``employment_years``, ``account_months``  8% and 5% missing
    ``letter``                                the borrower's words, one in five in Chinese; 10% missing
    ``balance``                               lists of 12 to 36 month-end balances; 10% missing
    ``default``                               0 or 1, about 20% ones
    ========================================  =====================================================================

    Notes
    -----
    The log-odds of default are a sum of four independent parts. Columns: amount to income (which weighs three times as
    much on those who rent), term, purpose, short employment. Letter: the weights of the phrases of trouble and
    steadiness in it (`plait.data.samples.letters`). Balance: volatility of its monthly changes, fall from its peak,
    trend. Time: risk rises slowly. The first three have about the same spread, so that any source leaves two thirds of
    the signal to the others. What is missing is missing at random, and counts in the odds all the same.

    The oracle's ROC AUC is .858 (the true probability, of `loans_oracle`, n = 100,000, seed 0); of its parts alone:
    columns .698, letter .706, balance .705, time .535.
    """
    return _simulate(n, seed)[0]


def loans_oracle(n: int = 4000, seed: int = 0) -> pd.DataFrame:
    """The truth behind `loans` with the same arguments, row by row.

    Returns
    -------
    DataFrame with ``probability`` of default, and the log-odds it is made of: ``from_columns``, ``from_letter``,
    ``from_balance``, ``from_time``. No model can rank better than ``probability`` but by luck.
    """
    return _simulate(n, seed)[1]


def _simulate(n: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    rng = {part: np.random.default_rng([seed, i]) for i, part in enumerate(("columns", "letter", "balance", "outcome"))}
    columns, from_columns = _columns(n, rng["columns"])
    written, weights = letters.write(rng["letter"].normal(size=n), rng["letter"])
    balances, from_balance = _balances(n, rng["balance"])
    moment = np.sort(rng["outcome"].random(n))
    parts = {
        "from_columns": from_columns,
        "from_letter": 0.58 * weights,
        "from_balance": from_balance,
        "from_time": -1.9 + 0.6 * (moment - 0.5),
    }
    probability = 1.0 / (1.0 + np.exp(-sum(parts.values())))
    issued = np.datetime64("2022-01-01", "ns") + (moment * 3 * 365).astype("timedelta64[D]")
    hidden = rng["outcome"].random((n, 4)) < [0.10, 0.10, 0.08, 0.05]
    frame = pd.DataFrame({"issued_at": issued, **columns})
    frame["employment_years"] = frame["employment_years"].mask(hidden[:, 2])
    frame["account_months"] = frame["account_months"].mask(hidden[:, 3])
    frame["letter"] = pd.Series(written, dtype=object).where(~hidden[:, 0], None)
    frame["balance"] = pd.Series(balances, dtype=object).where(~hidden[:, 1], None)
    frame["default"] = (rng["outcome"].random(n) < probability).astype(np.int64)
    return frame, pd.DataFrame({"probability": probability, **parts})


def _columns(n: int, rng: np.random.Generator) -> tuple[dict[str, npt.NDArray[np.generic]], Floats]:
    income = np.round(np.exp(rng.normal(10.85, 0.45, n)), -2)
    amount = np.clip(np.round(np.exp(rng.normal(9.3, 0.6, n)), -2), 1000, 60000)
    term = rng.choice([36, 60], n, p=[0.65, 0.35])
    purpose = rng.integers(len(PURPOSES), size=n)
    home = rng.choice(3, n, p=[0.45, 0.4, 0.15])
    years = np.round(rng.exponential(6.0, n), 1)
    burden = np.log(amount / income) + 1.55  # about 0 in the middle, spread .75
    risk = (
        np.where(home == 0, 1.8, 0.6) * burden
        + 0.5 * (term == 60)
        + PURPOSE_RISK[purpose]
        + 0.9 * np.exp(-years / 2.0)
        - 0.45
    )
    columns = {
        "income": income,
        "amount": amount,
        "term": term,
        "purpose": np.array(PURPOSES, object)[purpose],
        "region": np.array(REGIONS, object)[rng.integers(len(REGIONS), size=n)],
        "employment_years": years,
        "home": np.array(HOMES, object)[home],
        "account_months": np.round(rng.gamma(2.0, 40.0, n)),
    }
    return columns, risk


def _balances(n: int, rng: np.random.Generator) -> tuple[list[list[float]], Floats]:
    """Month-end balances, and their part of the log-odds: from what the visible months show, not from hidden causes."""
    length = rng.integers(12, MONTHS + 1, n)
    trend = rng.normal(0.0, 0.02, n)[:, None]
    unrest = np.exp(rng.normal(-1.9, 0.6, n))[:, None]
    month = np.arange(MONTHS)
    season = 0.08 * np.sin(2 * np.pi * (month + rng.integers(12, size=n)[:, None]) / 12)
    walk = np.cumsum(unrest * rng.normal(size=(n, MONTHS)), axis=1) * 0.5
    noise = unrest * rng.normal(size=(n, MONTHS)) * 0.6
    level = rng.normal(8.3, 0.7, n)[:, None]
    money = np.maximum(np.round(np.exp(level + trend * month + season + walk + noise), 2), 0.01)  # 0 has no logarithm
    shown = month >= MONTHS - length[:, None]
    logs = np.log(money)
    steps = np.where(shown[:, :-1], np.diff(logs, axis=1), np.nan)
    volatility = np.nanstd(steps, axis=1)
    fall = np.where(shown, logs, -np.inf).max(axis=1) - logs[:, -1]
    drift = np.nanmean(steps, axis=1)
    risk = 0.85 * np.log(volatility / 0.17) + 1.3 * np.clip(fall - 0.45, -1.0, 1.0) - 9.0 * np.clip(drift, -0.1, 0.1)
    return [row[-count:].tolist() for row, count in zip(money, length, strict=True)], risk
