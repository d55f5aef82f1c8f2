"""Random forests (Breiman, 2001), grown by LightGBM, deterministic, their state in LightGBM's own text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.classical import boosters
from plait.classical.options import check, count, number, share
from plait.classical.search import calibrated
from plait.contracts import Array, Between, Features, FeatureShares, FitContext, Json, Learner, Progress, Space, State
from plait.data.splits import inner_pairs

if TYPE_CHECKING:
    import lightgbm

__all__ = ["Forest"]

FEW = 12  # rows below which some are repeated: drawing a share of fewer may leave none
MIDDLE = 20  # leaf rows where none could be chosen


class Forest(boosters.Boosted, Learner):
    """A random forest: the mean of deep trees, each grown on some of the rows, each split among some of the features.

    The share ``p`` of a class is the mean over `trees` of its share in the leaf that a row falls into; with a pull of
    one tree to the prior ``q``, ``p' = (T p + q) / (T + 1)``, its log-odds (two classes) or logs (more) are scaled to
    be right on held-out rows (Niculescu-Mizil & Caruana, "Predicting Good Probabilities", 2005).

    Parameters
    ----------
    trees
        Trees a class, or of the value.
    leaf_rows
        Rows that a leaf has at least; None chooses between the numbers in `sizes` on held-out rows.
    sizes
        What is tried.
    leaves
        Leaves a tree at most.
    feature_share
        Share of the features offered to each split.
    row_share
        Share of the rows, drawn without replacement, that each tree is grown on.
    scaling
        Slope and offset of the scores; None finds them on held-out rows.
    """

    name: ClassVar[str] = "forest"
    version: ClassVar[int] = 1
    accepts_wide: ClassVar[bool] = False
    accepts_categorical: ClassVar[bool] = True
    averages: ClassVar[bool] = False
    space: ClassVar[Space] = {
        "leaf_rows": Between(2, 100, log=True),
        "leaves": Between(16, 1024, log=True),
        "feature_share": Between(0.1, 1.0),
        "row_share": Between(0.3, 0.9),
    }

    def __init__(
        self,
        *,
        trees: int = 200,
        leaf_rows: int | None = None,
        sizes: Sequence[int] = (5, 20, 80),
        leaves: int = 256,
        feature_share: float = 0.3,
        row_share: float = 0.632,
        scaling: Sequence[float] | None = None,
    ) -> None:
        self.trees = trees
        self.leaf_rows = leaf_rows
        self.sizes = sizes
        self.leaves = leaves
        self.feature_share = feature_share
        self.row_share = row_share
        self.scaling = scaling
        choices = isinstance(sizes, list | tuple) and sizes and all(count(size) for size in sizes)
        pair = isinstance(scaling, list | tuple) and len(scaling) == 2 and number(scaling[0])
        right = {
            "trees": (count(trees), "1, 2, ..."),
            "leaf_rows": (leaf_rows is None or count(leaf_rows), "None or 1, 2, ..."),
            "sizes": (choices, "a list of 1, 2, ..."),
            "leaves": (count(leaves, 2), "2, 3, ..."),
            "feature_share": (share(feature_share), "above 0, at most 1"),
            "row_share": (share(row_share) and row_share < 1, "above 0, below 1"),
            "scaling": (scaling is None or pair, "None or a slope of 0 or more and an offset"),
        }
        check(self, right)
        self._boosters: list[lightgbm.Booster] = []
        self._prior = np.zeros(1)
        self._classifies = True

    def tune(self, features: Features, context: FitContext) -> Self:
        """Choose the size of leaves, and slope and offset, on a holdout or on five folds where rows are few."""
        if self.leaf_rows is not None and self.scaling is not None:
            return self
        pairs = inner_pairs(context)
        if not pairs:
            self.leaf_rows, self.scaling = self.leaf_rows or MIDDLE, self.scaling or (1.0, 0.0)
            return self
        sizes = self.sizes if self.leaf_rows is None else (self.leaf_rows,)
        judged = np.concatenate([judge for _, judge in pairs])
        targets, weight = context.targets[judged], context.weight[judged]
        best: tuple[float, int, tuple[float, float]] | None = None
        for done, size in enumerate(sizes, 1):
            scores = np.concatenate([self._trial(features, context, size, *pair) for pair in pairs])
            scaling, loss = calibrated(context.task, scores, targets, weight)
            context.report(Progress("forest, choosing the size of leaves", done, len(sizes), loss))
            if best is None or loss < best[0]:
                best = loss, size, scaling
        assert best is not None
        self.leaf_rows, self.scaling = best[1], self.scaling or best[2]
        return self

    def _trial(
        self, features: Features, context: FitContext, size: int, fit: Array, judge: Array
    ) -> npt.NDArray[np.float64]:
        """Scores, not yet scaled, of rows held out."""
        trial = type(self)(
            trees=self.trees,
            leaf_rows=size,
            leaves=self.leaves,
            feature_share=self.feature_share,
            row_share=self.row_share,
            scaling=(1.0, 0.0),
        )
        return trial.fit(features.take(fit), context.take(fit)).scores(features.take(judge))

    def fit(self, features: Features, context: FitContext) -> Self:
        self.tune(features, context)
        counted = np.flatnonzero(context.weight > 0)
        if len(counted) < FEW:
            counted = np.resize(counted, FEW)
        features, context = features.take(counted), context.take(counted)
        self._classifies = context.task != "regression"
        labels = [context.targets]
        if context.task == "multiclass":
            labels = [(context.targets == k).astype(np.float64) for k in range(context.outputs)]
        mean = np.array([context.weight @ label for label in labels]) / context.weight.sum()
        rows = len(context)
        self._prior = (rows * mean + 0.5) / (rows + 1) if self._classifies else mean
        self._boosters = [
            self._grow(features, context, label, f"forest {done} of {len(labels)}")
            for done, label in enumerate(labels, 1)
        ]
        return self

    def _grow(self, features: Features, context: FitContext, label: Array, stage: str) -> lightgbm.Booster:
        """Trees whose leaves hold the mean label: shares of a class, or values."""
        import lightgbm

        parameters: dict[str, Any] = {
            **boosters.basics(context, features.values.size),
            "boosting": "rf",
            "objective": "regression",
            "num_leaves": self.leaves,
            "min_data_in_leaf": min(self.leaf_rows or MIDDLE, max(1, len(context) // 20)),
            "feature_fraction_bynode": self.feature_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "max_cat_to_onehot": 64,
        }
        booster: lightgbm.Booster = lightgbm.train(
            parameters,
            boosters.dataset(features, label, context.weight, parameters),
            num_boost_round=self.trees,
            callbacks=[boosters.reporter(context, self.trees, stage)],
        )
        return booster.free_dataset()

    @property
    def settings(self) -> dict[str, Json]:
        if self.leaf_rows is None or self.scaling is None:
            return {}
        return {"leaf_rows": self.leaf_rows, "scaling": list(self.scaling)}

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        if not len(features):
            return np.zeros((0, len(self._boosters)))
        return self._told(
            np.stack([boosters.applied(booster, features, raw=False) for booster in self._boosters], axis=1),
            self._prior,
        )

    def _told(self, means: Array, prior: Array) -> npt.NDArray[np.float64]:
        """Scores of what the trees say on average."""
        if not self._classifies:
            return means
        shares = (self.trees * means.clip(0, 1) + prior) / (self.trees + 1)
        scores = np.log(shares) - (np.log1p(-shares) if len(self._boosters) == 1 else 0.0)
        slope, offset = self.scaling or (1.0, 0.0)
        return np.asarray(slope * scores + offset)

    def contributions(self, features: Features, output: npt.NDArray[np.int64]) -> FeatureShares:
        """TreeSHAP of the mean label, in proportion to which the score moves away from the base.

        The score is a curve of the mean, so that the shares of the mean are multiplied by the slope of the line between
        base and row (the rescale rule of Shrikumar et al., "Learning Important Features Through Propagating Activation
        Differences", 2017, section 3.4).
        """
        dense, base = np.zeros(features.values.shape), np.zeros(len(features))
        for k, booster in enumerate(self._boosters):
            own = np.flatnonzero(output == k)
            shares, mean = boosters.shares(booster, features.take(own), np.zeros(len(own), np.int64))
            dense[own], base[own] = shares / booster.num_trees(), mean / booster.num_trees()
        moved, prior = dense.sum(axis=1), self._prior[output]
        start, score = self._told(base, prior), self._told(base + moved, prior)
        slope = np.divide(score - start, moved, out=np.zeros(len(base)), where=np.abs(moved) > 1e-12)
        return FeatureShares(start, dense * slope[:, None], None, "TreeSHAP, rescaled; base: the mean of training rows")

    def state(self) -> State:
        values = {"trees": self.trees, "classifies": self._classifies, **self.settings}
        return State(self.version, values, {"prior": self._prior}, boosters.texts(self._boosters))

    @classmethod
    def from_boosters(cls, state: State, made: Sequence[Any]) -> Self:
        kept = {name: state.values[name] for name in ("trees", "leaf_rows", "scaling")}
        learner = cls(**kept)
        learner._classifies, learner._prior = state.values["classifies"], state.arrays["prior"]
        learner._boosters = list(made)
        return learner
