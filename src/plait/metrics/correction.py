"""Many tests at once: p-values that stay honest."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np

from plait.contracts import Array

__all__ = ["holm", "normal_p"]


def holm(p: Array) -> Array:
    """p-values (float64 ``M``, NaN = not tested) corrected so that any false alarm among them is as rare as said.

    Holds under any dependence among the tests. Source: Holm 1979, "A simple sequentially rejective multiple test
    procedure".
    """
    p = np.asarray(p, np.float64)
    corrected = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * steps))
    return corrected


def normal_p(value: float, error: float) -> float:
    """Two-sided p-value of a normal `value` with standard error `error` being 0; NaN where the error is 0 or NaN."""
    return erfc(abs(value) / error / sqrt(2)) if error > 0 else float("nan")
