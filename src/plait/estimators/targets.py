"""Targets as scikit-learn takes them, and what it says of others as errors of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.validation import column_or_1d

from plait.contracts import Array
from plait.errors import DataError, InputError

__all__ = ["as_target", "in_rows", "said_in_one_line"]


def as_target(y: object) -> Array:
    """One-dimensional targets without missing or infinite ones."""
    values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    if values.dtype.kind == "U" and isinstance(y, list | tuple):
        values = np.asarray(y, object)  # numpy has made words of numbers and of NaN
    with said_in_one_line():
        values = column_or_1d(values, warn=True)
    missing = pd.isna(values)
    if missing.all() and len(values):
        raise DataError("the target is missing in all rows: every value is NaN")
    if missing.any():
        raise DataError(f"the target is missing (NaN) in {int(missing.sum())} of {len(values)} rows; drop those rows")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(f"the target is infinite (inf) in {int(np.isinf(values).sum())} of {len(values)} rows")
    if values.dtype.kind == "c":
        raise InputError("Complex data not supported: the target holds complex numbers")
    return np.asarray(values)


def in_rows(weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights as rows: those above 0 have a mean of 1, so that half a row more is half a row whatever their unit."""
    return weight / float(weight[weight > 0].mean())


@contextmanager
def said_in_one_line() -> Iterator[None]:
    """What scikit-learn says of data that it refuses, as an error of ours."""
    try:
        yield
    except ValueError as error:
        raise DataError(" ".join(str(error).split())) from None
