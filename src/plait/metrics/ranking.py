"""How good is the order of items within each group: offers of a customer, alerts of a day, answers to a question.

Rows are items. Targets are gains, float64 ``N`` >= 0: how relevant an item is (an item of gain above 0 is a hit).
Scores are float64 ``N``, groups ``N`` labels. Each group has one figure, and the result is their mean over the groups
that have a hit; a group counts by the mean weight of its rows, so that weights of resampled groups (``R x N``, see
`plait.metrics.weights`) work as they do for rows. Items of equal scores are in random order: figures are expected
values over all orders of theirs (McSherry and Najork 2008), so that no figure depends on the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.errors import ConfigError, InputError
from plait.metrics.weights import as_weight, defined, finite, ratio

__all__ = ["average_precision", "ndcg", "precision_at", "recall_at", "reciprocal_rank"]


def ndcg(targets: Array, scores: Array, groups: Array, weight: Array | None = None, k: int | None = None) -> Array:
    """Normalised discounted cumulative gain of the first `k` items (all by default), 0..1.

    Gains count as they are (give ``2**grade - 1`` for the exponential form) over the logarithm of the rank; the ideal
    order scores 1. Source: Järvelin and Kekäläinen 2002.

    Raises
    ------
    InputError
        If lengths differ, a gain is negative, or no group has a hit.
    ConfigError
        If `k` is below 1.
    """
    lists, ideal = _lists(targets, scores, groups), _lists(targets, targets, groups)
    found = ratio(lists.dcg(_most(k)), ideal.dcg(_most(k)))
    return _over_groups(lists, found, as_weight(weight, len(targets)))


def average_precision(targets: Array, scores: Array, groups: Array, weight: Array | None = None) -> Array:
    """Mean average precision (MAP): precision at the rank of each hit, mean over hits, then over groups.

    Raises as `ndcg`.
    """
    lists = _lists(targets, scores, groups)
    # Of a hit at place p of its tie, p * (r - 1) / (t - 1) of the r hits among its t items are expected before it.
    before = lists.place * ratio(lists.tie_hits - 1, lists.tie_size - 1)
    precision = (lists.hits_above + np.nan_to_num(before) + 1) / (lists.rank + 1)
    total = lists.sums(lists.chance * precision)
    return _over_groups(lists, ratio(total, lists.sums(lists.chance)), as_weight(weight, len(targets)))


def precision_at(k: int, targets: Array, scores: Array, groups: Array, weight: Array | None = None) -> Array:
    """Share of hits among the first `k` items (of all items where a group has fewer). Raises as `ndcg`."""
    lists = _lists(targets, scores, groups)
    first = lists.rank < _most(k)
    found = ratio(lists.sums(lists.chance * first), lists.sums(first * 1.0))
    return _over_groups(lists, found, as_weight(weight, len(targets)))


def recall_at(k: int, targets: Array, scores: Array, groups: Array, weight: Array | None = None) -> Array:
    """Share of a group's hits that stand among its first `k` items. Raises as `ndcg`."""
    lists = _lists(targets, scores, groups)
    found = ratio(lists.sums(lists.chance * (lists.rank < _most(k))), lists.sums(lists.chance))
    return _over_groups(lists, found, as_weight(weight, len(targets)))


def reciprocal_rank(targets: Array, scores: Array, groups: Array, weight: Array | None = None) -> Array:
    """Mean reciprocal rank (MRR): one over the rank of the first hit. Raises as `ndcg`."""
    lists = _lists(targets, scores, groups)
    facts = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, len(targets) + 1)))])  # log factorials

    def choices(n: Array, r: Array) -> Array:
        """How many ways to choose r of n, as a logarithm; minus infinity where there are none."""
        some = (r >= 0) & (r <= n)
        n, r = np.where(some, n, 0), np.where(some, r, 0)
        return np.where(some, facts[n] - facts[r] - facts[n - r], -np.inf)

    # The first of r hits among t items in random order is at place p in C(t - 1 - p, r - 1) of C(t, r) orders.
    size, hits = lists.tie_size, lists.tie_hits
    first = np.exp(choices(size - 1 - lists.place, hits - 1) - choices(size, hits))
    leading = (hits > 0) & (lists.hits_above == 0)
    found = lists.sums(np.where(leading, first / (lists.rank + 1), 0.0))
    return _over_groups(lists, found, as_weight(weight, len(targets)))


@dataclass(frozen=True)
class _Lists:
    """Items by group and falling score. Of each item: its number among the rows (`row`), its rank in the group and its
    place in its tie (from 0), size and hits of the tie, hits above it, the chance that it is a hit and its expected
    gain. `start` is where each group begins."""

    row: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    tie_size: npt.NDArray[np.int64]
    tie_hits: npt.NDArray[np.int64]
    hits_above: npt.NDArray[np.int64]
    chance: Array
    gain: Array

    def sums(self, items: Array) -> Array:
        """Sum over the items of each group."""
        return np.asarray(np.add.reduceat(items, self.start, axis=-1))

    def dcg(self, k: int) -> Array:
        """Discounted gain of each group's first `k` items."""
        return self.sums(np.where(self.rank < k, self.gain / np.log2(self.rank + 2), 0.0))


def _lists(targets: Array, scores: Array, groups: Array) -> _Lists:
    gains = finite(targets, len(targets), "targets")
    scores = finite(scores, len(gains))
    if gains.ndim != 1 or scores.ndim != 1 or np.shape(groups) != gains.shape:
        raise InputError("targets, scores and groups must be one column each, of the same length")
    if (gains < 0).any():
        raise InputError(f"targets are negative in {int((gains < 0).sum())} rows; a gain is 0 or more")
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    row = np.lexsort((-scores, group))
    group, scores, gains = group[row], scores[row], gains[row]
    turn = np.append(True, group[1:] != group[:-1])
    tied = np.cumsum(turn | np.append(True, scores[1:] != scores[:-1])) - 1
    start, first = np.flatnonzero(turn), np.searchsorted(tied, tied)
    size = np.bincount(tied)
    hits = np.bincount(tied, gains > 0).astype(np.int64)
    place = np.arange(len(row))
    begin = start[np.cumsum(turn) - 1]
    found = np.concatenate([[0], np.cumsum(gains > 0)])
    return _Lists(
        row=row,
        start=start,
        rank=place - begin,
        place=place - first,
        tie_size=size[tied],
        tie_hits=hits[tied],
        hits_above=found[first] - found[begin],
        chance=(hits / size)[tied],
        gain=(np.bincount(tied, gains) / size)[tied],
    )


def _over_groups(lists: _Lists, figures: Array, weight: Array) -> Array:
    """Mean of the groups' figures over those with a hit, by the mean weight of their rows."""
    hit = lists.sums(lists.chance) > 0
    sizes = np.diff(np.append(lists.start, len(lists.row)))
    by_group = np.where(hit, lists.sums(weight[..., lists.row]) / sizes, 0)
    total = by_group.sum(-1)
    value = ratio(by_group @ np.where(hit, figures, 0), total)
    return defined(value, "the ranking is undefined: no group has a target above 0; it needs at least one")


def _most(k: int | None) -> int:
    if k is not None and k < 1:
        raise ConfigError(f"k={k} is out of range; at least 1 item is looked at")
    return np.iinfo(np.int64).max if k is None else k
