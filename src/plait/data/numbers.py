"""Numeric targets: finite numbers, or an error that names the first row that is none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.errors import InputError, RowError

__all__ = ["numeric", "scale"]


def numeric(targets: Array, what: str = "regression") -> npt.NDArray[np.float64]:
    """Finite float64 ``N``.

    Raises
    ------
    InputError
        If the targets are not one column, or one is no finite number.
    """
    try:
        values = np.asarray(targets).astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"the target holds what is not a number; {what} needs a numeric target") from None
    if values.ndim != 1:
        raise InputError(f"the target must be one column, not an array of shape {values.shape}")
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise RowError(f"the target is missing or infinite in {len(wrong)} rows (the first is row ", int(wrong[0]), ")")
    return values


def scale(values: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Weighted mean and standard deviation, 1 of a constant.

    Raises
    ------
    InputError
        If no row counts, or numbers are so large that their squares are infinite.
    """
    if not len(values) or not weight.sum() > 0:
        raise InputError("the target has no rows with a positive weight; nothing can be learned")
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.average(values, weights=weight))
        spread = float(np.sqrt(np.average(np.square(values - mean), weights=weight)))
    if not np.isfinite(spread):
        raise InputError(f"the target is too large to be scaled (up to {np.abs(values).max():.3g}); give a larger unit")
    # Rounding leaves a constant target a spread of some units in the last place.
    return mean, spread if spread > 8 * np.finfo(np.float64).eps * abs(mean) else 1.0
