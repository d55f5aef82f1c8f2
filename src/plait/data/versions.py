"""Versions of one row that lack some of its places: each distinct one is made once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from plait.contracts import Batch

__all__ = ["versions"]


def versions(whole: Batch, kept: npt.NDArray[np.bool_], without: Callable[[npt.NDArray[np.bool_]], Batch]) -> Batch:
    """As many versions of a row as `kept` has rows.

    Parameters
    ----------
    whole
        The one row as it is: the version that lacks nothing, and all of them where it is absent.
    kept
        bool ``M x P``.
    without
        From what a version lacks (bool ``P``) to a batch of one row.

    Returns
    -------
    ``M`` rows.
    """
    itself = whole.take(np.zeros(1, np.int64))
    if not whole.present[0] or kept.all():
        return itself.take(np.zeros(len(kept), np.int64))
    distinct, which = np.unique(kept, axis=0, return_inverse=True)
    return Batch.concatenate([itself if own.all() else without(~own) for own in distinct]).take(which.reshape(-1))
