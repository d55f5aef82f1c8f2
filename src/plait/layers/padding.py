"""Rows of unequal length as one rectangle and a mask, without a loop over rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Batch, Ragged
from plait.errors import PlaitError

__all__ = ["dense", "pad", "ragged"]


def pad(
    rows: Ragged, present: npt.NDArray[np.bool_], limit: int, multiple: int = 1, *, recent: bool = False
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Pad to the longest row.

    Parameters
    ----------
    rows
        ``N`` rows of any trailing shape.
    present
        bool ``N``; rows that are not present come out empty.
    limit
        Longest row kept: its first items, or its last with `recent`.
    multiple
        The width ``T`` is rounded up to a multiple of this; it is never 0.
    recent
        Rows end at the right edge (padded on the left).

    Returns
    -------
    values, mask
        ``N x T (x ...)`` with zeros where `mask` (bool ``N x T``) is false.
    """
    lengths = rows.lengths
    row = np.repeat(np.arange(len(rows)), lengths)
    place = np.arange(len(row)) - np.repeat(rows.offsets[:-1] - rows.offsets[0], lengths)
    if recent:
        place = lengths[row] - 1 - place  # counted from the end
    kept = present[row] & (place < limit)
    longest = int(np.where(present, lengths, 0).clip(max=limit).max(initial=1))
    width = -(-longest // multiple) * multiple
    row, place = row[kept], place[kept]
    if recent:
        place = width - 1 - place
    items = rows.values[rows.offsets[0] : rows.offsets[-1]]
    values = np.zeros((len(rows), width, *items.shape[1:]), items.dtype)
    mask = np.zeros((len(rows), width), bool)
    values[row, place] = items[kept]
    mask[row, place] = True
    return values, mask


def ragged(inputs: Batch, name: str) -> Ragged:
    """The `Ragged` of that name among a room's inputs."""
    rows = inputs.arrays[name]
    if not isinstance(rows, Ragged):
        raise PlaitError(f"the encoder's input {name!r} must have rows of unequal length (Ragged)")
    return rows


def dense(inputs: Batch, name: str) -> Array:
    """The array of that name among a room's inputs."""
    array = inputs.arrays[name]
    if not isinstance(array, np.ndarray):
        raise PlaitError(f"the encoder's input {name!r} must be an array, not rows of unequal length")
    return array
