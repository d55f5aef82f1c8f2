"""Linear scores of texts for learners that cannot read sparse matrices: ridge regression on the TF-IDF weights.

For classes it regresses on their indicators (regularised least squares classification: Rifkin, Yeo and Poggio, 2003).
The penalty is not searched for: it is the ratio of noise to signal that the training rows themselves show (moments of
Haseman and Elston, 1972), which on short and long texts came within a few thousandths of the best penalty's AUC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import FitContext, Sparse

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["MAX_SCORES", "Scorer", "fit_scorer", "out_of_fold", "width"]

Float32 = npt.NDArray[np.float32]

MAX_SCORES = 20  # columns; more classes than this share them by random codes
PROBES = 4
ITERATIONS = 40
PRECISION = 0.02  # of the residual, in the preconditioner's norm, against where it began
SIGNAL = (0.003, 2.0)  # bounds on the inverse penalty: with few rows the moments are rough


@dataclass(frozen=True)
class Scorer:
    """Scores are ``x @ coefficients - centre``: float32 ``W x K`` and ``K``, 0 for the mean training text."""

    coefficients: Float32
    centre: Float32


def width(outputs: int) -> int:
    """How many scores there are for so many outputs."""
    return min(outputs, MAX_SCORES)


def out_of_fold(wide: Sparse, context: FitContext, folds: npt.NDArray[np.int64]) -> Float32:
    """For each row the score of a scorer fitted on the other folds: float32 ``N x K``.

    Rows that are never held out (fold -1) count as one more fold, so that no row's label reaches its own score.
    """
    matrix, targets, probes = _matrix(wide), _encode(context), _probes(context)
    scores = np.zeros(targets.shape, np.float32)
    for fold in np.unique(folds):
        held = np.flatnonzero(folds == fold)
        rest = np.flatnonzero(folds != fold)
        scorer = _solve(matrix[rest], targets[rest], context.weight[rest], probes[rest])
        scores[held] = matrix[held] @ scorer.coefficients - scorer.centre
    return scores


def fit_scorer(wide: Sparse, context: FitContext) -> Scorer:
    """The scorer of all rows."""
    return _solve(_matrix(wide), _encode(context), context.weight, _probes(context))


def _matrix(wide: Sparse) -> scipy.sparse.csr_array:
    from scipy.sparse import csr_array

    return csr_array((wide.data, wide.indices, wide.indptr.astype(np.int32)), shape=(len(wide), wide.width))


def _encode(context: FitContext) -> Float32:
    """Targets as float32 ``N x K``: the value, or an indicator of each class (of the second, where there are two).

    More classes than `MAX_SCORES` get a fixed random code of signs each (Dietterich and Bakiri, 1995).
    """
    if context.task != "multiclass":
        return context.targets[:, None].astype(np.float32)
    codes = np.eye(context.outputs, dtype=np.float32)
    if context.outputs > MAX_SCORES:
        rng = context.rng("class codes")
        codes = rng.choice(np.array([-1, 1], np.float32), (context.outputs, MAX_SCORES))
    return codes[context.targets.astype(np.int64)]


def _probes(context: FitContext) -> Float32:
    return context.rng("text probes").choice(np.array([-1, 1], np.float32), (len(context), PROBES))


class _Centred:
    """The matrix ``sqrt(weight) (x - mean)`` of some rows, never made: products with it and its transpose."""

    def __init__(self, matrix: scipy.sparse.csr_array, weight: npt.NDArray[np.float64]) -> None:
        self.root = np.sqrt(weight).astype(np.float32)[:, None]
        self.matrix = _same_cells(matrix, matrix.data * np.repeat(self.root[:, 0], np.diff(matrix.indptr)))
        self.transposed = self.matrix.T.tocsr()
        self.mean = self.transposed @ (self.root[:, 0] / np.float32(weight.sum()))

    def dot(self, dense: Float32) -> Float32:
        return np.asarray(self.matrix @ dense - self.root * (self.mean @ dense), np.float32)

    def back(self, dense: Float32) -> Float32:
        return np.asarray(self.transposed @ dense - np.outer(self.mean, self.root[:, 0] @ dense), np.float32)

    def squares(self) -> tuple[Float32, Float32]:
        """Squared norms of rows and of columns."""
        rows = _sums_of_squares(self.matrix) + self.root[:, 0] ** 2 * (self.mean @ self.mean)
        rows -= 2 * self.root[:, 0] * (self.matrix @ self.mean)
        columns = _sums_of_squares(self.transposed) - (self.root**2).sum() * self.mean**2
        return np.maximum(rows, 0), np.maximum(columns, 0)


def _same_cells(matrix: scipy.sparse.csr_array, data: Float32) -> scipy.sparse.csr_array:
    """Other numbers in the cells of a matrix."""
    return type(matrix)((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _sums_of_squares(matrix: scipy.sparse.csr_array) -> Float32:
    squares = _same_cells(matrix, matrix.data**2) @ np.ones(matrix.shape[1], np.float32)
    return np.asarray(squares, np.float32)


def _solve(
    matrix: scipy.sparse.csr_array, targets: Float32, weight: npt.NDArray[np.float64], probes: Float32
) -> Scorer:
    """Ridge regression by conjugate gradients with a diagonal preconditioner, all columns of `targets` at once."""
    nothing = np.zeros((matrix.shape[1], targets.shape[1]), np.float32)
    if matrix.shape[0] < 2 or matrix.nnz == 0 or not weight.sum() > 0:
        return Scorer(nothing, np.zeros(targets.shape[1], np.float32))
    centred = _Centred(matrix, weight)
    y = centred.root * (targets - np.average(targets, axis=0, weights=weight).astype(np.float32))
    rows, columns = centred.squares()
    penalty = 1 / _signal(centred, y, rows, probes)
    scale = 1 / (columns + penalty)[:, None]
    solution, residual = nothing.copy(), centred.back(y)
    direction: Float32 = np.asarray(scale * residual, np.float32)
    norm = (residual * direction).sum(axis=0)
    enough = PRECISION**2 * norm
    for _ in range(ITERATIONS):
        if (norm <= enough).all():
            break
        step = centred.back(centred.dot(direction)) + penalty * direction
        alpha = _ratio(norm, (direction * step).sum(axis=0))
        solution += alpha * direction
        residual -= alpha * step
        towards = scale * residual
        new = (residual * towards).sum(axis=0)
        direction = towards + _ratio(new, norm) * direction
        norm = new
    return Scorer(solution, centred.mean @ solution)


def _signal(centred: _Centred, y: Float32, rows: Float32, probes: Float32) -> float:
    """Variance of a weight over the variance of the targets, all columns pooled: the inverse penalty.

    Rows ``i != j`` with inner product ``k_ij`` should satisfy ``E[y_i y_j] = k_ij var(w)``: least squares over all such
    pairs, with the sum of ``k_ij^2`` estimated by random signs.
    """
    own = float((y.astype(np.float64) ** 2).sum())
    product = float((centred.back(y).astype(np.float64) ** 2).sum()) - float((y**2 * rows[:, None]).sum())
    spread = centred.dot(centred.back(probes)).astype(np.float64)
    pairs = float((spread**2).sum(axis=0).mean()) - float((rows.astype(np.float64) ** 2).sum())
    if own <= 0 or pairs <= 0:
        return SIGNAL[0]
    return float(np.clip(product / pairs / (own / len(y)), *SIGNAL))


def _ratio(above: Float32, below: Float32) -> Float32:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
