"""What explanation finds: frozen dataclasses that reports draw and programs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Exhibit, Place
from plait.explain.subject import Scale

__all__ = ["CellShares", "ColumnShares", "Explanation", "SourceShares"]


@dataclass(frozen=True)
class SourceShares:
    """What each source adds: ``base + values.sum(axis=1) == prediction``, on the explanation's scale.

    Parameters
    ----------
    sources, modalities
        ``S`` names, and the modality of each.
    base
        float64 ``N``: what is predicted for the explained output when nothing is present.
    values
        float64 ``N x S``; 0 where the source is absent.
    error
        float64 ``N x S``: standard error of each value; 0 where the values are exact.
    """

    sources: tuple[str, ...]
    modalities: tuple[str, ...]
    base: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]

    @property
    def by_modality(self) -> dict[str, npt.NDArray[np.float64]]:
        """Values summed over the sources of a modality: name to float64 ``N``."""
        names = np.asarray(self.modalities)
        return {name: self.values[:, names == name].sum(axis=1) for name in dict.fromkeys(self.modalities)}


@dataclass(frozen=True)
class ColumnShares:
    """What each column of the frame adds to the score: ``base + values.sum(axis=1) + residual == score``.

    Always on the scale of scores (log-odds, logits, standardised value), on which learners and networks are taken
    apart by their own methods.

    Parameters
    ----------
    columns, sources
        ``F`` columns of the frame, and the source of each.
    base, score, residual
        float64 ``N``; the residual is what the methods leave unexplained.
    values
        float64 ``N x F``.
    methods
        Part of the model to the method that took it apart.
    features
        Feature names and their values (float64 ``N x G``), finer than columns, where parts tell them.
    attention
        Source to attention weights on its tokens, float64 ``N`` (summed over tokens), where a part has attention:
        where the network looked, which is not what made it decide.
    """

    columns: tuple[str, ...]
    sources: tuple[str, ...]
    base: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    residual: npt.NDArray[np.float64]
    methods: Mapping[str, str]
    features: tuple[tuple[str, ...], npt.NDArray[np.float64]] | None = None
    attention: Mapping[str, npt.NDArray[np.float64]] | None = None


@dataclass(frozen=True)
class CellShares:
    """What the places inside one cell add to the prediction, on the explanation's scale.

    Parameters
    ----------
    row, source
        Position of the row in the explanation, and whose cell it is.
    exhibit
        The cell as a person looks at it.
    places, values, error
        ``P`` places, what each adds (float64 ``P``), and its standard error.
    attention
        float64 ``P`` or None; see `ColumnShares`.
    """

    row: int
    source: str
    exhibit: Exhibit
    places: tuple[Place, ...]
    values: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]
    attention: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Explanation:
    """Why a model says what it says of ``N`` rows.

    Parameters
    ----------
    index
        ``N`` labels of the rows in the frame.
    output
        ``N``: the class that each row is explained for, or None for values.
    prediction
        float64 ``N``, on `scale` (see `plait.explain.subject.Subject`).
    sources, columns, cells
        The depths that were asked for; None or empty otherwise.
    """

    index: tuple[object, ...]
    output: Array | None
    scale: Scale
    prediction: npt.NDArray[np.float64]
    sources: SourceShares | None = None
    columns: ColumnShares | None = None
    cells: tuple[CellShares, ...] = ()

    def __len__(self) -> int:
        return len(self.prediction)
