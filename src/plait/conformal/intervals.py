"""Intervals that hold the true value as often as promised: split conformal prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.conformal.quantile import Groups, check_coverage, conformal_quantile, for_strangers
from plait.contracts import Array, Features, FitContext, Json, Learner, State

__all__ = ["INTERVAL_METHODS", "ConformalIntervals", "Spread"]

INTERVAL_METHODS = ("absolute", "scaled")
LEARNER = "lightgbm"  # learns how far off predictions are
LEAST = 1e-3  # of the mean residual: what is added to residuals before their logarithm is taken

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """How far off a prediction is likely to be, learned from residuals: ``exp(centre + width * score)``.

    A learner over the features predicts the logarithm of the absolute residual; what it says is kept within what it
    said of the rows that it was fitted on.
    """

    learner: Learner
    centre: float
    width: float
    bounds: tuple[float, float]

    @classmethod
    def fit(cls, features: Features, residuals: Floats, context: FitContext) -> Self:
        size = np.abs(residuals)
        logs = np.log(size + LEAST * (size.mean() or 1.0))
        centre, width = float(logs.mean()), float(logs.std()) or 1.0
        known = replace(context, targets=(logs - centre) / width, task="regression", outputs=1)
        learner: Learner = registry.make("learners", LEARNER, {})
        learner.tune(features, known)
        learner.fit(features, known)
        said = learner.scores(features)
        return cls(learner, centre, width, (float(said.min()), float(said.max())))

    def __call__(self, features: Features) -> Floats:
        """In the target's unit, above 0: float64 ``N``."""
        said = self.learner.scores(features)[:, 0].clip(*self.bounds)
        return np.asarray(np.exp(self.centre + self.width * said))

    def state(self) -> State:
        values = {"learner": self.learner.name, "centre": self.centre, "width": self.width, "bounds": self.bounds}
        return State(1, values, parts={"learner": self.learner.state()})

    @classmethod
    def from_state(cls, state: State) -> Self:
        values = state.values
        learner = registry.get("learners", values["learner"]).from_state(state.parts["learner"])
        low, high = values["bounds"]
        return cls(learner, values["centre"], values["width"], (low, high))


@dataclass(frozen=True)
class ConformalIntervals:
    """``prediction - below * spread`` to ``prediction + above * spread``.

    Parameters
    ----------
    method
        ``"absolute"``: the same width for every row (Lei et al., JASA 2018). ``"scaled"``: widths follow a learned
        spread (the same, section 5.2), so that rows hard to predict have wider intervals.
    coverage
        What was promised: the share of intervals that hold the true value, on rows exchangeable with those given.
    symmetric
        Whether both sides are equally wide; else each side misses half of the share that may be missed.
    groups
        Groups of rows within which the promise holds.
    thresholds
        float64 ``G + 1 x 2``: below and above; the last row is the widest of all, for groups that were not seen.
    spread
        Of ``"scaled"``.
    """

    version: ClassVar[int] = 1
    kind: ClassVar[str] = "intervals"

    method: str
    coverage: float
    symmetric: bool
    groups: Groups
    thresholds: Floats
    spread: Spread | None = None

    @classmethod
    def fit(
        cls,
        residuals: Floats,
        weight: Array,
        *,
        scale: tuple[Spread, Floats] | None = None,
        coverage: float = 0.9,
        symmetric: bool = True,
        by: str | None = None,
        values: Sequence[str] | None = None,
    ) -> Self:
        """Learn the thresholds.

        Parameters
        ----------
        residuals
            float64 ``N``: true less predicted value of rows that neither the model nor the spread was fitted on.
        weight
            ``N``.
        scale
            The spread and what it says of the rows (``N``): intervals are then ``"scaled"``.
        by, values
            Name of a column, and what each row has in it (``N`` str).

        Raises
        ------
        ConfigError
            If `coverage` is out of range.
        DataError
            If there are too few rows for any finite threshold, or too many groups.
        """
        coverage = check_coverage(coverage)
        groups = Groups.learn(by, values)
        sized = residuals if scale is None else residuals / scale[1]
        share = coverage if symmetric else (1 + coverage) / 2
        sides = (np.abs(sized), np.abs(sized)) if symmetric else (-sized, sized)
        group = groups.codes(values, len(residuals))
        found = np.full((len(groups.labels) + 1, 2), np.inf)
        for g in range(len(groups.labels)):
            own = group == g
            found[g] = [conformal_quantile(side[own], share, weight[own]) for side in sides]
        for_strangers(found, bool(np.isfinite(found[:-1]).all(axis=1).any()), len(sized), coverage)
        method, spread = ("absolute", None) if scale is None else ("scaled", scale[0])
        return cls(method, coverage, symmetric, groups, found, spread)

    def __call__(self, predictions: Floats, features: Features | None, values: Sequence[str] | None = None) -> Floats:
        """Low and high ends: float64 ``N x 2``; `features` are asked for by ``"scaled"`` only."""
        below, above = self.thresholds[self.groups.codes(values, len(predictions))].T
        spread: Floats | float = 1.0
        if self.spread is not None:
            assert features is not None
            spread = self.spread(features)
        return np.stack([predictions - below * spread, predictions + above * spread], axis=1)

    def to_json(self) -> dict[str, Json]:
        """The promise in short; `unbounded` counts the thresholds that too few rows left infinite."""
        return {
            "kind": self.kind,
            "method": self.method,
            "coverage": self.coverage,
            "symmetric": self.symmetric,
            "by": self.groups.by,
            "unbounded": int(np.isinf(self.thresholds[:-1]).sum()),
        }

    def state(self) -> State:
        values = {
            "kind": self.kind,
            "method": self.method,
            "coverage": self.coverage,
            "symmetric": self.symmetric,
            "groups": self.groups.to_json(),
        }
        parts = {} if self.spread is None else {"spread": self.spread.state()}
        return State(self.version, values, {"thresholds": self.thresholds}, parts=parts)

    @classmethod
    def from_state(cls, state: State) -> Self:
        values = state.values
        spread = Spread.from_state(state.parts["spread"]) if "spread" in state.parts else None
        thresholds = np.asarray(state.arrays["thresholds"], np.float64)
        groups = Groups.from_json(values["groups"])
        return cls(values["method"], values["coverage"], values["symmetric"], groups, thresholds, spread)
