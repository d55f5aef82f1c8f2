"""What a fitted model promises of its predictions: learned from rows that it was not fitted on, kept with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from plait.conformal.intervals import INTERVAL_METHODS, ConformalIntervals, Spread
from plait.conformal.sets import SET_METHODS, ConformalSets
from plait.contracts import FitContext, Prediction, Reducible, State
from plait.errors import ArtifactError, ConfigError, DataError, unknown
from plait.evidence import Fitted, View

__all__ = ["SCALED", "Promise", "Wanted", "intervals", "promise", "restored", "sets"]

SCALED = INTERVAL_METHODS[1]

Promise: TypeAlias = ConformalSets | ConformalIntervals


@dataclass(frozen=True)
class Wanted:
    """What is to be promised; `method` None is ``"lac"`` for classes and ``"absolute"`` for values."""

    coverage: float = 0.9
    method: str | None = None
    by_class: bool = False
    by: str | None = None
    symmetric: bool = True


def promise(
    fitted: Fitted, view: View, context: FitContext, wanted: Wanted, values: Sequence[str] | None = None
) -> Promise:
    """Learn a promise from rows that the model was not fitted on.

    Parameters
    ----------
    view, context
        The rows, and their targets and weights.
    values
        What each row has in the column ``wanted.by`` (``N`` str).

    Raises
    ------
    ConfigError
        If an option is unknown, out of range, or not of this kind of model.
    DataError
        If there are too few rows.
    """
    if isinstance(fitted.head, Reducible):
        raise ConfigError(f"promises are of classes and values, and this model has another head ({fitted.head.name})")
    if fitted.head.task != "regression":
        if not wanted.symmetric:
            raise ConfigError("symmetric=False is for models of values; this one predicts classes")
        return ConformalSets.fit(
            fitted.head.decode(fitted.score(view)).values,
            context.targets,
            context.weight,
            method=wanted.method or SET_METHODS[0],
            coverage=wanted.coverage,
            by_class=wanted.by_class,
            by=wanted.by,
            values=values,
        )
    if wanted.by_class:
        raise ConfigError("by_class is for models of classes; this one predicts values (by=COLUMN gives groups)")
    return _intervals(fitted, view, context, wanted, values)


def _intervals(
    fitted: Fitted, view: View, context: FitContext, wanted: Wanted, values: Sequence[str] | None
) -> ConformalIntervals:
    method = wanted.method or INTERVAL_METHODS[0]
    if method not in INTERVAL_METHODS:
        raise unknown("conformal method for values", method, INTERVAL_METHODS)
    truth = fitted.head.decode(context.targets[:, None]).values
    residuals = truth - fitted.head.decode(fitted.score(view)).values
    rows, scale = np.arange(len(view)), None
    if method == SCALED:
        if len(view) < 4:
            raise DataError(f"{len(view)} rows are too few to learn a spread and a threshold; give more")
        learned, rows = rows[::2], rows[1::2]  # a spread fitted on the rows that set the threshold would break it
        features = view.joined.features
        spread = Spread.fit(features.take(learned), residuals[learned], context.take(learned))
        scale = spread, spread(features.take(rows))
    return ConformalIntervals.fit(
        residuals[rows],
        context.weight[rows],
        scale=scale,
        coverage=wanted.coverage,
        symmetric=wanted.symmetric,
        by=wanted.by,
        values=None if values is None else [values[int(i)] for i in rows],
    )


def sets(held: Promise | None, prediction: Prediction, values: Sequence[str] | None) -> npt.NDArray[np.bool_]:
    """Which classes are in the set of each row: bool ``N x C``.

    Raises
    ------
    ConfigError
        If no sets were promised.
    """
    if not isinstance(held, ConformalSets):
        raise ConfigError(_none_held("sets of classes", "predict_interval", held))
    return held(prediction.values, values)


def intervals(
    held: Promise | None, prediction: Prediction, view: View, values: Sequence[str] | None
) -> npt.NDArray[np.float64]:
    """Low and high ends, in the target's unit: float64 ``N x 2``.

    Raises
    ------
    ConfigError
        If no intervals were promised.
    """
    if not isinstance(held, ConformalIntervals):
        raise ConfigError(_none_held("intervals", "predict_set", held))
    return held(prediction.values, None if held.spread is None else view.joined.features, values)


def _none_held(wanted: str, other: str, held: Promise | None) -> str:
    if held is None:
        return f"the model promises no {wanted} yet; call conformalize with rows that it was not fitted on"
    return f"the model has {held.kind}, not {wanted}; call {other}"


def restored(state: State) -> Promise:
    """The promise that was saved."""
    kinds: dict[str, type[ConformalSets] | type[ConformalIntervals]] = {
        kind.kind: kind for kind in (ConformalSets, ConformalIntervals)
    }
    kind = kinds.get(state.values["kind"])
    if kind is None:
        raise ArtifactError(f"the model holds a promise of unknown kind {state.values['kind']!r}")
    return kind.from_state(state)
