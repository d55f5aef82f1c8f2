"""Scores of unlike scales to one: how surprising it is to see one as high, in the logarithm of the chance."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, State

__all__ = ["Tails"]

KNOTS = 64
BEYOND = 10  # scores above the last knot: their mean excess is the scale from there on


class Tails:
    """Of each column, the surprise ``-log P(S >= s)`` of a score, as the scores it was fitted on have it.

    Between knots it is linear. Beyond the last one the tail is that of Pareto, with shape 1 and the mean excess of the
    scores there as its scale (peaks over a threshold: Pickands, 1975): the heaviest that comes into question, since of
    what was never seen nobody knows how rare it is. No two scores beyond all that was seen tie.
    """

    def __init__(self) -> None:
        self.levels = np.zeros(0)
        self.knots = np.zeros((0, 0))
        self.slopes = np.zeros(0)

    def fit(self, scores: Array) -> Self:
        """Learn from scores, float64 ``N x C``; NaN says nothing. A column without any never surprises."""
        rows, columns = scores.shape
        top = max(np.log(max(rows, 2) / BEYOND), np.log(2))
        self.levels = np.linspace(0, top, KNOTS)
        self.knots, self.slopes = np.zeros((columns, KNOTS)), np.zeros(columns)
        for column, values in enumerate(scores.T):
            seen = values[~np.isnan(values)]
            if not len(seen):
                continue
            knots = np.quantile(seen, 1 - np.exp(-self.levels))
            excess = seen[seen > knots[-1]] - knots[-1]
            spread = float(seen.max() - seen.min())
            self.knots[column] = knots
            self.slopes[column] = 1 / max(excess.mean(), 1e-3 * spread) if len(excess) else 1 / max(spread, 1e-9)
        return self

    def __call__(self, scores: Array) -> npt.NDArray[np.float64]:
        """float64 ``N x C``, 0 or more; 0 where a score is NaN."""
        out = np.zeros(scores.shape)
        for column, values in enumerate(scores.T):
            if not self.slopes[column]:
                continue
            knots, first = np.unique(self.knots[column], return_index=True)  # ties surprise as little as the least
            level = self.levels[first]
            found = np.interp(values, knots, level) + np.log1p(self.slopes[column] * np.maximum(values - knots[-1], 0))
            out[:, column] = np.where(np.isnan(values), 0.0, found)
        return out

    def state(self) -> State:
        return State(1, arrays={"levels": self.levels, "knots": self.knots, "slopes": self.slopes})

    @classmethod
    def from_state(cls, state: State) -> Self:
        made = cls()
        made.levels, made.knots, made.slopes = (state.arrays[name] for name in ("levels", "knots", "slopes"))
        return made
