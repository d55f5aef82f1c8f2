"""Several yes-or-no labels a row: one score a label, its log-odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Head, Prediction, State, Task
from plait.data.labels import different
from plait.errors import ConfigError, InputError, RowError

if TYPE_CHECKING:
    import torch

__all__ = ["Multilabel"]


class Multilabel(Head):
    """Log-odds of each of ``L`` labels, trained on log loss ("binary relevance"), the mean over labels.

    Targets are ``N`` lists, tuples or sets of the names that a row has (None: nothing is known of the row), mappings of
    names to true and false where others are not known, or a matrix ``N x L`` of 0, 1 and NaN (not known): nothing is
    learned there. The prior are log-odds of the weighted shares of known rows, each side counted half a row more than
    it has (Jeffreys).

    Parameters
    ----------
    labels
        Names of the labels; None: those that the lists name, sorted, or the numbers of the matrix' columns.
    """

    name: ClassVar[str] = "multilabel"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "regression"  # nothing to stratify by

    def __init__(self, *, labels: Sequence[str] | None = None) -> None:
        if labels is not None and not different(labels, 1):
            raise ConfigError(f"multilabel: labels={labels!r} must be a list of one or more different names")
        self.labels = labels

    def fit(self, targets: Array, weight: npt.NDArray[np.float64]) -> Self:
        """Learn the names and the prior.

        Raises
        ------
        InputError
            If the targets are neither lists of names nor a matrix of 0, 1 and NaN, or no label of any row is known.
        """
        targets = np.asarray(targets)
        names = self.labels
        if names is None:
            names = tuple(map(str, range(targets.shape[1]))) if targets.ndim == 2 else _named(targets)
        self.classes = np.array([str(name) for name in names], object)
        self.outputs = len(self.classes)
        encoded = self.encode(targets)
        known = ~np.isnan(encoded)
        if not self.outputs or not (known & (weight > 0)[:, None]).any():
            raise InputError("no label of any row is known; nothing can be learned")
        yes = np.where(known, encoded, 0.0)
        self._counts = np.stack([weight @ (known - yes), weight @ yes], axis=1)
        return self

    @property
    def prior(self) -> npt.NDArray[np.float64]:
        no, yes = (self._counts + 0.5).T
        return np.asarray(np.log(yes / no))

    def encode(self, targets: Array) -> npt.NDArray[np.float64]:
        """0, 1, or NaN where it is not known: float64 ``N x L``."""
        targets = np.asarray(targets)
        return self._of_matrix(targets) if targets.ndim == 2 else self._of_lists(targets)

    def _of_matrix(self, targets: Array) -> npt.NDArray[np.float64]:
        try:
            values = targets.astype(np.float64)
        except (TypeError, ValueError):
            raise InputError("a matrix of labels holds what is no number; it takes 0, 1 and NaN (unknown)") from None
        if values.shape[1] != self.outputs:
            raise InputError(f"the matrix of labels has {values.shape[1]} columns for {self.outputs} labels")
        wrong = np.argwhere(~np.isnan(values) & (values != 0) & (values != 1))
        if len(wrong):
            row, label = wrong[0]
            told = f"label {self.classes[label]!r} is {values[row, label]:g} in row "
            raise RowError(told, int(row), "; it takes 0, 1 and NaN (unknown)")
        return values

    def _of_lists(self, targets: Array) -> npt.NDArray[np.float64]:
        place = {name: i for i, name in enumerate(self.classes.tolist())}
        values = np.zeros((len(targets), self.outputs))
        for row, cell in enumerate(targets.tolist()):
            if _missing(cell) or isinstance(cell, Mapping):
                values[row] = np.nan
            for name, has in () if _missing(cell) else _said(cell, row):
                if name not in place:
                    known = ", ".join(map(repr, list(place)[:12])) + (", ..." if len(place) > 12 else "")
                    raise RowError(f"the label {name!r} of row ", row, f" was not seen in training (known: {known})")
                values[row, place[name]] = has
        return values

    def decode(self, scores: npt.NDArray[np.float64]) -> Prediction:
        """The probability of each label, float64 ``N x L``."""
        return Prediction("labels", np.exp(-np.logaddexp(0.0, -np.asarray(scores, np.float64))), self.classes)

    def error(self, scores: Array, targets: Array, weight: Array) -> npt.NDArray[np.float64]:
        s, known = np.asarray(scores, np.float64), ~np.isnan(targets)
        losses = np.where(known, np.logaddexp(0.0, s) - np.where(known, targets, 0.0) * s, 0.0)
        return np.asarray(weight * losses.mean(axis=1), np.float64)

    def module(self, width: int) -> torch.nn.Module:
        from plait.layers.readout import PooledLinear

        return PooledLinear(width, self.prior)

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional as F

        known = ~targets.isnan()
        losses = F.binary_cross_entropy_with_logits(scores, targets.nan_to_num(), reduction="none")
        return (weight * (losses * known).mean(dim=1)).mean()

    def problems(self) -> tuple[Head, ...]:
        """Two classes a label."""
        binary = registry.get("heads", "binary")
        return tuple(binary().fit(np.array([False, True]), counts) for counts in self._counts)

    def split(self, encoded: Array) -> list[npt.NDArray[np.float64]]:
        return list(np.asarray(encoded, np.float64).T)

    def joined(self, scores: Sequence[Array]) -> npt.NDArray[np.float64]:
        return np.concatenate(scores, axis=1)

    def origin(self, output: int) -> tuple[int, int]:
        return output, 0

    def state(self) -> State:
        return State(self.version, {"labels": self.classes.tolist()}, {"counts": self._counts})

    @classmethod
    def from_state(cls, state: State) -> Self:
        head = cls(labels=state.values["labels"])
        head.classes = np.array(state.values["labels"], object)
        head.outputs = len(head.classes)
        head._counts = np.asarray(state.arrays["counts"], np.float64)
        return head


def _named(targets: Array) -> tuple[str, ...]:
    """All names in the cells, sorted."""
    cells = enumerate(targets.tolist())
    return tuple(sorted({name for row, cell in cells if not _missing(cell) for name, _ in _said(cell, row)}))


def _said(cell: object, row: int) -> list[tuple[str, float]]:
    """Names, and 1 or 0 (NaN: not known) for each."""
    if isinstance(cell, Mapping):
        said = [(str(name), np.nan if _missing(has) else has) for name, has in cell.items()]
        if wrong := [(name, has) for name, has in said if has not in (0, 1) and has == has]:
            raise RowError(f"label {wrong[0][0]!r} of row ", row, f" is {wrong[0][1]!r}; give true, false or None")
        return [(name, float(has)) for name, has in said]
    if not isinstance(cell, list | tuple | set | frozenset | np.ndarray):
        raise RowError("the labels of row ", row, f" are {cell!r}; give a list of names, or a matrix of 0 and 1")
    return [(str(name), 1.0) for name in cell]


def _missing(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)
