"""Platt scaling: a line through the log-odds."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from plait.classical.score_curves import FLATTEST, ScoreCurves, logistic, smoothed

__all__ = ["Platt"]


class Platt(ScoreCurves):
    """``slope * score + constant``, of least log loss against smoothed targets; the slope is above 0.

    Source: Platt, Probabilistic outputs for support vector machines, 1999.
    """

    name: ClassVar[str] = "platt"
    freedom: ClassVar[float] = 2

    def learn(
        self, odds: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        terms = np.stack([odds, np.ones(len(odds))], axis=1)
        return logistic(terms, smoothed(positive, weight), weight, np.array([FLATTEST, -np.inf]))

    def bend(self, curve: npt.NDArray[np.float64], odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(curve[0] * odds + curve[1])
