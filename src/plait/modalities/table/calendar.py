"""Calendar parts of moments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["PARTS", "SIZES", "calendar"]

PARTS = ("month", "weekday", "day", "hour")  # 1..12, 0..6 from Monday, 1..31, 0..23, UTC
SIZES = (13, 7, 32, 24)


def calendar(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Parts of moments in seconds since 1970: int64, one more axis of 4 (`PARTS`). NaN must be filled before."""
    whole = np.floor(seconds).astype(np.int64)
    days, rest = np.divmod(whole, 86_400)
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    month = months.astype(np.int64) % 12 + 1
    day = (dates - months).astype(np.int64) + 1
    return np.stack([month, (days + 3) % 7, day, rest // 3_600], axis=-1)
