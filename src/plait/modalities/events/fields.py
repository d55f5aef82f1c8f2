"""The columns of records: what is learned of each, and their values as numbers and codes."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.modalities.events.cells import text_of

__all__ = ["LARGEST", "MISSING", "RARE", "Category", "Number", "as_numbers", "main_category", "scales"]

LARGEST = float(np.finfo(np.float32).max)
MISSING, RARE = 0, 1  # codes; the levels follow
LEVELS = 64  # of a category that have a code of their own


@dataclass(frozen=True)
class Number:
    """A column of numbers, with the median and the scaled interquartile range of the training records."""

    name: str
    location: float
    scale: float


@dataclass(frozen=True)
class Category:
    """A column of categories, with its most frequent levels, most frequent first; a level needs two records."""

    name: str
    levels: tuple[str, ...]

    @classmethod
    def of(cls, name: str, counts: Counter[str]) -> Self:
        often = sorted(((level, n) for level, n in counts.items() if n > 1), key=lambda item: (-item[1], item[0]))
        return cls(name, tuple(level for level, _ in often[:LEVELS]))

    def encode(self, values: Iterable[object]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint32]]:
        """Codes, and marks that tell almost all levels apart (the rare ones too; 0 is missing)."""
        codes: dict[str | None, int] = {level: i + 2 for i, level in enumerate(self.levels)}
        codes[None] = MISSING
        texts = [text_of(value) for value in values]
        mark = {text: 0 if text is None else _mark(text) for text in set(texts)}
        return (
            np.array([codes.get(text, RARE) for text in texts], np.int32).reshape(-1),
            np.array([mark[text] for text in texts], np.uint32).reshape(-1),
        )


def _mark(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "backslashreplace")) or 1


def as_numbers(values: Sequence[object] | Array) -> npt.NDArray[np.float64]:
    """Numbers as float64; NaN for anything else."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return values.astype(np.float64)
    return np.array([_as_number(value) for value in values], np.float64).reshape(-1)


def _as_number(value: object) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return np.nan
    try:
        return float(value)
    except OverflowError:
        return np.inf


def scales(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Location and scale of a column's finite numbers; 0 and 1 where there are none, or they are all one."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    spread = float((high - low) / 1.349 or values.std())
    return float(middle), spread if spread > 0 else 1.0


def main_category(categories: Sequence[Category]) -> int | None:
    """Which category divides the records into kinds: the one with the fewest levels, at least three if there is one."""
    sizes = [len(category.levels) for category in categories]
    able = [i for i, size in enumerate(sizes) if size >= 3] or [i for i, size in enumerate(sizes) if size == 2]
    return min(able, key=lambda i: (sizes[i], i), default=None)
