"""Columns that are not what they were: the first third of the rows in time against the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column
from plait.data.findings import Finding
from plait.data.frame import seconds
from plait.data.leaks import levels
from plait.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from plait.data.schema import Schema

__all__ = ["moved"]

ROWS = 300  # under which no part is large enough to be compared
BINS = 10
LEVEL = 0.01  # chance that any column at all is named where none moves
MOVED = 0.1  # population stability index from which a shift is worth a word
COMMON = 20  # levels that are compared; the others are one


def moved(frame: pd.DataFrame, cells: Mapping[str, Column], schema: Schema) -> Iterator[Finding]:
    """Numbers and categories whose distribution, missing cells included, moved between the first and last third.

    A chi-squared test of deciles or levels, corrected for the number of columns (Holm, 1979), and a population
    stability index of .1 or more: a shift must be both certain and large enough to matter.
    """
    from scipy.special import chdtrc

    now = _time(frame, schema)
    if now is None or np.isfinite(now).sum() < ROWS:
        return
    cuts = np.quantile(now[np.isfinite(now)], [1 / 3, 2 / 3])
    early, late = now <= cuts[0], now >= cuts[1]
    if not cuts[0] < cuts[1]:
        return
    tested: list[tuple[str, float, float]] = []
    for name in schema.names("source"):
        if name in cells and (codes := _binned(cells[name])) is not None:
            table = np.stack([np.bincount(codes[part], minlength=codes.max() + 1) for part in (early, late)])
            table = table[:, table.sum(axis=0) > 0]
            if table.shape[1] > 1:
                tested.append((name, _chance(table, chdtrc), _stability(table)))
    tested.sort(key=lambda one: one[1])
    for rank, (name, chance, stability) in enumerate(tested):
        if chance > LEVEL / (len(tested) - rank):
            return
        if stability >= MOVED:
            said = (
                f"its distribution moved between the first and the last third of the time (PSI {stability:.2f}): "
                "judge by a split in time, and watch it"
            )
            evidence = {"psi": round(stability, 4), "p": chance, "columns_tested": len(tested)}
            yield Finding("drift", (name,), "note", said, evidence)


def _time(frame: pd.DataFrame, schema: Schema) -> npt.NDArray[np.float64] | None:
    if schema.time is None or schema.time not in frame.columns:
        return None
    try:
        return seconds(frame[schema.time])
    except InputError:  # said of the time column itself
        return None


def _binned(cells: Column) -> npt.NDArray[np.int64] | None:
    """Deciles of numbers, common levels of categories; missing cells are a bin of their own."""
    values = cells.values
    codes = np.zeros(len(cells), np.int64)
    if values.dtype.kind == "f":
        seen: Array = values[cells.present]
        known = seen[np.isfinite(seen)]
        if not len(known):
            return None
        edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
        codes[cells.present] = 1 + np.searchsorted(edges, seen, side="left")
        return codes
    if values.dtype.kind == "b":
        codes[cells.present] = 1 + values[cells.present]
        return codes
    if values.dtype != object:
        return None
    kinds = levels(values[cells.present])
    if kinds is None or not len(kinds):
        return None
    order = np.argsort(-np.bincount(kinds), kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    codes[cells.present] = 1 + np.minimum(rank[kinds], COMMON)
    return codes


def _chance(table: Array, survival: object) -> float:
    """p of the chi-squared test that both rows of `table` are draws from one distribution."""
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float(survival(table.shape[1] - 1, ((table - expected) ** 2 / expected).sum()))  # type: ignore[operator]


def _stability(table: Array) -> float:
    """Population stability index, with half a row in empty bins."""
    shares = np.maximum(table, 0.5) / table.sum(axis=1, keepdims=True)
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
