"""Saved models as the estimators that they were."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from plait import artifact
from plait.errors import ArtifactError, ConfigError
from plait.estimators.classifier import Classifier
from plait.estimators.detector import Detector
from plait.estimators.multitask import MultiTask
from plait.estimators.regressor import Regressor
from plait.model import Model

__all__ = ["load", "load_one", "load_predictor"]


def load(path: str | PathLike[str]) -> Classifier | Regressor | MultiTask | Detector:
    """Read a saved model back as the estimator it was.

    Parameters
    ----------
    path
        What `save` wrote: a directory, or a zip of it.

    Raises
    ------
    ArtifactError
        If the files are damaged, hostile, or newer than this version. Nothing in them is ever executed.
    """
    manifest, state = artifact.read(Path(path))
    if isinstance(told := manifest.get("estimator"), dict) and told.get("type") == Detector.__name__:
        return Detector.from_saved(manifest, state)
    model, saved = Model.restored(manifest, state, str(path))
    kinds: dict[str, type[Classifier] | type[Regressor] | type[MultiTask]] = {
        "Classifier": Classifier,
        "Regressor": Regressor,
        "MultiTask": MultiTask,
    }
    kind = kinds.get(saved.get("type", ""))
    if kind is None:
        raise ArtifactError(f"{path} holds an estimator of unknown type {saved.get('type')!r}")
    known = {name: value for name, value in saved["parameters"].items() if name in kind._get_param_names()}
    estimator = MultiTask.like(model, known) if kind is MultiTask else kind(**known)
    estimator.model_ = model
    estimator.n_features_in_ = saved["features"]
    if saved["names"]:
        estimator.feature_names_in_ = np.asarray(saved["names"], object)
    if isinstance(estimator, Classifier):
        estimator.classes_ = model.head.classes  # type: ignore[attr-defined]
    return estimator


def load_predictor(path: str | PathLike[str]) -> Classifier | Regressor | MultiTask:
    """Read back a saved model that predicts targets.

    Raises
    ------
    ConfigError
        If it predicts none; those of `load`.
    """
    estimator = load(path)
    if isinstance(estimator, Detector):
        raise ConfigError(f"{path} finds odd rows and predicts no target; use `plait detect DATA --model {path}`")
    return estimator


def load_one(path: str | PathLike[str]) -> Classifier | Regressor:
    """Read back a saved model of one target.

    Raises
    ------
    ConfigError
        If it is a model of several, or of none; those of `load`.
    """
    estimator = load_predictor(path)
    if isinstance(estimator, MultiTask):
        raise ConfigError(
            f"{path} predicts several targets ({', '.join(estimator.targets_)}), and this is about one: in Python, "
            f"plait.load({str(path)!r}).task({estimator.targets_[0]!r}) is the model of one"
        )
    return estimator
