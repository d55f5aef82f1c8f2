"""Dense features in normal shape, with tails that go on, and categories as indicators; missing cells stay missing."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from plait.classical.scale import Scale
from plait.contracts import Features, State

__all__ = ["NormalScores"]

SPREADS = 3.0  # of a normal column, between the median and an end
TINY = 1e-9  # where the median is the end itself
RAREST = 0.02  # share from which a level's indicator is scaled: rarer ones would be far out whenever they are there


class NormalScores:
    """From features to columns with about zero mean and unit spread.

    Numbers become normal scores of their quantiles. Beyond the training range they go on, by the inverse hyperbolic
    sine of the excess over a third of the distance from the median to that end: at first as within, then ever slower.
    Each level of a category becomes an indicator, standardised by its share. `feature` (int64 ``D``) tells which
    feature each column is made of.
    """

    def __init__(self) -> None:
        self._scale = Scale(steps=False)
        self._coded = np.zeros((0, 2), np.int64)  # feature and level
        self._shares = np.zeros(0)

    @property
    def feature(self) -> npt.NDArray[np.int64]:
        return np.concatenate([self._scale.columns, self._coded[:, 0]])

    def fit(self, features: Features) -> Self:
        self._scale.fit(features, ~features.categorical)
        pairs, shares = [], []
        for column in np.flatnonzero(features.categorical).tolist():
            cells = features.values[:, column]
            levels, counts = np.unique(cells[~np.isnan(cells)], return_counts=True)
            for level, rows in zip(levels, counts, strict=True):
                if len(levels) > 1 and rows > 1:
                    pairs.append((column, int(level)))
                    shares.append(rows / counts.sum())
        self._coded, self._shares = np.array(pairs, np.int64).reshape(-1, 2), np.array(shares)
        return self

    def __call__(self, features: Features) -> npt.NDArray[np.float64]:
        """float64 ``N x D``, NaN where the cell is missing."""
        scale = self._scale
        out = np.empty((len(features), len(self.feature)))
        for i, column in enumerate(scale.columns):
            knots, levels = (each[i, : scale.counts[i]] for each in (scale.quantiles, scale.levels))
            cells = features.values[:, column].astype(np.float64)
            middle = np.interp(0.0, levels, knots)
            below, above = np.maximum(knots[0] - cells, 0), np.maximum(cells - knots[-1], 0)
            beyond = np.arcsinh(SPREADS * above / max(knots[-1] - middle, TINY))
            beyond -= np.arcsinh(SPREADS * below / max(middle - knots[0], TINY))
            out[:, i] = np.interp(cells, knots, levels) + beyond
            out[np.isnan(cells), i] = np.nan
        coded = features.values[:, self._coded[:, 0]]
        share = np.clip(self._shares, RAREST, 1 - RAREST)
        there = (coded == self._coded[:, 1]) - self._shares
        out[:, len(scale.columns) :] = np.where(np.isnan(coded), np.nan, there / np.sqrt(share * (1 - share)))
        return out

    def state(self) -> State:
        return State(1, {}, {"coded": self._coded, "shares": self._shares}, parts={"scale": self._scale.state()})

    @classmethod
    def from_state(cls, state: State) -> Self:
        made = cls()
        made._scale = Scale.from_state(state.parts["scale"])
        made._coded, made._shares = state.arrays["coded"], state.arrays["shares"]
        return made
