"""Reconstruction: odd rows are those whose cells and sources are badly explained by the rest of the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.classical.normal import NormalScores
from plait.classical.options import check, count, share
from plait.classical.tails import Tails
from plait.contracts import Detector, Features, FitContext, State

__all__ = ["Reconstruction"]

Floats = npt.NDArray[np.float64]

STEPS = 10
LEAST = 0.02  # of a column's variance that is always its own
CONCENTRATIONS = 2
AT_ONCE = 2_048


@dataclass(frozen=True)
class _Residuals:
    """How rows differ from what the rest of them lets expect.

    Parameters
    ----------
    cells
        float64 ``N x D``: squared standardised residuals of cells, all other cells given; NaN where missing.
    apart
        float64 ``N x D``: the same, the cells of other sources given.
    sources
        float64 ``N x G``: squared Mahalanobis distance of each source from what the other sources let expect, by cell.
    whole
        float64 ``N``: that of all cells from the mean, by cell.
    """

    cells: Floats
    apart: Floats
    sources: Floats
    whole: Floats


class Reconstruction(Detector):
    """Factor analysis of features in normal shape; cells, whole sources and whole rows against what it expects.

    Columns in normal shape ``z`` (categories as indicators) follow ``z = W f + e`` with few normal factors ``f`` and
    noise of each column's own (Rubin and Thayer, 1982; the number of factors by the eigenvalues above the edge of
    Marchenko and Pastur, 1967). Given any cells of a row, the others are then expected in closed form, so missing ones
    need no filling. The oddest rows are left out and the model is fitted again, twice (the concentration steps of
    Rousseeuw and Van Driessen, 1999), so that odd rows do not excuse themselves.

    The score is the mean of three surprises, each on the scale of the training rows (`plait.classical.tails`): the
    worst cell given all others, the worst source given the other sources, and the row as a whole.

    Parameters
    ----------
    factors
        At most.
    trimmed
        Share of the rows that concentration leaves out.
    """

    name: ClassVar[str] = "reconstruction"
    version: ClassVar[int] = 1

    def __init__(self, *, factors: int = 40, trimmed: float = 0.05) -> None:
        self.factors = factors
        self.trimmed = trimmed
        rules = {
            "factors": (count(factors), "1, 2, ..."),
            "trimmed": (share(trimmed) and trimmed < 0.5, "above 0, below 0.5"),
        }
        check(self, rules)
        self._shape = NormalScores()
        self._groups = np.zeros(0, np.int64)
        self._loadings, self._noise = np.zeros((0, 0)), np.zeros(0)
        self._cells, self._sources, self._parts = Tails(), Tails(), Tails()

    def fit(self, features: Features, groups: npt.NDArray[np.int64], context: FitContext) -> Self:
        self._shape.fit(features)
        self._groups = np.unique(groups[self._shape.feature], return_inverse=True)[1].astype(np.int64)
        values = self._shape(features)
        kept = np.ones(len(values), bool)
        for _ in range(1 + CONCENTRATIONS):
            self._loadings, self._noise = _factors(values[kept], self.factors)
            found = self._residuals(values)
            kept = found.whole <= np.quantile(found.whole, 1 - self.trimmed) if len(values) else kept
        self._cells.fit(found.cells)
        self._sources.fit(found.sources)
        self._parts.fit(self._surprises(found))
        return self

    def scores(self, features: Features) -> Floats:
        return np.asarray(self._parts(self._surprises(self._residuals(self._shape(features)))).mean(axis=1))

    def shares(self, features: Features) -> Floats:
        """Squared residuals, the rest of the row given; the more so, the more unusual a cell is by itself.

        Where columns hang together, one broken cell leaves them all unexplained: being unusual tells which it is.
        """
        values = self._shape(features)
        found = self._residuals(values)
        odd = np.fmax(found.cells, found.apart) * (1.0 + values**2)
        out = np.zeros(features.values.shape)
        np.add.at(out.T, self._shape.feature, np.nan_to_num(odd).T)
        return out

    def _surprises(self, found: _Residuals) -> Floats:
        """float64 ``N x 3``: the worst cell's, the worst source's, and how far the row is as a whole."""
        if not found.cells.shape[1]:
            return np.zeros((len(found.whole), 3))
        worst = [self._cells(found.cells).max(axis=1), self._sources(found.sources).max(axis=1), found.whole]
        return np.stack(worst, axis=1)

    def _residuals(self, values: Floats) -> _Residuals:
        parts = [self._some(values[start : start + AT_ONCE]) for start in range(0, max(len(values), 1), AT_ONCE)]
        names = _Residuals.__dataclass_fields__
        return _Residuals(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def _some(self, values: Floats) -> _Residuals:
        """Residuals of cells and sources given the rest, by the matrix inversion lemma: a small system a row."""
        loadings, noise, groups = self._loadings, self._noise, self._groups
        rows, columns = values.shape
        size = loadings.shape[1]
        seen = ~np.isnan(values)
        z = np.where(seen, values, 0.0)
        outer = (loadings[:, :, None] * loadings[:, None, :]).reshape(columns, size * size)
        precision = [(seen[:, own] / noise[own]) @ outer[own] for own in _each(groups)]
        pull = [(z[:, own] / noise[own]) @ loadings[own] for own in _each(groups)]
        total = np.eye(size) + sum(precision, np.zeros((rows, size * size))).reshape(rows, size, size)
        spread = np.linalg.inv(total)
        mean = np.einsum("nij,nj->ni", spread, sum(pull, np.zeros((rows, size))))
        left = (z - mean @ loadings.T) / noise  # the precision matrix of what is seen, times z
        own = 1 / noise - (spread.reshape(rows, size * size) @ outer.T) / noise**2  # its diagonal
        cells = np.where(seen, left**2 / np.maximum(own, 1e-12), np.nan)
        whole = np.where(seen, z * left, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        apart, sources = np.full(values.shape, np.nan), np.full((rows, len(precision)), np.nan)
        for place, columns_of in enumerate(_each(groups)):
            there = seen[:, columns_of]
            rest = np.linalg.inv(total - precision[place].reshape(rows, size, size))
            told = np.einsum("nij,nj->ni", rest, sum(pull, np.zeros((rows, size))) - pull[place])
            error = np.where(there, z[:, columns_of] - told @ loadings[columns_of].T, 0.0)
            variance = noise[columns_of] + rest.reshape(rows, size * size) @ outer[columns_of].T
            apart[:, columns_of] = np.where(there, error**2 / variance, np.nan)
            back = (error / noise[columns_of]) @ loadings[columns_of]
            distance = (error**2 / noise[columns_of]).sum(axis=1) - np.einsum("ni,nij,nj->n", back, spread, back)
            cells_there = there.sum(axis=1)
            sources[:, place] = np.where(cells_there, distance / np.maximum(cells_there, 1), np.nan)
        return _Residuals(cells, apart, sources, whole)

    def state(self) -> State:
        arrays = {"groups": self._groups, "loadings": self._loadings, "noise": self._noise}
        tails = {"cells": self._cells, "sources": self._sources, "parts": self._parts}
        parts = {"shape": self._shape.state(), **{name: tail.state() for name, tail in tails.items()}}
        return State(self.version, {}, arrays, parts=parts)

    @classmethod
    def from_state(cls, state: State) -> Self:
        made = cls()
        made._groups, made._loadings, made._noise = (state.arrays[n] for n in ("groups", "loadings", "noise"))
        made._shape = NormalScores.from_state(state.parts["shape"])
        made._cells, made._sources, made._parts = (
            Tails.from_state(state.parts[name]) for name in ("cells", "sources", "parts")
        )
        return made


def _each(groups: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Columns of each group."""
    return [np.flatnonzero(groups == group) for group in range(groups.max(initial=-1) + 1)]


