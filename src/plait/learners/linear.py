"""Linear models with an L2 penalty: logistic regression, or ridge for values.

Dense columns are scaled by their quantiles to a normal shape, with a coarse step function beside each (so that a
column may act unevenly, as in a scorecard); missing cells stand at the median with an indicator; the wide form (one-hot
categories, TF-IDF) is taken as it is.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.classical.options import above_zero, check, count
from plait.classical.scale import Scale
from plait.classical.search import downhill
from plait.classical.shares import linear_shares
from plait.contracts import Array, Between, Features, FeatureShares, FitContext, Json, Learner, Progress, Space, State
from plait.data.splits import inner_pairs
from plait.metrics.shifted import shifted_loss

if TYPE_CHECKING:
    import scipy.sparse
    from sklearn.linear_model import LogisticRegression

__all__ = ["Linear"]

GRID = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # inverse penalties (scikit-learn's C)
START = 0.03
LOOSE = 1e-3  # tolerance of trials


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
    space: ClassVar[Space] = {"strength": Between(0.001, 10.0, log=True)}

    def __init__(self, *, strength: float | None = None, iterations: int = 200) -> None:
        self.strength = strength
        self.iterations = iterations
        check(
            self,
            {
                "strength": (strength is None or above_zero(strength), "None or above 0"),
                "iterations": (count(iterations), "1, 2, ..."),
            },
        )
        self._scale = Scale()
        self._dense = np.zeros((0, 1))
        self._wide = np.zeros((0, 1), np.float32)
        self._intercept = np.zeros(1)

    def tune(self, features: Features, context: FitContext) -> Self:
        """Choose the penalty: along the grid from its middle, as long as the held-out loss falls."""
        if self.strength is not None:
            return self
        trials = [_Trial(features, context, *pair) for pair in inner_pairs(context)]
        tried: list[float] = []

        def loss(strength: float) -> float:
            tried.append(sum(trial.loss(self, strength) for trial in trials))
            context.report(Progress("linear, choosing the penalty", len(tried), len(GRID), tried[-1]))
            return tried[-1]

        self.strength = downhill(GRID, START, loss) if trials else START
        return self

    def fit(self, features: Features, context: FitContext) -> Self:
        self._scale = Scale().fit(features)
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

    def contributions(self, features: Features, output: npt.NDArray[np.int64]) -> FeatureShares:
        return linear_shares(features, self._scale, self._dense, self._wide, self._intercept, output)

    def state(self) -> State:
        arrays: dict[str, Array] = {"dense": self._dense, "wide": self._wide, "intercept": self._intercept}
        return State(self.version, {"strength": self.strength}, arrays, parts={"scale": self._scale.state()})

    @classmethod
    def from_state(cls, state: State) -> Self:
        learner = cls(strength=state.values["strength"])
        learner._scale = Scale.from_state(state.parts["scale"])
        learner._dense = state.arrays["dense"]
        learner._wide = state.arrays["wide"]
        learner._intercept = state.arrays["intercept"]
        return learner

    def logistic(self, tolerance: float = 1e-4, *, warm_start: bool = False) -> LogisticRegression:
        """The solver, not yet fitted."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=self.iterations, tol=tolerance, warm_start=warm_start)

    def solve(
        self,
        design: Array | scipy.sparse.csr_matrix,
        context: FitContext,
        strength: float,
        model: LogisticRegression | None = None,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Coefficients ``P x K`` and intercepts ``K``; a logistic `model` that starts warm is taken on from there."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import Ridge

        width = design.shape[1]
        if not width:  # nothing varies: the intercept alone is fitted
            design = np.zeros((len(context), 1))
        if context.task == "regression":
            ridge = Ridge(alpha=1 / (2 * strength), solver="auto" if isinstance(design, np.ndarray) else "sparse_cg")
            ridge.fit(design, context.targets, sample_weight=context.weight)
            return ridge.coef_.reshape(-1, 1)[:width], np.atleast_1d(ridge.intercept_)
        model = (model or self.logistic()).set_params(C=strength)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)  # few rows a class
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
    """One inner split, its design made once for all penalties, each of which starts from where the last one ended."""

    def __init__(self, features: Features, context: FitContext, fit: Array, judge: Array) -> None:
        scale = Scale().fit(features.take(fit))
        self.design, self.unseen = scale.design(features.take(fit)), scale.design(features.take(judge))
        self.fit, self.judge = context.take(fit), context.take(judge)
        self.model: LogisticRegression | None = None

    def loss(self, learner: Linear, strength: float) -> float:
        self.model = self.model or learner.logistic(LOOSE, warm_start=True)
        coefficients, intercept = learner.solve(self.design, self.fit, strength, self.model)
        scores = np.asarray(self.unseen @ coefficients) + intercept
        return shifted_loss(self.judge.task, scores, self.judge.targets, self.judge.weight)
