"""The figures that a kind of prediction is judged by: all of them at once, or one alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Prediction
from plait.errors import unknown
from plait.metrics import classification, regression
from plait.metrics.checked import labels_of
from plait.metrics.intervals import Metric

__all__ = ["Measures", "chosen", "measures_of"]

# Metric to whether higher is better, in the order in which they are shown; the first one leads.
_BINARY = {
    "roc_auc": True,
    "pr_auc": True,
    "ks": True,
    "log_loss": False,
    "brier": False,
    "ece": False,
    "accuracy": True,
    "precision": True,
    "recall": True,
    "f1": True,
}
_MULTICLASS = {name: higher for name, higher in _BINARY.items() if name != "ks"}
_VALUE = {"rmse": False, "mae": False, "r2": True, "spearman": True}
_CENTRED = {"ks", "ece"}  # absolute gaps: every resample widens them
_CHOICES = {"accuracy", "precision", "recall", "f1"}


@dataclass(frozen=True)
class Measures:
    """The figures of a kind of prediction.

    Parameters
    ----------
    higher
        Figure to whether higher is better; the first one leads.
    threshold
        Two classes: a row is predicted positive where the positive class is more probable than this.
    """

    higher: dict[str, bool]
    threshold: float = 0.5

    @property
    def centred(self) -> npt.NDArray[np.bool_]:
        """Which figures are absolute gaps, whose intervals are shifted (see `plait.metrics.intervals.bootstrap`)."""
        return np.array([name in _CENTRED for name in self.higher])

    def name(self, metric: str) -> str:
        """The figure called `metric`; ``"auto"`` is the one that leads.

        Raises
        ------
        ConfigError
            If there is no such figure.
        """
        if metric != "auto" and metric not in self.higher:
            raise unknown("metric", metric, self.higher)
        return next(iter(self.higher)) if metric == "auto" else metric

    def all(self, targets: Array, scores: Array, weight: Array) -> Array:
        """Every figure for each row of weights: ``(R x) M``, NaN where undefined."""
        samples = np.atleast_2d(weight)  # as a resample, an undefined figure is NaN instead of an error
        if "rmse" in self.higher:
            answers = {name: getattr(regression, name)(targets, scores, samples) for name in self.higher}
        else:
            answers = _of_classes(targets, scores, samples, self.threshold)
        return np.stack([answers[name] for name in self.higher], -1).reshape(*weight.shape[:-1], len(self.higher))

    def alone(self, metric: str) -> Metric:
        """One figure as a function of (targets, scores, weight), NaN where undefined."""
        name = self.name(metric)

        def figure(targets: Array, scores: Array, weight: Array) -> Array:
            samples = np.atleast_2d(weight)
            if name in _CHOICES:
                confusion = _confusion(targets, scores, samples, self.threshold)
                answer = getattr(classification, name)(confusion)
            else:
                answer = getattr(regression if name in _VALUE else classification, name)(targets, scores, samples)
            return np.asarray(answer.reshape(weight.shape[:-1]))

        return figure


def measures_of(prediction: Prediction, threshold: float = 0.5) -> Measures:
    """The figures of a prediction of classes or values."""
    if prediction.kind == "value":
        return Measures(_VALUE)
    return Measures(_BINARY if len(labels_of(prediction)) == 2 else _MULTICLASS, threshold)


def chosen(scores: Array, threshold: float) -> Array:
    """The predicted class of each row, int64 ``N``: like argmax, two equally probable classes choose the first."""
    return (scores > threshold).astype(np.int64) if scores.ndim == 1 else scores.argmax(1)


def _of_classes(targets: Array, scores: Array, samples: Array, threshold: float) -> dict[str, Array]:
    ranked = classification.rankings(targets, scores, samples)
    confusion = _confusion(targets, scores, samples, threshold)
    return {
        "roc_auc": classification.macro([r.roc_auc() for r in ranked]),
        "pr_auc": classification.macro([r.pr_auc() for r in ranked]),
        "ks": ranked[0].ks(),  # shown of two classes only
        "log_loss": classification.log_loss(targets, scores, samples),
        "brier": classification.brier(targets, scores, samples),
        "ece": classification.ece(targets, scores, samples),
        **{name: getattr(classification, name)(confusion) for name in sorted(_CHOICES)},
    }


def _confusion(targets: Array, scores: Array, samples: Array, threshold: float) -> Array:
    classes = 2 if scores.ndim == 1 else scores.shape[1]
    return classification.confusion_matrix(targets, chosen(scores, threshold), classes, samples)
