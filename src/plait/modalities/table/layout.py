"""Which features a table has: candidates in blocks, their names, and the choice among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import MAX_FEATURES
from plait.modalities.table.calendar import PARTS
from plait.modalities.table.fields import Category, Quantity

__all__ = ["Layout", "plan"]

CODED = 50  # levels up to which trees get category codes; beyond, target means and log frequencies


@dataclass(frozen=True)
class Layout:
    """Blocks of candidate features, in this order, and which of them are kept.

    Parameters
    ----------
    coded, meaned, counted
        Positions, among the categories, of those that give codes, target means and log frequencies.
    indicated
        Positions, among the numbers and then the categories, of those with a missing indicator.
    names, columns, categorical, covered
        Of the kept features; `columns` of the frame, which they are made of.
    kept
        Their positions in the blocks side by side.
    whole
        Every candidate is kept.
    """

    coded: tuple[int, ...]
    meaned: tuple[int, ...]
    counted: tuple[int, ...]
    indicated: tuple[int, ...]
    names: tuple[str, ...]
    columns: tuple[str, ...]
    categorical: npt.NDArray[np.bool_]
    covered: npt.NDArray[np.bool_]
    kept: npt.NDArray[np.int64]
    whole: bool


def plan(numbers: Sequence[Quantity], categories: Sequence[Category], outputs: int) -> Layout:
    """Lay out the features; `outputs` target means a category.

    Every column has a feature. Beyond 256 features the extras go: calendar parts first, then missing indicators, then
    target means.
    """
    sizes = [len(category.levels) for category in categories]
    coded = tuple(i for i, size in enumerate(sizes) if size <= CODED)
    counted = tuple(i for i, size in enumerate(sizes) if size > CODED)
    meaned = counted if outputs else ()
    both: list[Quantity | Category] = [*numbers, *categories]
    indicated = tuple(i for i, column in enumerate(both) if column.indicated)
    of = "mean target" if outputs == 1 else "mean of class {}"
    blocks: list[tuple[int, str, str]] = [
        *((0, number.name, "") for number in numbers),
        *((0, categories[i].name, "") for i in coded),
        *((1, categories[i].name, f": {of.format(k)}") for i in meaned for k in range(outputs)),
        *((2, both[i].name, ": missing") for i in indicated),
        *((0, categories[i].name, ": log frequency") for i in counted),
        *((3, number.name, f": {PARTS[part]}") for number in numbers for part in number.parts),
    ]
    ranks = np.array([rank for rank, _, _ in blocks], np.int64)
    kept = np.sort(np.argsort(ranks, kind="stable")[: max(MAX_FEATURES, int((ranks == 0).sum()))])
    ends = np.cumsum([len(numbers), len(coded), len(meaned) * outputs, len(indicated), len(counted)])
    place = np.arange(len(blocks))
    codes = (place >= ends[0]) & (place < ends[1])
    one_hot = codes | ((place >= ends[1]) & (place < ends[2])) | ((place >= ends[3]) & (place < ends[4]))
    names = _unique("".join(blocks[i][1:]) for i in kept)
    columns = tuple(blocks[i][1] for i in kept)
    whole = len(kept) == len(blocks)
    return Layout(coded, meaned, counted, indicated, names, columns, codes[kept], one_hot[kept], kept, whole)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    """Names as they are, with a mark where a column happens to be called like another's feature."""
    seen: dict[str, None] = {}
    for name in names:
        while name in seen:
            name += " *"
        seen[name] = None
    return tuple(seen)
