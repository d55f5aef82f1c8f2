"""Gradient-boosted trees: LightGBM (Ke et al., NeurIPS 2017), deterministic, its state in LightGBM's own text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.classical import boosters
from plait.classical.options import check, count, number, share
from plait.contracts import Array, Between, Features, FeatureShares, FitContext, Json, Learner, Space, State
from plait.data.splits import inner_pairs
from plait.metrics.shifted import shifted_loss

if TYPE_CHECKING:
    import lightgbm

__all__ = ["LightGBM"]

OBJECTIVES = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}
FLOOR = 300  # trees at least: held-out loss is flat far beyond, and early stopping on drifting rows stops too soon
MARGIN = 0.002  # relative gain in held-out loss that larger trees must bring


class LightGBM(boosters.Boosted, Learner):
    """Several LightGBM models of small, regularised trees, averaged; size and number of trees chosen on held-out rows.

    Small trees with bagging survive drift where the usual 31 leaves do not; larger ones are taken only where they
    clearly pay.

    Parameters
    ----------
    learning_rate
        Shrinkage of each tree.
    leaves
        Leaves a tree; None chooses between the numbers in `sizes`.
    sizes
        What is tried, the smallest first.
    trees
        Number of trees; None chooses it by early stopping.
    max_trees, patience
        Bounds of that choice: no more than `max_trees`, and `patience` trees without gain end it.
    feature_share, row_share
        Share of features and rows offered to each tree.
    l2
        L2 penalty on leaf values.
    members
        Models averaged, each with a seed of its own.
    """

    name: ClassVar[str] = "lightgbm"
    version: ClassVar[int] = 1
    accepts_wide: ClassVar[bool] = False
    accepts_categorical: ClassVar[bool] = True
    averages: ClassVar[bool] = True
    space: ClassVar[Space] = {
        "learning_rate": Between(0.01, 0.1, log=True),
        "leaves": Between(4, 64, log=True),
        "feature_share": Between(0.2, 1.0),
        "row_share": Between(0.4, 1.0),
        "l2": Between(0.1, 30.0, log=True),
    }

    def __init__(
        self,
        *,
        learning_rate: float = 0.03,
        leaves: int | None = None,
        sizes: Sequence[int] = (8, 24),
        trees: int | None = None,
        max_trees: int = 1_500,
        patience: int = 60,
        feature_share: float = 0.5,
        row_share: float = 0.7,
        l2: float = 3.0,
        members: int = 3,
    ) -> None:
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.sizes = sizes
        self.trees = trees
        self.max_trees = max_trees
        self.patience = patience
        self.feature_share = feature_share
        self.row_share = row_share
        self.l2 = l2
        self.members = members
        self._check()
        self._boosters: list[lightgbm.Booster] = []
        self._outputs = 1

    def tune(self, features: Features, context: FitContext) -> Self:
        """Choose size and number of trees by early stopping, on a holdout or on five folds where rows are few."""
        if self.trees is not None and self.leaves is not None:
            return self
        pairs = inner_pairs(context)
        if not pairs:
            self.leaves, self.trees = self.leaves or self.sizes[0], self.trees or FLOOR
            return self
        best: tuple[float, int, int] | None = None
        for leaves in (self.leaves,) if self.leaves else self.sizes:
            loss, trees = self._early_stopping(features, context, leaves, pairs)
            if best is None or loss < best[0] * (1 - MARGIN):
                best = loss, leaves, trees
        assert best is not None
        self.leaves, self.trees = best[1], self.trees or max(best[2], FLOOR)
        return self

    def _early_stopping(
        self, features: Features, context: FitContext, leaves: int, pairs: list[tuple[Array, Array]]
    ) -> tuple[float, int]:
        """Least mean held-out loss, and the number of trees that has it."""
        import lightgbm

        limit = self.trees or self.max_trees
        result = lightgbm.cv(
            self._parameters(context, leaves, features.values.size),
            self._dataset(features, context, leaves),
            num_boost_round=limit,
            folds=pairs,
            feval=_shifted(context),
            callbacks=[
                lightgbm.early_stopping(self.patience, verbose=False),
                boosters.reporter(context, limit, f"lightgbm, trees of {leaves} leaves"),
            ],
        )
        losses = np.asarray(next(value for name, value in result.items() if name.endswith("-mean")))
        return float(losses.min()), int(losses.argmin()) + 1

    def fit(self, features: Features, context: FitContext) -> Self:
        cells = features.values.size
        return self._boost(self._dataset(features, context, self.leaves or self.sizes[0]), context, cells)

    def fit_chunks(self, chunks: Iterable[Features], context: FitContext) -> Self:
        """The same booster as `fit` makes of all chunks in one."""
        cells = len(context) * next(iter(chunks)).values.shape[1]
        parameters = self._parameters(context, self.leaves or self.sizes[0], cells)
        data = boosters.streamed(chunks, context.targets, context.weight, parameters)
        return self._boost(data, context, cells)

    def _boost(self, data: lightgbm.Dataset, context: FitContext, cells: int) -> Self:
        import lightgbm

        rounds, leaves = self.trees or FLOOR, self.leaves or self.sizes[0]
        self._outputs = context.outputs
        self._boosters = []
        for member in range(self.members):
            booster = lightgbm.train(
                {**self._parameters(context, leaves, cells), "seed": context.seed + member},
                data,
                num_boost_round=rounds,
                callbacks=[boosters.reporter(context, rounds, f"lightgbm, model {member + 1} of {self.members}")],
            )
            self._boosters.append(booster.free_dataset())
        return self

    @property
    def settings(self) -> dict[str, Json]:
        return {} if self.trees is None else {"trees": self.trees, "leaves": self.leaves}

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        total = np.zeros((len(features), self._outputs))
        if not len(features):
            return total
        for booster in self._boosters:
            total += boosters.applied(booster, features, raw=True).reshape(total.shape)
        return total / len(self._boosters)

    def contributions(self, features: Features, output: npt.NDArray[np.int64]) -> FeatureShares:
        told = [boosters.shares(booster, features, output) for booster in self._boosters]
        dense, base = (np.asarray(np.mean(part, axis=0)) for part in zip(*told, strict=True))
        return FeatureShares(base, dense, None, "TreeSHAP; base: the mean score of training rows")

    def state(self) -> State:
        values = {"trees": self.trees, "leaves": self.leaves, "outputs": self._outputs}
        return State(self.version, values, texts=boosters.texts(self._boosters))

    @classmethod
    def from_boosters(cls, state: State, made: Sequence[Any]) -> Self:
        learner = cls(trees=state.values["trees"], leaves=state.values["leaves"], members=len(made))
        learner._outputs = state.values["outputs"]
        learner._boosters = list(made)
        return learner

    def _check(self) -> None:
        sizes = isinstance(self.sizes, list | tuple) and self.sizes and all(count(size, 2) for size in self.sizes)
        right = {
            "learning_rate": (share(self.learning_rate), "above 0, at most 1"),
            "leaves": (self.leaves is None or count(self.leaves, 2), "None or 2, 3, ..."),
            "sizes": (sizes, "a list of 2, 3, ..."),
            "trees": (self.trees is None or count(self.trees), "None or 1, 2, ..."),
            "max_trees": (count(self.max_trees), "1, 2, ..."),
            "patience": (count(self.patience), "1, 2, ..."),
            "feature_share": (share(self.feature_share), "above 0, at most 1"),
            "row_share": (share(self.row_share), "above 0, at most 1"),
            "l2": (number(self.l2), "0 or more"),
            "members": (count(self.members), "1, 2, ..."),
        }
        check(self, right)

    def _parameters(self, context: FitContext, leaves: int, cells: int) -> dict[str, Any]:
        rows = len(context)
        parameters = {
            **boosters.basics(context, cells),
            "objective": OBJECTIVES[context.task],
            "metric": "multi_logloss" if context.task == "multiclass" else "None",
            "learning_rate": self.learning_rate,
            "num_leaves": leaves,
            "min_data_in_leaf": int(np.clip(rows // 200, min(10, max(1, rows // 20)), 100)),
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share if rows >= 200 else 1.0,
            "bagging_freq": 1,
            "lambda_l2": self.l2 if rows >= 200 else 0.0,
            "max_cat_to_onehot": 64,  # one level against the rest: grouped levels overfit
        }
        if context.task == "multiclass":
            parameters["num_class"] = context.outputs
        return parameters

    def _dataset(self, features: Features, context: FitContext, leaves: int) -> lightgbm.Dataset:
        parameters = self._parameters(context, leaves, features.values.size)
        return boosters.dataset(features, context.targets, context.weight, parameters)


def _shifted(context: FitContext) -> Any:
    """The held-out loss, for tasks that have one up to a shift."""
    if context.task == "multiclass":
        return None

    def loss(predicted: Array, data: lightgbm.Dataset) -> tuple[str, float, bool]:
        scores = np.asarray(predicted, np.float64)
        if context.task == "binary":
            scores = np.clip(scores, 1e-12, 1 - 1e-12)
            scores = np.log(scores / (1 - scores))
        label = np.asarray(data.get_label(), np.float64)
        given = data.get_weight()  # None where all weights are 1
        weight = np.ones(len(label)) if given is None else np.asarray(given, np.float64)
        return (
            "loss",
            shifted_loss(context.task, scores[:, None], label, weight),
            False,
        )

    return loss
