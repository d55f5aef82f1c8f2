"""A number by its quantiles, which never cross."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Head, Prediction, State, Task
from plait.data.numbers import numeric
from plait.errors import ConfigError, InputError

if TYPE_CHECKING:
    import torch

__all__ = ["Quantile"]

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = 16  # that classical learners tell apart
GRID = 512  # points at which the distribution of training targets is kept
LEAST = 1e-4  # distance of neighbouring quantiles that scores can still tell, in standard deviations


class Quantile(Head):
    """Quantiles at ``L`` levels, trained on pinball loss (Koenker and Bassett, "Regression Quantiles", 1978).

    The score at the level nearest to one half is that quantile of the standardised target; every other score is a step
    away from there through softplus, so that quantiles rise with their levels whatever the scores (as in Gasthaus et
    al., "Probabilistic Forecasting with Spline Quantile Function RNNs", 2019). The prior are the quantiles of the
    training targets.

    Classical learners tell in which of `BINS` bins, of equally many training rows, the target lies; quantiles are read
    off the cumulated probabilities, with the training targets' own distribution within a bin.

    Parameters
    ----------
    levels
        Rising, between 0 and 1.
    """

    name: ClassVar[str] = "quantile"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "regression"

    def __init__(self, *, levels: Sequence[float] = LEVELS) -> None:
        try:
            self.levels = tuple(float(level) for level in levels)
        except (TypeError, ValueError):
            self.levels = ()
        inside = self.levels and self.levels[0] > 0 and self.levels[-1] < 1
        if not inside or not (np.diff(self.levels) > 0).all():
            raise ConfigError(f"quantile: levels={levels!r} must rise and lie between 0 and 1, as in [0.1, 0.5, 0.9]")
        self.outputs = len(self.levels)
        self.middle = int(np.abs(np.array(self.levels) - 0.5).argmin())

    def fit(self, targets: Array, weight: npt.NDArray[np.float64]) -> Self:
        """Learn mean and standard deviation, the distribution and the bins.

        Raises
        ------
        InputError
            If a target is not a finite number, or there are no rows.
        """
        values = numeric(targets, "quantiles")
        if not len(values) or not weight.sum() > 0:
            raise InputError("the target has no rows with a positive weight; nothing can be learned")
        self.mean = float(np.average(values, weights=weight))
        spread = float(np.sqrt(np.average(np.square(values - self.mean), weights=weight)))
        # Rounding leaves a constant target a spread of some units in the last place.
        self.std = spread if spread > 8 * np.finfo(np.float64).eps * abs(self.mean) else 1.0
        order = np.argsort(values, kind="stable")
        share = np.cumsum(weight[order]) - weight[order] / 2
        self._grid = np.interp(np.linspace(0, share[-1] + weight[order[-1]] / 2, GRID), share, values[order])
        self._edges = np.unique(self._at(np.linspace(0, 1, BINS + 1)[1:-1]))
        self._counts = np.bincount(np.searchsorted(self._edges, self._standard(values)), weight, len(self._edges) + 1)
        return self

    def _at(self, levels: Array) -> npt.NDArray[np.float64]:
        """Quantiles of the training targets, standardised."""
        return np.interp(levels, np.linspace(0, 1, GRID), self._standard(self._grid))

    def _standard(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return (values - self.mean) / self.std

    @property
    def prior(self) -> npt.NDArray[np.float64]:
        return self._scores(self._at(self.levels)[None])[0]

    def encode(self, targets: Array) -> npt.NDArray[np.float64]:
        return self._standard(numeric(targets, "quantiles"))

    def decode(self, scores: npt.NDArray[np.float64]) -> Prediction:
        """Quantiles in the target's own unit, float64 ``N x L``."""
        quantiles = self._quantiles(np.asarray(scores, np.float64))
        return Prediction("quantiles", quantiles * self.std + self.mean, levels=self.levels)

    def error(self, scores: Array, targets: Array, weight: Array) -> npt.NDArray[np.float64]:
        miss = np.asarray(targets)[:, None] - self._quantiles(np.asarray(scores, np.float64))
        level = np.array(self.levels)
        return np.asarray(weight * np.maximum(level * miss, (level - 1) * miss).mean(axis=1), np.float64)

    def module(self, width: int) -> torch.nn.Module:
        from plait.layers.readout import PooledLinear

        return PooledLinear(width, self.prior)

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        import torch
        from torch.nn import functional as F

        m = self.middle
        steps = F.softplus(scores)
        below = scores[:, m : m + 1] - steps[:, :m].flip(1).cumsum(dim=1).flip(1)
        above = scores[:, m : m + 1] + steps[:, m + 1 :].cumsum(dim=1)
        miss = targets[:, None] - torch.cat([below, scores[:, m : m + 1], above], dim=1)
        level = torch.tensor(self.levels, dtype=scores.dtype, device=scores.device)
        return (weight * torch.maximum(level * miss, (level - 1) * miss).mean(dim=1)).mean()

    def _quantiles(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Standardised quantiles ``N x L`` of scores."""
        m, steps = self.middle, np.logaddexp(0.0, scores)
        below = scores[:, m, None] - np.cumsum(steps[:, :m][:, ::-1], axis=1)[:, ::-1]
        above = scores[:, m, None] + np.cumsum(steps[:, m + 1 :], axis=1)
        return np.concatenate([below, scores[:, m, None], above], axis=1)

    def _scores(self, quantiles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Scores of standardised quantiles ``N x L`` that rise; equal ones are moved apart by a hair."""
        steps = np.maximum(np.diff(quantiles, axis=1), LEAST)
        raw = steps + np.log(-np.expm1(-steps))  # the inverse of softplus
        m = self.middle
        return np.concatenate([raw[:, :m], quantiles[:, m, None], raw[:, m:]], axis=1)

    def problems(self) -> tuple[Head, ...]:
        """The bin in which the target lies; one yes-or-no problem where there are two."""
        kind = "binary" if len(self._counts) == 2 else "multiclass"
        if len(self._counts) < 2:
            raise InputError("the target has one value only, of which there are no quantiles to learn")
        return (registry.get("heads", kind)().fit(np.arange(len(self._counts)), self._counts),)

    def split(self, encoded: Array) -> list[npt.NDArray[np.float64]]:
        return [np.searchsorted(self._edges, np.asarray(encoded)).astype(np.float64)]

    def joined(self, scores: Sequence[Array]) -> npt.NDArray[np.float64]:
        """Scores of the quantiles that the bins' probabilities have."""
        (head,) = self.problems()
        shares = head.decode(np.asarray(scores[0], np.float64)).values
        cumulated = np.concatenate([np.zeros((len(shares), 1)), np.cumsum(shares, axis=1)], axis=1)
        cumulated /= cumulated[:, -1:]
        # Where the bins begin and end, as shares of the training rows below.
        below = np.concatenate([[0.0], np.cumsum(self._counts) / self._counts.sum()])
        rows, last = np.arange(len(shares)), len(below) - 2
        found = np.empty((len(shares), self.outputs))
        for i, level in enumerate(self.levels):
            at = np.minimum((cumulated[:, 1:] < level).sum(axis=1), last)
            start, end = cumulated[rows, at], cumulated[rows, at + 1]
            within = np.clip((level - start) / np.maximum(end - start, 1e-12), 0, 1)
            found[:, i] = self._at(below[at] + within * (below[at + 1] - below[at]))
        return self._scores(found)

    def origin(self, output: int) -> None:
        """Every quantile is made of all bins."""

    def state(self) -> State:
        values = {"levels": list(self.levels), "mean": self.mean, "std": self.std}
        return State(self.version, values, {"grid": self._grid, "edges": self._edges, "counts": self._counts})

    @classmethod
    def from_state(cls, state: State) -> Self:
        head = cls(levels=state.values["levels"])
        head.mean, head.std = float(state.values["mean"]), float(state.values["std"])
        head._grid, head._edges, head._counts = (
            np.asarray(state.arrays[name], np.float64) for name in ("grid", "edges", "counts")
        )
        return head
