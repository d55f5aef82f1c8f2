"""Numeric targets: finite numbers, or an error that names the first row that is none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.errors import InputError, RowError

__all__ = ["numeric"]


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
