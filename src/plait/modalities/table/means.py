"""Mean target of a category level, smoothed and out of fold.

m-estimate: D. Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes" (2001). What is
given is the distance from the base rate, not the rate: the base rate outside a fold moves against the labels inside
it, and a learner would find that.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["SMOOTHING", "out_of_fold", "table"]

SMOOTHING = 200.0  # rows that the base rate counts as


def table(
    codes: npt.NDArray[np.int32], size: int, targets: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Smoothed mean of every code (``0 .. size - 1``) less the base rate: float64 ``size x K``.

    Parameters
    ----------
    codes
        int32 ``N``.
    targets
        float64 ``N x K``.
    weight
        float64 ``N``.
    """
    whole = np.zeros(len(codes), np.int64)
    mass, total = _sums(codes, size, targets, weight, whole, 1)
    return _smooth(mass, total)[:, 0]


def out_of_fold(
    codes: npt.NDArray[np.int32],
    size: int,
    targets: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    folds: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """For every row, its code's entry in the table of the rows of other folds: float64 ``N x K``.

    Rows that are never held out (fold ``-1``) count as one more fold, so that no row's label reaches its own feature.
    """
    folds = folds + 1
    count = int(folds.max(initial=0)) + 1
    mass, total = _sums(codes, size, targets, weight, folds, count)
    # summed over the others rather than subtracted from all: a row's label must not leave even a rounding error
    others = 1.0 - np.eye(count)
    return _smooth(np.einsum("lf,fg->lg", mass, others), np.einsum("lfk,fg->lgk", total, others))[codes, folds]


def _sums(
    codes: npt.NDArray[np.int32],
    size: int,
    targets: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    folds: npt.NDArray[np.int64],
    count: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weight ``L x F`` and weighted target ``L x F x K`` by code and fold."""
    cell = codes * np.int64(count) + folds
    length = size * count
    mass = np.bincount(cell, weight, length)
    each = [np.bincount(cell, weight * column, length) for column in targets.T]
    total = np.array(each, np.float64).reshape(targets.shape[1], size, count)
    return np.asarray(mass, np.float64).reshape(size, count), np.moveaxis(total, 0, -1)


def _smooth(mass: npt.NDArray[np.float64], total: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Smoothed mean less the base rate of each fold's table: ``L x F x K``."""
    rows = mass.sum(axis=0)[None, :, None]
    base = np.divide(total.sum(axis=0)[None], rows, out=np.zeros((1, *total.shape[1:])), where=rows > 0)
    return np.asarray((total - mass[:, :, None] * base) / (mass[:, :, None] + SMOOTHING), np.float64)
