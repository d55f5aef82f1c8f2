"""Made credit decisions with a planted bias: a group is treated worse through where its people live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plait.data.samples import letters

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["biased"]

DISTRICTS = 12
THEIRS = 4  # districts in which most of group B live
HARM = 2.5  # log-odds that such a district adds to the recorded outcome


def biased(n: int = 4000, seed: int = 0, *, fair: bool = False) -> pd.DataFrame:
    """Make credit applications whose recorded defaults follow the district, and through it the origin.

    Parameters
    ----------
    n
        Rows, in no order.
    seed
        Same seed, same frame.
    fair
        The fair counterpart: people of both origins live everywhere alike, and the district counts nothing.

    Returns
    -------
    DataFrame with ``origin`` (``"A"``, or one in three ``"B"``) and ``age`` (21 to 75), both sensitive; ``income``,
    ``amount``, ``late_payments`` (0, 1, ...), ``district`` (12 levels), ``letter`` (the borrower's words, one in five
    in Chinese) and ``default`` (0 or 1, about a third ones).

    Notes
    -----
    The log-odds of default are a sum of amount to income, late payments and the letter's phrases
    (`plait.data.samples.letters`), none of which depends on origin or age. Then the bias: 85% of origin B and 10% of A
    live in the first four districts, whose people have 2.5 added, as if their accounts had been sent to collection
    sooner. A model that never sees the origin learns it from the district all the same.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 0xB1A5])
    other = rng.random(n) < 1 / 3
    age = np.round(rng.uniform(21, 75, n))
    income = np.round(np.exp(rng.normal(10.6, 0.4, n)), -2)
    amount = np.clip(np.round(np.exp(rng.normal(9.2, 0.5, n)), -2), 1000, 50000)
    late = rng.poisson(0.7, n)
    written, weights = letters.write(rng.normal(size=n), rng)
    share = np.full(n, THEIRS / DISTRICTS) if fair else np.where(other, 0.85, 0.10)
    there = rng.random(n) < share
    district = np.where(there, rng.integers(THEIRS, size=n), rng.integers(THEIRS, DISTRICTS, size=n))
    odds = -1.9 + 0.9 * (np.log(amount / income) + 1.4) + 0.5 * (late - 0.7) + 0.6 * weights
    odds += HARM * np.where(fair, 0.35, there)  # as many defaults in both
    return pd.DataFrame(
        {
            "origin": np.where(other, "B", "A").astype(object),
            "age": age,
            "income": income,
            "amount": amount,
            "late_payments": late.astype(np.float64),
            "district": np.array([f"district {i + 1}" for i in range(DISTRICTS)], object)[district],
            "letter": pd.Series(written, dtype=object),
            "default": (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int64),
        }
    )
