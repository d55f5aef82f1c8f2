"""What happened in a training, and the rows that told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Batch, Head
from plait.network import Network, predict
from plait.training.private import Spent

__all__ = ["History", "Judge"]


@dataclass(frozen=True)
class Judge:
    """Rows kept from training that tell when to stop: the head's mean error on them."""

    head: Head
    inputs: Mapping[str, Batch]
    targets: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]

    def __call__(self, network: Network) -> float:
        return float(self.head.error(predict(network, self.inputs), self.targets, self.weight).mean())


@dataclass(frozen=True)
class History:
    """What happened: mean losses by epoch, the epoch whose weights were kept (1 is the first), and why it ended.

    `stopped` is ``"finished"``, ``"early"`` (the judge's loss no longer fell) or ``"deadline"``; `privacy` what a
    private training spent; `told` the last figures of objective and balance by name; `alone` how far each source alone
    got (`plait.training.alone`): by source the prior's loss, then that of each epoch.
    """

    losses: tuple[float, ...]
    judged: tuple[float, ...]
    best_epoch: int
    stopped: str
    privacy: Spent | None
    told: Mapping[str, float]
    alone: Mapping[str, Sequence[float]]
