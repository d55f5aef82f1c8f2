"""Made transfers in which money that comes back to the account tells the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plait.data.samples.planted_outcome import beside

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ring"]

OTHERS = 4  # further accounts, for each that is judged
DAYS = 90
START = np.datetime64("2024-01-01", "s")
Transfer = tuple[str, str, float, float]


def ring(n: int, seed: int) -> tuple[pd.DataFrame, dict[str, pd.DataFrame], pd.Series]:
    """Accounts with some ten transfers each; ``account`` is the key of ``transfers``, which in half of the rows
    hold a ring: the account pays a first one, that pays a second, and that pays the account.

    Every account has the two payments that a ring begins and ends with, passed on all but whole within days; without a
    ring they go on to and come from two who have nothing to do with each other. Three in ten accounts pay two others of
    whom one pays the other, which is no ring. The truth is the names of the two others in the ring.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 66])
    there = rng.random(n) < 0.5
    names, truth = np.empty(n, object), np.empty(n, object)
    transfers: list[Transfer] = []
    for row in range(n):
        names[row] = f"A{row:05d}"
        pool = [f"B{i:06d}" for i in rng.choice(OTHERS * n + 20, 14, replace=False).tolist()]
        first, second, third = pool[:3]
        back = second if there[row] else third
        paid, day = rng.lognormal(6, 0.6), rng.uniform(5, DAYS - 15)
        transfers.append((names[row], first, paid, day))
        transfers.append((first, second, paid * rng.uniform(0.95, 1), day + rng.uniform(0.1, 3)))
        transfers.append((back, names[row], paid * rng.uniform(0.9, 0.95), day + rng.uniform(3, 6)))
        if rng.random() < 0.3:
            for payer, payee in ((names[row], pool[3]), (names[row], pool[4]), (pool[3], pool[4])):
                transfers.append((payer, payee, rng.lognormal(6, 0.6), rng.uniform(0, DAYS)))
        for other in pool[5 : 5 + rng.integers(3, 10)]:
            ends = (names[row], other) if rng.random() < 0.5 else (other, names[row])
            transfers.append((*ends, rng.lognormal(5.5, 0.9), rng.uniform(0, DAYS)))
        truth[row] = (first, second) if there[row] else None
    links = pd.DataFrame(transfers, columns=["account", "payee", "amount", "time"])
    seconds = (links["time"].to_numpy() * 86_400).astype("timedelta64[s]")
    links = links.assign(amount=links["amount"].round(2), time=(START + seconds).astype("datetime64[ns]"))
    links = links.sort_values("time", ignore_index=True)
    return beside(names, there, "account", seed), {"transfers": links}, pd.Series(truth, name="transfers", dtype=object)
