"""Grades, which have an order: one score a step, the log-odds of going on to the next grade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Head, Json, Prediction, State, Task
from plait.data.labels import Labels, different
from plait.errors import ConfigError, InputError

if TYPE_CHECKING:
    import torch

__all__ = ["Ordinal"]


class Ordinal(Head):
    """Log-odds ``s_k`` of a higher grade than ``k`` among rows of grade ``k`` or higher (``K - 1`` of ``K`` grades).

    Continuation ratios (Fienberg, "The Analysis of Cross-Classified Categorical Data", 1980), as CORN trains networks
    (Shi, Cao and Raschka, "Deep Neural Networks for Rank-Consistent Ordinal Regression Based On Conditional
    Probabilities", 2021): whatever the scores, the probabilities that they make are a distribution, where cumulative
    log-odds (McCullagh 1980; Frank and Hall 2001) have to be kept from crossing. Trained on log loss, which is the sum
    of the steps' own. The prior are the weighted shares of the grades, each counted half a row more than it has.

    Parameters
    ----------
    grades
        All grades from one end to the other; None: the numbers that the target has, ascending.
    """

    name: ClassVar[str] = "ordinal"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "multiclass"

    def __init__(self, *, grades: Sequence[Json] | None = None) -> None:
        if grades is not None and not different(grades, 2):
            raise ConfigError(f"ordinal: grades={grades!r} must be a list of two or more different grades, in order")
        self.grades = grades

    def fit(self, targets: Array, weight: npt.NDArray[np.float64]) -> Self:
        """Learn the grades and the prior.

        Raises
        ------
        InputError
            If a target is missing or none of the grades, there are fewer than two, or they are text without an order.
        """
        self._learn(Labels.learn(targets if self.grades is None else np.asarray(self.grades, object)))
        self._counts = np.bincount(self.encode(targets).astype(np.int64), weight, len(self.classes))
        return self

    def _learn(self, labels: Labels) -> None:
        if self.grades is None and labels.classes.dtype.kind not in "biuf":
            shown = ", ".join(repr(grade) for grade in labels.classes[:8].tolist())
            raise InputError(f"the grades {shown} are text, whose order is not known; give grades=[...] in order")
        self.labels = labels
        order = (
            np.arange(len(labels.classes)) if self.grades is None else labels.encode(np.asarray(self.grades, object))
        )
        self.classes, self._rank = labels.classes[order], np.argsort(order)
        self.outputs = len(order) - 1

    @property
    def prior(self) -> npt.NDArray[np.float64]:
        counts = self._counts + 0.5
        above = np.cumsum(counts[::-1])[::-1]
        return np.asarray(np.log(above[1:] / counts[:-1]), np.float64)

    def encode(self, targets: Array) -> npt.NDArray[np.float64]:
        """Place of each grade in their order, float64 ``N``."""
        return np.asarray(self._rank[self.labels.encode(targets)], np.float64)

    def decode(self, scores: npt.NDArray[np.float64]) -> Prediction:
        """Probabilities of the grades, in order, float64 ``N x K``."""
        return Prediction("grade", np.exp(_log_shares(np.asarray(scores, np.float64))), self.classes)

    def error(self, scores: Array, targets: Array, weight: Array) -> npt.NDArray[np.float64]:
        told = _log_shares(np.asarray(scores, np.float64))
        return np.asarray(-weight * told[np.arange(len(told)), np.asarray(targets).astype(np.int64)], np.float64)

    def module(self, width: int) -> torch.nn.Module:
        from plait.layers.readout import PooledLinear

        return PooledLinear(width, self.prior, alike=True)

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        import torch
        from torch.nn import functional as F

        steps = torch.arange(self.outputs, device=scores.device)
        above = (targets[:, None] > steps).to(scores.dtype)
        losses = F.binary_cross_entropy_with_logits(scores, above, reduction="none")
        return (weight * (losses * (targets[:, None] >= steps)).sum(dim=1)).mean()

    def problems(self) -> tuple[Head, ...]:
        """Two classes a step: whether a row that came so far goes on."""
        binary = registry.get("heads", "binary")
        above = np.cumsum(self._counts[::-1])[::-1][1:]
        pairs = zip(self._counts[:-1], above, strict=True)
        return tuple(binary().fit(np.array([False, True]), np.array(pair)) for pair in pairs)

    def split(self, encoded: Array) -> list[npt.NDArray[np.float64]]:
        steps = range(self.outputs)
        return [np.where(encoded >= step, encoded > step, np.nan).astype(np.float64) for step in steps]

    def joined(self, scores: Sequence[Array]) -> npt.NDArray[np.float64]:
        return np.concatenate(scores, axis=1)

    def origin(self, output: int) -> tuple[int, int]:
        return output, 0

    def state(self) -> State:
        grades = None if self.grades is None else list(self.grades)
        return State(self.version, {"labels": self.labels.to_json(), "grades": grades}, {"counts": self._counts})

    @classmethod
    def from_state(cls, state: State) -> Self:
        head = cls(grades=state.values["grades"])
        head._learn(Labels.from_json(state.values["labels"]))
        head._counts = np.asarray(state.arrays["counts"], np.float64)
        return head


def _log_shares(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log-probabilities of the grades, float64 ``N x K``: of having come so far, and of staying there."""
    stays, goes = -np.logaddexp(0.0, scores), -np.logaddexp(0.0, -scores)
    none = np.zeros((len(scores), 1))
    return np.asarray(np.column_stack([none, np.cumsum(goes, axis=1)]) + np.column_stack([stays, none]))
