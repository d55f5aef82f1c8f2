"""Money summed exactly: each amount is rounded once to the smallest coin, and whole coins are added."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt

from plait.errors import DataError

__all__ = ["coins", "rounded", "total"]

LARGEST = float(1 << 53)  # whole numbers below it are exact in float64


def coins(amounts: npt.ArrayLike, digits: int = 2) -> npt.NDArray[np.int64]:
    """Amounts as whole numbers of the smallest coin, half to even.

    Parameters
    ----------
    amounts
        In units of the currency.
    digits
        Decimals of the currency: 2 for cents, 0 for yen.

    Raises
    ------
    DataError
        If an amount is not finite, or so large (2**53 coins) that its last coin is not known any more.
    """
    found = np.rint(np.asarray(amounts, np.float64) * 10.0**digits)
    if not (np.abs(found) < LARGEST).all():
        raise DataError(
            "an amount is missing, infinite, or too large to be known to the coin; mend or leave out the row"
        )
    return np.asarray(found, np.int64)


def rounded(amounts: npt.ArrayLike, digits: int = 2) -> npt.NDArray[np.float64]:
    """Amounts as they are shown and added: float64, the nearest to a whole number of coins."""
    return np.asarray(coins(amounts, digits) / 10.0**digits)


def total(amounts: npt.ArrayLike, digits: int = 2) -> Decimal:
    """The exact sum of amounts, each rounded to the coin: whatever the order or the groups, sums of sums agree."""
    return Decimal(sum(coins(amounts, digits).ravel().tolist())).scaleb(-digits)
