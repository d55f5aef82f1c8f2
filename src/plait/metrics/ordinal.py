"""How good are grades: classes with an order, as credit ratings are.

Grades are numbered 0, 1, ... from one end to the other. Figures of chosen grades come from a confusion matrix
(`plait.metrics.classification.confusion_matrix`: targets in rows, predictions in columns), float64 ``(R x) C x C``;
figures of probabilities take weights ``N``, or ``R x N`` for many resamples at once (see `plait.metrics.weights`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plait.contracts import Array
from plait.errors import InputError
from plait.metrics.weights import as_weight, defined, finite, mean, ratio

__all__ = ["adjacent_accuracy", "grade_error", "quadratic_kappa", "ranked_probability_score"]


def quadratic_kappa(confusion: Array) -> Array:
    """Cohen's kappa with quadratic weights: agreement beyond chance, 1 = perfect, 0 = as by chance.

    Source: Cohen 1968. A large miss costs the square of its distance.

    Raises
    ------
    InputError
        If all targets and all predictions are one and the same grade.
    """
    grade = np.arange(confusion.shape[-1])
    far = (grade[:, None] - grade) ** 2
    total = confusion.sum((-2, -1))
    expected = np.einsum("...i,...j,ij->...", confusion.sum(-1), confusion.sum(-2), far) / total
    value = 1 - ratio((confusion * far).sum((-2, -1)), expected)
    return defined(value, "kappa is undefined: all targets and predictions are one grade; it needs at least two")


def grade_error(confusion: Array) -> Array:
    """Mean absolute error, in grades."""
    return _mean_by_distance(confusion, lambda distance: distance)


def adjacent_accuracy(confusion: Array, within: int = 1) -> Array:
    """Share of rows that are off by at most `within` grades."""
    return _mean_by_distance(confusion, lambda distance: distance <= within)


def ranked_probability_score(targets: Array, probabilities: Array, weight: Array | None = None) -> Array:
    """Mean squared distance of cumulated probabilities from the truth, over the ``C - 1`` steps between grades: 0..1.

    Lower is better; unlike the Brier score it charges a far miss more than a near one. Source: Epstein 1969; Murphy
    1971.

    Parameters
    ----------
    targets
        Grades, int ``N``.
    probabilities
        float64 ``N x C``.

    Raises
    ------
    InputError
        If shapes differ, a target is no grade, or a probability is not finite.
    """
    targets = np.asarray(targets)
    probabilities = finite(probabilities, len(targets), "probabilities")
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise InputError(f"probabilities have shape {probabilities.shape}; give a column for each of 2 or more grades")
    grades = probabilities.shape[1]
    if targets.ndim != 1 or not np.isin(targets, np.arange(grades)).all():
        raise InputError(f"targets must be one column of grades 0..{grades - 1}")
    below = np.cumsum(probabilities, 1)[:, :-1] - (targets[:, None] <= np.arange(grades - 1))
    return mean((below**2).mean(1), as_weight(weight, len(targets)))


def _mean_by_distance(confusion: Array, value: Callable[[Array], Array]) -> Array:
    grade = np.arange(confusion.shape[-1])
    return np.asarray((confusion * value(np.abs(grade[:, None] - grade))).sum((-2, -1)) / confusion.sum((-2, -1)))
