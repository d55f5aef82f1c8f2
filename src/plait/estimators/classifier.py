"""Classes from rows of mixed evidence."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from plait import registry
from plait.contracts import FORGETFUL, Array, Json, Keep
from plait.data.labels import Labels
from plait.data.schema import Schema
from plait.errors import ConfigError, DataError
from plait.estimators.base import Estimator, Pretrained, Report, Sides, said_in_one_line
from plait.estimators.streams import target_of
from plait.estimators.targets import in_rows

__all__ = ["Classifier"]


class Classifier(ClassifierMixin, Estimator):  # type: ignore[misc]
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
        base: Pretrained | None = None,
        keep: Keep = FORGETFUL,
    ) -> Self:
        """Fit on a frame of mixed columns.

        Parameters
        ----------
        X
            Data frame (pandas, polars, Arrow) or 2-D array of shape (N, F), or a `plait.data.stream.Stream`: more rows
            than memory holds.
        y
            ``N`` labels: str, bool, int; of a stream, the target's column is enough.
        sample_weight
            ``N`` weights, >= 0.
        sides
            Long tables behind columns, by name (`plait.data.asof.side`).
        progress
            Called with `plait.contracts.Progress`.
        base
            A base of `plait.pretraining`, or where one lies: networks start from it, and rooms of equal sources are
            taken from it as they are.
        keep
            Where the fit keeps what it has done (`plait.checkpoints.Checkpoints`): cut off and called again with the
            same arguments, it goes on as if it had never stopped.

        Raises
        ------
        InputError
            If the data cannot be fitted: one class, missing or infinite targets, columns that do not fit the schema.
        """
        X, y = target_of(X, y)
        frame, target = self._start(X, y)
        weight = self._weight(sample_weight, len(target))
        with said_in_one_line():
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
        head.fit(target, in_rows(weight))
        self._fit(X, target, weight, head, frame, sides, progress, getattr(y, "name", None), base, keep)
        self.classes_ = head.classes
        return self

    def predict_proba(self, X: object, *, sides: Sides | None = None) -> npt.NDArray[np.float64]:
        """Probabilities of shape (N, C), columns as in `classes_`."""
        return self.prediction(X, sides=sides).values

    def predict(self, X: object, *, sides: Sides | None = None) -> Array:
        """The likeliest class of each row, shape (N,)."""
        prediction = self.prediction(X, sides=sides)
        return np.asarray(self.classes_[prediction.values.argmax(axis=1)])
