"""Made payment histories with one telling record somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plait.data.samples.planted_outcome import beside

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["event"]

KINDS = ("shop", "rent", "salary", "cash", "fuel")
TELLING, HARMLESS = "chargeback", "refund"
USUAL = 3.5  # logarithm of the usual amount


def event(n: int, seed: int) -> tuple[pd.DataFrame, None, pd.Series]:
    """Histories of 12 to 40 payments; ``payments`` holds the evidence, one chargeback, in half of the rows.

    The other rows have a refund in its place. Amounts and times say nothing. The truth is the number of the record, and
    the one after.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 63])
    there = rng.random(n) < 0.5
    histories, truth = np.empty(n, object), np.empty(n, object)
    for row in range(n):
        count = int(rng.integers(12, 41))
        days = np.sort(rng.choice(180, count, replace=False))
        times = np.datetime64("2024-01-01") + days
        kinds = [KINDS[i] for i in rng.integers(0, len(KINDS), count)]
        at = int(rng.integers(count))
        kinds[at] = TELLING if there[row] else HARMLESS
        amounts = rng.lognormal(USUAL, 0.8, count).round(2).tolist()
        histories[row] = [
            {"time": str(time), "kind": kind, "amount": amount}
            for time, kind, amount in zip(times, kinds, amounts, strict=True)
        ]
        if there[row]:
            truth[row] = (float(at), float(at + 1))
    return beside(histories, there, "payments", seed), None, pd.Series(truth, name="payments", dtype=object)
