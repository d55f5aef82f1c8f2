"""The cases that the model saw and that are nearest to a row, in the features that it goes by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.errors import ConfigError, DataError
from plait.explain.subject import Subject
from plait.metrics.shown import plain

__all__ = ["Nearest", "nearest"]

SAMPLE = 300  # cases whose own nearest case is looked for


@dataclass(frozen=True)
class Nearest:
    """The `k` nearest cases of each of ``N`` rows.

    Parameters
    ----------
    cases
        int64 ``N x k``: positions among the cases, the nearest first.
    distance
        float64 ``N x k``, 0 (alike in all that counts) to 1.
    prediction
        float64 ``N x k``: what the model says of the cases, for the output that the row is explained for.
    typical
        float64 ``N``: share of cases at least as far from their own nearest other case; near 0 the row is like nothing
        that the model saw (a conformal p-value; Laxhammar & Falkman 2010).
    """

    cases: npt.NDArray[np.int64]
    distance: npt.NDArray[np.float64]
    prediction: npt.NDArray[np.float64]
    typical: npt.NDArray[np.float64]

    def to_json(self) -> Json:
        return plain(self)


def nearest(subject: Subject, cases: Subject, *, k: int = 5, seed: int = 0) -> Nearest:
    """Cases near to each row, where near means alike in the features that move the predictions.

    Features of all sources become ranks among the cases (0..1, .5 where absent). The distance is their mean absolute
    difference, weighted by the absolute rank correlation of each feature with the model's predictions of the cases:
    Gower's distance ("A General Coefficient of Similarity", 1971) with weights that come from the model.

    Parameters
    ----------
    cases
        Training rows, say, through the same model.
    k
        At most as many as there are cases.

    Raises
    ------
    DataError
        If there is no case.
    ConfigError
        If `k` is below 1.
    """
    if k < 1:
        raise ConfigError(f"k={k} is out of range (allowed: 1, 2, ...)")
    if not len(cases):
        raise DataError("there is no case to compare with; give at least one row")
    known, asked = cases.view.joined.features.values, subject.view.joined.features.values
    ranks, rows = _ranks(known, known), _ranks(known, asked)
    weight = _relevance(ranks, cases.prediction)
    k = min(k, len(cases))
    found, far = np.empty((len(rows), k), np.int64), np.empty((len(rows), k))
    for i, row in enumerate(rows):
        distance = np.abs(ranks - row) @ weight
        found[i] = np.argsort(distance, kind="stable")[:k]
        far[i] = distance[found[i]]
    sample = np.random.default_rng([seed, 0x4E]).permutation(len(cases))[:SAMPLE]
    usual = np.sort([_second(np.abs(ranks - ranks[case]) @ weight) for case in sample])
    typical = (1 + len(usual) - np.searchsorted(usual, far[:, 0])) / (1 + len(usual))
    output = np.repeat(subject.output, k)
    said = cases.told(cases.fitted.score(cases.view)[found.ravel()], output).reshape(found.shape)
    return Nearest(found, far, said, typical)


def _second(distance: npt.NDArray[np.float64]) -> float:
    """The least distance but the case's own."""
    return float(np.partition(distance, min(1, len(distance) - 1))[min(1, len(distance) - 1)])


def _ranks(known: Array, values: Array) -> npt.NDArray[np.float64]:
    """Share of the known values below each value, ties by half: float64 ``N x F``; .5 where absent."""
    out = np.full(values.shape, 0.5)
    for j in range(values.shape[1]):
        ordered = np.sort(known[~np.isnan(known[:, j]), j])
        there = ~np.isnan(values[:, j])
        if len(ordered):
            low = np.searchsorted(ordered, values[there, j], side="left")
            high = np.searchsorted(ordered, values[there, j], side="right")
            out[there, j] = (low + high) / (2 * len(ordered))
    return out


def _relevance(ranks: Array, told: Array) -> npt.NDArray[np.float64]:
    """Absolute correlation of each feature with the predictions, float64 ``F``, summing to 1."""
    order = np.argsort(np.argsort(told, kind="stable"), kind="stable") - (len(told) - 1) / 2
    centred = ranks - ranks.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0) * (order**2).sum())
    related = np.divide(np.abs(order @ centred), spread, out=np.zeros(ranks.shape[1]), where=spread > 1e-12)
    total = related.sum()
    return np.asarray(related / total if total else np.full(len(related), 1 / max(len(related), 1)))
