"""Loss up to a common shift of the scores: what is left once a moved base rate is forgiven.

Choices inside a fit (trees, penalties, weights of a stack) are made on rows later than those fitted on. There the base
rate may have moved, which no choice among models could have known and which would drown the differences between them.
"""

from __future__ import annotations

import numpy as np

from plait.contracts import Array, Task

__all__ = ["shifted_loss"]

STEPS = 8


def shifted_loss(task: Task, scores: Array, targets: Array, weight: Array) -> float:
    """Least weighted mean loss over one constant added to all scores.

    Parameters
    ----------
    task
        ``"binary"`` (log loss of log-odds, the constant found by Newton's method), ``"regression"`` (squared error) or
        ``"multiclass"`` (log loss of logits, as they are).
    scores
        float64 ``N x K``.
    targets, weight
        float64 ``N``: class index or value, and weights.
    """
    total = float(weight.sum())
    if task == "regression":
        residual = targets - scores[:, 0]
        return float(weight @ (residual - weight @ residual / total) ** 2) / total
    if task == "multiclass":
        peak = scores.max(axis=1)
        normaliser = peak + np.log(np.exp(scores - peak[:, None]).sum(axis=1))
        return float(weight @ (normaliser - scores[np.arange(len(scores)), targets.astype(np.int64)])) / total
    wanted = float(weight @ targets)
    odds = scores[:, 0]
    if 0 < wanted < total:
        for _ in range(STEPS):
            chance = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
            slope = float(weight @ (chance * (1 - chance)))
            step = float(np.clip((wanted - weight @ chance) / max(slope, 1e-9), -3, 3))
            odds = odds + step
            if abs(step) < 1e-6:
                break
    return float(weight @ np.logaddexp(0, np.where(targets == 1, -odds, odds))) / total
