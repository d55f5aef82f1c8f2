"""How good are probabilities of labels that do not exclude each other, where some may be unknown.

Targets are 0 and 1, float64 ``N x L``, NaN where a label of a row is not known: such cells are left out. Weights are
``N``, or ``R x N`` for many resamples at once (see `plait.metrics.weights`).
"""

from __future__ import annotations

import numpy as np

from plait.contracts import Array
from plait.errors import InputError
from plait.metrics import classification
from plait.metrics.weights import as_weight, defined, finite, mean, ratio

__all__ = ["exact", "log_loss", "macro_roc_auc", "micro_roc_auc"]


def macro_roc_auc(targets: Array, probabilities: Array, weight: Array | None = None) -> Array:
    """Area under the ROC curve of each label among the rows of which it is known, the mean over labels with both sides.

    Raises
    ------
    InputError
        If shapes differ, a target is no 0, 1 or NaN, or no label occurs with both sides.
    """
    targets, probabilities, weight = _checked(targets, probabilities, weight)
    areas = []
    for truth, scores in zip(targets.T, probabilities.T, strict=True):
        known = ~np.isnan(truth)
        own = np.atleast_2d(weight)[:, known]
        area = np.full(len(own), np.nan)
        some = own.any(axis=1)
        if some.any():
            area[some] = classification.roc_auc(truth[known].astype(np.int64), scores[known], own[some])
        areas.append(area.reshape(weight.shape[:-1]))
    return defined(classification.macro(areas), "roc_auc is undefined: no label has both sides; one needs to")


def micro_roc_auc(targets: Array, probabilities: Array, weight: Array | None = None) -> Array:
    """Area under the ROC curve of all known cells, whatever their label: frequent labels count more.

    Raises as `macro_roc_auc`.
    """
    targets, probabilities, weight = _checked(targets, probabilities, weight)
    rows, labels = np.nonzero(~np.isnan(targets))
    return classification.roc_auc(
        targets[rows, labels].astype(np.int64), probabilities[rows, labels], weight[..., rows]
    )


def log_loss(targets: Array, probabilities: Array, weight: Array | None = None) -> Array:
    """Mean negative log likelihood of the known cells, in nats; probabilities are kept one rounding from 0 and 1."""
    targets, probabilities, weight = _checked(targets, probabilities, weight)
    known, eps = ~np.isnan(targets), np.finfo(np.float64).eps
    given = np.clip(np.where(targets == 1, probabilities, 1 - probabilities), eps, 1 - eps)
    return ratio(weight @ np.where(known, -np.log(given), 0.0).sum(axis=1), weight @ known.sum(axis=1))


def exact(targets: Array, probabilities: Array, weight: Array | None = None) -> Array:
    """Share of rows of which every known label is told right at one half."""
    targets, probabilities, weight = _checked(targets, probabilities, weight)
    return mean((((probabilities > 0.5) == (targets == 1)) | np.isnan(targets)).all(axis=1), weight)


def _checked(targets: Array, probabilities: Array, weight: Array | None) -> tuple[Array, Array, Array]:
    probabilities = finite(probabilities, len(targets), "probabilities")
    targets = np.asarray(targets, np.float64)
    if targets.ndim != 2 or targets.shape != probabilities.shape:
        raise InputError(
            f"labels have shape {targets.shape}, their probabilities {probabilities.shape}; give both N x L"
        )
    if not (np.isnan(targets) | (targets == 0) | (targets == 1)).all():
        raise InputError("labels must be 0, 1 or NaN (unknown)")
    return targets, probabilities, as_weight(weight, len(targets))
