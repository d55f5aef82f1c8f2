"""A number: the standardised value is the score."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Head, Prediction, State, Task
from plait.data.numbers import numeric, scale

if TYPE_CHECKING:
    import torch

__all__ = ["Regression"]


class Regression(Head):
    """The target standardised by its weighted mean and standard deviation (``K = 1``), trained on squared error.

    A constant target has standard deviation 1. The prior is the mean, score 0.
    """

    name: ClassVar[str] = "regression"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "regression"

    def __init__(self) -> None:
        self.outputs = 1

    def fit(self, targets: Array, weight: npt.NDArray[np.float64]) -> Self:
        """Learn mean and standard deviation.

        Raises
        ------
        InputError
            If a target is not a finite number, or there are no rows or too large numbers.
        """
        values = numeric(targets)
        self.mean, self.std = scale(values, weight)
        return self

    @property
    def prior(self) -> npt.NDArray[np.float64]:
        return np.zeros(1)

    def encode(self, targets: Array) -> npt.NDArray[np.float64]:
        return (numeric(targets) - self.mean) / self.std

    def decode(self, scores: npt.NDArray[np.float64]) -> Prediction:
        """Values in the target's own unit, float64 ``N``."""
        return Prediction("value", np.asarray(scores, np.float64)[:, 0] * self.std + self.mean)

    def error(self, scores: Array, targets: Array, weight: Array) -> npt.NDArray[np.float64]:
        return np.asarray(weight * np.square(np.asarray(scores, np.float64)[:, 0] - targets), np.float64)

    def module(self, width: int) -> torch.nn.Module:
        from plait.layers.readout import PooledLinear

        return PooledLinear(width, self.prior)

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return (weight * (scores[:, 0] - targets).square()).mean()

    def state(self) -> State:
        return State(self.version, {"mean": self.mean, "std": self.std})

    @classmethod
    def from_state(cls, state: State) -> Self:
        head = cls()
        head.mean, head.std = float(state.values["mean"]), float(state.values["std"])
        return head
