"""Labels of neighbours: of training rows, of other folds than the row's own, and no earlier than they were known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, FitContext, Ragged

__all__ = ["CLASSES", "Labels", "Near", "columns_of"]

Floats = npt.NDArray[np.float64]

CLASSES = 8  # of a multiclass target, whose shares are told
SMOOTHING = 5.0  # neighbours of usual weight that the base rate counts as


def columns_of(context: FitContext) -> int:
    """Numbers that tell a label: one, or one a class where there are more than two; none where there is no target."""
    return min(context.outputs, CLASSES if context.task == "multiclass" else 1)


@dataclass(frozen=True)
class Near:
    """Whom a row asks for labels: entities (Ragged uint64), and their weights (float64)."""

    entities: Ragged
    weight: Floats


@dataclass(frozen=True)
class Labels:
    """Labels of training rows, sorted by entity and the moment from which they were known.

    Parameters
    ----------
    entity
        uint64 ``L``.
    time
        float64 ``L``, seconds; minus infinity where labels have no time.
    target
        float64 ``L x K``.
    weight
        float64 ``L``.
    """

    entity: npt.NDArray[np.uint64]
    time: Floats
    target: Floats
    weight: Floats

    @classmethod
    def of(cls, entity: npt.NDArray[np.uint64], rows: Array, context: FitContext) -> Self:
        """The labels of `rows` (int); one whose moment is not known is never told."""
        moment = context.time if context.label_time is None else context.label_time
        time = np.full(len(rows), -np.inf) if moment is None else moment[rows]
        rows, time = rows[~np.isnan(time)], time[~np.isnan(time)]
        order = np.lexsort((time, entity[rows]))
        rows, time = rows[order], time[order]
        target = context.targets[rows][:, None]
        if context.task == "multiclass":
            target = (target == np.arange(columns_of(context))).astype(np.float64)
        return cls(entity[rows], time, target, context.weight[rows])

    def means(self, near: Near, now: Floats) -> tuple[Floats, Floats]:
        """What is known at each row's moment of those near it.

        Parameters
        ----------
        near
            ``N`` rows.
        now
            float64 ``N``, seconds.

        Returns
        -------
        means, count
            Weighted mean of their mean labels less the base rate, smoothed (m-estimate; Micci-Barreca, 2001): float64
            ``N x K``, 0 where nothing is known; and of how many a label is known, float64 ``N``.
        """
        size, lengths = len(near.entities), near.entities.lengths
        row = np.repeat(np.arange(size), lengths)
        names, owner = np.unique(self.entity, return_inverse=True)
        moments, rank = np.unique(self.time, return_inverse=True)
        stride = len(moments) + 1
        place = owner * stride + rank
        seen = np.searchsorted(moments, now, side="right")
        if not len(names):
            return np.zeros((size, self.target.shape[1])), np.zeros(size)
        code = np.minimum(np.searchsorted(names, near.entities.values), len(names) - 1)
        first = np.searchsorted(place, code * stride)
        last = np.searchsorted(place, code * stride + seen[row])
        known = (names[code] == near.entities.values) & (last > first)
        row, first, last, weight = row[known], first[known], last[known], near.weight[known]
        mass = _running(self.weight)
        total = _running(self.weight[:, None] * self.target)
        own = mass[last] - mass[first]
        good = own > 0
        row, first, last, weight, own = row[good], first[good], last[good], weight[good], own[good]
        each = (total[last] - total[first]) / own[:, None] - self._base(moments, rank, seen)[row]
        count = np.bincount(row, minlength=size)
        heavy = _totals(row, weight, size)
        sums = np.stack([_totals(row, weight * column, size) for column in each.T], axis=1)
        smooth = heavy * (1.0 + SMOOTHING / np.maximum(count, 1))
        means = np.divide(sums, smooth[:, None], out=np.zeros_like(sums), where=heavy[:, None] > 0)
        return means, count.astype(np.float64)

    def _base(self, moments: Floats, rank: Array, seen: Array) -> Floats:
        """Mean label of all that was known at each row's moment: ``N x K``."""
        mass = _running(_totals(rank, self.weight, len(moments)))[seen, None]
        each = [_totals(rank, self.weight * column, len(moments)) for column in self.target.T]
        total = _running(np.stack(each, axis=1))[seen]
        return np.asarray(np.divide(total, mass, out=np.zeros_like(total), where=mass > 0), np.float64)


def _totals(group: Array, values: Floats, size: int) -> Floats:
    """Sums by group, each in the order of its values: other groups leave no rounding error."""
    return np.bincount(group, values, size).astype(np.float64)


def _running(values: Floats) -> Floats:
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
