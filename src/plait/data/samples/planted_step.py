"""Made balances with a short dip somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plait.data.samples.planted_outcome import beside

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["step"]

DIP = 3  # steps
DEEP = (8.0, 12.0)  # of the usual change from step to step


def step(n: int, seed: int) -> tuple[pd.DataFrame, None, pd.Series]:
    """Daily balances of 30 to 60 days; ``balance`` holds the evidence, three days far below the others, in half of the
    rows.

    A balance wanders about a level of its own, which says nothing. The truth is the first step of the dip, and the one
    after its last.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 62])
    there = rng.random(n) < 0.5
    series, truth = np.empty(n, object), np.empty(n, object)
    for row in range(n):
        days, level, usual = int(rng.integers(30, 61)), rng.uniform(500, 5000), rng.uniform(20, 60)
        wander = np.zeros(days)
        for day in range(1, days):
            wander[day] = 0.8 * wander[day - 1] + rng.normal()
        if there[row]:
            first = int(rng.integers(2, days - DIP - 1))
            wander[first : first + DIP] -= rng.uniform(*DEEP)
            truth[row] = (float(first), float(first + DIP))
        series[row] = (level + usual * wander).round(2).tolist()
    return beside(series, there, "balance", seed), None, pd.Series(truth, name="balance", dtype=object)
