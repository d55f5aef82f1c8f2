"""A made book of loans: when each was opened, defaulted or paid off, from known hazards, one quarter of them worse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["loan_book", "loan_book_oracle"]

START = np.datetime64("2019-01-01", "D")
AS_OF = np.datetime64("2022-06-30", "D")
OPENINGS = 36  # months
TERM = 60
WORSE, TIMES = (18, 21), 1.8  # months of opening, third quarter of 2020; times the hazard of default


def loan_book(n: int = 5000, seed: int = 0, *, alike: bool = False) -> pd.DataFrame:
    """Make loans opened in 2019 to 2021 and seen until 2022-06-30.

    Parameters
    ----------
    n
        Rows, in order of opening.
    seed
        Same seed, same frame.
    alike
        No quarter is worse.

    Returns
    -------
    DataFrame with ``loan``, ``opened``, ``defaulted_at`` and ``closed_at`` (datetime64[ns]; missing: not by then).

    Notes
    -----
    In each month on book a loan defaults with the hazard that `loan_book_oracle` tells, which rises to its peak at 14
    months (the seasoning) and falls again, or else is paid off; loans opened in the third quarter of 2020 default 1.8
    times as often. Events fall on any day of the month on book.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 0xB00C])
    opened = START + np.sort(rng.integers(0, 1096, n))
    month = (opened.astype("datetime64[M]") - START.astype("datetime64[M]")).astype(np.int64)
    worse = (month >= WORSE[0]) & (month < WORSE[1]) & (not alike)
    default, closing = _hazards()
    bad = rng.random((n, TERM)) < default * np.where(worse, TIMES, 1.0)[:, None]
    paid = rng.random((n, TERM)) < closing
    ages = [np.where(each.any(1), each.argmax(1), TERM) for each in (bad, paid)]
    first = np.minimum(*ages)
    within = opened - opened.astype("datetime64[M]").astype("datetime64[D]")
    # the month on book ends on the day of opening: an event falls on one of the 28 days after it began
    begin = np.minimum(
        (opened.astype("datetime64[M]") + first).astype("datetime64[D]") + within, _last_day(opened, first)
    )
    at = begin + rng.integers(1, 28, n)
    gone = (first < TERM) & (at <= AS_OF)
    none = np.datetime64("NaT", "D")
    dates = {
        "opened": opened,
        "defaulted_at": np.where(gone & (ages[0] <= ages[1]), at, none),
        "closed_at": np.where(gone & (ages[1] < ages[0]), at, none),
    }
    stamped = {name: each.astype("datetime64[ns]") for name, each in dates.items()}
    return pd.DataFrame({"loan": np.array([f"L{i:06d}" for i in range(n)], object), **stamped})


def loan_book_oracle() -> pd.DataFrame:
    """The truth behind `loan_book`, of loans that are not of the worse quarter.

    Returns
    -------
    DataFrame with a row a month on book (``age`` from 1): ``default`` and ``closing``, the hazards; ``incidence``, the
    share of all opened loans that have defaulted by then; ``had_none_closed``, what it would be if no loan were paid
    off.
    """
    import pandas as pd

    default, closing = _hazards()
    left = np.concatenate([[1.0], np.cumprod((1 - default) * (1 - closing))[:-1]])
    return pd.DataFrame(
        {
            "age": np.arange(1, TERM + 1),
            "default": default,
            "closing": closing,
            "incidence": np.cumsum(left * default),
            "had_none_closed": 1 - np.cumprod(1 - default),
        }
    )


def _hazards() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    age = np.arange(1, TERM + 1)
    return 0.003 + 0.012 * np.exp(-(((age - 14) / 7) ** 2)), np.where(age > 12, 0.03, 0.01)


def _last_day(opened: npt.NDArray[np.datetime64], months: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    return (opened.astype("datetime64[M]") + months + 1).astype("datetime64[D]") - 1
