"""Made loan applications with five outcomes: four of one hidden risk, one that has nothing to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.data.samples.loans import REGIONS, loans, loans_oracle

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OUTCOMES", "risks", "risks_oracle"]

OUTCOMES = ("default", "days_late", "loss", "grade", "renewed")
KNOWN = {"default": 0.9, "days_late": 0.8, "loss": 0.08, "grade": 0.6, "renewed": 0.9}  # shares of rows
STAYING = np.array([1.4, -1.1, 0.2, -1.6, 0.8, 1.7, -0.5, -1.3, 0.5, -0.1])  # log-odds of renewal by region


def risks(n: int = 4000, seed: int = 0, *, known: float | None = None) -> pd.DataFrame:
    """Make the applications of `plait.samples.loans`, with several outcomes of which many are not known.

    Parameters
    ----------
    n, seed
        As of `loans`: rows, in order of time; same seed, same frame.
    known
        Share of the rows whose ``loss`` is known, instead of 8%.

    Returns
    -------
    DataFrame with the columns of `loans`, and these outcomes, missing at random

    ==============  ===============================================================================  =======
    ``default``     0 or 1, about 20% ones                                                           90%
    ``days_late``   how late instalments were paid; below 0: early                                   80%
    ``loss``        share of the amount that is lost; below 0: fees earned more                      8%
    ``grade``       1 (safest) to 5, as an officer gave it                                           60%
    ``renewed``     0 or 1: whether the borrower came back                                           90%
    ==============  ===============================================================================  =======

    Notes
    -----
    Let ``r`` be the log-odds of default of `loans`, standardised: it hangs on columns, letter and balances. ``default``
    is drawn from it; ``days_late``, ``loss`` and ``grade`` are rising functions of ``r`` plus noise, each its own. So
    whoever knows how evidence makes ``r`` from one of them knows it for the others. ``renewed`` hangs on ``region`` and
    ``account_months`` alone, which have no part in ``r``: what is learned for it helps nobody, and nobody helps it.
    """
    return _simulate(n, seed, known)[0]


def risks_oracle(n: int = 4000, seed: int = 0) -> pd.DataFrame:
    """The truth behind `risks` with the same arguments, row by row: ``r``, and what is expected of each outcome.

    No model can do better than these but by luck: probabilities of ``default`` and ``renewed``, means of ``days_late``
    and ``loss``, and the ``grade`` without the officer's noise.
    """
    return _simulate(n, seed, None)[1]


def _simulate(n: int, seed: int, known: float | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    frame, truth = loans(n, seed), loans_oracle(n, seed)
    rng = np.random.default_rng([seed, 4])
    noise = rng.normal(size=(n, 3))
    chance = truth["probability"].to_numpy(np.float64)
    r = (np.log(chance / (1 - chance)) + 2.09) / 1.81
    months = frame["account_months"].fillna(67).to_numpy(np.float64)
    stays = STAYING[[REGIONS.index(region) for region in frame["region"]]] + 1.5 * np.tanh((months - 67) / 50)
    expected = {
        "r": r,
        "default": chance,
        "days_late": 20 + 12 * r,
        "loss": 0.3 + 0.12 * r,
        "grade": _grade(r),
        "renewed": 1 / (1 + np.exp(-stays)),
    }
    frame["days_late"] = np.round(expected["days_late"] + 8 * noise[:, 0], 1)
    frame["loss"] = np.round(expected["loss"] + 0.08 * noise[:, 1], 4)
    frame["grade"] = _grade(r + 0.5 * noise[:, 2])
    frame["renewed"] = (rng.random(n) < expected["renewed"]).astype(np.int64)
    shares = KNOWN if known is None else {**KNOWN, "loss": known}
    for outcome in OUTCOMES:
        frame[outcome] = frame[outcome].where(rng.random(n) < shares[outcome])
    return frame, pd.DataFrame(expected)


def _grade(r: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return 1 + np.searchsorted([-1.0, -0.3, 0.3, 1.0], r)
