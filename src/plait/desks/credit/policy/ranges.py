"""What the cells of training rows ranged over, so that rows unlike any of them can go to a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Json
from plait.data.frame import column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ranges"]

LEVELS = 200  # categories up to which an unknown one is news


@dataclass(frozen=True)
class Ranges:
    """Lowest and highest number by column, and known categories by column."""

    numbers: Mapping[str, tuple[float, float]]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, frame: pd.DataFrame, columns: Iterable[str]) -> Self:
        """Look at training rows; columns of dates, of more than 200 categories, or without a value are left out."""
        numbers, categories = {}, {}
        for name in columns:
            known = column(frame[name])
            cells = known.values[known.present]
            if cells.dtype.kind == "f" and len(cells):
                numbers[name] = (float(cells.min()), float(cells.max()))
            elif cells.dtype == object and len(cells):
                levels = sorted(set(map(str, cells.tolist())))
                if len(levels) <= LEVELS:
                    categories[name] = tuple(levels)
        return cls(numbers, categories)

    def strange(self, frame: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
        """By column, which rows lie outside: bool ``N``. A missing cell lies nowhere."""
        found = {}
        for name, (low, high) in self.numbers.items():
            known = column(frame[name])
            if known.values.dtype.kind == "f":  # a broken cell is a fault, told elsewhere
                found[name] = known.present & ((known.values < low) | (known.values > high))
        for name, levels in self.categories.items():
            known, shown = column(frame[name]), set(levels)
            unknown = np.array([str(cell) not in shown for cell in known.values.tolist()], bool)
            found[name] = known.present & unknown
        return found

    def outside(self, frame: pd.DataFrame) -> list[str]:
        """By row, what lies outside, in words; "" where nothing does."""
        told: list[list[str]] = [[] for _ in range(len(frame))]
        for name, rows in self.strange(frame).items():
            cells = column(frame[name]).values
            for i in np.flatnonzero(rows):
                if name in self.numbers:
                    low, high = self.numbers[name]
                    told[i].append(f"{name} is {cells[i]:g}, fitted on {low:g} to {high:g}")
                else:
                    told[i].append(f"{name} is {str(cells[i])!r}, which was not seen in fitting")
        return ["; ".join(each) for each in told]

    def to_json(self) -> Json:
        """What `from_json` reads."""
        return {
            "numbers": {name: list(ends) for name, ends in self.numbers.items()},
            "categories": {name: list(levels) for name, levels in self.categories.items()},
        }

    @classmethod
    def from_json(cls, said: Json) -> Self:
        """What was written down."""
        numbers = {name: (float(low), float(high)) for name, (low, high) in said["numbers"].items()}
        return cls(numbers, {name: tuple(levels) for name, levels in said["categories"].items()})
