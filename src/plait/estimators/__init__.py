"""The scikit-learn face: `Classifier`, `Regressor` and `MultiTask` over frames of mixed columns."""

from plait.estimators.classifier import Classifier
from plait.estimators.multitask import MultiTask
from plait.estimators.regressor import Regressor
from plait.estimators.saved import load, load_one

__all__ = ["Classifier", "MultiTask", "Regressor", "load", "load_one"]
