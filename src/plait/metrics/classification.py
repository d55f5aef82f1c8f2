"""How good are probabilities and the classes chosen from them.

Targets are class indices ``N`` (0, 1, ...). Scores are float64: ``N`` for two classes (higher = more likely class 1) or
``N x C``. Weights are ``N``, or ``R x N`` for many resamples at once (see `plait.metrics.weights`); a result has the
shape of the weights without their last axis. Rows with equal scores are never ordered among themselves, so that no
figure depends on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from plait.contracts import Array
from plait.errors import InputError
from plait.metrics.weights import as_weight, defined, finite, mean, ratio

__all__ = [
    "PrCurve",
    "Ranking",
    "Reliability",
    "RocCurve",
    "accuracy",
    "brier",
    "confusion_matrix",
    "ece",
    "equal_mass",
    "f1",
    "judged",
    "ks",
    "log_loss",
    "macro",
    "pr_auc",
    "pr_curve",
    "precision",
    "rankings",
    "recall",
    "reliability",
    "roc_auc",
    "roc_curve",
    "wilson",
]

Z95 = 1.959963984540054  # standard normal quantile of a two-sided 95% interval


class RocCurve(NamedTuple):
    """False and true positive rates at or above each threshold, from the highest down; the first is (0, 0) at inf."""

    fpr: Array
    tpr: Array
    thresholds: Array


class PrCurve(NamedTuple):
    """Recall and precision at or above each threshold, from the highest down."""

    recall: Array
    precision: Array
    thresholds: Array


class Reliability(NamedTuple):
    """Bins of predicted probability: mean predicted, share observed with its 95% Wilson interval, and rows."""

    predicted: Array
    observed: Array
    low: Array
    high: Array
    rows: Array


@dataclass(frozen=True)
class Ranking:
    """All that the ranking of one class against the rest can tell.

    Parameters
    ----------
    tp, fp
        float64 ``(R x) G + 1``: weight of positives and of negatives at or above each distinct score, from 0 upwards.
    thresholds
        float64 ``G + 1``: infinity, then the distinct scores from high to low.
    """

    tp: Array
    fp: Array
    thresholds: Array

    def roc_auc(self) -> Array:
        """Area under the ROC curve by trapezoids: ties count one half. NaN unless both classes occur."""
        area = np.sum(np.diff(self.fp) * (self.tp[..., 1:] + self.tp[..., :-1]), axis=-1) / 2
        return ratio(area, self.tp[..., -1] * self.fp[..., -1])

    def pr_auc(self) -> Array:
        """Average precision: the sum of precision times the step in recall. NaN without positives."""
        step = np.diff(self.tp)
        above = self.tp[..., 1:] + self.fp[..., 1:]
        share = np.divide(self.tp[..., 1:], above, out=np.zeros_like(above), where=above > 0)
        return ratio(np.sum(step * share, axis=-1), self.tp[..., -1])

    def ks(self) -> Array:
        """Kolmogorov-Smirnov: the widest gap between the classes' score distributions. NaN unless both occur."""
        gap = ratio(self.tp, self.tp[..., -1:]) - ratio(self.fp, self.fp[..., -1:])
        return np.asarray(np.abs(gap).max(-1))


def rankings(targets: Array, scores: Array, weight: Array | None = None) -> tuple[Ranking, ...]:
    """One ranking for two classes (of class 1), or one for each of ``C`` classes against the rest."""
    targets, scores, weight = _checked(targets, scores, weight)
    if scores.ndim == 1:
        return (_ranking(targets == 1, scores, weight),)
    return tuple(_ranking(targets == c, scores[:, c], weight) for c in range(scores.shape[1]))


def macro(values: Sequence[Array]) -> Array:
    """Mean over classes, without those for which the figure is undefined (NaN); NaN where none is left."""
    stacked = np.stack(values)
    known = ~np.isnan(stacked)
    return ratio(np.where(known, stacked, 0).sum(0), known.sum(0))


def roc_auc(targets: Array, scores: Array, weight: Array | None = None) -> Array:
    """Area under the ROC curve; of ``C`` classes the mean of one against the rest over the classes that occur.

    Raises
    ------
    InputError
        If the targets hold one class only.
    """
    value = macro([ranking.roc_auc() for ranking in rankings(targets, scores, weight)])
    return defined(value, "roc_auc is undefined: the targets hold one class only; it needs two")


