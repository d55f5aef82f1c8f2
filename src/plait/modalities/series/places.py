"""Runs of steps of one series, and versions of it without some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Batch, Nested, Place, Ragged
from plait.media.runs import staying

__all__ = ["bridged"]


def bridged(row: Batch, places: Sequence[Place], kept: npt.NDArray[np.bool_]) -> Batch:
    """Versions of one series without the steps of some places: straight lines bridge them, level ones at the ends.

    Carried forward instead, the last step of a fall would be drawn over all that follows. With nothing left, the series
    is missing.

    Parameters
    ----------
    row
        A row of the room's batch, present.
    kept
        bool ``M x P``.
    """
    values = row.arrays["values"]
    assert isinstance(values, Ragged)
    steps = len(values.values)
    stay = staying(places, kept, steps)
    seen = ~np.isnan(values.values)
    present = np.asarray((stay[:, :, None] & seen).any(axis=(1, 2)))
    drawn = np.tile(values.values, (int(present.sum()), 1, 1))
    for version, left in zip(drawn, stay[present], strict=True):
        for c in range(version.shape[1]):
            known, gone = np.flatnonzero(left & seen[:, c]), np.flatnonzero(~left & seen[:, c])
            version[gone, c] = np.interp(gone, known, version[known, c]) if len(known) else np.nan
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.where(present, steps, 0))])
    arrays: dict[str, Array | Ragged | Nested] = {"values": Ragged(drawn.reshape(-1, drawn.shape[2]), offsets)}
    if "time" in row.arrays:
        time = row.arrays["time"]
        assert isinstance(time, Ragged)
        arrays["time"] = Ragged(np.tile(time.values, len(drawn)), offsets)
    return replace(row, arrays=arrays, present=present)
