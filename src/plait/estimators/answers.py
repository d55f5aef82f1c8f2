"""What an estimator says of rows, as a frame: identifiers, predictions, probabilities, and what is promised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from plait.contracts import Array, Prediction, Side
from plait.estimators.classifier import Classifier
from plait.estimators.multitask import MultiTask, said

if TYPE_CHECKING:
    from plait.estimators.regressor import Regressor

__all__ = ["answers"]


def answers(
    estimator: Classifier | Regressor | MultiTask,
    frame: pd.DataFrame,
    prediction: Prediction,
    sides: Mapping[str, Side],
) -> pd.DataFrame:
    """One row a row of `frame`: identifiers, predictions, a probability a class; sets or intervals where the model
    promises them."""
    carried = [name for name in estimator.schema_.names("id") if name in frame.columns]
    out: dict[str, Any] = {name: frame[name].to_numpy() for name in carried}
    if prediction.parts:
        return pd.DataFrame({**out, **_of_several(prediction)})
    if prediction.classes is None:
        out |= {"prediction": prediction.values}
    else:
        probability, classes = prediction.values, prediction.classes
        out |= {"prediction": classes[probability.argmax(axis=1)]}
        out |= {f"probability_{label}": probability[:, i] for i, label in enumerate(classes.tolist())}
    if estimator.model_.conformal is not None and not isinstance(estimator, MultiTask):
        out |= _promised(estimator, frame, prediction, sides)
    return pd.DataFrame(out)


def _of_several(prediction: Prediction) -> dict[str, Any]:
    """What is predicted of several targets: the answers, then the probabilities of classes."""
    found: dict[str, Any] = {}
    for name, part in prediction.parts.items():
        found |= said(name, part)
        if part.classes is not None:
            found |= {f"{name}_probability_{c}": part.values[:, i] for i, c in enumerate(part.classes.tolist())}
    return found


def _promised(
    estimator: Classifier | Regressor, frame: pd.DataFrame, prediction: Prediction, sides: Mapping[str, Side]
) -> dict[str, Array]:
    """The sets or intervals: whether a class may be the true one, or low and high ends."""
    if prediction.classes is None or not isinstance(estimator, Classifier):
        low, high = estimator.predict_interval(frame, sides=sides).T
        return {"low": low, "high": high}
    inside = estimator.sets_of(frame, prediction)
    return {f"may_be_{label}": inside[:, i] for i, label in enumerate(prediction.classes.tolist())}
