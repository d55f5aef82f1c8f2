"""Gradient-boosted trees: LightGBM (Ke et al., NeurIPS 2017), deterministic, its state in LightGBM's own text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Features, FitContext, Json, Learner, Progress, State
from plait.data.splits import inner_pairs
from plait.errors import ArtifactError, ConfigError
from plait.metrics.shifted import shifted_loss

if TYPE_CHECKING:
    import lightgbm

__all__ = ["LightGBM"]

OBJECTIVES = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}
FLOOR = 300  # trees at least: held-out loss is flat far beyond, and early stopping on drifting rows stops too soon
# cells under which one thread is used: several that wait for each other on busy cores took 12 times as long
SERIAL = 10_000_000
MARGIN = 0.002  # relative gain in held-out loss that larger trees must bring


class LightGBM(Learner):
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
                _reporter(context, limit, f"lightgbm, trees of {leaves} leaves"),
            ],
        )
        losses = np.asarray(next(value for name, value in result.items() if name.endswith("-mean")))
        return float(losses.min()), int(losses.argmin()) + 1

    def fit(self, features: Features, context: FitContext) -> Self:
        import lightgbm

        rounds, leaves = self.trees or FLOOR, self.leaves or self.sizes[0]
        self._outputs = context.outputs
        data = self._dataset(features, context, leaves)
        self._boosters = []
        for member in range(self.members):
            booster = lightgbm.train(
                {**self._parameters(context, leaves, features.values.size), "seed": context.seed + member},
                data,
                num_boost_round=rounds,
                callbacks=[_reporter(context, rounds, f"lightgbm, model {member + 1} of {self.members}")],
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
        threads = 1 if len(features) < 2_048 else _cores()  # 0 would repeat the last count that LightGBM was told
        for booster in self._boosters:
            raw = booster.predict(features.values, raw_score=True, num_threads=threads)
            total += np.asarray(raw, np.float64).reshape(total.shape)
        return total / len(self._boosters)

    def state(self) -> State:
        values = {"trees": self.trees, "leaves": self.leaves, "outputs": self._outputs}
        texts = {str(i): booster.model_to_string() for i, booster in enumerate(self._boosters)}
        return State(self.version, values, texts=texts)

    @classmethod
    def from_state(cls, state: State) -> Self:
        import lightgbm

        learner = cls(trees=state.values["trees"], leaves=state.values["leaves"], members=len(state.texts))
        learner._outputs = state.values["outputs"]
        try:
            learner._boosters = [lightgbm.Booster(model_str=state.texts[str(i)]) for i in range(len(state.texts))]
        except lightgbm.basic.LightGBMError as error:
            raise ArtifactError(f"the stored LightGBM model cannot be read: {error}") from None
        return learner

    def _check(self) -> None:
        def count(value: Any, least: int = 1) -> bool:
            return isinstance(value, int) and not isinstance(value, bool) and value >= least

        def share(value: Any) -> bool:
            return isinstance(value, int | float) and 0 < value <= 1

        right = {
            "learning_rate": (share(self.learning_rate), "above 0, at most 1"),
            "leaves": (self.leaves is None or count(self.leaves, 2), "None or 2, 3, ..."),
            "sizes": (
                isinstance(self.sizes, list | tuple) and self.sizes and all(count(size, 2) for size in self.sizes),
                "a list of 2, 3, ...",
            ),
            "trees": (self.trees is None or count(self.trees), "None or 1, 2, ..."),
            "max_trees": (count(self.max_trees), "1, 2, ..."),
            "patience": (count(self.patience), "1, 2, ..."),
            "feature_share": (share(self.feature_share), "above 0, at most 1"),
            "row_share": (share(self.row_share), "above 0, at most 1"),
            "l2": (isinstance(self.l2, int | float) and 0 <= self.l2 < inf, "0 or more"),
            "members": (count(self.members), "1, 2, ..."),
        }
        for option, (fits, allowed) in right.items():
            if not fits:
                raise ConfigError(f"lightgbm: {option}={getattr(self, option)!r} is out of range (allowed: {allowed})")

    def _parameters(self, context: FitContext, leaves: int, cells: int) -> dict[str, Any]:
        rows = len(context)
        parameters: dict[str, Any] = {
            "objective": OBJECTIVES[context.task],
            "metric": "multi_logloss" if context.task == "multiclass" else "None",
            "learning_rate": self.learning_rate,
            "num_leaves": leaves,
            "min_data_in_leaf": int(np.clip(rows // 200, min(10, max(1, rows // 20)), 100)),
            "min_data_in_bin": max(1, min(3, rows // 50)),
            "max_bin": 63 if rows < 200_000 else 255,
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share if rows >= 200 else 1.0,
            "bagging_freq": 1,
            "lambda_l2": self.l2 if rows >= 200 else 0.0,
            "max_cat_to_onehot": 64,  # one level against the rest: grouped levels overfit
            "seed": context.seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": 1 if cells < SERIAL else context.threads,
            "verbosity": -1,
        }
        if context.task == "multiclass":
            parameters["num_class"] = context.outputs
        return parameters

    def _dataset(self, features: Features, context: FitContext, leaves: int) -> lightgbm.Dataset:
        import lightgbm

        return lightgbm.Dataset(
            features.values,
            label=context.targets,
            weight=context.weight,
            categorical_feature=[int(i) for i in np.flatnonzero(features.categorical)],
            params=self._parameters(context, leaves, features.values.size),
            free_raw_data=False,
        )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def _reporter(context: FitContext, total: int, stage: str) -> Any:
    def report(env: Any) -> None:
        done = env.iteration + 1
        if done % 20 == 0 or done == total:
            metric = env.evaluation_result_list[0][2] if env.evaluation_result_list else None
            context.report(Progress(stage, done, total, metric))

    return report
