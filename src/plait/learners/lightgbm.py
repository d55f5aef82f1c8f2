"""Gradient-boosted trees: LightGBM (Ke et al., NeurIPS 2017), deterministic, its state in LightGBM's own text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Features, FitContext, Json, Learner, Progress, State
from plait.data.splits import holdout, inner_folds
from plait.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    import lightgbm

__all__ = ["LightGBM"]

OBJECTIVES = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}
METRICS = {"binary": "binary_logloss", "multiclass": "multi_logloss", "regression": "l2"}
FOLDS_BELOW = 4_000  # rows under which trees are counted by cross-validation: one holdout would be too noisy


class LightGBM(Learner):
    """LightGBM with small, regularised trees; the number of trees is chosen on held-out rows.

    Parameters
    ----------
    learning_rate
        Shrinkage of each tree.
    leaves
        Leaves a tree.
    min_leaf
        Rows a leaf must hold; lowered on its own for small data.
    feature_share
        Share of the features offered to each tree.
    l2
        L2 penalty on leaf values.
    trees
        Number of trees; None chooses it by early stopping.
    max_trees, patience
        Bounds of that choice: no more than `max_trees`, and `patience` trees without gain end it.
    """

    name: ClassVar[str] = "lightgbm"
    version: ClassVar[int] = 1
    accepts_wide: ClassVar[bool] = False
    accepts_categorical: ClassVar[bool] = True

    def __init__(
        self,
        *,
        learning_rate: float = 0.05,
        leaves: int = 15,
        min_leaf: int = 40,
        feature_share: float = 0.5,
        l2: float = 5.0,
        trees: int | None = None,
        max_trees: int = 1_000,
        patience: int = 40,
    ) -> None:
        if not 0 < learning_rate <= 1:
            raise ConfigError(f"learning_rate of lightgbm is {learning_rate}; it must be above 0 and at most 1")
        if leaves < 2:
            raise ConfigError(f"leaves of lightgbm is {leaves}; it must be at least 2")
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.min_leaf = min_leaf
        self.feature_share = feature_share
        self.l2 = l2
        self.trees = trees
        self.max_trees = max_trees
        self.patience = patience
        self._booster: lightgbm.Booster | None = None
        self._outputs = 1

    def tune(self, features: Features, context: FitContext) -> Self:
        """Choose the number of trees: early stopping on a holdout, or on five folds where rows are few."""
        if self.trees is not None:
            return self
        import lightgbm

        data = self._dataset(features, context)
        if context.time is None and len(context) < FOLDS_BELOW:
            folds = inner_folds(context)
            pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in np.unique(folds)]
        else:
            pairs = [holdout(context)]
        if any(len(fit) == 0 or len(judge) == 0 for fit, judge in pairs):
            self.trees = 100
            return self
        result = lightgbm.cv(
            self._parameters(context),
            data,
            num_boost_round=self.max_trees,
            folds=pairs,
            callbacks=[
                lightgbm.early_stopping(self.patience, verbose=False),
                _reporter(context, self.max_trees, "lightgbm, counting trees"),
            ],
        )
        self.trees = max(len(np.asarray(next(iter(result.values())))), 10)
        return self

    def fit(self, features: Features, context: FitContext) -> Self:
        import lightgbm

        rounds = 100 if self.trees is None else self.trees
        self._outputs = context.outputs
        self._booster = lightgbm.train(
            self._parameters(context),
            self._dataset(features, context),
            num_boost_round=rounds,
            callbacks=[_reporter(context, rounds, "lightgbm")],
        )
        self._booster.free_dataset()
        return self

    @property
    def settings(self) -> dict[str, Json]:
        return {} if self.trees is None else {"trees": self.trees}

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        assert self._booster is not None, "fit comes first"
        if not len(features):
            return np.zeros((0, self._outputs))
        raw = self._booster.predict(features.values, raw_score=True, num_threads=1 if len(features) < 256 else 0)
        return np.asarray(raw, np.float64).reshape(len(features), self._outputs)

    def state(self) -> State:
        assert self._booster is not None, "fit comes first"
        values = {"trees": self.trees, "outputs": self._outputs}
        return State(self.version, values, texts={"booster": self._booster.model_to_string()})

    @classmethod
    def from_state(cls, state: State) -> Self:
        import lightgbm

        learner = cls(trees=state.values["trees"])
        learner._outputs = state.values["outputs"]
        try:
            learner._booster = lightgbm.Booster(model_str=state.texts["booster"], params={"verbosity": -1})
        except lightgbm.basic.LightGBMError as error:
            raise ArtifactError(f"the stored LightGBM model cannot be read: {error}") from None
        return learner

    def _parameters(self, context: FitContext) -> dict[str, Any]:
        rows = len(context)
        parameters: dict[str, Any] = {
            "objective": OBJECTIVES[context.task],
            "metric": METRICS[context.task],
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": max(1, min(self.min_leaf, rows // 20)),
            "min_data_in_bin": max(1, min(3, rows // 50)),
            "feature_fraction": self.feature_share,
            "lambda_l2": self.l2 if rows >= 200 else min(self.l2, 0.1),
            "cat_smooth": 20.0,
            "min_data_per_group": max(1, min(100, rows // 50)),
            "max_cat_threshold": 32,
            "seed": context.seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": context.threads,
            "verbosity": -1,
        }
        if context.task == "multiclass":
            parameters["num_class"] = context.outputs
        return parameters

    def _dataset(self, features: Features, context: FitContext) -> lightgbm.Dataset:
        import lightgbm

        return lightgbm.Dataset(
            features.values,
            label=context.targets,
            weight=context.weight,
            categorical_feature=[int(i) for i in np.flatnonzero(features.categorical)],
            params=self._parameters(context),
            free_raw_data=False,
        )


def _reporter(context: FitContext, total: int, stage: str) -> Any:
    def report(env: Any) -> None:
        done = env.iteration + 1
        if done % 20 == 0 or done == total:
            metric = env.evaluation_result_list[0][2] if env.evaluation_result_list else None
            context.report(Progress(stage, done, total, metric))

    return report
