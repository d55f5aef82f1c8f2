"""What all estimators share: roles, reading of `X`, fitting and saving; and what those of one target share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from plait.contracts import FORGETFUL, Array, Head, Json, Keep, Prediction
from plait.data.frame import extra_columns
from plait.data.schema import ColumnSpec, Schema
from plait.data.stream import Stream
from plait.errors import DataError, SchemaError
from plait.estimators.calibrated import Calibrating
from plait.estimators.explained import Explained
from plait.estimators.framed import Framed, Report, Sides
from plait.estimators.judged import Judging
from plait.estimators.overall import Overall
from plait.estimators.streams import gathered, predicted
from plait.estimators.targets import as_target, said_in_one_line
from plait.model import Model, Settings
from plait.pretraining import Base

__all__ = ["Estimator", "Pretrained", "Reading", "Report", "Sides", "as_target", "said_in_one_line"]

Pretrained: TypeAlias = Base | str | PathLike[str]


class Reading(Framed):
    """What all estimators share: roles, reading of `X`, fitting and saving."""

    def __init__(
        self,
        *,
        schema: Schema | str | PathLike[str] | None = None,
        fusion: str = "auto",
        learner: str | None = None,
        options: Mapping[str, Mapping[str, Json]] | None = None,
        time: str | None = None,
        label_time: str | None = None,
        group: str | None = None,
        time_budget: float | str | None = None,
        plan: Mapping[str, Json] | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.schema = schema
        self.fusion = fusion
        self.learner = learner
        self.options = options
        self.time = time
        self.label_time = label_time
        self.group = group
        self.time_budget = time_budget
        self.plan = plan
        self.n_jobs = n_jobs
        self.random_state = random_state

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model as one directory, or one zip where `path` ends in ``.zip``; nothing executable.

        Constructor arguments are kept where they are JSON; the schema is kept as fitted.
        """
        check_is_fitted(self)
        self.model_.save(
            str(path),
            {
                "type": type(self).__name__,
                "parameters": self._kept_parameters(),
                "features": self.n_features_in_,
                "names": [str(name) for name in getattr(self, "feature_names_in_", [])],
            },
        )

    def _kept_parameters(self) -> dict[str, Json]:
        kept = {k: v for k, v in self.get_params(deep=False).items() if isinstance(v, str | int | float | bool)}
        return {k: v for k, v in kept.items() if k != "schema"}

    def batches_present(self, X: object, *, sides: Sides | None = None) -> npt.NDArray[np.bool_]:
        """Which sources each row has: bool ``N x S``, in the order of ``schema_.sources``."""
        return self.model_.batches(self._rows(X), sides).present

    @property
    def schema_(self) -> Schema:
        """The schema that was fitted."""
        return self._fitted_model().schema

    @property
    def plan_(self) -> Mapping[str, Json]:
        """What was fitted, in the form that the argument `plan` takes."""
        return self._fitted_model().plan

    @property
    def record_(self) -> Mapping[str, Json]:
        """How the fit went: seconds a stage, faults, versions, seed and threads."""
        return self._fitted_model().record

    @property
    def faults_(self) -> list[dict[str, Json]]:
        """Unreadable cells of the training rows, counted by column and reason."""
        found: list[dict[str, Json]] = self._fitted_model().record["faults"]
        return found

    def _fitted_model(self) -> Model:
        model: Model | None = self.__dict__.get("model_")
        if model is None:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet; call fit first")
        return model

    def _fit(
        self,
        X: object,
        y: Array,
        weight: npt.NDArray[np.float64],
        head: Head,
        frame: pd.DataFrame | Stream,
        sides: Sides | None,
        progress: Report | None,
        name: object,
        base: Pretrained | None = None,
        keep: Keep = FORGETFUL,
    ) -> Self:
        settings, schema = self._settings(), self._schema(X, frame, sides)
        begun = Base.load(base) if isinstance(base, str | PathLike) else base
        if begun is not None and self.schema is None:
            schema = begun.said(schema)
        if self.schema is None and isinstance(name, str) and isinstance(X, pd.DataFrame | Stream):
            schema = replace(schema, columns=(*schema.columns, ColumnSpec(name, "target")))
        self.model_ = Model.fit(frame, y, weight, head, schema, settings, sides, progress, begun, keep)
        return self

    def _settings(self) -> Settings:
        asked = {"fusion": self.fusion, "learner": self.learner, "options": self.options}
        return Settings.of(
            asked if self.plan is None else self.plan,
            time_budget=self.time_budget,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        )

    def _start(self, X: object, y: object) -> tuple[pd.DataFrame | Stream, Array]:
        """Check `X` and `y` as scikit-learn does; `X` as a frame, `y` one-dimensional."""
        if y is None:
            raise DataError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        frame = self._stream(X) if isinstance(X, Stream) else self._rows(X, reset=True)
        target = as_target(y)
        name = getattr(y, "name", None)
        if name is not None and name in frame.columns:
            raise SchemaError(f"the target {name!r} is among the features; fit on X.drop(columns={name!r})")
        if len(target) != len(frame):
            raise DataError(f"X has {len(frame)} rows but y has {len(target)}")
        if len(frame) < 2:
            raise DataError(f"n_samples={len(frame)}: at least 2 rows are needed to fit")
        return frame, target

    def _weight(self, sample_weight: object, rows: int) -> npt.NDArray[np.float64]:
        if sample_weight is None:
            return np.ones(rows)
        with said_in_one_line():
            checked = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
        weight = np.asarray(checked)
        if weight.shape != (rows,):
            raise DataError(f"sample_weight has shape {weight.shape}, expected ({rows},)")
        if (weight < 0).any():
            raise DataError(f"sample_weight is negative in {int((weight < 0).sum())} of {rows} rows; give 0 or more")
        if not weight.any():
            raise DataError("sample_weight is zero in every row; give at least one row a weight above 0")
        return weight

    def prediction(self, X: object, *, sides: Sides | None = None) -> Prediction:
        """What the other verbs are made of: probabilities or values, and the cells that could not be read."""
        check_is_fitted(self)
        if isinstance(X, Stream):
            return gathered([prediction for *_, prediction in predicted(self.model_, X, sides)])
        return self.model_.predict(self._rows(X), sides)

    def ignored_columns(self, X: object) -> tuple[str, ...]:
        """Columns of `X` that the model does not know: neither evidence, nor target, nor another role."""
        check_is_fitted(self)
        return extra_columns(X if isinstance(X, Stream) else self._rows(X), self.schema_)


class Estimator(Reading, Calibrating, Explained, Judging, Overall):
    """An estimator of one target, which can be judged, explained and calibrated."""
