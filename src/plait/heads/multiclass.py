"""Two or more classes: a logit each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Head, Prediction, State, Task
from plait.data.labels import Labels

if TYPE_CHECKING:
    import torch

__all__ = ["Multiclass"]


class Multiclass(Head):
    """Logits of ``K`` classes, trained on log loss.

    The prior is the log of the weighted class shares, each class counted half a row more than it has (Jeffreys), so
    that it is finite.
    """

    name: ClassVar[str] = "multiclass"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "multiclass"

    def fit(self, targets: Array, weight: npt.NDArray[np.float64]) -> Self:
        """Learn the classes and the prior.

        Raises
        ------
        InputError
            If there are fewer than two classes, or a target is missing.
        """
        self.labels = Labels.learn(targets)
        counts = self.labels.counts(targets, weight) + 0.5
        self._prior: npt.NDArray[np.float64] = np.log(counts / counts.sum())
        self.outputs = len(counts)
        return self

    @property
    def classes(self) -> Array:
        return self.labels.classes

    @property
    def prior(self) -> npt.NDArray[np.float64]:
        return self._prior.copy()

    def encode(self, targets: Array) -> npt.NDArray[np.float64]:
        return self.labels.encode(targets).astype(np.float64)

    def decode(self, scores: npt.NDArray[np.float64]) -> Prediction:
        """Probabilities by softmax, float64 ``N x K``."""
        s = np.asarray(scores, np.float64)
        powers = np.exp(s - s.max(axis=1, keepdims=True))
        return Prediction("class", powers / powers.sum(axis=1, keepdims=True), self.classes)

    def error(self, scores: Array, targets: Array, weight: Array) -> npt.NDArray[np.float64]:
        s = np.asarray(scores, np.float64)
        top = s.max(axis=1)
        total = top + np.log(np.exp(s - top[:, None]).sum(axis=1))
        return np.asarray(weight * (total - s[np.arange(len(s)), targets.astype(np.int64)]), np.float64)

    def module(self, width: int) -> torch.nn.Module:
        from plait.layers.readout import PooledLinear

        return PooledLinear(width, self.prior)

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional as F

        return (weight * F.cross_entropy(scores, targets.long(), reduction="none")).mean()

    def state(self) -> State:
        return State(self.version, {"labels": self.labels.to_json()}, {"prior": self._prior})

    @classmethod
    def from_state(cls, state: State) -> Self:
        head = cls()
        head.labels = Labels.from_json(state.values["labels"])
        head._prior = np.asarray(state.arrays["prior"], np.float64)
        head.outputs = len(head._prior)
        return head
