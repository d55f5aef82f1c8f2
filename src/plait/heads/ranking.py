"""What comes before what: one score a row, whose order within a group is what counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Head, Prediction, State, Task
from plait.data.numbers import numeric
from plait.errors import InputError, RowError

if TYPE_CHECKING:
    import torch

__all__ = ["Ranking"]

NEAR = 128  # rows of its group on either side that a row is compared with where its error is counted


class Ranking(Head):
    """A score a row (``K = 1``), trained on the order of rows within their groups.

    The loss of a row is the mean, over the rows of its group that are more or less relevant than it, of the logistic
    loss of the difference of their scores (RankNet: Burges et al., "Learning to Rank using Gradient Descent", 2005).
    Rows of a group are compared where they stand in one mini-batch, so rows of a group go there together (`together`).

    Targets are the relevance (numbers; only their order counts), or pairs of it and the row's group: a matrix ``N x 2``
    or ``N`` tuples. Without groups all rows are one. The prior is 0.
    """

    name: ClassVar[str] = "ranking"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "regression"

    def __init__(self) -> None:
        self.outputs = 1

    def fit(self, targets: Array, weight: npt.NDArray[np.float64]) -> Self:
        """Check that there is an order to learn.

        Raises
        ------
        InputError
            If a target is missing or no number, or no group has rows of different relevance.
        """
        relevance, group = self.encode(targets).T
        counts = weight > 0
        pairs = np.unique(np.stack([group[counts], relevance[counts]]), axis=1)
        if len(np.unique(pairs[0])) == pairs.shape[1]:
            raise InputError("no group has two rows of different relevance; there is no order to learn")
        return self

    @property
    def prior(self) -> npt.NDArray[np.float64]:
        return np.zeros(1)

    def encode(self, targets: Array) -> npt.NDArray[np.float64]:
        """Relevance and the number of the group, float64 ``N x 2``."""
        values = np.asarray(targets)
        if values.dtype.kind == "O" and values.ndim == 1 and len(values) and isinstance(values[0], tuple | list):
            values = _paired(values)
        if values.ndim == 2 and values.shape[1] == 2:
            return np.stack([numeric(values[:, 0], "a ranking"), _numbered(values[:, 1])], axis=1)
        relevance = numeric(values, "a ranking")
        return np.stack([relevance, np.zeros(len(relevance))], axis=1)

    def together(self, encoded: Array) -> npt.NDArray[np.int64] | None:
        """The group of each row, int64 ``N``; None where there is but one."""
        group = _codes(encoded)
        return group if group.any() else None

    def decode(self, scores: npt.NDArray[np.float64]) -> Prediction:
        """The scores, float64 ``N``: what comes first has the largest."""
        return Prediction("ranking", np.asarray(scores, np.float64)[:, 0].copy())

    def error(self, scores: Array, targets: Array, weight: Array) -> npt.NDArray[np.float64]:
        """As the loss, but a row is compared with `NEAR` others of its group on either side, in a random order."""
        s, relevance = np.asarray(scores, np.float64)[:, 0], np.asarray(targets)[:, 0]
        loss, total = np.zeros(len(s)), np.zeros(len(s))
        for one, other in _pairs(_codes(targets)):
            sign = np.sign(relevance[one] - relevance[other])
            lost = np.where(sign == 0, 0.0, np.logaddexp(0.0, -sign * (s[one] - s[other])))
            for row, beside in ((one, other), (other, one)):
                counts = np.where(sign == 0, 0.0, weight[beside])
                loss[row] += counts * lost
                total[row] += counts
        return np.asarray(weight * np.divide(loss, total, out=np.zeros(len(s)), where=total > 0), np.float64)

    def module(self, width: int) -> torch.nn.Module:
        from plait.layers.readout import PooledLinear

        return PooledLinear(width, self.prior)

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional as F

        relevance, group = targets[:, 0], targets[:, 1]
        sign = (relevance[:, None] - relevance).sign() * (group[:, None] == group)
        counts = sign.abs() * weight
        lost = F.softplus(-sign * (scores - scores.T)) * counts
        return (weight * lost.sum(dim=1) / counts.sum(dim=1).clamp(min=1e-12)).mean()

    def problems(self) -> tuple[Head, ...]:
        """A value: where the row stands in its group, as a normal score."""
        head: Head = registry.get("heads", "regression")().fit(np.array([-1.0, 1.0]), np.ones(2))
        return (head,)

    def split(self, encoded: Array) -> list[npt.NDArray[np.float64]]:
        """Normal scores of the ranks within groups, equal relevance sharing a rank; NaN where all are equal."""
        from scipy.special import ndtri

        relevance, group = np.asarray(encoded)[:, 0], _codes(encoded)
        order = np.lexsort((relevance, group))
        size = np.bincount(group)
        start = np.concatenate([[0], np.cumsum(size)[:-1]])
        place = np.empty(len(group))
        place[order] = np.arange(len(group)) - start[group[order]]
        _, tie = np.unique(np.stack([group, relevance]), axis=1, return_inverse=True)
        tie = tie.reshape(-1)
        mean = np.bincount(tie, place) / np.bincount(tie)
        alone = np.bincount(tie)[tie] == size[group]
        return [np.where(alone, np.nan, ndtri((mean[tie] + 0.5) / size[group]))]

    def joined(self, scores: Sequence[Array]) -> npt.NDArray[np.float64]:
        return np.asarray(scores[0], np.float64)

    def origin(self, output: int) -> tuple[int, int]:
        return 0, output

    def state(self) -> State:
        return State(self.version)

    @classmethod
    def from_state(cls, state: State) -> Self:
        return cls()


def _paired(cells: Array) -> Array:
    """Tuples of relevance and group as an object array ``N x 2``."""
    wrong = [row for row, cell in enumerate(cells) if not isinstance(cell, tuple | list) or len(cell) != 2]
    if wrong:
        raise RowError("the target of row ", wrong[0], f" is {cells[wrong[0]]!r}; give pairs of relevance and group")
    made = np.empty((len(cells), 2), object)
    made[:] = [tuple(cell) for cell in cells]
    return made


def _numbered(groups: Array) -> npt.NDArray[np.float64]:
    """Whole numbers that single precision holds as they are, so that parts of the rows agree; others are numbered."""
    missing = [row for row, group in enumerate(groups.tolist()) if group is None or group != group]
    if missing:
        raise RowError(f"the group of {len(missing)} rows is missing (the first is row ", missing[0], ")")
    try:
        numbers = groups.astype(np.float64)
        if (np.floor(numbers) == numbers).all() and (np.abs(numbers) <= 2**24).all():
            return numbers
    except (TypeError, ValueError):
        pass
    return np.unique(groups.astype(str), return_inverse=True)[1].astype(np.float64)


def _codes(encoded: Array) -> npt.NDArray[np.int64]:
    """The group of each row as a number from 0, int64 ``N``."""
    return np.unique(np.asarray(encoded)[:, 1], return_inverse=True)[1].astype(np.int64)


def _pairs(group: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Rows beside rows of the same group, each pair once."""
    order = np.random.default_rng(0).permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]
    for step in range(1, min(NEAR, len(order) - 1) + 1):
        one, other = order[:-step], order[step:]
        same = group[one] == group[other]
        if not same.any():
            return
        yield one[same], other[same]
