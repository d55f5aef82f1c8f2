"""Paired bootstrap: how far a figure, and the difference of two models' figures, would move on another sample.

Rows (or whole groups) are drawn with replacement, not stratified: the share of the classes varies as it would in a
new sample. All models are judged on the same draws, so that what they share cancels in their differences. A draw is a
vector of counts that multiplies the weights; metrics take blocks of draws at once and sort the scores once a block.
Source: Efron and Tibshirani 1993, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np

from plait.contracts import Array
from plait.errors import ConfigError, InputError
from plait.metrics.shown import Span
from plait.metrics.weights import as_weight

__all__ = ["Bootstrap", "Interval", "Metric", "bootstrap"]

Metric: TypeAlias = Callable[[Array, Array, Array], Array]
"""(targets ``N``, scores ``N`` or ``N x C``, weight ``N`` or ``R x N``) to one figure, or ``M``, for each sample."""

BLOCK = 1 << 19  # weights held at once: 4 MB, small enough to stay near the processor


class Interval(NamedTuple):
    """A figure and its interval, each a float64 scalar or ``M``; NaN where undefined."""

    value: Array
    low: Array
    high: Array

    def at(self, i: int) -> Span:
        """The ``i``-th of ``M`` figures."""
        return Span.of([each[i] for each in self])


@dataclass(frozen=True)
class Bootstrap:
    """Figures of every model on the sample (`values`: scalar or ``M``) and on each resample (`draws`: ``R (x M)``)."""

    values: Mapping[str, Array]
    draws: Mapping[str, Array]
    level: float = 0.95
    centred: Array | bool = False

    def interval(self, name: str) -> Interval:
        """The figure of a model."""
        low, high = self._quantiles(self.draws[name], self.values[name])
        # What is centred cannot be negative (a gap, a distance), but its shifted interval could.
        return Interval(self.values[name], np.where(self.centred, np.maximum(low, 0), low), high)

    def difference(self, name: str, other: str) -> Interval:
        """The figure of `name` minus that of `other`, paired."""
        value = self.values[name] - self.values[other]
        return Interval(value, *self._quantiles(self.draws[name] - self.draws[other], value))

    def derived(self, name: str, function: Callable[[Array], Array]) -> Interval:
        """What a function makes of the ``M`` figures of a model (its argument: ``M`` or ``R x M``)."""
        value = np.asarray(function(self.values[name]))
        return Interval(value, *replace(self, centred=False)._quantiles(function(self.draws[name]), value))

    def _quantiles(self, draws: Array, value: Array) -> tuple[Array, Array]:
        if not len(draws):
            return np.full_like(value, np.nan), np.full_like(value, np.nan)
        known = ~np.isnan(draws)
        enough = known.mean(0) >= 0.5
        usable = np.where(enough, draws, 0)  # nanquantile warns of columns that are NaN throughout
        tail = (1 - self.level) / 2
        bias = np.where(self.centred, np.nanmean(usable, axis=0) - value, 0)
        low, high = np.where(enough, np.nanquantile(usable, (tail, 1 - tail), axis=0) - bias, np.nan)
        return np.asarray(low), np.asarray(high)


def bootstrap(
    metric: Metric,
    targets: Array,
    scores: Mapping[str, Array],
    *,
    weight: Array | None = None,
    groups: Array | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    centred: Array | bool = False,
) -> Bootstrap:
    """Judge models on the same resamples.

    Parameters
    ----------
    metric
        Any metric of this room, or a function of the same form; see `Metric`.
    targets
        ``N`` targets as the metric takes them.
    scores
        Model name to its scores.
    weight
        float64 ``N``.
    groups
        ``N`` labels: whole groups are drawn instead of rows (the payments of one customer stay together).
    resamples, seed, level
        How many draws (0: no intervals; nor of one row, or one group), their seed, and what share of them the intervals
        hold.
    centred
        Bool (for each of the ``M`` figures): shift the interval by the mean error of the draws. For figures of absolute
        gaps (ECE, KS), which resampling always inflates, so that a plain percentile interval can miss the figure.

    Raises
    ------
    InputError
        If lengths differ, a weight is negative or not finite, or the metric is undefined on the sample.
    ConfigError
        If `resamples` is negative or `level` is not between 0 and 1.
    """
    if resamples < 0 or not 0 < level < 1:
        raise ConfigError(f"resamples={resamples} and level={level}: resamples must be >= 0 and level between 0 and 1")
    weight = as_weight(weight, len(targets))
    values = {name: np.asarray(metric(targets, model, weight)) for name, model in scores.items()}
    drawn: dict[str, list[Array]] = {name: [np.empty((0, *values[name].shape))] for name in scores}
    for counts in _draws(len(targets), groups, resamples, seed):
        block = counts * weight
        block = block[block.any(-1)]  # a draw of rows that all weigh nothing tells nothing
        for name, model in scores.items():
            drawn[name].append(metric(targets, model, block))
    return Bootstrap(values, {name: np.concatenate(parts) for name, parts in drawn.items()}, level, centred)


def _draws(rows: int, groups: Array | None, resamples: int, seed: int) -> Iterator[Array]:
    """How often each row is drawn, float64 ``R x N``, in blocks."""
    rng = np.random.default_rng([seed, 0xB007])
    code = np.arange(rows)
    if groups is not None:
        if len(groups) != rows:
            raise InputError(f"there are {len(groups)} groups for {rows} rows; give one for each row")
        _, code = np.unique(groups, return_inverse=True)
    units = int(code.max()) + 1
    if units == 1:
        return  # every draw would be the sample itself, and its interval a claim of certainty
    size = max(8, BLOCK // rows)
    for start in range(0, resamples, size):
        block = [
            np.bincount(rng.integers(0, units, units), minlength=units) for _ in range(min(size, resamples - start))
        ]
        counts = np.stack(block).astype(np.float64)
        yield counts if groups is None else counts[:, code]
