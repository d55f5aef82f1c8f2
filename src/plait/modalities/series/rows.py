"""Arithmetic on rows of unequal length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Ragged

__all__ = ["by_length", "carry", "own_scale"]

CELLS_AT_ONCE = 1 << 19  # numbers in one dense block, to bound memory


def carry(values: Ragged) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Fill unobserved steps of each row: the last observed value forward, the first one backward.

    Returns float64 ``sum T x C`` (0 in a channel that was never observed) and which rows observed which channel.
    """
    steps, channels = values.values.shape
    filled = values.values.astype(np.float64)
    seen = ~np.isnan(filled)
    if seen.all():
        return filled, np.ones((len(values), channels), bool)
    place = np.arange(steps)[:, None]
    first = np.repeat(values.offsets[:-1], values.lengths)[:, None]
    end = np.repeat(values.offsets[1:], values.lengths)[:, None]
    before = np.maximum.accumulate(np.where(seen, place, -1), axis=0)
    after = np.minimum.accumulate(np.where(seen, place, steps)[::-1], axis=0)[::-1]
    source = np.where(before >= first, before, after)
    known = source < end
    filled = np.where(known, np.take_along_axis(filled, np.where(known, source, place), axis=0), 0.0)
    counts = np.concatenate([np.zeros((1, channels), np.int64), np.cumsum(seen, axis=0)])
    return filled, counts[values.offsets[1:]] > counts[values.offsets[:-1]]


def by_length(
    offsets: npt.NDArray[np.int64], filled: npt.NDArray[np.float64]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
    """Rows of one length together: their positions, and their values as ``R x C x T``, contiguous in time."""
    lengths = np.diff(offsets)
    for steps in np.unique(lengths):
        rows = np.flatnonzero(lengths == steps)
        at_once = max(CELLS_AT_ONCE // max(int(steps) * filled.shape[1], 1), 1)
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            dense = filled[offsets[part][:, None] + np.arange(steps)]
            yield part, np.ascontiguousarray(dense.transpose(0, 2, 1))


def own_scale(filled: npt.NDArray[np.float64], row: Array, n: int) -> npt.NDArray[np.float64]:
    """Each row's channels with mean 0 and standard deviation 1; constant ones are 0."""
    out = np.zeros_like(filled)
    count = np.maximum(np.bincount(row, minlength=n), 1)
    for c in range(filled.shape[1]):
        centred = filled[:, c] - (np.bincount(row, weights=filled[:, c], minlength=n) / count)[row]
        std = np.sqrt(np.bincount(row, weights=centred * centred, minlength=n) / count)[row]
        # Below float32's resolution of the level there is rounding, not movement.
        moving = std > 1e-7 * np.abs(filled[:, c])
        np.divide(centred, std, out=out[:, c], where=moving)
    return out
