"""Support vector machines (Cortes & Vapnik, 1995): linear, or with a Gaussian kernel by Nystroem's method."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.classical.options import above_zero, check, count, number
from plait.classical.scale import Scale
from plait.classical.search import calibrated, downhill
from plait.classical.shares import linear_shares, owners
from plait.contracts import (
    Array,
    Between,
    Features,
    FeatureShares,
    FitContext,
    Json,
    Learner,
    OneOf,
    Progress,
    Space,
    Sparse,
    State,
)
from plait.data.splits import inner_pairs

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["SVM"]

KERNELS = ("linear", "nystroem")
GRID = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # inverse penalties (scikit-learn's C)
START = {"linear": 0.03, "nystroem": 1.0}
SLOPE = 1.5  # from decisions to log-odds where nothing could be held out
NEVER = 9.0  # log-odds against a class that no row has
NODES = 32  # on the way from nothing to a row, at which gradients are taken
CELLS = 1 << 14  # of the wide form, looked at at once
SMALLEST = 1e-6  # eigenvalues of the landmarks' kernel below this share of the largest are noise


class SVM(Learner):
    """A support vector machine with squared hinge loss, or squared epsilon-insensitive loss for values.

    ``"linear"`` reads the wide form. ``"nystroem"`` maps each row to its Gaussian similarities to `components` training
    rows, ``k(x, L) k(L, L)^(-1/2)`` (Williams & Seeger, "Using the Nystroem Method to Speed Up Kernel Machines", 2001),
    and is linear in those. More than two classes are told one from the rest.

    Parameters
    ----------
    kernel
        ``"linear"`` or ``"nystroem"``.
    strength
        Inverse penalty (scikit-learn's ``C``); None looks for it on held-out rows.
    gamma
        Of the kernel ``exp(-gamma |x - y|^2)``; None: one over the median squared distance of training rows.
    components
        Training rows that others are compared with.
    scaling
        Slope and offset from decisions to log-odds or logits; None finds them on held-out rows.
    iterations
        Bound on the solver's iterations.
    """

    name: ClassVar[str] = "svm"
    version: ClassVar[int] = 1
    accepts_wide: ClassVar[bool] = True
    accepts_categorical: ClassVar[bool] = False
    space: ClassVar[Space] = {"kernel": OneOf(("linear", "nystroem")), "strength": Between(0.001, 10.0, log=True)}

    def __init__(
        self,
        *,
        kernel: str = "linear",
        strength: float | None = None,
        gamma: float | None = None,
        components: int = 300,
        scaling: Sequence[float] | None = None,
        iterations: int = 1_000,
    ) -> None:
        self.kernel = kernel
        self.strength = strength
        self.gamma = gamma
        self.components = components
        self.scaling = scaling
        self.iterations = iterations
        pair = isinstance(scaling, list | tuple) and len(scaling) == 2 and number(scaling[0])
        right = {
            "kernel": (kernel in KERNELS, " or ".join(KERNELS)),
            "strength": (strength is None or above_zero(strength), "None or above 0"),
            "gamma": (gamma is None or above_zero(gamma), "None or above 0"),
            "components": (count(components), "1, 2, ..."),
            "scaling": (scaling is None or pair, "None or a slope of 0 or more and an offset"),
            "iterations": (count(iterations), "1, 2, ..."),
        }
        check(self, right)
        self._map = _Map(Scale())
        self._weights = np.zeros((0, 1))
        self._intercept = np.zeros(1)

    def tune(self, features: Features, context: FitContext) -> Self:
        """Choose the penalty along the grid, as long as the held-out loss falls; then slope and offset."""
        if self.strength is not None and self.scaling is not None:
            return self
        trials = [_Trial(self, features, context, *pair) for pair in inner_pairs(context)]
        found: dict[float, tuple[float, float]] = {}

        def loss(strength: float) -> float:
            scores = np.concatenate([trial.scores(self, strength) for trial in trials])
            targets, weight = (
                np.concatenate([getattr(trial.judge, name) for trial in trials]) for name in ("targets", "weight")
            )
            found[strength], least = calibrated(context.task, scores, targets, weight)
            context.report(Progress("svm, choosing the penalty", len(found), len(GRID), least))
            return least

        start = START[self.kernel]
        if self.strength is None:
            self.strength = downhill(GRID, start, loss) if trials else start
        if trials and self.strength not in found:
            loss(self.strength)
        unknown = (1.0 if context.task == "regression" else SLOPE, 0.0)
        self.scaling = self.scaling or found.get(self.strength, unknown)
        return self

    def fit(self, features: Features, context: FitContext) -> Self:
        self.tune(features, context)
        assert self.strength is not None
        self._map = self.mapped(features, context)
        self._weights, self._intercept = self.solve(self._map.design(features), context, self.strength)
        return self

    def mapped(self, features: Features, context: FitContext) -> _Map:
        """The map to what the machine is linear in."""
        if self.kernel == "linear":
            return _Map(Scale().fit(features))
        return _Map(Scale(steps=False).fit(features)).compare(features, context, self.components, self.gamma)

    @property
    def settings(self) -> dict[str, Json]:
        if self.strength is None or self.scaling is None:
            return {}
        return {"strength": self.strength, "scaling": list(self.scaling)}

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        slope, offset = self.scaling or (1.0, 0.0)
        return slope * (self._map.dot(features, self._weights) + self._intercept) + offset

    def contributions(self, features: Features, output: npt.NDArray[np.int64]) -> FeatureShares:
        """Coefficient times value of the linear kernel, integrated gradients of the other."""
        told = self._map.shares(features, self._weights, self._intercept, output)
        slope, offset = self.scaling or (1.0, 0.0)
        wide = None if told.wide is None else slope * told.wide
        return replace(told, base=slope * told.base + offset, dense=slope * told.dense, wide=wide)

    def state(self) -> State:
        arrays: dict[str, Array] = {"weights": self._weights, "intercept": self._intercept}
        values = {"kernel": self.kernel, **self.settings}
        return State(self.version, values, arrays, parts={"map": self._map.state()})

    @classmethod
    def from_state(cls, state: State) -> Self:
        learner = cls(**state.values)
        learner._map = _Map.from_state(state.parts["map"])
        learner._weights, learner._intercept = state.arrays["weights"], state.arrays["intercept"]
        return learner

    def solve(
        self, design: Array | scipy.sparse.csr_matrix, context: FitContext, strength: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Weights ``P x K`` and intercepts ``K`` of decisions, before slope and offset."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.svm import LinearSVC, LinearSVR

        width = design.shape[1]
        if not width:  # nothing varies: the intercept alone is fitted
            design = np.zeros((len(context), 1))
        counted = np.flatnonzero(context.weight > 0)
        model: Any
        how = {"C": strength, "dual": "auto", "max_iter": self.iterations, "random_state": context.seed % 2**32}
        targets = context.targets[counted]
        if context.task == "regression":
            model = LinearSVR(epsilon=0.01, loss="squared_epsilon_insensitive", **how)
        else:
            model, targets = LinearSVC(**how), targets.astype(np.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(design[counted], targets, sample_weight=context.weight[counted])
        if context.task != "multiclass":
            return model.coef_.reshape(-1, 1)[:width], np.atleast_1d(model.intercept_)
        weights = np.zeros((design.shape[1], context.outputs))
        intercept = np.full(context.outputs, -NEVER / (self.scaling or (SLOPE,))[0])
        if len(model.classes_) == 2:  # a subset may lack classes: scikit-learn then fits one column
            first, second = model.classes_
            weights[:, second], weights[:, first] = model.coef_[0], -model.coef_[0]
            intercept[second], intercept[first] = model.intercept_[0], -model.intercept_[0]
        else:
            weights[:, model.classes_], intercept[model.classes_] = model.coef_.T, model.intercept_
        return weights[:width], intercept


class _Trial:
    """One inner split, its design made once for all penalties."""

    def __init__(self, learner: SVM, features: Features, context: FitContext, fit: Array, judge: Array) -> None:
        if context.task == "multiclass":  # what is said of a class that was not there to be learned tells nothing
            judge = judge[np.isin(context.targets[judge], context.targets[fit][context.weight[fit] > 0])]
        self.fit, self.judge = context.take(fit), context.take(judge)
        known = features.take(fit)
        mapped = learner.mapped(known, self.fit)
        self.design, self.unseen = mapped.design(known), mapped.design(features.take(judge))

    def scores(self, learner: SVM, strength: float) -> npt.NDArray[np.float64]:
        weights, intercept = learner.solve(self.design, self.fit, strength)
        return np.asarray(self.unseen @ weights if len(weights) else 0.0) + np.tile(intercept, (len(self.judge), 1))


@dataclass
class _Map:
    """Scaled columns and the wide form as they are, or their similarities to landmarks.

    `dense` (``L x P``) and `wide` (``V x L``, of the columns that the landmarks have, `vocabulary`) are the landmarks,
    `normaliser` is ``L x R``.
    """

    scale: Scale
    gamma: float | None = None
    dense: npt.NDArray[np.float64] | None = None
    wide: npt.NDArray[np.float32] | None = None
    vocabulary: npt.NDArray[np.int32] | None = None
    normaliser: npt.NDArray[np.float64] | None = None

    def compare(self, features: Features, context: FitContext, components: int, gamma: float | None) -> Self:
        """Choose landmarks among the training rows that count."""
        counted = np.flatnonzero(context.weight > 0)
        chosen = np.sort(context.rng("landmarks").permutation(counted)[:components])
        landmarks = features.take(chosen)
        self.dense = self.scale.dense(landmarks)
        if landmarks.wide is not None:
            self.vocabulary = np.unique(landmarks.wide.indices)
            self.wide = np.zeros((len(self.vocabulary), len(chosen)), np.float32)
            owner = np.repeat(np.arange(len(chosen)), np.diff(landmarks.wide.indptr))
            self.wide[np.searchsorted(self.vocabulary, landmarks.wide.indices), owner] = landmarks.wide.data
        distances = self._distances(landmarks)
        apart = distances[distances > 0]
        self.gamma = gamma or (1.0 / float(np.median(apart)) if len(apart) else 1.0)
        values, vectors = np.linalg.eigh(np.exp(-self.gamma * distances))
        kept = values > SMALLEST * values[-1]
        self.normaliser = vectors[:, kept] / np.sqrt(values[kept])
        return self

    def design(self, features: Features) -> Array | scipy.sparse.csr_matrix:
        """What the solver reads."""
        return self.scale.design(features) if self.normaliser is None else self._similarities(features)

    def dot(self, features: Features, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The design times weights ``P x K``, in numpy."""
        if self.normaliser is not None:
            return np.asarray(self._similarities(features) @ weights)
        width = self.scale.width
        product = self.scale.dense(features) @ weights[:width]
        if features.wide is not None and len(weights) > width:
            product += features.wide.dot(weights[width:])
        return np.asarray(product)

    def shares(
        self, features: Features, weights: Array, intercept: Array, output: npt.NDArray[np.int64]
    ) -> FeatureShares:
        """What each feature adds to the design times weights, plus intercept.

        Of similarities, integrated gradients (Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017,
        equation 1) from a row of nothing: with ``s = sum_l a_l exp(-gamma |x - L_l|^2)`` they are
        ``2 gamma x_j sum_l a_l int_0^1 (L_lj - t x_j) exp(-gamma |t x - L_l|^2) dt``, the integral by Gauss-Legendre
        quadrature.
        """
        if self.normaliser is None:
            width = self.scale.width
            return linear_shares(features, self.scale, weights[:width], weights[width:], intercept, output)
        assert self.gamma is not None
        assert self.dense is not None
        own, theirs, products = self._squares(features)
        signed = (self.normaliser @ weights).T[output]
        plain, risen = np.zeros(signed.shape), np.zeros(len(signed))  # integrals of k, and of t k summed over landmarks
        nodes, shares = np.polynomial.legendre.leggauss(NODES)
        for t, share in zip((nodes + 1) / 2, shares / 2, strict=True):
            near = share * signed * np.exp(-self.gamma * (t * t * own[:, None] + theirs - 2 * t * products))
            plain += near
            risen += t * near.sum(axis=1)
        x = self.scale.dense(features)
        dense = 2 * self.gamma * x * (plain @ self.dense - risen[:, None] * x)
        base = np.asarray(intercept)[output] + (signed * np.exp(-self.gamma * theirs)).sum(axis=1)
        wide = None
        if features.wide is not None and self.wide is not None and self.vocabulary is not None:
            wide = self._wide_shares(features.wide, self.wide, self.vocabulary, plain, risen)
        told = self.scale.by_feature(dense, features.values.shape[1])
        return FeatureShares(base, told, wide, "integrated gradients; base: numbers at their median, no level, no word")

    def _wide_shares(
        self, cells: Sparse, landmarks: Array, vocabulary: Array, plain: Array, risen: Array
    ) -> npt.NDArray[np.float64]:
        assert self.gamma is not None
        value, owner = cells.data.astype(np.float64), owners(cells)
        known = np.flatnonzero(np.isin(cells.indices, vocabulary))
        pull = np.zeros(len(value))
        for begin in range(0, len(known), CELLS):
            some = known[begin : begin + CELLS]
            theirs = landmarks[np.searchsorted(vocabulary, cells.indices[some])]
            pull[some] = np.einsum("cl,cl->c", theirs, plain[owner[some]])
        return np.asarray(2 * self.gamma * value * (pull - risen[owner] * value))

    def _similarities(self, features: Features) -> npt.NDArray[np.float64]:
        assert self.normaliser is not None
        assert self.gamma is not None
        return np.asarray(np.exp(-self.gamma * self._distances(features)) @ self.normaliser)

    def _distances(self, features: Features) -> npt.NDArray[np.float64]:
        """Squared distances to the landmarks: float64 ``N x L``."""
        own, theirs, products = self._squares(features)
        return np.asarray(np.maximum(own[:, None] + theirs - 2 * products, 0.0))

    def _squares(self, features: Features) -> tuple[Array, Array, Array]:
        """Squared lengths of rows (``N``) and landmarks (``L``), and the products of both (``N x L``)."""
        assert self.dense is not None
        x = self.scale.dense(features)
        own, theirs = (x**2).sum(axis=1), (self.dense**2).sum(axis=1)
        products = x @ self.dense.T
        if features.wide is not None and self.wide is not None and self.vocabulary is not None:
            own = own + _lengths(features.wide)
            theirs = theirs + (self.wide.astype(np.float64) ** 2).sum(axis=0)
            products += features.wide.columns(self.vocabulary).dot(self.wide.astype(np.float64))
        return own, theirs, products

    def state(self) -> State:
        names = ("dense", "wide", "vocabulary", "normaliser")
        arrays = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return State(1, {"gamma": self.gamma}, arrays, parts={"scale": self.scale.state()})

    @classmethod
    def from_state(cls, state: State) -> Self:
        return cls(Scale.from_state(state.parts["scale"]), state.values["gamma"], **state.arrays)


def _lengths(wide: Sparse) -> npt.NDArray[np.float64]:
    """Squared length of each row."""
    return np.bincount(owners(wide), wide.data.astype(np.float64) ** 2, len(wide)).astype(np.float64)
