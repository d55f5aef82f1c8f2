"""What adds up to a score: shares of features, and the columns of the frame that these are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Contributions", "FeatureShares", "Origin", "Origins"]


@dataclass(frozen=True)
class Origins:
    """What a room's numbers are made of. What is left out belongs to the source as a whole.

    Parameters
    ----------
    features
        Of each dense feature, the column of the frame (``F``).
    terms, columns
        Of each column of the wide form, its name and the column of the frame (``W``).
    inputs
        Columns of the frame in the order in which an encoder numbers them (see `ByColumn`).
    """

    features: Sequence[str] = ()
    terms: Sequence[str] = ()
    columns: Sequence[str] = ()
    inputs: Sequence[str] = ()


@dataclass(frozen=True)
class FeatureShares:
    """What each feature adds to one score a row: ``base + dense.sum(axis=1) + sum of wide`` is about the score.

    Parameters
    ----------
    base
        float64 ``N``.
    dense
        float64 ``N x F``.
    wide
        float64: one for each number that the wide form holds, in its order; None where it is not read.
    method
        How the score was taken apart, and what the base is, in a few words.
    """

    base: npt.NDArray[np.float64]
    dense: npt.NDArray[np.float64]
    wide: npt.NDArray[np.float64] | None
    method: str


class Origin(NamedTuple):
    """Whose a share is: a source, a column of the frame (or the source again), and a feature of it."""

    source: str
    column: str
    name: str


@dataclass(frozen=True)
class Contributions:
    """What adds up to one score a row: ``base + values.sum(axis=1) + residual == score``.

    Parameters
    ----------
    origins
        ``G``, each once.
    values
        float64 ``N x G``.
    base, score
        float64 ``N``.
    methods
        Part of the model to the method that took it apart.
    attention
        Source to float64 ``N``: the share of a network's attention that its tokens had.
    """

    origins: tuple[Origin, ...]
    values: npt.NDArray[np.float64]
    base: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    methods: Mapping[str, str] = field(default_factory=dict)
    attention: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    @property
    def residual(self) -> npt.NDArray[np.float64]:
        """What no share accounts for: float64 ``N``."""
        return np.asarray(self.score - self.base - self.values.sum(axis=1))

    def by(self, origins: Sequence[Origin]) -> npt.NDArray[np.float64]:
        """Values in another order, 0 for what is not here: float64 ``N x len(origins)``."""
        place = {origin: i for i, origin in enumerate(origins)}
        out = np.zeros((len(self.values), len(origins)))
        out[:, [place[origin] for origin in self.origins]] = self.values
        return out
