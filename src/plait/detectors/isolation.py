"""Isolation: odd rows are those that few random cuts set apart (Liu, Ting and Zhou, ICDM 2008)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.classical.options import check, count
from plait.contracts import Array, Detector, Features, FitContext, State

__all__ = ["Isolation"]

AT_ONCE = 1 << 20  # rows times trees that are followed at once


class Isolation(Detector):
    """An isolation forest over all features; its score is that of the paper, ``2 ** (-E(h) / c)``, in 0..1.

    Trees are grown by scikit-learn and kept as arrays. Where trees are grown, a missing cell holds one of the cells
    that are there, drawn at random; where they are followed, it goes the way of most rows: that a cell is missing makes
    no row odd. What a feature adds is by how much the cuts along it leave a row's path shorter than was to be expected
    (the decomposition of tree paths of Saabas, 2014), in units of ``c``: shares add up to the path's whole deviation.

    Parameters
    ----------
    trees
        How many.
    sample
        Rows that each tree sets apart, drawn without replacement.
    """

    name: ClassVar[str] = "isolation"
    version: ClassVar[int] = 1

    def __init__(self, *, trees: int = 200, sample: int = 256) -> None:
        self.trees = trees
        self.sample = sample
        check(self, {"trees": (count(trees), "1, 2, ..."), "sample": (count(sample, 2), "2, 3, ...")})
        self._arrays: dict[str, Array] = {}
        self._usual = 0.0  # c: the path length to be expected of a row of a sample

    def fit(self, features: Features, groups: npt.NDArray[np.int64], context: FitContext) -> Self:
        from sklearn.ensemble import IsolationForest

        values = _filled(features.values, context.rng("isolation"))
        sample = min(self.sample, len(values))
        forest = IsolationForest(n_estimators=self.trees, max_samples=sample, random_state=context.seed)
        grown = [_as_arrays(tree.tree_) for tree in forest.fit(values).estimators_] if values.size else []
        starts = np.cumsum([0, *(len(tree["feature"]) for tree in grown)])
        self._usual = float(_expected(np.array([sample]))[0])
        self._arrays = {name: np.concatenate([tree[name] for tree in grown]) for name in (grown[0] if grown else ())}
        for side in ("left", "right"):
            if grown:
                self._arrays[side] += np.repeat(starts[:-1], np.diff(starts)).astype(np.int32)
        self._arrays["roots"] = starts[:-1].astype(np.int32)
        return self

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        return np.asarray(2.0 ** -self._followed(features, None))

    def shares(self, features: Features) -> npt.NDArray[np.float64]:
        out = np.zeros(features.values.shape)
        self._followed(features, out)
        return out

    def _followed(self, features: Features, shares: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
        """Mean path lengths of rows in units of ``c``, float64 ``N``; what cuts took off them is added to `shares`."""
        rows, trees = len(features), len(self._arrays["roots"])
        out = np.zeros(rows)
        if not trees:
            return out
        step = max(1, AT_ONCE // trees)
        for start in range(0, rows, step):
            part = slice(start, start + step)
            out[part] = self._paths(features.values[part], None if shares is None else shares[part])
        return out

    def _paths(self, values: Array, shares: Array | None) -> npt.NDArray[np.float64]:
        known = self._arrays
        scale = (self._usual * len(known["roots"])) or 1.0
        nodes = np.tile(known["roots"], (len(values), 1))
        rows = np.arange(len(values))[:, None]
        while True:
            feature = known["feature"][nodes]
            cells = values[rows, feature]
            left = np.where(np.isnan(cells), known["missing_left"][nodes], cells <= known["threshold"][nodes])
            after = np.where(left, known["left"][nodes], known["right"][nodes])
            if (after == nodes).all():  # a leaf is its own child
                break
            if shares is not None:
                shorter = known["length"][nodes] - known["length"][after]
                places = (rows * values.shape[1] + feature).ravel()
                shares += np.bincount(places, shorter.ravel(), shares.size).reshape(shares.shape) / scale
            nodes = after
        return np.asarray(known["length"][nodes].sum(axis=1) / scale)

    def state(self) -> State:
        return State(self.version, {"usual": self._usual}, self._arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        made = cls()
        made._usual, made._arrays = state.values["usual"], dict(state.arrays)
        return made


def _as_arrays(tree: Any) -> dict[str, Array]:
    """A tree of scikit-learn; ``length`` is the path length of each node's rows, expected where they part further."""
    leaf, own, rows = tree.children_left < 0, np.arange(tree.node_count), tree.n_node_samples
    lengths = tree.compute_node_depths() - 1.0 + _expected(rows)
    left, right = (np.where(leaf, own, side) for side in (tree.children_left, tree.children_right))
    for node in own[~leaf][::-1]:  # children stand after their parents
        ways = rows[left[node]], rows[right[node]]
        lengths[node] = (ways[0] * lengths[left[node]] + ways[1] * lengths[right[node]]) / sum(ways)
    return {
        "feature": np.where(leaf, 0, tree.feature).astype(np.int32),
        "threshold": np.where(leaf, 0.0, tree.threshold),
        "left": left.astype(np.int32),
        "right": right.astype(np.int32),
        "missing_left": rows[left] >= rows[right],
        "length": lengths,
    }


def _expected(rows: Array) -> npt.NDArray[np.float64]:
    """The path length that is to be expected among so many rows (equation 1 of the paper)."""
    more = np.maximum(rows - 1.0, 2.0)
    many = 2.0 * (np.log(more) + np.euler_gamma) - 2.0 * more / np.maximum(rows, 3)
    return np.where(rows > 2, many, np.maximum(rows - 1.0, 0.0))


def _filled(values: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Missing cells hold one of their column's; 0 in a column that has none."""
    out = values.copy()
    for column in out.T:
        gone = np.isnan(column)
        if gone.any():
            column[gone] = rng.choice(column[~gone], gone.sum()) if not gone.all() else 0.0
    return out
