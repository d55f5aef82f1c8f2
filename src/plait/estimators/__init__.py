"""The scikit-learn face: `Classifier` and `Regressor` over frames of mixed columns."""

from plait.estimators.classifier import Classifier
from plait.estimators.regressor import Regressor
from plait.estimators.saved import load

__all__ = ["Classifier", "Regressor", "load"]
