"""Columns that are copies of one another, whole or almost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plait.contracts import Array, Column
from plait.data.findings import Finding
from plait.data.leaks import levels
from plait.data.read import content

if TYPE_CHECKING:
    from plait.data.schema import Schema

__all__ = ["columns_alike"]

ALMOST = 0.995  # |rank correlation| of two columns, or share of rows in which levels map one to one
ROWS = 2000  # that are compared
COLUMNS = 500  # that are compared with each other


def columns_alike(cells: Mapping[str, Column], schema: Schema) -> Iterator[Finding]:
    """Columns with the content of an earlier one; and evidence that is one to one with earlier evidence, or almost."""
    first: dict[bytes, str] = {}
    same: set[str] = set()
    for name, own in cells.items():
        if own.present.any():
            earlier = first.setdefault(content(own), name)
            if earlier != name:
                same.add(name)
                yield Finding("twin", (name, earlier), "warning", f"same content as {earlier!r}")
    names = [name for name in schema.names("source") if name in cells and name not in same][:COLUMNS]
    chosen = {name: _some(cells[name]) for name in names}
    yield from _numbers({name: own for name, own in chosen.items() if own.values.dtype.kind == "f"})
    yield from _levels({name: own for name, own in chosen.items() if own.values.dtype == object})


def _some(cells: Column) -> Column:
    return cells.take(np.linspace(0, len(cells) - 1, min(ROWS, len(cells))).astype(np.int64))


def _numbers(cells: Mapping[str, Column]) -> Iterator[Finding]:
    kept: dict[str, Array] = {}
    for name, own in cells.items():
        ranks = pd.Series(np.where(own.present, own.values, np.nan)).rank().to_numpy(np.float64)
        seen = np.isfinite(ranks)
        if seen.sum() >= 30 and np.ptp(ranks[seen]) > 0:
            middle = np.where(seen, ranks - ranks[seen].mean(), 0.0)
            kept[name] = middle / np.sqrt((middle**2).sum())
    if len(kept) < 2:
        return
    alike = np.abs(np.array(list(kept.values())) @ np.array(list(kept.values())).T)
    names = list(kept)
    for later in range(1, len(names)):
        earlier = int(alike[later, :later].argmax())
        strength = float(alike[later, earlier])
        if strength >= ALMOST:
            said = f"almost a copy of {names[earlier]!r} (rank correlation {strength:.3f}): one of them will do"
            evidence = {"correlation": round(strength, 4)}
            yield Finding("near_twin", (names[later], names[earlier]), "note", said, evidence)


def _levels(cells: Mapping[str, Column]) -> Iterator[Finding]:
    known: dict[str, Array] = {}
    for name, own in cells.items():
        if not len(own) or not own.present.all() or not all(isinstance(cell, str) for cell in own.values):
            continue
        codes = levels(own.values)
        if codes is None or codes.max() < 1:
            continue
        for earlier, other in known.items():
            pairs = np.unique(codes * (other.max() + 1) + other, return_counts=True)
            if _one_to_one(codes, other, pairs[0], pairs[1]):
                said = f"almost one to one with {earlier!r}, its levels renamed: one of them will do"
                yield Finding("near_twin", (name, earlier), "note", said)
                break
        known[name] = codes


def _one_to_one(codes: Array, other: Array, pairs: Array, counts: Array) -> bool:
    """Whether each level of either column goes with one of the other's, but for a few rows."""
    for ids in (pairs // (other.max() + 1), pairs % (other.max() + 1)):
        best = np.zeros(ids.max() + 1)
        np.maximum.at(best, ids, counts)
        if best.sum() < ALMOST * len(codes):
            return False
    return bool(np.bincount(codes).max() < ALMOST * len(codes))
