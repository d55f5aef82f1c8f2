"""Rows into groups of people, by the cells of sensitive columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plait.data.frame import column
from plait.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEW", "MISSING", "crossed_groups", "groups_of"]

FEW = 30  # rows under which a group's rates say little
BINS = 4  # groups of a column of numbers
LEVELS = 20  # most groups of a column
MISSING, OTHERS = "(missing)", "(others)"


def groups_of(cells: pd.Series[Any], edges: Sequence[float] | None) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Group of each row (int64 ``N``, -1 missing), and their names.

    Numbers and moments of more than 20 values are cut at `edges`, or into quartiles; of more than 20 other values, the
    19 most frequent are groups, the rest together are one.

    Raises
    ------
    ConfigError
        If `edges` are given for what is no number, or are none themselves.
    """
    known = column(cells)
    values, present = known.values, known.present
    codes = np.full(len(present), -1, np.int64)
    if values.dtype.kind in "mM":
        values = values.astype(np.int64) / 1e9
    is_number = values.dtype.kind == "f"
    if edges is not None and not is_number:
        raise ConfigError(f"bins are given for {known.name!r}, which holds no numbers")
    if edges is not None and not (len(edges) and np.isfinite(edges).all()):
        raise ConfigError(f"bins of {known.name!r} are {list(edges)}; give finite numbers to cut at, as in 25, 40, 62")
    distinct, own = np.unique(values[present].astype(float if is_number else str), return_inverse=True)
    if edges is not None or (is_number and len(distinct) > LEVELS):
        inner = np.quantile(values[present], np.arange(1, BINS) / BINS) if edges is None else edges
        cuts = np.unique(np.asarray(inner, np.float64))
        codes[present] = np.searchsorted(cuts, values[present], side="right")
        shown = [f"{cut:g}" for cut in cuts]
        return codes, [
            f"below {shown[0]}",
            *(f"{low} to below {high}" for low, high in pairwise(shown)),
            f"{shown[-1]} or more",
        ]
    labels = [f"{label:g}" if is_number else str(label) for label in distinct]
    if len(labels) > LEVELS:
        kept = np.sort(np.argsort(-np.bincount(own), kind="stable")[: LEVELS - 1])
        own = np.where(np.isin(own, kept), np.searchsorted(kept, own), LEVELS - 1)
        labels = [*(labels[i] for i in kept), OTHERS]
    codes[present] = own
    return codes, labels


def crossed_groups(
    one: tuple[npt.NDArray[np.int64], list[str]], other: tuple[npt.NDArray[np.int64], list[str]]
) -> tuple[npt.NDArray[np.int64], list[str]]:
    (a, names), (b, others) = one, other
    codes = np.where((a < 0) | (b < 0), -1, a * len(others) + b)
    return codes, [f"{x}, {y}" for x in names for y in others]
