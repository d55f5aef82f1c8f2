"""A number by its quantiles, which never cross."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Head, Prediction, State, Task
from plait.data.numbers import numeric, scale
from plait.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["Quantile"]

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
CUTS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)  # shares of training rows below them
GRID = 512  # points at which the distribution of training targets is kept
LEAST = 1e-4  # distance of neighbouring quantiles that scores can still tell, in standard deviations


class Quantile(Head):
    """Quantiles at ``L`` levels, trained on pinball loss (Koenker and Bassett, "Regression Quantiles", 1978).

    The score at the level nearest to one half is that quantile of the standardised target; every other score is a step
    away from there through softplus, so that quantiles rise with their levels whatever the scores (as in Gasthaus et
    al., "Probabilistic Forecasting with Spline Quantile Function RNNs", 2019). The prior are the quantiles of the
    training targets.

    Classical learners tell how probable it is that the target lies above each of `CUTS` (distribution regression:
    Foresi and Peracchi, "The Conditional Distribution of Excess Returns", 1995). Where the probabilities cross, they
    are sorted (Chernozhukov, Fernandez-Val and Galichon, "Quantile and Probability Curves Without Crossing", 2010), and
    quantiles are read off them, with the training targets' own distribution between two cuts.

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
        """Learn mean and standard deviation, the distribution and the cuts.

        Raises
        ------
        InputError
            If a target is not a finite number, or there are no rows or too large numbers.
        """
        values = numeric(targets, "quantiles")
        self.mean, self.std = scale(values, weight)
        order = np.argsort(values, kind="stable")
        share = np.cumsum(weight[order]) - weight[order] / 2
        self._grid = np.interp(np.linspace(0, share[-1] + weight[order[-1]] / 2, GRID), share, values[order])
        standard = self._standard(values)
        cuts = np.unique(self._at(CUTS))
        above = (standard[:, None] > cuts).T @ weight
        known = (above > 0) & (above < weight.sum())
        kept = known if known.any() else np.arange(len(cuts)) == 0  # a constant target has nothing above or below
        self._cuts = cuts[kept]
        self._counts = np.stack([weight.sum() - above, above], axis=1)[kept]
        return self

    def _at(self, levels: Array | Sequence[float]) -> npt.NDArray[np.float64]:
        """Quantiles of the training targets, standardised."""
        return np.asarray(
            np.interp(np.asarray(levels), np.linspace(0, 1, GRID), self._standard(self._grid)), np.float64
        )

    def _standard(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return (values - self.mean) / self.std

    @property
    def prior(self) -> npt.NDArray[np.float64]:
        return np.asarray(self._scores(self._at(self.levels)[None])[0], np.float64)

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
        """Two classes a cut: whether the target lies above it."""
        binary = registry.get("heads", "binary")
        return tuple(binary().fit(np.array([False, True]), counts) for counts in self._counts)

    def split(self, encoded: Array) -> list[npt.NDArray[np.float64]]:
        return [np.where(np.isnan(encoded), np.nan, encoded > cut) for cut in self._cuts]

    def joined(self, scores: Sequence[Array]) -> npt.NDArray[np.float64]:
        """Scores of the quantiles that the probabilities of the cuts have."""
        rows = np.arange(len(scores[0]))
        under = np.sort(np.exp(-np.logaddexp(0.0, np.concatenate(scores, axis=1))), axis=1)
        known = np.concatenate([np.zeros((len(rows), 1)), under, np.ones((len(rows), 1))], axis=1)
        share = np.concatenate([[0.0], self._counts[:, 0] / self._counts.sum(axis=1), [1.0]])  # of training rows
        found = np.empty((len(rows), self.outputs))
        for i, level in enumerate(self.levels):
            at = (known[:, 1:-1] < level).sum(axis=1)
            start, end = known[rows, at], known[rows, at + 1]
            within = np.clip((level - start) / np.maximum(end - start, 1e-12), 0, 1)
            found[:, i] = self._at(share[at] + within * (share[at + 1] - share[at]))
        return self._scores(found)

    def origin(self, output: int) -> None:
        """Every quantile is made of several cuts."""

    def state(self) -> State:
        values = {"levels": list(self.levels), "mean": self.mean, "std": self.std}
        return State(self.version, values, {"grid": self._grid, "cuts": self._cuts, "counts": self._counts})

    @classmethod
    def from_state(cls, state: State) -> Self:
        head = cls(levels=state.values["levels"])
        head.mean, head.std = float(state.values["mean"]), float(state.values["std"])
        head._grid, head._cuts, head._counts = (
            np.asarray(state.arrays[name], np.float64) for name in ("grid", "cuts", "counts")
        )
        return head
