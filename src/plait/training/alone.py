"""How far each source alone gets, while a network learns from all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Batch, Head
from plait.network import Network
from plait.training.attribution import coalitions

__all__ = ["ROWS", "Alone"]

ROWS = 512  # that are looked at, which bounds the time


@dataclass(frozen=True)
class Alone:
    """Rows on which each source is looked at alone: the head's mean error with the tokens of that source only.

    A source is judged by the rows that have it; one that no row has is left out. Every row is encoded once.
    """

    head: Head
    inputs: Mapping[str, Batch]
    targets: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]

    def prior(self) -> dict[str, float]:
        """By source, the error of the head's prior on the rows that have it."""
        return {s: self._error(np.tile(self.head.prior, (len(rows), 1)), rows) for s, rows in self._rows().items()}

    def __call__(self, network: Network) -> dict[str, float]:
        """By source, the error of the network that sees nothing else."""
        found = self._rows()
        rows = np.concatenate([np.zeros(0, np.int64), *found.values()])
        names = list(self.inputs)
        owner = np.repeat([names.index(source) for source in found], [len(rows) for rows in found.values()])
        scores = coalitions(network, self.inputs, rows, np.arange(len(names)) == owner[:, None])
        return {source: self._error(scores[owner == names.index(source)], rows) for source, rows in found.items()}

    def further(
        self, network: Network, known: Mapping[str, list[float]], agreed: Callable[[float], float]
    ) -> dict[str, float]:
        """Add the errors of now to those known by source; figures by name, for those who watch.

        `agreed` makes one number of those of all processes of a team.
        """
        told: dict[str, float] = {}
        for source, error in self(network).items():
            known[source].append(agreed(error))
            told |= {f"alone.{source}": known[source][-1], f"speed.{source}": known[source][-2] - known[source][-1]}
        return told

    def _rows(self) -> dict[str, npt.NDArray[np.int64]]:
        some = {source: np.flatnonzero(batch.present) for source, batch in self.inputs.items()}
        return {source: rows for source, rows in some.items() if len(rows)}

    def _error(self, scores: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]) -> float:
        return float(self.head.error(scores, self.targets[rows], self.weight[rows]).mean())