def pr_auc(targets: Array, scores: Array, weight: Array | None = None) -> Array:
    """Average precision (of class 1, or the mean over the classes that occur).

    Raises
    ------
    InputError
        If the targets hold no positive.
    """
    value = macro([ranking.pr_auc() for ranking in rankings(targets, scores, weight)])
    return defined(value, "pr_auc is undefined: no target is of the positive class; it needs at least one")


def ks(targets: Array, scores: Array, weight: Array | None = None) -> Array:
    """Kolmogorov-Smirnov statistic of two classes; of ``C`` classes the mean of one against the rest.

    Raises
    ------
    InputError
        If the targets hold one class only.
    """
    value = macro([ranking.ks() for ranking in rankings(targets, scores, weight)])
    return defined(value, "ks is undefined: the targets hold one class only; it needs two")


def roc_curve(targets: Array, scores: Array, weight: Array | None = None) -> RocCurve:
    """The ROC curve of class 1 with every distinct score as a threshold.

    Raises
    ------
    InputError
        If the targets hold one class only.
    """
    (found,) = rankings(targets, _flat(scores), weight)
    defined(found.roc_auc(), "the ROC curve is undefined: the targets hold one class only; it needs two")
    return RocCurve(found.fp / found.fp[-1], found.tp / found.tp[-1], found.thresholds)


def pr_curve(targets: Array, scores: Array, weight: Array | None = None) -> PrCurve:
    """The precision-recall curve of class 1 with every distinct score as a threshold.

    Raises
    ------
    InputError
        If the targets hold no positive.
    """
    (found,) = rankings(targets, _flat(scores), weight)
    defined(found.pr_auc(), "the precision-recall curve is undefined: no target is of the positive class")
    shown = found.tp + found.fp > 0  # leaves out the empty start, and rows of weight 0 ahead of all others
    tp, fp = found.tp[shown], found.fp[shown]
    return PrCurve(tp / tp[-1], tp / (tp + fp), found.thresholds[shown])


def log_loss(targets: Array, probabilities: Array, weight: Array | None = None) -> Array:
    """Mean negative log likelihood in nats; probabilities are kept one float64 rounding away from 0 and 1."""
    targets, probabilities, weight = _checked(targets, probabilities, weight)
    if probabilities.ndim == 1:
        given = np.where(targets == 1, probabilities, 1 - probabilities)
    else:
        given = probabilities[np.arange(len(targets)), targets]
    eps = np.finfo(np.float64).eps
    return mean(-np.log(np.clip(given, eps, 1 - eps)), weight)


def brier(targets: Array, probabilities: Array, weight: Array | None = None) -> Array:
    """Brier score: mean squared error of class 1's probability (0..1), or summed over ``C`` classes (0..2)."""
    targets, probabilities, weight = _checked(targets, probabilities, weight)
    if probabilities.ndim == 1:
        return mean((probabilities - targets) ** 2, weight)
    return mean(((probabilities - np.eye(probabilities.shape[1])[targets]) ** 2).sum(1), weight)


def ece(targets: Array, probabilities: Array, weight: Array | None = None, bins: int = 10) -> Array:
    """Expected calibration error: the mean gap between predicted and observed over bins of equally many rows.

    Of two classes the probability of class 1 is judged, of more that of the most likely class (top label). Rows of
    equal probability share a bin. Source: Naeini et al. 2015, with equal-mass bins (Nixon et al. 2019).
    """
    targets, probabilities, weight = _checked(targets, probabilities, weight)
    predicted, observed = judged(targets, probabilities)
    gaps = np.zeros((len(targets), bins))
    gaps[np.arange(len(targets)), equal_mass(predicted, bins)] = observed - predicted
    return np.asarray(np.abs(weight @ gaps).sum(-1) / weight.sum(-1))


def reliability(targets: Array, probabilities: Array, weight: Array | None = None, bins: int = 10) -> Reliability:
    """The bins behind `ece`, empty ones left out. With weights the Wilson interval uses Kish's effective count."""
    targets, probabilities, weight = _checked(targets, probabilities, weight)
    predicted, observed = judged(targets, probabilities)
    _, code, count = np.unique(equal_mass(predicted, bins), return_inverse=True, return_counts=True)
    mass = np.bincount(code, weight)
    effective = ratio(mass**2, np.bincount(code, weight**2))
    share = ratio(np.bincount(code, weight * observed), mass)
    made = ratio(np.bincount(code, weight * predicted), mass), share, *wilson(share, effective), count
    return Reliability(*(values[mass > 0] for values in made))


