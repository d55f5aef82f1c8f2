"""Calibration of one class at a time: rising curves from log-odds to log-odds, of each class against the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, State

__all__ = ["FLATTEST", "ScoreCurves", "class_odds", "logistic", "smoothed"]

FLATTEST = 1e-6  # least slope of a curve: rows of unequal score never become equal, even where the score tells nothing

Floats = npt.NDArray[np.float64]


class ScoreCurves(ABC):
    """A calibrator with one curve for two classes, or one for each of ``K``.

    With more than two classes, each is calibrated against the rest and the probabilities are made to sum to one
    (Zadrozny and Elkan, KDD 2002).
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    freedom: ClassVar[float]

    def __init__(self) -> None:
        self.curves: list[Floats] = []

    @abstractmethod
    def learn(self, odds: Floats, positive: npt.NDArray[np.bool_], weight: Floats) -> Floats:
        """The numbers of one curve, from log-odds, what came true and weights (``N`` each)."""

    @abstractmethod
    def bend(self, curve: Floats, odds: Floats) -> Floats:
        """Log-odds (``N``) through a curve."""

    def fit(self, scores: Array, targets: Array, weight: Array) -> Self:
        odds = class_odds(scores)
        several = odds.shape[1] > 1
        weight = np.asarray(weight, np.float64)
        self.curves = [self.learn(odds[:, k], targets == (k if several else 1), weight) for k in range(odds.shape[1])]
        return self

    def __call__(self, scores: Array) -> Floats:
        odds = class_odds(scores)
        bent = np.stack([self.bend(curve, odds[:, k]) for k, curve in enumerate(self.curves)], axis=1)
        if bent.shape[1] == 1:
            return bent
        return np.asarray(-np.logaddexp(0, -bent))  # logs of probabilities: as logits they are normalised by the head

    def state(self) -> State:
        return State(self.version, arrays={str(k): curve for k, curve in enumerate(self.curves)})

    @classmethod
    def from_state(cls, state: State) -> Self:
        made = cls()
        made.curves = [np.asarray(state.arrays[str(k)], np.float64) for k in range(len(state.arrays))]
        return made


def class_odds(scores: Array) -> Floats:
    """Log-odds of each class against the rest, float64 ``N x K``; one score a row is log-odds already."""
    s = np.asarray(scores, np.float64)
    if s.shape[1] == 1:
        return s
    rows, top = np.arange(len(s)), s.argmax(axis=1)
    centred = s - s[rows, top][:, None]
    powers = np.exp(centred)
    total = powers.sum(axis=1, keepdims=True)
    odds = (
        centred - np.log(total) - np.log1p(-np.minimum(powers / total, 0.5))
    )  # classes but the top are below one half
    others = centred.copy()
    others[rows, top] = -np.inf
    peak = others.max(axis=1)
    odds[rows, top] = -peak - np.log(np.exp(others - peak[:, None]).sum(axis=1))
    return np.asarray(odds)


def smoothed(positive: npt.NDArray[np.bool_], weight: Floats) -> Floats:
    """Targets as Platt (1999, section 2.2) has them: a row short of certain, so that classes apart stay finite."""
    above, below = float(weight[positive].sum()), float(weight[~positive].sum())
    return np.where(positive, (above + 1) / (above + 2), 1 / (below + 2))


def logistic(terms: Floats, targets: Floats, weight: Floats, least: Floats) -> Floats:
    """Coefficients (``F``) of least log loss, none below `least` (``-inf``: free).

    Parameters
    ----------
    terms
        float64 ``N x F``, a column of ones among them where a constant is wanted.
    targets
        float64 ``N`` in 0..1.
    """
    from scipy.optimize import minimize

    size = np.sqrt(np.mean(np.square(terms), axis=0))
    size[size == 0] = 1.0  # a term that is always 0 has no say
    scaled, share = terms / size, weight / weight.sum()

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        odds = scaled @ coefficients
        chance = np.exp(-np.logaddexp(0, -odds))
        return float(share @ (np.logaddexp(0, odds) - targets * odds)), scaled.T @ (share * (chance - targets))

    bounds = [(None if np.isinf(low) else low, None) for low in least * size]
    found = minimize(
        loss,
        np.maximum(0.0, least * size),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1000},
    )
    return np.asarray(found.x / size, np.float64)
