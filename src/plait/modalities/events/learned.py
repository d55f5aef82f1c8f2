"""All that is learned of the records of training rows, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.modalities.events.fields import Category, Number, as_numbers, main_category
from plait.modalities.events.summary import KINDS, Layout

__all__ = ["Learned", "suiting"]

WINDOWS = (1.0, 7.0, 30.0, 90.0, 365.0)
SHORTEST = 100  # a window is at least this part of a usual history


@dataclass(frozen=True)
class Learned:
    """What a fitted room knows.

    Parameters
    ----------
    time
        The column of the records' times, or None.
    unit
        How many of the cells' numeric times make a day since 1970; 0 where they are of no calendar.
    dated
        Whether times are moments since 1970.
    numbers, categories
        The columns that are read.
    windows
        Days, rising.
    gap
        Median days from one record to the next.
    """

    time: str | None = None
    unit: float = 1.0
    dated: bool = False
    numbers: tuple[Number, ...] = ()
    categories: tuple[Category, ...] = ()
    windows: tuple[float, ...] = (1.0,)
    gap: float = 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        return (*(number.name for number in self.numbers), *(category.name for category in self.categories))

    @property
    def layout(self) -> Layout:
        names = tuple(number.name for number in self.numbers)
        return Layout(names, self.categories, main_category(self.categories), self.windows, self.dated)

    @property
    def kinds(self) -> range:
        """Codes of the most frequent kinds."""
        main = self.layout.kind
        return range(2, 2 + min(KINDS, 0 if main is None else len(self.categories[main].levels)))

    def encode(
        self, values: Mapping[str, Sequence[object] | Array], count: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32], npt.NDArray[np.uint32]]:
        """Values of `count` records by column as numbers ``S x C1``, codes and marks ``S x C2``."""
        numbers = np.empty((count, len(self.numbers)))
        codes = np.empty((count, len(self.categories)), np.int32)
        marks = np.empty((count, len(self.categories)), np.uint32)
        for i, number in enumerate(self.numbers):
            numbers[:, i] = as_numbers(values[number.name])
        for i, category in enumerate(self.categories):
            codes[:, i], marks[:, i] = category.encode(values[category.name])
        return numbers, codes, marks

    def as_json(self) -> dict[str, Json]:
        return {
            "time": self.time,
            "unit": self.unit,
            "dated": self.dated,
            "numbers": [[number.name, number.location, number.scale] for number in self.numbers],
            "categories": [[category.name, list(category.levels)] for category in self.categories],
            "windows": list(self.windows),
            "gap": self.gap,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        return cls(
            **{
                **saved,
                "numbers": tuple(Number(*number) for number in saved["numbers"]),
                "categories": tuple(Category(name, tuple(levels)) for name, levels in saved["categories"]),
                "windows": tuple(saved["windows"]),
            }
        )


def suiting(spans: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Windows in days that suit histories of such spans (days): of the usual ones, or else parts of the longest."""
    longest = float(np.quantile(spans, 0.9)) if len(spans) else 0.0
    usual = tuple(window for window in WINDOWS if longest / SHORTEST <= window < longest)
    if len(usual) > 1:
        return usual
    return (longest / 64, longest / 16, longest / 4) if longest > 0 else (1.0,)
