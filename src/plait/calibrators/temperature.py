"""Temperature scaling: one divisor for all scores."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, State

__all__ = ["Temperature"]

HOTTEST = 4.0  # of the logarithm: temperatures from 1/55 to 55


class Temperature:
    """Scores divided by a temperature of least log loss; above 1 it takes confidence away. No class changes rank.

    Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017.
    """

    name: ClassVar[str] = "temperature"
    version: ClassVar[int] = 1
    freedom: ClassVar[float] = 1

    def __init__(self) -> None:
        self.temperature = 1.0

    def fit(self, scores: Array, targets: Array, weight: Array) -> Self:
        from scipy.optimize import minimize_scalar

        s, share = np.asarray(scores, np.float64), np.asarray(weight, np.float64) / np.sum(weight)
        logits = np.concatenate([np.zeros((len(s), 1)), s], axis=1) if s.shape[1] == 1 else s
        centred = logits - logits[np.arange(len(s)), np.asarray(targets, np.int64)][:, None]
        peak = centred.max(axis=1)

        def loss(heat: float) -> float:
            cold = np.exp(-heat)
            return float(share @ (cold * peak + np.log(np.exp(cold * (centred - peak[:, None])).sum(axis=1))))

        found = minimize_scalar(loss, bounds=(-HOTTEST, HOTTEST), method="bounded", options={"xatol": 1e-6})
        self.temperature = float(np.exp(found.x))
        return self

    def __call__(self, scores: Array) -> npt.NDArray[np.float64]:
        return np.asarray(scores, np.float64) / self.temperature

    def state(self) -> State:
        return State(self.version, {"temperature": self.temperature})

    @classmethod
    def from_state(cls, state: State) -> Self:
        made = cls()
        made.temperature = float(state.values["temperature"])
        return made
