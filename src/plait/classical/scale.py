"""Dense columns to a normal shape by their quantiles, with steps beside them, and indicators of missing cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Features, Sparse, State

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["Scale", "as_scipy"]

POINTS = 200  # quantiles kept a column
BINS = 10  # steps of the step function
STEP = 0.5  # height of a step: under one penalty, lower steps are shrunk more than the slope
# normal quantiles at 0.1, 0.2, ..., 0.9: where the steps of a column in normal shape begin
EDGES = np.array([-1.2815516, -0.8416212, -0.5244005, -0.2533471, 0.0, 0.2533471, 0.5244005, 0.8416212, 1.2815516])


class Scale:
    """Columns in normal shape (missing cells at the median), perhaps with steps, then indicators of missing cells.

    Parameters
    ----------
    steps
        A coarse step function beside each column, so that it may act unevenly, as in a scorecard.
    """

    def __init__(self, *, steps: bool = True) -> None:
        self.steps = steps
        self.columns = np.zeros(0, np.int64)
        self.quantiles = np.zeros((0, 0))
        self.levels = np.zeros((0, 0))
        self.counts = np.zeros(0, np.int64)
        self.missing = np.zeros(0, np.int64)

    @property
    def width(self) -> int:
        return len(self.columns) * self._each + len(self.missing)

    @property
    def _each(self) -> int:
        return 1 + BINS * self.steps

    def fit(self, features: Features, which: Array | None = None) -> Self:
        """Learn the columns that `which` (bool ``F``) names, or all that the wide form does not cover."""
        from scipy.special import ndtri

        values = features.values
        numeric = np.flatnonzero(~features.covered if which is None else which)
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
        if self.steps:
            row, place = np.nonzero(seen)
            step = np.searchsorted(EDGES, scaled[row, place], side="right")
            out[row, columns + place * BINS + step] = STEP
        out[:, columns * self._each :] = ~features.present[:, self.missing]
        return out

    def by_feature(self, shares: Array, features: int) -> npt.NDArray[np.float64]:
        """What scaled columns add (``N x width``), summed to the features that they are made of: ``N x features``."""
        rows, columns = len(shares), len(self.columns)
        out = np.zeros((rows, features))
        out[:, self.columns] = shares[:, :columns]
        steps = shares[:, columns : columns * self._each].reshape(rows, columns, self._each - 1)
        out[:, self.columns] += steps.sum(axis=2)
        out[:, self.missing] += shares[:, columns * self._each :]
        return out

    def design(self, features: Features) -> Array | scipy.sparse.csr_matrix:
        """What the solver reads: dense alone, or sparse with the wide form beside."""
        dense = self.dense(features)
        if features.wide is None:
            return dense
        from scipy.sparse import csr_matrix, hstack

        return hstack([csr_matrix(dense), as_scipy(features.wide)], format="csr")

    def state(self) -> State:
        arrays = {
            "columns": self.columns,
            "quantiles": self.quantiles,
            "levels": self.levels,
            "counts": self.counts,
            "missing": self.missing,
        }
        return State(1, {"steps": self.steps}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        scale = cls(steps=state.values["steps"])
        scale.columns, scale.counts, scale.missing = (state.arrays[n] for n in ("columns", "counts", "missing"))
        scale.quantiles, scale.levels = state.arrays["quantiles"], state.arrays["levels"]
        return scale


def as_scipy(wide: Sparse) -> scipy.sparse.csr_matrix:
    """The wide form as scipy's matrix, float64."""
    from scipy.sparse import csr_matrix

    return csr_matrix((wide.data.astype(np.float64), wide.indices, wide.indptr), shape=(len(wide), wide.width))
