"""The scikit-learn face: `Classifier` and `Regressor` over frames of mixed columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from plait import registry
from plait.contracts import Array, Head, Json, Prediction, Progress, Side
from plait.data.faults import counted
from plait.data.frame import as_frame, extra_columns
from plait.data.labels import Labels
from plait.data.schema import Schema
from plait.errors import ArtifactError, ConfigError, DataError, InputError, SchemaError
from plait.metrics.evaluation import Evaluation, evaluate
from plait.model import Model, Settings, groups_of, single_threaded_blas

if TYPE_CHECKING:
    from sklearn.utils import Tags

__all__ = ["Classifier", "Regressor", "load"]

Report: TypeAlias = Callable[[Progress], None]
Sides: TypeAlias = Mapping[str, Side]


class _Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators share: roles, reading of `X`, fitting and saving."""

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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model as one directory, or one zip where `path` ends in ``.zip``; nothing executable.

        Constructor arguments are kept where they are JSON; the schema is kept as fitted.
        """
        check_is_fitted(self)
        kept = {k: v for k, v in self.get_params(deep=False).items() if isinstance(v, str | int | float | bool)}
        self.model_.save(
            str(path),
            {
                "type": type(self).__name__,
                "parameters": {k: v for k, v in kept.items() if k != "schema"},
                "features": self.n_features_in_,
                "names": [str(name) for name in getattr(self, "feature_names_in_", [])],
            },
        )

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
        frame: pd.DataFrame,
        sides: Sides | None,
        progress: Report | None,
    ) -> Self:
        settings = self._settings()
        self.model_ = Model.fit(frame, y, weight, head, self._schema(X, frame, sides), settings, sides, progress)
        return self

    def _settings(self) -> Settings:
        asked = {"fusion": self.fusion, "learner": self.learner, "options": self.options}
        return Settings.of(
            asked if self.plan is None else self.plan,
            time_budget=self.time_budget,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        )

    def _start(self, X: object, y: object) -> tuple[pd.DataFrame, Array]:
        """Check `X` and `y` as scikit-learn does; `X` as a frame, `y` one-dimensional."""
        if y is None:
            raise DataError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        frame = self._rows(X, reset=True)
        target = _target(y)
        name = getattr(y, "name", None)
        if name is not None and name in frame.columns:
            raise SchemaError(f"the target {name!r} is among the features; fit on X.drop(columns={name!r})")
        if len(target) != len(frame):
            raise DataError(f"X has {len(frame)} rows but y has {len(target)}")
        if len(frame) < 2:
            raise DataError(f"n_samples={len(frame)}: at least 2 rows are needed to fit")
        return frame, target

    def _rows(self, X: object, *, reset: bool = False) -> pd.DataFrame:
        """`X` as a frame; nameless arrays are matched by position."""
        named = isinstance(X, pd.DataFrame | Mapping) or hasattr(X, "to_pandas") or hasattr(X, "to_arrow")
        if named or hasattr(X, "tocsr"):
            frame = as_frame(X)
            if reset:
                validate_data(self, frame, skip_check_array=True, reset=True)
            if not frame.shape[1]:
                raise DataError(f"0 feature(s) (shape={frame.shape}) while a minimum of 1 is required.")
            if reset and not len(frame):
                raise DataError(f"Found array with 0 sample(s) (shape={frame.shape}) while a minimum of 1 is required.")
            return frame
        with _said_in_one_line():
            values = validate_data(self, X, dtype=None, ensure_all_finite=False, reset=reset)
        frame = as_frame(values)
        names = getattr(self, "feature_names_in_", None)
        return frame if names is None else frame.set_axis([str(name) for name in names], axis=1)

    def _schema(self, X: object, frame: pd.DataFrame, sides: Sides | None) -> Schema:
        if isinstance(self.schema, Schema):
            return self.schema
        if self.schema is not None:
            return Schema.read(Path(self.schema))
        roles = {"time": self.time, "label_time": self.label_time, "group": self.group}
        if not isinstance(X, pd.DataFrame) and frame.dtypes.map(lambda d: d.kind in "biuf").all():
            named = [role for role, column in roles.items() if column is not None]
            if named:
                raise SchemaError(f"{named[0]} names a column, but X has no column names; pass a data frame")
            return Schema.numeric(tuple(frame.columns))
        return Schema.infer(frame, time=self.time, label_time=self.label_time, group=self.group, sides=sides)

    def _weight(self, sample_weight: object, rows: int) -> npt.NDArray[np.float64]:
        if sample_weight is None:
            return np.ones(rows)
        with _said_in_one_line():
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
        return self.model_.predict(self._rows(X), sides)

    def ignored_columns(self, X: object) -> tuple[str, ...]:
        """Columns of `X` that the model does not read (its target among them)."""
        check_is_fitted(self)
        return extra_columns(self._rows(X), self.schema_)

    def _evaluate(self, X: object, y: object, sample_weight: object, sides: Sides | None) -> Evaluation:
        check_is_fitted(self)
        frame = self._rows(X)
        batches = self.model_.batches(frame, sides)
        weight = None if sample_weight is None else self._weight(sample_weight, len(frame))
        group = self.schema_.group
        with single_threaded_blas():
            judged = evaluate(
                self.model_.fitted.predict(batches),
                _target(y),
                weight=weight,
                groups=groups_of(frame, group if group in frame.columns else None),
                baselines=self.model_.baselines(batches),
                seed=int(self.record_["seed"]),
            )
        return replace(judged, faults=tuple(counted(batches.faults)))


class Classifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """Classify rows of mixed evidence.

    Parameters
    ----------
    schema
        A `Schema`, or the path of one, or None to infer it from the frame.
    fusion
        ``"auto"``, ``"early"``, ``"late"``, ``"attention"`` or any other registered fusion.
    learner
        The classical learner of the fusion (``"lightgbm"``, ``"linear"``); None leaves it to the fusion.
    options
        Options of parts by name, as in ``{"lightgbm": {"leaves": 31}}``.
    time, label_time, group
        Columns of `X`: the moment of a row, when its outcome became known, and what must not straddle a split.
    class_weight
        None, ``"balanced"``, or weights by class.
    time_budget
        Seconds (or ``"3min"``) after which auto starts no further part; None: its whole plan.
    plan
        The `plan_` of an earlier fit, to be replayed.
    n_jobs
        Threads; None: all cores that this process may use.
    random_state
        Seed; None is 0: fits can be repeated unless asked otherwise.

    Attributes
    ----------
    classes_ : ndarray of shape (C,)
    model_ : Model
    schema_, plan_, record_, faults_
        The schema that was fitted, what was fitted, how it went, and the cells that could not be read.
    """

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
        class_weight: str | Mapping[Any, float] | None = None,
        time_budget: float | str | None = None,
        plan: Mapping[str, Json] | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            schema=schema,
            fusion=fusion,
            learner=learner,
            options=options,
            time=time,
            label_time=label_time,
            group=group,
            time_budget=time_budget,
            plan=plan,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(
        self,
        X: object,
        y: object,
        sample_weight: object = None,
        *,
        sides: Sides | None = None,
        progress: Report | None = None,
    ) -> Self:
        """Fit on a frame of mixed columns.

        Parameters
        ----------
        X
            Data frame (pandas, polars, Arrow) or 2-D array of shape (N, F).
        y
            ``N`` labels: str, bool, int.
        sample_weight
            ``N`` weights, >= 0.
        sides
            Long tables behind columns, by name (`plait.data.asof.side`).
        progress
            Called with `plait.contracts.Progress`.

        Raises
        ------
        InputError
            If the data cannot be fitted: one class, missing or infinite targets, columns that do not fit the schema.
        """
        frame, target = self._start(X, y)
        weight = self._weight(sample_weight, len(target))
        with _said_in_one_line():
            if target.dtype.kind == "f":
                check_classification_targets(target)
            classes = Labels.learn(target).classes
            by_class = compute_sample_weight(self.class_weight, target)
        if (by_class < 0).any():
            raise ConfigError(f"class_weight={self.class_weight!r} is out of range (allowed: 0 or more a class)")
        weight = weight * by_class
        if len(np.unique(target[weight > 0])) < 2:
            raise DataError("the target has 1 class in rows that count; a classifier needs at least two classes")
        head = registry.get("heads", "binary" if len(classes) == 2 else "multiclass")()
        head.fit(target, weight)
        self._fit(X, target, weight, head, frame, sides, progress)
        self.classes_ = head.classes
        return self

    def predict_proba(self, X: object, *, sides: Sides | None = None) -> npt.NDArray[np.float64]:
        """Probabilities of shape (N, C), columns as in `classes_`."""
        return self.prediction(X, sides=sides).values

    def predict(self, X: object, *, sides: Sides | None = None) -> Array:
        """The likeliest class of each row, shape (N,)."""
        prediction = self.prediction(X, sides=sides)
        return np.asarray(self.classes_[prediction.values.argmax(axis=1)])

    def evaluate(self, X: object, y: object, sample_weight: object = None, *, sides: Sides | None = None) -> Evaluation:
        """Metrics with intervals, beside constant, linear and LightGBM baselines fitted on the same training rows."""
        return self._evaluate(X, y, sample_weight, sides)


class Regressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """Predict a value from rows of mixed evidence.

    Parameters are those of `Classifier`, without `class_weight`.

    Attributes
    ----------
    model_ : Model
    schema_, plan_, record_, faults_
        The schema that was fitted, what was fitted, how it went, and the cells that could not be read.
    """

    def fit(
        self,
        X: object,
        y: object,
        sample_weight: object = None,
        *,
        sides: Sides | None = None,
        progress: Report | None = None,
    ) -> Self:
        """Fit on a frame of mixed columns; see `Classifier.fit`. `y` holds ``N`` finite numbers."""
        frame, target = self._start(X, y)
        if target.dtype.kind not in "biuf":
            try:
                target = target.astype(np.float64)
            except (TypeError, ValueError):
                raise DataError("the target is not numeric; use Classifier, or give numbers") from None
        weight = self._weight(sample_weight, len(target))
        head = registry.get("heads", "regression")().fit(target, weight)
        return self._fit(X, target, weight, head, frame, sides, progress)

    def predict(self, X: object, *, sides: Sides | None = None) -> npt.NDArray[np.float64]:
        """Values of shape (N,)."""
        return self.prediction(X, sides=sides).values

    def evaluate(self, X: object, y: object, sample_weight: object = None, *, sides: Sides | None = None) -> Evaluation:
        """Metrics with intervals, beside constant, linear and LightGBM baselines fitted on the same training rows."""
        return self._evaluate(X, y, sample_weight, sides)


def load(path: str | PathLike[str]) -> Classifier | Regressor:
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
    model, saved = Model.load(str(path))
    kinds: dict[str, type[Classifier] | type[Regressor]] = {"Classifier": Classifier, "Regressor": Regressor}
    kind = kinds.get(saved.get("type", ""))
    if kind is None:
        raise ArtifactError(f"{path} holds an estimator of unknown type {saved.get('type')!r}")
    known = {name: value for name, value in saved["parameters"].items() if name in kind._get_param_names()}
    estimator = kind(**known)
    estimator.model_ = model
    estimator.n_features_in_ = saved["features"]
    if saved["names"]:
        estimator.feature_names_in_ = np.asarray(saved["names"], object)
    if isinstance(estimator, Classifier):
        estimator.classes_ = model.head.classes  # type: ignore[attr-defined]
    return estimator


def _target(y: object) -> Array:
    """One-dimensional targets without missing or infinite ones."""
    values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    if values.dtype.kind == "U" and isinstance(y, list | tuple):
        values = np.asarray(y, object)  # numpy has made words of numbers and of NaN
    with _said_in_one_line():
        values = column_or_1d(values, warn=True)
    missing = pd.isna(values)
    if missing.all() and len(values):
        raise DataError("the target is missing in all rows: every value is NaN")
    if missing.any():
        raise DataError(f"the target is missing (NaN) in {int(missing.sum())} of {len(values)} rows; drop those rows")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(f"the target is infinite (inf) in {int(np.isinf(values).sum())} of {len(values)} rows")
    if values.dtype.kind == "c":
        raise InputError("Complex data not supported: the target holds complex numbers")
    return np.asarray(values)


@contextmanager
def _said_in_one_line() -> Iterator[None]:
    """What scikit-learn says of data that it refuses, as an error of ours."""
    try:
        yield
    except ValueError as error:
        raise DataError(" ".join(str(error).split())) from None
