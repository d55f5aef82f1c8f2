"""What all metrics share: checked arrays, and weights of one sample or of many resamples at once.

A metric here takes ``weight`` of shape ``N`` or ``R x N`` and answers a float64 scalar or ``R`` values: one row of
weights is the sample itself, many rows are its bootstrap resamples (`plait.metrics.intervals`). Where a metric is
undefined, a single sample raises `InputError` and a resample answers NaN.
"""

from __future__ import annotations

import numpy as np

from plait.contracts import Array
from plait.errors import InputError

__all__ = ["as_weight", "defined", "finite", "mean", "ratio"]


def as_weight(weight: Array | None, rows: int) -> Array:
    """Weights as float64 ``N`` or ``R x N``; None weighs every row 1.

    Raises
    ------
    InputError
        If the last axis is not `rows` long, or a weight is negative or not finite, or a sample weighs nothing.
    """
    if weight is None:
        return np.ones(rows)
    checked = np.asarray(weight, np.float64)
    if checked.ndim not in (1, 2) or checked.shape[-1] != rows:
        raise InputError(f"weight has shape {checked.shape}; it needs one weight for each of the {rows} rows")
    bad = ~((checked >= 0) & (checked < np.inf))
    if bad.any():
        where = np.flatnonzero(bad.reshape(-1, rows).any(0))
        raise InputError(f"{len(where)} weights are negative or not finite, first in row {where[0]}; weights are >= 0")
    if not checked.sum(-1).all():
        raise InputError("all weights are 0; at least one row must count")
    return checked


def finite(values: Array, rows: int, what: str = "scores") -> Array:
    """Values as float64 with `rows` rows.

    Raises
    ------
    InputError
        If there are no rows or another number of them, or a value is NaN or infinite; the first rows are named.
    """
    checked = np.asarray(values, np.float64)
    if rows == 0:
        raise InputError(f"there are no rows to judge; {what} and targets need at least one")
    if checked.ndim == 0 or len(checked) != rows:
        raise InputError(f"{what} have shape {checked.shape} for {rows} targets; give one for each target")
    bad = np.flatnonzero(~np.isfinite(checked).reshape(rows, -1).all(1))
    if len(bad):
        listed = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        raise InputError(f"{what} are NaN or infinite in {len(bad)} rows ({listed}); every row needs a finite number")
    return checked


def mean(rows: Array, weight: Array) -> Array:
    """Weighted mean of float64 ``N`` under each sample of weights."""
    return np.asarray((weight @ rows) / weight.sum(-1))


def ratio(above: Array, below: Array) -> Array:
    """Division that answers NaN where `below` is 0."""
    empty = np.full(np.broadcast(above, below).shape, np.nan)
    return np.asarray(np.divide(above, below, out=empty, where=below != 0))


def defined(value: Array, reason: str) -> Array:
    """The value of a metric, or `InputError` with `reason` where a single sample leaves it undefined."""
    if np.ndim(value) == 0 and np.isnan(value):
        raise InputError(reason)
    return value
