"""How good are predicted values.

Targets and predictions are float64 ``N``; weights are ``N``, or ``R x N`` for many resamples at once
(see `plait.metrics.weights`); a result has the shape of the weights without their last axis.
"""

from __future__ import annotations

import numpy as np

from plait.contracts import Array
from plait.metrics.weights import as_weight, defined, finite, mean, ratio

__all__ = ["mae", "r2", "rmse", "spearman"]


def rmse(targets: Array, predicted: Array, weight: Array | None = None) -> Array:
    """Root of the mean squared error, in the unit of the target."""
    targets, predicted, weight = _checked(targets, predicted, weight)
    return np.sqrt(mean((targets - predicted) ** 2, weight))


def mae(targets: Array, predicted: Array, weight: Array | None = None) -> Array:
    """Mean absolute error, in the unit of the target."""
    targets, predicted, weight = _checked(targets, predicted, weight)
    return mean(np.abs(targets - predicted), weight)


def r2(targets: Array, predicted: Array, weight: Array | None = None) -> Array:
    """Share of the targets' variance that the predictions explain (1 = all, 0 = as the mean, below 0 = worse).

    Raises
    ------
    InputError
        If all targets are equal.
    """
    targets, predicted, weight = _checked(targets, predicted, weight)
    centred = targets - np.median(targets)  # exactly 0 for equal targets, and no cancellation far from 0
    square = mean(centred**2, weight)
    variance = square - mean(centred, weight) ** 2
    variance = np.where(variance > 1e-12 * square, variance, 0)  # a resample of equal targets leaves rounding only
    value = 1 - ratio(mean((targets - predicted) ** 2, weight), variance)
    return defined(value, "r2 is undefined: all targets are equal; it needs at least two different values")


def spearman(targets: Array, predicted: Array, weight: Array | None = None) -> Array:
    """Spearman's rank correlation, tied values sharing their mean rank; with weights, ranks are of cumulated weight.

    Raises
    ------
    InputError
        If all targets or all predictions are equal.
    """
    targets, predicted, weight = _checked(targets, predicted, weight)
    a, b = _midranks(targets, weight), _midranks(predicted, weight)
    total = weight.sum(-1)
    covariance, a_variance, b_variance = (np.sum(weight * x * y, -1) / total for x, y in ((a, b), (a, a), (b, b)))
    spread = np.sqrt(np.where((a_variance > 1e-18) & (b_variance > 1e-18), a_variance * b_variance, 0))
    value = ratio(covariance, spread)
    return defined(value, "spearman is undefined: all targets or all predictions are equal; it needs different values")


def _checked(targets: Array, predicted: Array, weight: Array | None) -> tuple[Array, Array, Array]:
    targets = finite(targets, len(targets), "targets")
    return targets, finite(predicted, len(targets), "predictions"), as_weight(weight, len(targets))


def _midranks(values: Array, weight: Array) -> Array:
    """Share of weight below each value plus half of that at it, minus one half: mean 0 under the weights."""
    levels, code = np.unique(values, return_inverse=True)
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(len(levels)))
    mass = np.add.reduceat(weight[..., order], starts, axis=-1)
    upto = np.cumsum(mass, axis=-1)
    return np.asarray(((upto - mass / 2) / upto[..., -1:])[..., code] - 0.5)
