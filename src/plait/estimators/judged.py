"""Rows with known outcomes and what a model says of them: predicted once, judged from every side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from plait.contracts import Array, Prediction, Side
from plait.data.faults import counted
from plait.data.frame import groups_of, seconds
from plait.data.stream import Stream
from plait.errors import unknown
from plait.estimators.streams import gathered, predicted, target_of
from plait.estimators.targets import as_target
from plait.metrics.compare import Paired, compare
from plait.metrics.evaluation import Evaluation, evaluate
from plait.metrics.lift import LiftTable, lift_table
from plait.metrics.permutation import PermutedAll, against_all
from plait.metrics.slices import Slices, slices
from plait.metrics.value import Costs, ProfitCurve, ThresholdTable, profit_curve, threshold_table
from plait.model import Model, single_threaded_blas

__all__ = ["Judged", "Judging"]


@dataclass(frozen=True)
class Judged:
    """Rows with known outcomes and what a model says of them.

    Parameters
    ----------
    prediction, targets
        ``N`` rows, and their labels or numbers.
    frame
        The rows, with any further columns to slice by.
    weight
        float64 ``N``, or None.
    groups
        int64 ``N``: rows of one group are resampled together; or None.
    present, sources
        Bool ``N x S``: which sources each row has, and their ``S`` names.
    times
        Columns that hold moments.
    baselines
        Makes the predictions of constant, linear and LightGBM models fitted on the same training rows.
    seed
        Of all that is drawn.
    """

    prediction: Prediction
    targets: Array
    frame: pd.DataFrame | Stream
    weight: npt.NDArray[np.float64] | None
    groups: npt.NDArray[np.int64] | None
    present: npt.NDArray[np.bool_]
    sources: tuple[str, ...]
    times: tuple[str, ...]
    baselines: Callable[[], Mapping[str, Prediction]]
    seed: int

    def evaluate(self, *, threshold: float = 0.5) -> Evaluation:
        """Every figure with its interval, beside the baselines; of two classes the second is predicted above
        `threshold`."""
        with single_threaded_blas():
            found = evaluate(
                self.prediction,
                self.targets,
                weight=self.weight,
                groups=self.groups,
                baselines=self.baselines(),
                seed=self.seed,
                threshold=threshold,
            )
        return replace(found, faults=tuple(counted(self.prediction.faults)))

    def slices(self, by: Sequence[str] = (), *, metric: str = "auto") -> Slices:
        """One figure on parts of the rows: by columns of the frame, and by which sources are there.

        Raises
        ------
        ConfigError
            If a column or the metric is unknown.
        """
        return slices(
            self.prediction,
            self.targets,
            {name: self._cells(name) for name in by},
            weight=self.weight,
            groups=self.groups,
            present=self.present,
            sources=self.sources,
            metric=metric,
            seed=self.seed,
        )

    def lift(self) -> LiftTable:
        """Rate, lift, gain and KS by tenths of the rows; see `plait.metrics.lift.lift_table`."""
        return lift_table(self.prediction, self.targets, weight=self.weight, groups=self.groups, seed=self.seed)

    def thresholds(self, costs: Costs, amounts: Array | None = None) -> ThresholdTable:
        """What each threshold selects and costs; see `plait.metrics.value.threshold_table`."""
        return threshold_table(
            self.prediction,
            self.targets,
            costs=costs,
            weight=self.weight,
            amounts=amounts,
            groups=self.groups,
            seed=self.seed,
        )

    def profit(self, costs: Costs, amounts: Array | None = None) -> ProfitCurve:
        """Profit by share selected; see `plait.metrics.value.profit_curve`."""
        return profit_curve(
            self.prediction,
            self.targets,
            costs=costs,
            weight=self.weight,
            amounts=amounts,
            groups=self.groups,
            seed=self.seed,
        )

    def permutations(self, count: int = 1000) -> PermutedAll:
        """The leading figure against chance and against each baseline; see `plait.metrics.permutation`."""
        return against_all(
            self.prediction,
            self.baselines(),
            self.targets,
            weight=self.weight,
            groups=self.groups,
            permutations=count,
            seed=self.seed,
        )

    def compare(self, other: Prediction, names: tuple[str, str]) -> Paired:
        """This model (the first name) and the prediction of another one; see `plait.metrics.compare.compare`."""
        both = {names[0]: self.prediction, names[1]: other}
        return compare(both, self.targets, weight=self.weight, groups=self.groups, seed=self.seed)

    def _cells(self, name: str) -> Array:
        if name not in self.frame.columns:
            raise unknown("column to slice by", name, self.frame.columns)
        if name in self.times:
            return (seconds(self.frame[name], name) * 1e9).astype("datetime64[ns]")
        return self.frame[name].to_numpy()


def _said(
    model: Model, frame: pd.DataFrame | Stream, sides: Mapping[str, Side] | None
) -> tuple[Prediction, npt.NDArray[np.bool_], Callable[[], Mapping[str, Prediction]]]:
    """What a model says of rows, which sources they have, and what its baselines say of them, once they are asked."""
    if not isinstance(frame, Stream):
        batches = model.batches(frame, sides)
        with single_threaded_blas():
            prediction = model.fitted.predict(batches)
        return replace(prediction, faults=batches.faults), batches.present, cache(lambda: model.baselines(batches))
    told = [(said, read.present, model.baselines(read)) for _, read, said in predicted(model, frame, sides)]
    predictions, present, others = zip(*told, strict=True)
    baselines = {name: gathered([part[name] for part in others]) for name in others[0]}
    return gathered(predictions), np.concatenate(present), lambda: baselines


class Judging:
    """The part of an estimator that is judged; the estimator gives the fitted model and reads rows."""

    if TYPE_CHECKING:

        def _fitted_model(self) -> Model: ...

        def _rows(self, X: object) -> pd.DataFrame: ...

        def _weight(self, sample_weight: object, rows: int) -> npt.NDArray[np.float64]: ...

    def judge(
        self, X: object, y: object, sample_weight: object = None, *, sides: Mapping[str, Side] | None = None
    ) -> Judged:
        """Predict rows once, to be judged from several sides.

        Parameters
        ----------
        X
            ``N`` rows that the model was not fitted on, as for `predict`; further columns can be sliced by.
        y
            Their labels or numbers.
        sample_weight
            ``N`` weights, >= 0.
        sides
            Long tables behind columns, by name.

        Raises
        ------
        InputError
            If rows cannot be read, targets are missing, or lengths differ.
        """
        check_is_fitted(self)
        X, y = target_of(X, y)
        model, frame = self._fitted_model(), X if isinstance(X, Stream) else self._rows(X)
        prediction, present, baselines = _said(model, frame, sides)
        roles = model.schema.time, model.schema.label_time
        group = model.schema.group
        return Judged(
            prediction=prediction,
            targets=as_target(y),
            frame=frame,
            weight=None if sample_weight is None else self._weight(sample_weight, len(frame)),
            groups=groups_of(frame, group if group in frame.columns else None),
            present=present,
            sources=tuple(model.rooms),
            times=tuple(name for name in roles if name is not None and name in frame.columns),
            baselines=baselines,
            seed=int(model.record["seed"]),
        )

    def evaluate(
        self, X: object, y: object, sample_weight: object = None, *, sides: Mapping[str, Side] | None = None
    ) -> Evaluation:
        """Metrics with intervals, beside constant, linear and LightGBM baselines fitted on the same training rows."""
        return self.judge(X, y, sample_weight, sides=sides).evaluate()

    def slices(
        self,
        X: object,
        y: object,
        by: Sequence[str] = (),
        *,
        sample_weight: object = None,
        metric: str = "auto",
        sides: Mapping[str, Side] | None = None,
    ) -> Slices:
        """Where the model is worse: a figure by columns of `X`, which it need not read, and by absent sources.

        Parameters
        ----------
        by
            Columns: words by value, numbers and dates by fifths of the rows, missing cells apart.
        metric
            A figure of `evaluate`; ``"auto"``: ROC AUC of classes, RMSE of values.
        """
        return self.judge(X, y, sample_weight, sides=sides).slices(by, metric=metric)
