"""Predictions and targets, checked, in the form that metrics take."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Prediction
from plait.errors import InputError
from plait.metrics.weights import finite

__all__ = ["alike", "labels_of", "positive", "scores_of", "truth_of"]


def alike(prediction: Prediction, model: Prediction, name: str) -> Prediction:
    """The prediction, if it is of the kind and the classes of the model's.

    Raises
    ------
    InputError
        If it is not.
    """
    if prediction.kind != model.kind or not np.array_equal(labels_of(prediction), labels_of(model)):
        raise InputError(f"{name!r} predicts another kind or other classes than the model; give the same")
    return prediction


def scores_of(prediction: Prediction, rows: int, name: str = "model") -> Array:
    """Scores of a prediction: float64 ``N`` for values and two classes (of the second), else ``N x C``.

    Raises
    ------
    InputError
        If there are not `rows` of them, or they are not numbers (classes: within 0..1 and summing to 1), or the
        prediction is of neither classes nor values.
    """
    _plain(prediction)
    values = finite(prediction.values, rows, f"predictions of {name!r}")
    if prediction.kind == "value":
        return values
    labels = labels_of(prediction)
    if values.ndim != 2 or values.shape[1] != len(labels) or values.shape[1] < 2:
        raise InputError(f"predictions of {name!r} have shape {values.shape} for {len(labels)} classes")
    wrong = np.flatnonzero((values < -1e-9).any(1) | (np.abs(values.sum(1) - 1) > 1e-4))
    if len(wrong):
        raise InputError(f"predictions of {name!r} are no probabilities in {len(wrong)} rows, first in row {wrong[0]}")
    return values[:, 1] if values.shape[1] == 2 else values


def truth_of(prediction: Prediction, targets: Array) -> Array:
    """Targets as class indices (int64 ``N``) or as values (float64 ``N``), whichever the prediction predicts.

    Raises
    ------
    InputError
        If targets are not one column, are missing, of no known class, or no finite numbers, or the prediction is of
        neither classes nor values.
    """
    _plain(prediction)
    targets = np.asarray(targets)
    if targets.ndim != 1:
        raise InputError(f"targets have shape {targets.shape}; give one column")
    return _class_index(targets, prediction) if prediction.kind == "class" else _values(targets)


def labels_of(prediction: Prediction) -> Array:
    """The class labels, none for values."""
    return np.asarray([] if prediction.classes is None else prediction.classes)


def positive(prediction: Prediction, targets: Array, what: str) -> tuple[npt.NDArray[np.bool_], Array]:
    """Which rows are of the second class (bool ``N``), and its probability (float64 ``N``).

    Raises
    ------
    InputError
        If `what` is asked of anything but two classes, or for the reasons of `scores_of` and `truth_of`.
    """
    if len(labels_of(prediction)) != 2:
        told = "values" if prediction.kind == "value" else f"{len(labels_of(prediction))} classes"
        raise InputError(f"{what} is of two classes, but the model predicts {told}")
    truth = truth_of(prediction, targets)
    return truth == 1, scores_of(prediction, len(truth))


def _plain(prediction: Prediction) -> None:
    if prediction.kind not in ("class", "value"):
        raise InputError(f"this is for predictions of classes or values, but the model predicts {prediction.kind!r}")


def _class_index(targets: Array, prediction: Prediction) -> Array:
    known = {label: i for i, label in enumerate(labels_of(prediction).tolist())}
    index = np.array([known.get(label, -1) for label in targets.tolist()], np.int64)
    strangers = [targets[i] for i in np.flatnonzero(index < 0)]
    if strangers:
        missing = sum(_is_missing(label) for label in strangers)
        if missing:
            raise InputError(f"{missing} of {len(targets)} targets are missing; leave those rows out")
        allowed = ", ".join(map(repr, list(known)[:8])) + (", ..." if len(known) > 8 else "")
        first = strangers[0].item() if isinstance(strangers[0], np.generic) else strangers[0]
        raise InputError(f"{len(strangers)} targets are of no known class, first {first!r} (the model knows {allowed})")
    return index


def _values(targets: Array) -> Array:
    try:
        checked = targets.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"targets are {targets.dtype}, not numbers, but the model predicts values") from None
    missing = int(np.isnan(checked).sum())
    if missing:
        raise InputError(f"{missing} of {len(checked)} targets are missing (NaN); leave those rows out")
    return finite(checked, len(checked), "targets")


def _is_missing(label: object) -> bool:
    """None, NaN, NaT and pandas' NA: what is not equal to itself."""
    same = label == label
    return label is None or not (isinstance(same, (bool, np.bool_)) and bool(same))
