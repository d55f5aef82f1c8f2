"""The scikit-learn face: `Classifier`, `Regressor`, `MultiTask` and `Detector` over frames of mixed columns."""

from plait.estimators.classifier import Classifier
from plait.estimators.detector import Detector
from plait.estimators.multitask import MultiTask
from plait.estimators.regressor import Regressor
from plait.estimators.saved import load, load_one, load_predictor

__all__ = ["Classifier", "Detector", "MultiTask", "Regressor", "load", "load_one", "load_predictor"]