def _factors(values: Floats, most: int) -> tuple[Floats, Floats]:
    """Loadings (``D x R``) and the columns' own variances (``D``) by maximum likelihood, from pairwise covariances."""
    rows, columns = values.shape
    seen = ~np.isnan(values)
    z = np.where(seen, values, 0.0)
    pairs = np.maximum(seen.T.astype(np.float64) @ seen, 1.0)
    covariance = z.T @ z / pairs
    size, vectors = np.linalg.eigh(covariance)  # of pairs with different rows, it may have values below 0
    covariance = (vectors * np.maximum(size, 0.0)) @ vectors.T
    variance = np.maximum(np.diag(covariance), 1e-6)
    pull = columns / (rows + columns)
    covariance = (1 - pull) * covariance + pull * np.diag(variance)
    noise = np.clip(1 / np.diag(np.linalg.inv(covariance)), LEAST * variance, variance)
    edge = (1 + np.sqrt(columns / max(rows, 1))) ** 2
    loadings = np.zeros((columns, 0))
    for _ in range(STEPS):  # loadings given the columns' own variances, and these given the loadings
        scale = np.sqrt(noise)
        size, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
        count = min(int((size > edge).sum()), most)
        largest = slice(columns - count, columns)
        loadings = scale[:, None] * vectors[:, largest] * np.sqrt(size[largest] - 1)
        noise = np.clip(variance - (loadings**2).sum(axis=1), LEAST * variance, variance)
    return loadings, noise
