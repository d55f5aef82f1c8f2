"""Two classes: one score a row, the log-odds of the second."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Head, Prediction, State, Task
from plait.data.labels import Labels
from plait.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["Binary"]


class Binary(Head):
    """Log-odds of the second of two classes (``K = 1``), trained on log loss.

    The prior is the log-odds of the weighted class shares, each class counted half a row more than it has (Jeffreys),
    so that it is finite.
    """

    name: ClassVar[str] = "binary"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "binary"

    def __init__(self) -> None:
        self.outputs = 1

    def fit(self, targets: Array, weight: npt.NDArray[np.float64]) -> Self:
        """Learn the two classes and the prior.

        Raises
        ------
        InputError
            If the targets do not have exactly two classes, or one is missing.
        """
        self.labels = Labels.learn(targets)
        if len(self.classes) != 2:
            raise InputError(f"the target has {len(self.classes)} classes; the binary head takes 2, multiclass more")
        first, second = self.labels.counts(targets, weight) + 0.5
        self._prior = float(np.log(second / first))
        return self

    @property
    def classes(self) -> Array:
        return self.labels.classes

    @property
    def prior(self) -> npt.NDArray[np.float64]:
        return np.array([self._prior])

    def encode(self, targets: Array) -> npt.NDArray[np.float64]:
        return self.labels.encode(targets).astype(np.float64)

    def decode(self, scores: npt.NDArray[np.float64]) -> Prediction:
        """Probabilities of both classes by the logistic function, float64 ``N x 2``."""
        s = np.asarray(scores, np.float64)[:, 0]
        small = np.exp(-np.abs(s))  # never overflows
        away, near = small / (1 + small), 1 / (1 + small)
        second = s >= 0
        values = np.stack([np.where(second, away, near), np.where(second, near, away)], axis=1)
        return Prediction("class", values, self.classes)

    def error(self, scores: Array, targets: Array, weight: Array) -> npt.NDArray[np.float64]:
        s = np.asarray(scores, np.float64)[:, 0]
        return np.asarray(weight * (np.logaddexp(0.0, s) - targets * s), np.float64)

    def module(self, width: int) -> torch.nn.Module:
        from plait.layers.readout import PooledLinear

        return PooledLinear(width, self.prior)

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional as F

        return (weight * F.binary_cross_entropy_with_logits(scores[:, 0], targets, reduction="none")).mean()

    def state(self) -> State:
        return State(self.version, {"labels": self.labels.to_json(), "prior": self._prior})

    @classmethod
    def from_state(cls, state: State) -> Self:
        head = cls()
        head.labels = Labels.from_json(state.values["labels"])
        head._prior = float(state.values["prior"])
        return head
