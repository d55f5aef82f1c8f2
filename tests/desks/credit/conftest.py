"""Applications that scorecards are made of: numbers, words, a date, a special code, missing cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from plait.desks.credit.scorecard import Scorecard, ScorecardSettings, fit_scorecard


class Applications(NamedTuple):
    """Made applicants and their outcomes, 1 = default."""

    frame: pd.DataFrame
    bad: npt.NDArray[np.float64]


def applications(n: int, seed: int = 0) -> Applications:
    """Income lowers risk, debts raise it, a never-used card (-1) is safe, a job says most, an old account is safer."""
    rng = np.random.default_rng(seed)
    income, debts = rng.lognormal(10, 0.5, n), rng.poisson(2, n).astype(float)
    months = rng.integers(0, 60, n).astype(float)
    never = rng.random(n) < 0.2
    job = rng.choice(["clerk", "o'hara", "farmer", "driver", "monk"], n, p=[0.4, 0.3, 0.2, 0.095, 0.005])
    applied = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D")
    opened = applied - pd.to_timedelta(rng.integers(10, 4000, n), unit="D")
    old = np.asarray((applied - opened).days, float)
    risk = -1.2 - 0.9 * np.log(income / 22_000) + 0.35 * (debts - 2) - np.where(never, 0.8, 0.012 * months - 0.3)
    risk = risk + np.select([job == "clerk", job == "driver"], [-0.6, 0.9]) - 0.0003 * (old - 2000)
    bad = (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(float)
    frame = pd.DataFrame(
        {
            "income": np.where(rng.random(n) < 0.1, np.nan, income),
            "debts": debts,
            "months": np.where(never, -1.0, months),
            "job": np.where(rng.random(n) < 0.05, None, job),
            "opened": opened,
            "applied": applied,
            "noise": rng.normal(size=n),
        }
    )
    return Applications(frame, bad)


@pytest.fixture(scope="session")
def applicants() -> Applications:
    return applications(3000)


@pytest.fixture(scope="session")
def strangers() -> pd.DataFrame:
    """New rows, with what training rows do not have: a level, empty cells in every column, numbers beyond."""
    frame = applications(400, seed=1).frame
    frame.loc[0:9, "job"] = "astronaut"
    frame.loc[10:19, ["debts", "months"]] = np.nan
    frame.loc[20:24, "income"] = [0.0, -5.0, 1e12, np.inf, -np.inf]
    frame.loc[25:29, "opened"] = pd.NaT
    return frame


@pytest.fixture(scope="session")
def scorecard(applicants: Applications) -> Scorecard:
    settings = ScorecardSettings.of({"special_codes": {"months": {"never": -1}}})
    return fit_scorecard(applicants.frame, applicants.bad, time="applied", settings=settings)
