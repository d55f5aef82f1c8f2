"""Beta calibration: low and high scores are stretched each in their own measure."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from plait.classical.score_curves import FLATTEST, ScoreCurves, logistic, smoothed

__all__ = ["Beta"]


class Beta(ScoreCurves):
    """``a ln p - b ln(1 - p) + c`` as log-odds, ``a`` and ``b`` above 0: it can undo sigmoid and inverse sigmoid.

    Targets are smoothed as Platt's, so that classes wholly apart stay finite.

    Source: Kull, Silva Filho and Flach, Beta calibration, AISTATS 2017.
    """

    name: ClassVar[str] = "beta"
    freedom: ClassVar[float] = 3

    def learn(
        self, odds: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        return logistic(_terms(odds), smoothed(positive, weight), weight, np.array([FLATTEST, FLATTEST, -np.inf]))

    def bend(self, curve: npt.NDArray[np.float64], odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(_terms(odds) @ curve)


def _terms(odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``ln p``, ``-ln(1 - p)`` and 1, float64 ``N x 3``."""
    return np.stack([-np.logaddexp(0, -odds), np.logaddexp(0, odds), np.ones(len(odds))], axis=1)
