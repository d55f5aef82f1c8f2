"""Quantiles of a stream of numbers in bounded memory, the same however the stream is cut into chunks.

A bottom-k sample (Cohen & Kaplan, "Summarizing data using bottom-k sketches", 2007): every row gets a pseudo-random
rank from its position, and the values of the `capacity` smallest ranks are kept. Up to `capacity` values the quantiles
are exact; beyond that the standard error of the level of a quantile q is ``sqrt(q (1 - q) / capacity)``: .004 at the
median with the default capacity. Count, minimum and maximum are always exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LARGE", "Sketch"]

LARGE = 1 << 20  # a capacity that most columns never reach, in 16 MB


def _ranks(rows: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea & Flood 2014): a bijection, so that no two rows share a rank."""
    with np.errstate(over="ignore"):
        x = (rows + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Sketch:
    """A mergeable sample of the finite numbers among those added.

    Parameters
    ----------
    capacity
        How many values are kept.

    Attributes
    ----------
    count
        How many finite values were added.
    minimum, maximum
        Their exact range (NaN when there are none).
    """

    def __init__(self, capacity: int = 16_384) -> None:
        self.capacity = capacity
        self.count = 0
        self.minimum = np.nan
        self.maximum = np.nan
        self._end = 0
        self._values = np.zeros(0)
        self._ranks = np.zeros(0, np.uint64)

    def add(self, values: npt.NDArray[Any], start: int | None = None) -> None:
        """Add the values of rows ``start, start + 1, ...`` of the whole stream (NaN and infinity are skipped).

        Without a `start`, they are those after the rows that were added last.
        """
        start = self._end if start is None else start
        self._end = start + len(values)
        rows = np.flatnonzero(np.isfinite(values))
        values = np.asarray(values, np.float64)[rows]
        self._join(values, _ranks((rows + start).astype(np.uint64)), len(values))
        if len(values):
            self._stretch(values.min(), values.max())

    def merge(self, other: Sketch) -> None:
        """Take in the sketch of other rows of the same stream."""
        self._join(other._values, other._ranks, other.count)
        self._stretch(other.minimum, other.maximum)

    def sample(self) -> npt.NDArray[np.float64]:
        """The kept values, ascending: float64, at most `capacity`."""
        self._shrink()
        return np.sort(self._values)

    def quantiles(self, levels: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Quantiles at levels in 0..1, linearly interpolated; zeros if nothing was added."""
        values = self.sample()
        levels = np.asarray(levels, np.float64)
        return np.quantile(values, levels) if len(values) else np.zeros(levels.shape)

    def _join(self, values: npt.NDArray[np.float64], ranks: npt.NDArray[np.uint64], count: int) -> None:
        self.count += count
        self._values = np.concatenate([self._values, values])
        self._ranks = np.concatenate([self._ranks, ranks])
        if len(self._values) > 2 * self.capacity:
            self._shrink()

    def _stretch(self, low: float, high: float) -> None:
        self.minimum = float(np.fmin(self.minimum, low))
        self.maximum = float(np.fmax(self.maximum, high))

    def _shrink(self) -> None:
        if len(self._values) > self.capacity:
            kept = np.argpartition(self._ranks, self.capacity)[: self.capacity]
            self._values, self._ranks = self._values[kept], self._ranks[kept]
