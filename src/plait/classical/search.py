"""Choices on held-out rows: along a grid, and from any scores to log-odds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Task
from plait.metrics.shifted import shifted_loss

__all__ = ["calibrated", "downhill"]

SLOPES = (1e-3, 1e3)  # bounds: a slope of 0 would make all rows alike, below it turns their order round


def downhill(grid: Sequence[float], start: float, loss: Callable[[float], float]) -> float:
    """Walk along `grid` from `start`, to the side on which `loss` falls, for as long as it does."""
    known: dict[int, float] = {}

    def at(i: int) -> float:
        if i not in known:
            known[i] = loss(grid[i])
        return known[i]

    here = grid.index(start)
    step = 1 if here + 1 < len(grid) and at(here + 1) < at(here) else -1
    while 0 <= here + step < len(grid) and at(here + step) < at(here):
        here += step
    return grid[here]


def calibrated(
    task: Task, scores: npt.NDArray[np.float64], targets: Array, weight: Array
) -> tuple[tuple[float, float], float]:
    """Slope and offset that make scores of held-out rows log-odds or logits, and their loss then.

    Two classes: Platt scaling with its smoothed targets ("Probabilistic Outputs for Support Vector Machines", 1999,
    section 2.2). More: one slope for all logits, temperature scaling (Guo et al., "On Calibration of Modern Neural
    Networks", 2017, equation 9). Values are left as they are. The loss forgives a shift (`plait.metrics.shifted`).

    Parameters
    ----------
    scores
        float64 ``N x K``.
    targets, weight
        float64 ``N``.
    """
    from scipy.optimize import minimize

    def loss(slope: float) -> float:
        return shifted_loss(task, slope * scores, targets, weight)

    if task == "regression" or not len(scores):
        return (1.0, 0.0), loss(1.0) if len(scores) else 0.0
    if task == "multiclass":
        found = minimize(lambda v: loss(np.exp(v[0])), [0.0], method="L-BFGS-B", bounds=[np.log(SLOPES)])
        slope = float(np.exp(found.x[0]))
        return (slope, 0.0), loss(slope)
    ones = float(weight @ targets)
    zeros = float(weight.sum()) - ones
    soft = np.where(targets == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))

    def platt(vector: Array) -> tuple[float, Array]:
        odds = vector[0] * scores[:, 0] + vector[1]
        residual = weight * (1 / (1 + np.exp(-np.clip(odds, -500, 500))) - soft)
        gradient = np.array([residual @ scores[:, 0], residual.sum()])
        return float(weight @ (np.logaddexp(0, odds) - soft * odds)) / (ones + zeros), gradient / (ones + zeros)

    start = np.array([1.0, np.log((ones + 1) / (zeros + 1))])
    slope, offset = map(float, minimize(platt, start, jac=True, method="L-BFGS-B", bounds=[SLOPES, (None, None)]).x)
    return (slope, offset), loss(slope)