def judged(targets: Array, probabilities: Array) -> tuple[Array, Array]:
    """The probability of each row that calibration judges and whether it came true, ``N`` each.

    Of two classes (probabilities ``N``) that of class 1, of more (``N x C``) that of the most likely class.
    """
    if probabilities.ndim == 1:
        return probabilities, targets == 1
    return probabilities.max(1), probabilities.argmax(1) == targets


def equal_mass(values: Array, bins: int) -> Array:
    """Bin of each row (int ``N``, rising with the value) by how many rows lie below it: equal values share a bin."""
    below = np.searchsorted(np.sort(values), values)
    return below * bins // len(values)


def wilson(share: Array, rows: Array) -> tuple[Array, Array]:
    """95% interval of a share that was observed in so many rows (Wilson, JASA 1927)."""
    centre = (share + Z95**2 / (2 * rows)) / (1 + Z95**2 / rows)
    half = Z95 * np.sqrt(share * (1 - share) / rows + (Z95 / (2 * rows)) ** 2) / (1 + Z95**2 / rows)
    return centre - half, centre + half


def confusion_matrix(targets: Array, predicted: Array, classes: int, weight: Array | None = None) -> Array:
    """Weight of the rows of each target (rows) and predicted class (columns): float64 ``(R x) C x C``."""
    weight = as_weight(weight, len(targets))
    cell = np.asarray(targets) * classes + np.asarray(predicted)
    order = np.argsort(cell, kind="stable")
    seen, starts = np.unique(cell[order], return_index=True)
    matrix = np.zeros((*weight.shape[:-1], classes * classes))
    matrix[..., seen] = np.add.reduceat(weight[..., order], starts, axis=-1)
    return matrix.reshape(*weight.shape[:-1], classes, classes)


def accuracy(confusion: Array) -> Array:
    """Share of rows whose class was predicted, from a confusion matrix."""
    return np.asarray(np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum((-2, -1)))


def precision(confusion: Array) -> Array:
    """True among predicted positives, 0 where nothing was predicted: of class 1 of two, or macro over `C` classes."""
    return _by_class(confusion, _diagonal(confusion), confusion.sum(-2))


def recall(confusion: Array) -> Array:
    """Predicted among true positives, 0 where there are none: of class 1 of two, or macro over ``C`` classes."""
    return _by_class(confusion, _diagonal(confusion), confusion.sum(-1))


def f1(confusion: Array) -> Array:
    """Harmonic mean of precision and recall: of class 1 of two, or the mean of the ``C`` classes' F1."""
    return _by_class(confusion, 2 * _diagonal(confusion), confusion.sum(-1) + confusion.sum(-2))


def _diagonal(confusion: Array) -> Array:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _by_class(confusion: Array, above: Array, below: Array) -> Array:
    value = np.nan_to_num(ratio(above, below))
    if confusion.shape[-1] == 2:
        return np.asarray(value[..., 1])
    occurs = confusion.sum(-1) + confusion.sum(-2) > 0  # as target or as prediction, as scikit-learn counts
    return np.asarray(np.where(occurs, value, 0).sum(-1) / occurs.sum(-1))


def _checked(targets: Array, scores: Array, weight: Array | None) -> tuple[Array, Array, Array]:
    targets = np.asarray(targets)
    scores = finite(scores, len(targets))
    classes = 2 if scores.ndim == 1 else scores.shape[1]
    if targets.ndim != 1 or not np.isin(targets, np.arange(classes)).all():
        raise InputError(f"targets must be one column of class indices 0..{classes - 1}")
    return targets.astype(np.int64), scores, as_weight(weight, len(targets))


def _flat(scores: Array) -> Array:
    if np.ndim(scores) != 1:
        raise InputError(f"scores have shape {np.shape(scores)}; a curve is drawn of one class: give its column")
    return scores


def _ranking(positive: Array, scores: Array, weight: Array) -> Ranking:
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # the last row of each run of equal scores
    weight = weight[..., order]
    tp, fp = np.zeros((2, *weight.shape[:-1], len(ends) + 1))
    tp[..., 1:] = np.cumsum(weight * positive[order], axis=-1)[..., ends]
    fp[..., 1:] = np.cumsum(weight * ~positive[order], axis=-1)[..., ends]
    return Ranking(tp, fp, np.concatenate([[np.inf], ordered[ends]]))
