"""What estimators do so that their probabilities come true, and what they promise: calibration, sets, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from plait.calibration import AUTO
from plait.conformal.promise import Promise, Wanted, intervals, sets
from plait.contracts import Array, FitContext, Prediction, Side
from plait.errors import ConfigError, DataError, unknown
from plait.evidence import View
from plait.metrics.calibration import CalibrationReport, calibration_report
from plait.metrics.coverage import CoverageReport, coverage_of_intervals, coverage_of_sets
from plait.model import Model, single_threaded_blas

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Calibrating"]

MISSING = "(missing)"


class Calibrating:
    """The part of an estimator that calibrates; the estimator gives the fitted model and reads rows."""

    if TYPE_CHECKING:

        def _fitted_model(self) -> Model: ...

        def _rows(self, X: object) -> pd.DataFrame: ...

        def _weight(self, sample_weight: object, rows: int) -> npt.NDArray[np.float64]: ...

    def calibrate(
        self,
        X: object = None,
        y: object = None,
        sample_weight: object = None,
        *,
        method: str = AUTO,
        sides: Mapping[str, Side] | None = None,
    ) -> Self:
        """Put a calibrator over the scores, so that probabilities come true as often as they say.

        Parameters
        ----------
        X, y
            Rows that the model was not fitted on, and their labels. Without them, scores of training rows by models
            that were not fitted on them: only right after `fit`, since a saved model does not keep its rows.
        sample_weight
            ``N`` weights, >= 0. Without rows, the training weights count, `class_weight` among them.
        method
            ``"platt"``, ``"isotonic"``, ``"beta"``, ``"temperature"``, ``"none"``, or ``"auto"``: the simplest of them
            that no other beats beyond noise (see `plait.calibration.choose`).
        sides
            Long tables behind columns, by name.

        Returns
        -------
        self
            With ``record_["calibration"]``: the method, the candidates' log losses, the rows. A calibrator that was
            there is replaced.

        Raises
        ------
        ConfigError
            If the method is unknown, or this is a model of values (those have intervals: `conformalize`).
        DataError
            If there are no rows, or they are of one class.
        """
        model = self._fitted_model()
        if model.head.task == "regression":
            raise ConfigError("calibrate is for classes, and this model predicts values: conformalize gives intervals")
        if (X is None) != (y is None):
            raise DataError("calibrate takes X and y together, or neither to use the training rows")
        if X is None:
            model.calibrate(method)
        else:
            frame, context = self._known(X, y, sample_weight)
            model.calibrate(method, (model.batches(frame, sides), context))
        return self

    def calibration_report(
        self, X: object, y: object, sample_weight: object = None, *, sides: Mapping[str, Side] | None = None
    ) -> CalibrationReport:
        """How well probabilities come true on other rows, against chance and over time.

        Raises
        ------
        ConfigError
            If the model predicts values.
        """
        model = self._fitted_model()
        if model.head.task == "regression":
            raise ConfigError("a calibration report is of classes, and this model predicts values: see coverage_report")
        frame, context = self._known(X, y, sample_weight)
        said = model.predict(frame, sides)
        classes = [] if said.classes is None else said.classes.tolist()
        two = len(classes) == 2
        return calibration_report(
            context.targets.astype(np.int64),
            said.values[:, 1] if two else said.values,
            context.weight,
            time=context.time,
            what=f"{model.schema.target or 'class'}: {classes[-1]}",
            dated=context.time is None or frame[model.schema.time].dtype.kind not in "biuf",
            seed=int(model.record["seed"]),
        )

    def conformalize(
        self,
        X: object,
        y: object,
        sample_weight: object = None,
        *,
        coverage: float = 0.9,
        method: str | None = None,
        by_class: bool = False,
        by: str | None = None,
        symmetric: bool = True,
        sides: Mapping[str, Side] | None = None,
    ) -> Self:
        """Promise sets of classes, or intervals of values, that hold the truth as often as `coverage` says.

        The promise holds on average over rows exchangeable with those given: not where the world has moved since
        (`plait.conformal.adaptive` follows it), and within groups only where asked.

        Parameters
        ----------
        X, y
            Rows that neither the model nor its calibrator was fitted on, and their labels or values.
        sample_weight
            ``N`` weights, >= 0; a row to be predicted counts as the heaviest.
        coverage
            Above 0 and below 1.
        method
            Classes: ``"lac"`` (default, smallest sets), ``"aps"``, ``"raps"``. Values: ``"absolute"`` (default, one
            width), ``"scaled"`` (widths by a learned spread, for which every other row is spent).
        by_class
            Keep the promise within each class.
        by
            Column of `X` within whose values it is kept; it need not be evidence.
        symmetric
            Values only: false lets the two sides differ, each missing half of what may be missed.
        sides
            Long tables behind columns, by name.

        Returns
        -------
        self
            With ``record_["conformal"]``. Calibrating again drops the promise.

        Raises
        ------
        ConfigError
            If an option is unknown, out of range, or not of this kind of model.
        DataError
            If there are too few rows, or too many groups.
        """
        model = self._fitted_model()
        frame, context = self._known(X, y, sample_weight)
        wanted = Wanted(coverage, method, by_class, by, symmetric)
        model.conformalize(model.batches(frame, sides), context, wanted, _named(frame, by))
        return self

    def predict_set(self, X: object, *, sides: Mapping[str, Side] | None = None) -> npt.NDArray[np.bool_]:
        """Which classes may be the true one: bool of shape (N, C), columns as in `classes_`.

        A set may be empty: no class then fits as well as was promised.

        Raises
        ------
        ConfigError
            If `conformalize` was not called, or the model predicts values.
        """
        model = self._fitted_model()
        return self.sets_of(X, model.predict(self._rows(X), sides))

    def sets_of(self, X: object, prediction: Prediction) -> npt.NDArray[np.bool_]:
        """What `predict_set` says of rows whose prediction is known already."""
        held = self._fitted_model().conformal
        return sets(held, prediction, _groups(self._rows(X), held))

    def predict_interval(self, X: object, *, sides: Mapping[str, Side] | None = None) -> npt.NDArray[np.float64]:
        """Low and high ends of the value: float64 of shape (N, 2).

        Raises
        ------
        ConfigError
            If `conformalize` was not called, or the model predicts classes.
        """
        model, frame = self._fitted_model(), self._rows(X)
        view = View(model.batches(frame, sides), model.rooms)
        with single_threaded_blas():
            said = model.fitted.predict(view.batches)
            return intervals(model.conformal, said, view, _groups(frame, model.conformal))

    def coverage_report(
        self, X: object, y: object, sample_weight: object = None, *, sides: Mapping[str, Side] | None = None
    ) -> CoverageReport:
        """What the promise is worth on other rows: how often sets or intervals hold the truth, and how large they are.

        Raises
        ------
        ConfigError
            If `conformalize` was not called.
        """
        model = self._fitted_model()
        frame, context = self._known(X, y, sample_weight)
        held = model.conformal
        if held is None:
            raise ConfigError("the model promises nothing yet; call conformalize with rows that it was not fitted on")
        groups = _groups(frame, held)
        if model.head.task == "regression":
            truth = model.head.decode(context.targets[:, None]).values
            ends = self.predict_interval(X, sides=sides)
            return coverage_of_intervals(ends, truth, held.coverage, weight=context.weight, groups=groups)
        said = self.predict_set(X, sides=sides)
        labels = np.asarray(model.head.decode(model.head.prior[None]).classes).tolist()
        return coverage_of_sets(said, context.targets, labels, held.coverage, weight=context.weight, groups=groups)

    def _known(self, X: object, y: object, sample_weight: object) -> tuple[pd.DataFrame, FitContext]:
        """Rows and what is known of them, with as many labels."""
        frame = self._rows(X)
        target: Array = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
        if len(target) != len(frame):
            raise DataError(f"X has {len(frame)} rows but y has {len(target)}")
        if not len(frame):
            raise DataError("there are no rows; give at least one that the model was not fitted on")
        return frame, self._fitted_model().context(frame, target, self._weight(sample_weight, len(frame)))


def _groups(frame: pd.DataFrame, held: Promise | None) -> list[str] | None:
    """What each row has in the column that a promise goes by."""
    return None if held is None else _named(frame, held.groups.by)


def _named(frame: pd.DataFrame, by: str | None) -> list[str] | None:
    """What each row has in column `by`, as text; missing cells are a group."""
    if by is None:
        return None
    if by not in frame.columns:
        raise unknown("column", by, map(str, frame.columns))
    return [MISSING if missing else str(cell) for cell, missing in zip(frame[by], frame[by].isna(), strict=True)]
