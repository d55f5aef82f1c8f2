"""What the features of items say of the row that holds them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Features, Sparse

__all__ = ["kinds", "pool", "pool_wide"]

KINDS = ("mean of", "last", "largest")


def kinds(columns: int, room: int) -> tuple[str, ...]:
    """Which summaries of each of so many columns find room, the most telling first."""
    return KINDS[: int(np.clip(room // max(columns, 1), 1, len(KINDS)))]


def pool(items: Features, offsets: npt.NDArray[np.int64], wanted: tuple[str, ...], room: int) -> Features:
    """Mean, last and largest value of each column over the items of a row that have it: ``N`` rows.

    Codes of categories have no mean: of those there is the last. What is beyond `room` columns is left out.

    Parameters
    ----------
    items
        Features of all rows' items, end to end.
    offsets
        Row ``i`` holds items ``offsets[i]:offsets[i + 1]``.
    wanted
        Some of `KINDS`.
    """
    blocks = _summaries(items, offsets)
    columns = [(kind, c) for c, code in enumerate(items.categorical) for kind in (("last",) if code else wanted)][:room]
    values = np.full((len(offsets) - 1, len(columns)), np.nan, np.float32)
    for place, (kind, c) in enumerate(columns):
        values[:, place] = blocks[kind][:, c]
    names = tuple(f"{kind} {items.names[c]}" for kind, c in columns)
    which = np.array([c for _, c in columns], np.int64)
    return Features(values, names, ~np.isnan(values), items.categorical[which], items.covered[which])


def _summaries(items: Features, offsets: npt.NDArray[np.int64]) -> dict[str, Array]:
    """Each kind as float32 ``N x F``, NaN where no item of the row has the column."""
    rows, columns = len(offsets) - 1, items.values.shape[1]
    out = {kind: np.full((rows, columns), np.nan, np.float32) for kind in KINDS}
    held = np.flatnonzero(np.diff(offsets))
    if not len(held) or not columns:
        return out
    starts = offsets[held]
    counts = np.add.reduceat(items.present, starts, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(items.present, items.values, 0.0).astype(np.float64), starts, axis=0)
    some = counts > 0
    out["mean of"][held] = np.where(some, sums / np.maximum(counts, 1), np.nan)
    largest = np.maximum.reduceat(np.where(items.present, items.values, -np.inf), starts, axis=0)
    out["largest"][held] = np.where(some, largest, np.nan)
    place = np.where(items.present, np.arange(len(items.values))[:, None], -1)
    last = np.maximum.reduceat(place, starts, axis=0)
    out["last"][held] = np.where(some, np.take_along_axis(items.values, np.maximum(last, 0), axis=0), np.nan)
    return out


def pool_wide(items: Sparse, offsets: npt.NDArray[np.int64]) -> Sparse:
    """Mean of the wide rows of each row's items, made as long as those are on average.

    Items about different things cancel each other's length: the mean of fifty sentences of length one has length .3,
    that of five .5, and a penalty would then hold long cells back for being long.
    """
    lengths = np.diff(offsets)
    row = np.repeat(np.repeat(np.arange(len(lengths)), lengths), np.diff(items.indptr))
    cells, place = np.unique(row * items.width + items.indices, return_inverse=True)
    owner, indices = np.divmod(cells, items.width)
    data = np.bincount(place, items.data.astype(np.float64), len(cells)) / np.maximum(lengths, 1)[owner]
    each = np.sqrt(np.bincount(np.repeat(np.arange(len(items)), np.diff(items.indptr)), items.data**2.0, len(items)))
    usual = np.bincount(np.repeat(np.arange(len(lengths)), lengths), each, len(lengths)) / np.maximum(lengths, 1)
    own = np.sqrt(np.bincount(owner, data**2, len(lengths)))
    data *= (usual / np.where(own > 0, own, 1.0))[owner]
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(owner, minlength=len(lengths)))])
    return Sparse(indptr, indices.astype(np.int32), data.astype(np.float32), items.width)
