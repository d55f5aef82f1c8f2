"""How good are predicted quantiles, intervals and samples of a value.

Targets are float64 ``N``; quantiles are ``N x Q`` at `levels` (``Q``, rising, within 0..1), intervals two arrays ``N``.
Weights are ``N``, or ``R x N`` for many resamples at once (see `plait.metrics.weights`); a result has the shape of the
weights without their last axis. All but the coverage are in the unit of the target, and lower is better. Source of the
scores: Gneiting and Raftery 2007, "Strictly proper scoring rules, prediction, and estimation".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.contracts import Array
from plait.errors import ConfigError, InputError
from plait.metrics.weights import as_weight, finite, mean

__all__ = [
    "coverage",
    "crossing_rate",
    "crps_from_quantiles",
    "crps_from_samples",
    "interval_score",
    "pinball",
    "width",
]


def pinball(targets: Array, quantiles: Array, levels: Sequence[float], weight: Array | None = None) -> Array:
    """Pinball loss, the mean over levels: what each quantile alone minimises (Koenker and Bassett 1978).

    Raises
    ------
    InputError
        If shapes differ or a value is not finite.
    ConfigError
        If levels do not rise, or are not within 0..1.
    """
    return mean(_pinballs(targets, quantiles, levels).mean(1), as_weight(weight, len(targets)))


def crps_from_quantiles(
    targets: Array, quantiles: Array, levels: Sequence[float], weight: Array | None = None
) -> Array:
    """Continuous ranked probability score: twice the pinball loss, integrated over all levels.

    Each given level stands for the levels nearer to it than to any other, so that the score is as good as the levels
    are dense; nine deciles serve for comparison, not for the absolute number. Raises as `pinball`.
    """
    level = np.asarray(levels, np.float64)
    loss = _pinballs(targets, quantiles, levels)
    ends = np.concatenate([[0.0], (level[1:] + level[:-1]) / 2, [1.0]])
    return mean(2 * loss @ np.diff(ends), as_weight(weight, len(targets)))


def crps_from_samples(targets: Array, samples: Array, weight: Array | None = None, *, fair: bool = False) -> Array:
    """Continuous ranked probability score of samples (``N x S``): E|X - y| - E|X - X'| / 2.

    Parameters
    ----------
    fair
        Judge the distribution that the samples came from, which few samples make look too narrow, instead of the
        samples themselves (Ferro 2014); needs two samples.

    Raises
    ------
    InputError
        If shapes differ or a value is not finite.
    """
    targets = finite(targets, len(targets), "targets")
    samples = finite(samples, len(targets), "samples")
    if samples.ndim != 2 or samples.shape[1] < 1 + fair:
        raise InputError(f"samples have shape {samples.shape}; give a row of {1 + fair} or more for each target")
    count = samples.shape[1]
    away = np.abs(samples - targets[:, None]).mean(1)
    # Of sorted samples the i-th is subtracted from i others and has count - 1 - i subtracted: sums in one pass.
    spread = np.sort(samples, 1) @ (2 * np.arange(count) - count + 1.0)  # half the sum of |x - x'| over all pairs
    return mean(away - spread / (count * (count - 1 if fair else count)), as_weight(weight, len(targets)))


def coverage(targets: Array, low: Array, high: Array, weight: Array | None = None) -> Array:
    """Share of targets within their interval, ends included; a 90% interval should hold .9."""
    targets, low, high = _interval(targets, low, high)
    return mean(np.asarray(np.minimum(targets - low, high - targets) >= 0), as_weight(weight, len(targets)))


def width(low: Array, high: Array, weight: Array | None = None) -> Array:
    """Mean width of intervals."""
    low, high = finite(low, len(low), "lower ends"), finite(high, len(low), "upper ends")
    return mean(np.subtract(high, low), as_weight(weight, len(low)))


def interval_score(targets: Array, low: Array, high: Array, level: float, weight: Array | None = None) -> Array:
    """Interval score (Winkler 1972): the width, plus 2 / (1 - level) times how far outside the target lies.

    Parameters
    ----------
    level
        What the interval is to hold, as in .9; its ends are then the 5% and the 95% quantile.

    Raises
    ------
    InputError
        If shapes differ, a value is not finite, or an interval ends below its start.
    ConfigError
        If `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ConfigError(f"level={level} is out of range; an interval holds a share between 0 and 1")
    targets, low, high = _interval(targets, low, high)
    outside = np.maximum(low - targets, 0) + np.maximum(targets - high, 0)
    return mean(high - low + 2 / (1 - level) * outside, as_weight(weight, len(targets)))


def crossing_rate(quantiles: Array, weight: Array | None = None) -> Array:
    """Share of rows in which a quantile of a higher level is smaller than one of a lower level."""
    quantiles = finite(quantiles, len(quantiles), "quantiles")
    if quantiles.ndim != 2:
        raise InputError(f"quantiles have shape {quantiles.shape}; give one column for each level")
    return mean(np.diff(quantiles, axis=1).min(axis=1, initial=0) < 0, as_weight(weight, len(quantiles)))


def _pinballs(targets: Array, quantiles: Array, levels: Sequence[float]) -> Array:
    """Loss of each row and level, ``N x Q``."""
    level = np.asarray(levels, np.float64)
    if level.ndim != 1 or not len(level) or not ((level > 0) & (level < 1)).all() or (np.diff(level) <= 0).any():
        raise ConfigError(f"levels={levels} must rise and lie between 0 and 1, as in (.1, .5, .9)")
    targets = finite(targets, len(targets), "targets")
    quantiles = finite(quantiles, len(targets), "quantiles")
    if quantiles.shape != (len(targets), len(level)):
        raise InputError(f"quantiles have shape {quantiles.shape} for {len(targets)} targets and {len(level)} levels")
    miss = targets[:, None] - quantiles
    return np.asarray(np.maximum(level * miss, (level - 1) * miss))


def _interval(targets: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
    targets = finite(targets, len(targets), "targets")
    low, high = finite(low, len(targets), "lower ends"), finite(high, len(targets), "upper ends")
    if (crossed := np.flatnonzero(low > high)).size:
        raise InputError(f"{len(crossed)} intervals end below their start, first in row {crossed[0]}")
    return targets, low, high
