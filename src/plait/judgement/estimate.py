"""How good a classifier is on rows whose outcomes nobody knows yet, from its own probabilities.

Confidence-based performance estimation: if the probabilities are right, so are the expected confusion matrix, ranking
and losses (Guillory et al. 2021, arXiv:2107.03315; Nannyml's documentation gives it this name). What it cannot see is a
changed meaning: rows that look the same and now end otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Calibrator, Head
from plait.metrics import classification
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span
from plait.metrics.weights import mean

__all__ = ["FIGURES", "Known", "estimated", "observed"]

FIGURES = ("roc_auc", "log_loss", "brier", "accuracy", "share")
RESAMPLES = 200
BLOCK = 8  # resamples judged at once

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """Rows with outcomes that the model was not fitted on: scores (float64 ``N x K``) and class indices."""

    scores: npt.NDArray[np.float64]
    targets: npt.NDArray[np.int64]


def estimated(scores: npt.NDArray[np.float64], head: Head, known: Known | None, seed: int) -> dict[str, Span]:
    """The figures to be expected of rows without outcomes.

    Parameters
    ----------
    scores
        float64 ``N x K``: what the model says of them.
    known
        Rows by which probabilities are set right first (Platt scaling); None takes them as they are.

    Returns
    -------
    dict of `FIGURES`
        ``share``: the mean probability of the second of two classes, or that the likeliest class is right. Intervals
        (95%) hold the draw of rows and of outcomes, and of the known rows.
    """
    rng = np.random.default_rng([seed, 0xE57])
    value = _figures(*_expected(_calibrated(scores, head, known)))
    draws = np.concatenate([*_draws(scores, head, known, rng)])
    low, high = np.nanquantile(draws, (0.025, 0.975), axis=0)
    return {name: Span(*map(float, each)) for name, *each in zip(FIGURES, value, low, high, strict=True)}


def observed(scores: npt.NDArray[np.float64], head: Head, targets: npt.NDArray[np.int64], seed: int) -> dict[str, Span]:
    """The same figures of rows whose outcomes are known."""
    probabilities = _flat(head.decode(scores).values)
    found = bootstrap(_figures, targets, {"": probabilities}, resamples=RESAMPLES, seed=seed).interval("")
    return {name: Span(*map(float, each)) for name, *each in zip(FIGURES, *found, strict=True)}


def _calibrated(scores: npt.NDArray[np.float64], head: Head, known: Known | None) -> Probabilities:
    """Probabilities, float64 ``N`` or ``N x C``."""
    if known is not None:
        calibrator: Calibrator = registry.get("calibrators", "platt")()
        scores = calibrator.fit(known.scores, known.targets, np.ones(len(known.targets)))(scores)
    return _flat(head.decode(scores).values)


def _flat(values: Probabilities) -> Probabilities:
    return values[:, 1] if values.shape[1] == 2 else values


def _expected(probabilities: Probabilities) -> tuple[Array, Array, Array]:
    """Every row once as each class, weighted by the probability of it: targets, scores and weights."""
    chances = np.stack([1 - probabilities, probabilities], axis=1) if probabilities.ndim == 1 else probabilities
    targets = np.tile(np.arange(chances.shape[1]), len(chances))
    return targets, np.repeat(probabilities, chances.shape[1], axis=0), chances.ravel()


def _draws(
    scores: npt.NDArray[np.float64], head: Head, known: Known | None, rng: np.random.Generator
) -> Iterator[Array]:
    """Figures of resampled rows with drawn outcomes, probabilities set right by resampled known rows."""
    rows = len(scores)
    for _ in range(RESAMPLES // BLOCK):
        again = known
        if known is not None:
            drawn = rng.integers(0, len(known.targets), len(known.targets))
            if len(np.unique(known.targets[drawn])) == len(np.unique(known.targets)):
                again = Known(known.scores[drawn], known.targets[drawn])
        targets, repeated, chances = _expected(_calibrated(scores, head, again))
        classes = len(targets) // rows
        ends = np.cumsum(chances.reshape(rows, classes), axis=1)
        weights = np.empty((BLOCK, len(targets)))
        for i in range(BLOCK):
            some = rng.integers(0, rows, rows)
            outcome = np.minimum((rng.random(rows)[:, None] > ends[some]).sum(1), classes - 1)
            weights[i] = np.bincount(some * classes + outcome, minlength=len(targets))
        yield _figures(targets, repeated, weights)


def _figures(targets: Array, scores: Array, weight: Array) -> Array:
    """`FIGURES` under each sample of weights: float64 ``(R x) 5``."""
    two = scores.ndim == 1
    ranked = classification.macro([each.roc_auc() for each in classification.rankings(targets, scores, weight)])
    guess = (scores > 0.5).astype(np.int64) if two else scores.argmax(1)
    matrix = classification.confusion_matrix(targets, guess, 2 if two else scores.shape[1], weight)
    right = classification.accuracy(matrix)
    return np.stack(
        [
            ranked,
            classification.log_loss(targets, scores, weight),
            classification.brier(targets, scores, weight),
            right,
            mean((targets == 1).astype(np.float64), weight) if two else right,
        ],
        axis=-1,
    )
