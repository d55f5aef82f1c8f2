"""What each feature adds to the score of a classical learner."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.classical.scale import Scale
from plait.contracts import Array, Features, FeatureShares, Sparse

__all__ = ["linear_shares", "owners"]


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
