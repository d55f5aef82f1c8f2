"""Which sources a network does without while it learns, so that any of them may be absent later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array

__all__ = ["Masking", "hide"]


@dataclass(frozen=True)
class Masking:
    """How often sources are hidden: `share` is the chance that a present source of a row is hidden in an epoch."""

    share: float = 0.15

    def shares(self, epoch: int, epochs: int, sources: Sequence[str]) -> npt.NDArray[np.float64]:
        """The chance of each source in an epoch (1 is the first): float64 ``S``."""
        return np.full(len(sources), self.share)


def hide(present: Array, share: float | Array, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """`present` (bool ``N x S``) with each source hidden with chance `share`; one of those present always stays."""
    draw = np.where(present, rng.random(present.shape), -1.0)
    stays = np.arange(present.shape[1]) == draw.argmax(axis=1)[:, None]
    hidden: npt.NDArray[np.bool_] = present & ((draw >= share) | stays)
    return hidden
