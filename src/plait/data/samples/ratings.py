"""Made panels of credit grades: a known process moves them; rows are missing, in disorder, and some twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ratings", "ratings_oracle"]

NAMES = ("AA", "A", "BBB", "BB", "B", "CCC", "D")
MOVES = np.array(  # a year's rates in per cent, from row to column; the diagonal is what is left
    [
        [0, 9.0, 0.6, 0.1, 0.05, 0.0, 0.02],
        [2.2, 0, 6.0, 0.7, 0.2, 0.0, 0.06],
        [0.3, 4.5, 0, 5.0, 0.8, 0.1, 0.25],
        [0.1, 0.5, 6.0, 0, 8.0, 0.9, 1.1],
        [0.0, 0.2, 0.4, 5.5, 0, 6.0, 4.5],
        [0.0, 0.0, 0.3, 1.0, 10.0, 0, 26.0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
)
START = np.datetime64("2016-01", "M")
FIRST = (0.08, 0.2, 0.28, 0.24, 0.16, 0.04)  # grades of new firms
GONE, HOLES, TWICE = 0.008, 0.06, 0.01  # a month: withdrawn; row missing; row standing twice


def ratings(n: int = 600, months: int = 96, seed: int = 0) -> pd.DataFrame:
    """Grades of made firms, month by month, as a bank's files have them.

    Columns: ``firm``, ``month`` (day of the row), ``grade`` (AA to CCC, D in default, NR in the month after a
    withdrawal for half of those). A quarter of the firms come later. Rows are in no order.

    Parameters
    ----------
    n
        Firms.
    months
        Length of the record.
    seed
        Same seed, same panel.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 0x6ADE])
    cumulated = np.cumsum(_monthly(), axis=1)
    state = rng.choice(len(FIRST), n, p=FIRST)
    begin = np.where(rng.random(n) < 0.25, rng.integers(0, months, n), 0)
    here, default, parts = np.ones(n, bool), len(NAMES) - 1, []
    for month in range(months + 1):
        listed = here & (begin <= month)
        seen = listed & ((rng.random(n) > HOLES) | (state == default))
        gone = listed & (state != default) & (rng.random(n) < GONE)
        told = gone & (rng.random(n) < 0.5) & (month < months)
        parts.append((np.flatnonzero(seen), month, np.array(NAMES, object)[state[seen]]))
        parts.append((np.flatnonzero(told), month + 1, np.full(told.sum(), "NR", object)))
        here &= ~gone & ~(listed & (state == default))
        moved = (rng.random(n)[:, None] > cumulated[state]).sum(1)
        state = np.where(here & (begin <= month), moved, state)
    firm = np.concatenate([who for who, _, _ in parts])
    month_of = np.concatenate([np.full(len(who), month) for who, month, _ in parts])
    day = (START + month_of).astype("datetime64[D]") + rng.integers(0, 28, len(firm))
    grade = np.concatenate([each for _, _, each in parts])
    frame = pd.DataFrame(
        {"firm": [f"F{each:05d}" for each in firm], "month": day.astype("datetime64[ns]"), "grade": grade}
    )
    order = rng.permutation(np.append(np.arange(len(frame)), rng.integers(0, len(frame), int(TWICE * len(frame)))))
    return frame.iloc[order].reset_index(drop=True)


def ratings_oracle() -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Grades in order, default last, and the true matrix of a year: float64 ``7 x 7``."""
    return NAMES, np.linalg.matrix_power(_monthly(), 12)


def _monthly() -> npt.NDArray[np.float64]:
    """The matrix of a month: a twelfth of the rates of a year."""
    rates = MOVES / 1200
    return rates + np.diag(1 - rates.sum(1))
