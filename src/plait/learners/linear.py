"""Linear models with an L2 penalty: logistic regression, or ridge for values.

Dense columns are scaled by their quantiles to a normal shape, with a coarse step function beside each (so that a
column may act unevenly, as in a scorecard); missing cells stand at the median with an indicator; the wide form (one-hot
categories, TF-IDF) is taken as it is.
"""

from __future__ import annotations

import warnings
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Features, FitContext, Json, Learner, Progress, Sparse, State
from plait.data.splits import inner_pairs
from plait.errors import ConfigError
from plait.metrics.shifted import shifted_loss

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["Linear"]

POINTS = 200  # quantiles kept a column
BINS = 10  # steps of the step function
STEP = 0.5  # height of a step: under one penalty, lower steps are shrunk more than the slope
GRID = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # inverse penalties (scikit-learn's C)
START = 0.03
# normal quantiles at 0.1, 0.2, ..., 0.9: where the steps of a column in normal shape begin
EDGES = np.array([-1.2815516, -0.8416212, -0.5244005, -0.2533471, 0.0, 0.2533471, 0.5244005, 0.8416212, 1.2815516])


class Linear(Learner):
    """Logistic regression (binary, multinomial) or ridge regression, with an L2 penalty.

    Parameters
    ----------
    strength
        Inverse penalty (scikit-learn's ``C``); None looks for it on held-out rows.
    iterations
        Bound on L-BFGS iterations.
    """

    name: ClassVar[str] = "linear"
    version: ClassVar[int] = 1
    accepts_wide: ClassVar[bool] = True
    accepts_categorical: ClassVar[bool] = False

    def __init__(self, *, strength: float | None = None, iterations: int = 200) -> None:
        if strength is not None and not (isinstance(strength, int | float) and 0 < strength < inf):
            raise ConfigError(f"linear: strength={strength!r} is out of range (allowed: None or above 0)")
        if not isinstance(iterations, int) or iterations < 1:
            raise ConfigError(f"linear: iterations={iterations!r} is out of range (allowed: 1, 2, ...)")
        self.strength = strength
        self.iterations = iterations
        self._scale = _Scale()
        self._dense = np.zeros((0, 1))
        self._wide = np.zeros((0, 1), np.float32)
        self._intercept = np.zeros(1)

    def tune(self, features: Features, context: FitContext) -> Self:
        """Choose the penalty: along the grid from its middle, as long as the held-out loss falls."""
        if self.strength is not None:
            return self
        trials = [_Trial(features, context, *pair) for pair in inner_pairs(context)]
        losses: dict[int, float] = {}

        def loss(i: int) -> float:
            if i not in losses:
                losses[i] = sum(trial.loss(self, GRID[i]) for trial in trials)
                context.report(Progress("linear, choosing the penalty", len(losses), len(GRID), losses[i]))
            return losses[i]

        at = GRID.index(START)
        if trials:
            step = 1 if loss(at + 1) < loss(at) else -1
            while 0 <= at + step < len(GRID) and loss(at + step) < loss(at):
                at += step
        self.strength = GRID[at]
        return self

    def fit(self, features: Features, context: FitContext) -> Self:
        self._scale = _Scale().fit(features)
        design = self._scale.design(features)
        coefficients, self._intercept = self.solve(design, context, self.strength or START)
        dense = self._scale.width
        self._dense = coefficients[:dense]
        self._wide = coefficients[dense:].astype(np.float32)
        return self

    @property
    def settings(self) -> dict[str, Json]:
        return {} if self.strength is None else {"strength": self.strength}

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        scores = self._scale.dense(features) @ self._dense + self._intercept
        if features.wide is not None and len(self._wide):
            scores += features.wide.dot(self._wide)
        return np.asarray(scores, np.float64)

    def state(self) -> State:
        arrays: dict[str, Array] = {"dense": self._dense, "wide": self._wide, "intercept": self._intercept}
        return State(self.version, {"strength": self.strength}, arrays, parts={"scale": self._scale.state()})

    @classmethod
    def from_state(cls, state: State) -> Self:
        learner = cls(strength=state.values["strength"])
        learner._scale = _Scale.from_state(state.parts["scale"])
        learner._dense = state.arrays["dense"]
        learner._wide = state.arrays["wide"]
        learner._intercept = state.arrays["intercept"]
        return learner

    def solve(
        self, design: Array | scipy.sparse.csr_matrix, context: FitContext, strength: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Coefficients ``P x K`` and intercepts ``K``."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression, Ridge

        width = design.shape[1]
        if not width:  # nothing varies: the intercept alone is fitted
            design = np.zeros((len(context), 1))
        if context.task == "regression":
            ridge = Ridge(alpha=1 / (2 * strength), solver="auto" if isinstance(design, np.ndarray) else "sparse_cg")
            ridge.fit(design, context.targets, sample_weight=context.weight)
            return ridge.coef_.reshape(-1, 1)[:width], np.atleast_1d(ridge.intercept_)
        model: Any = LogisticRegression(C=strength, max_iter=self.iterations, tol=1e-4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(design, context.targets.astype(np.int64), sample_weight=context.weight)
        if context.task == "binary":
            return model.coef_.T[:width], model.intercept_
        coefficients = np.zeros((design.shape[1], context.outputs))
        intercept = np.full(context.outputs, min(0.0, model.intercept_.min()) - 5.0)
        if len(model.classes_) == 2:  # a subset may lack classes: scikit-learn then fits one column
            coefficients[:, model.classes_[1]], intercept[model.classes_] = model.coef_[0], [0.0, model.intercept_[0]]
        else:
            coefficients[:, model.classes_], intercept[model.classes_] = model.coef_.T, model.intercept_
        return coefficients[:width], intercept


class _Trial:
    """One inner split, its design made once for all penalties."""

    def __init__(self, features: Features, context: FitContext, fit: Array, judge: Array) -> None:
        scale = _Scale().fit(features.take(fit))
        self.design, self.unseen = scale.design(features.take(fit)), scale.design(features.take(judge))
        self.fit, self.judge = context.take(fit), context.take(judge)

    def loss(self, learner: Linear, strength: float) -> float:
        coefficients, intercept = learner.solve(self.design, self.fit, strength)
        scores = np.asarray(self.unseen @ coefficients) + intercept
        return shifted_loss(self.judge.task, scores, self.judge.targets, self.judge.weight)


class _Scale:
    """Dense columns to a normal shape by their quantiles, steps beside them, and indicators of missing cells."""

    def __init__(self) -> None:
        self.columns = np.zeros(0, np.int64)
        self.quantiles = np.zeros((0, 0))
        self.levels = np.zeros((0, 0))
        self.counts = np.zeros(0, np.int64)
        self.missing = np.zeros(0, np.int64)

    @property
    def width(self) -> int:
        return len(self.columns) * (1 + BINS) + len(self.missing)

    def fit(self, features: Features) -> Self:
        from scipy.special import ndtri

        values = features.values
        numeric = np.flatnonzero(~features.covered)
        rows: list[tuple[int, Array, Array]] = []
        for column in numeric:
            seen = values[features.present[:, column], column].astype(np.float64)
            if not len(seen):
                continue
            grid = np.linspace(0, 1, min(POINTS, max(len(seen), 2)))
            points = np.quantile(seen, grid)
            knots, first, repeats = np.unique(points, return_index=True, return_counts=True)
            if len(knots) < 2:
                continue
            middle = grid[first] + (repeats - 1) / 2 * (grid[1] - grid[0])  # ties stand at their middle rank
            level = ndtri(np.clip(middle, 0.002, 0.998))
            rows.append((int(column), knots, level))
        longest = max((len(knots) for _, knots, _ in rows), default=0)
        self.columns = np.array([column for column, _, _ in rows], np.int64)
        self.counts = np.array([len(knots) for _, knots, _ in rows], np.int64)
        self.quantiles = np.zeros((len(rows), longest))
        self.levels = np.zeros((len(rows), longest))
        for i, (_, knots, level) in enumerate(rows):
            self.quantiles[i, : len(knots)], self.levels[i, : len(knots)] = knots, level
        absent = ~features.present[:, numeric]
        share = absent.mean(axis=0) if len(features) else np.zeros(len(numeric))
        self.missing = self._distinct(absent, numeric[(share > 0) & (share < 1)], numeric)
        return self

    @staticmethod
    def _distinct(absent: Array, candidates: Array, numeric: Array) -> npt.NDArray[np.int64]:
        """One indicator for columns that are always missing together."""
        kept: dict[bytes, int] = {}
        for column in candidates:
            pattern = np.packbits(absent[:, np.searchsorted(numeric, column)]).tobytes()
            kept.setdefault(pattern, int(column))
        return np.array(sorted(kept.values()), np.int64)

    def dense(self, features: Features) -> npt.NDArray[np.float64]:
        """float64 ``N x width``."""
        rows, columns = len(features), len(self.columns)
        out = np.zeros((rows, self.width))
        seen = features.present[:, self.columns]
        scaled = np.zeros((rows, columns))
        for i, column in enumerate(self.columns):
            count = self.counts[i]
            scaled[:, i] = np.interp(features.values[:, column], self.quantiles[i, :count], self.levels[i, :count])
        out[:, :columns] = np.where(seen, scaled, 0.0)
        row, place = np.nonzero(seen)
        step = np.searchsorted(EDGES, scaled[row, place], side="right")
        out[row, columns + place * BINS + step] = STEP
        out[:, columns * (1 + BINS) :] = ~features.present[:, self.missing]
        return out

    def design(self, features: Features) -> Array | scipy.sparse.csr_matrix:
        """What the solver reads: dense alone, or sparse with the wide form beside."""
        dense = self.dense(features)
        if features.wide is None:
            return dense
        from scipy.sparse import csr_matrix, hstack

        return hstack([csr_matrix(dense), _scipy(features.wide)], format="csr")

    def state(self) -> State:
        arrays = {
            "columns": self.columns,
            "quantiles": self.quantiles,
            "levels": self.levels,
            "counts": self.counts,
            "missing": self.missing,
        }
        return State(1, arrays=arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        scale = cls()
        scale.columns, scale.counts, scale.missing = (state.arrays[n] for n in ("columns", "counts", "missing"))
        scale.quantiles, scale.levels = state.arrays["quantiles"], state.arrays["levels"]
        return scale


def _scipy(wide: Sparse) -> scipy.sparse.csr_matrix:
    from scipy.sparse import csr_matrix

    return csr_matrix((wide.data.astype(np.float64), wide.indices, wide.indptr), shape=(len(wide), wide.width))
