"""What each feature adds to the score of a classical learner."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from plait.classical.scale import Scale
from plait.contracts import Array, Features, FeatureShares, Origin, Sparse

__all__ = ["gathered", "linear_shares", "owners", "rest"]

TERMS = 8  # of a row that keep their names
TERMS_ALL = 500  # of all rows


def owners(wide: Sparse) -> npt.NDArray[np.int64]:
    """The row of each cell that a wide form holds."""
    return np.repeat(np.arange(len(wide)), np.diff(wide.indptr))


def linear_shares(
    features: Features,
    scale: Scale,
    dense: Array,
    wide: Array,
    intercept: Array,
    output: npt.NDArray[np.int64],
) -> FeatureShares:
    """Coefficient times value, from a base that is the intercept: every number at its median, no level, no word.

    Under an L2 penalty coefficients of steps and levels sum to about nothing, so that the base is their middle.

    Parameters
    ----------
    dense, wide, intercept
        Coefficients of the scaled columns (``P x K``) and of the wide form (``W x K``, or none), and ``K`` intercepts.
    output
        int64 ``N``: the score of each row that is taken apart.
    """
    told = scale.by_feature(scale.dense(features) * dense.T[output], features.values.shape[1])
    terms = None
    if features.wide is not None and len(wide):
        own = wide[features.wide.indices, output[owners(features.wide)]]
        terms = np.asarray(features.wide.data * own, np.float64)
    base = np.asarray(intercept, np.float64)[output]
    return FeatureShares(base, told, terms, "coefficient times value; base: numbers at their median, no level, no word")


def gathered(
    shares: FeatureShares, wide: Sparse | None, dense: Sequence[Origin], term: Callable[[int], Origin]
) -> tuple[tuple[Origin, ...], npt.NDArray[np.float64]]:
    """Whose the shares are: origins (``G``, each once) and values (float64 ``N x G``).

    Of the wide form, the `TERMS` largest shares of each row keep their names (`TERMS_ALL` of all rows at most); the
    others of a column of the frame stand together.

    Parameters
    ----------
    dense
        Origins of the dense features.
    term
        From a column of the wide form to its origin.
    """
    if shares.wide is None or wide is None or not len(wide.indices):
        return tuple(dense), shares.dense
    used, where = np.unique(wide.indices, return_inverse=True)
    terms: dict[Origin, int] = {}
    code = np.array([terms.setdefault(term(int(j)), len(terms)) for j in used])[where]
    cells, where = np.unique(owners(wide) * len(terms) + code, return_inverse=True)
    row, code = np.divmod(cells, len(terms))
    value = np.bincount(where, shares.wide)
    kept = _largest(row, code, value, len(terms))
    place = {origin: i for i, origin in enumerate(dense)}
    told = [origin if kept[i] else rest(origin.source, origin.column) for i, origin in enumerate(terms)]
    column = np.array([place.setdefault(origin, len(place)) for origin in told])
    out = np.zeros((len(shares.dense), len(place)))
    out[:, : len(dense)] = shares.dense
    np.add.at(out, (row, column[code]), value)
    return tuple(place), out


def rest(source: str, column: str) -> Origin:
    """Terms of a column that stand together."""
    return Origin(source, column, f"{column}: other terms")


def _largest(row: Array, code: Array, value: Array, terms: int) -> npt.NDArray[np.bool_]:
    """Which terms are among the largest of a row, and of all rows."""
    order = np.lexsort((-np.abs(value), row))
    first = np.searchsorted(row[order], row[order])
    large = np.zeros(terms, bool)
    large[code[order[np.arange(len(order)) - first < TERMS]]] = True
    total = np.where(large, np.bincount(code, np.abs(value), terms), 0.0)
    most = np.argsort(-total, kind="stable")[:TERMS_ALL]
    kept = np.zeros(terms, bool)
    kept[most] = total[most] > 0
    return kept
