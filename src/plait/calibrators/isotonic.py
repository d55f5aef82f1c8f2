"""Isotonic calibration: whatever rises."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from plait.classical.score_curves import FLATTEST, ScoreCurves

__all__ = ["Isotonic"]


class Isotonic(ScoreCurves):
    """The rising step function of least squared error, its steps joined by lines from centre to centre.

    Pure steps would tie the rows of a step, and say 0 or 1 of the outermost. So a step is met at its centre only (Oron
    and Flournoy, Statistics in Biopharmaceutical Research 2017), and the steps are found with one more negative above
    the highest score and one more positive below the lowest: the top step of ``m`` rows says at most ``m / (m + 1)``,
    so that log-odds are finite. Beyond the outermost centres the curve is all but flat.

    Source: Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability estimates, 2002.
    """

    name: ClassVar[str] = "isotonic"
    freedom: ClassVar[float] = np.inf

    def learn(
        self, odds: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Centres (log-odds before) and levels (after): float64 ``2 x M``."""
        from sklearn.isotonic import isotonic_regression

        order = np.argsort(odds, kind="stable")
        seen, code = np.unique(odds[order], return_inverse=True)
        mass = np.bincount(code, weight[order], len(seen))
        true = np.bincount(code, weight[order] * positive[order], len(seen))
        known = mass > 0
        seen, mass, true = seen[known], mass[known], true[known]
        padded = np.concatenate([[1.0], mass, [1.0]])
        level = isotonic_regression(np.concatenate([[1.0], true / mass, [0.0]]), sample_weight=padded)
        level = np.asarray(level[1:-1], np.float64)
        step = np.cumsum(np.concatenate([[0], np.diff(level) > 0]))
        centre = np.bincount(step, mass * seen) / np.bincount(step, mass)
        height = level[np.flatnonzero(np.diff(step, prepend=-1))]
        return np.stack([centre, np.log(height) - np.log1p(-height)])

    def bend(self, curve: npt.NDArray[np.float64], odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.interp(odds, curve[0], curve[1]) + FLATTEST * odds)
