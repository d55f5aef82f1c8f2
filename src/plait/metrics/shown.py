"""Results as people and programs read them: short numbers, aligned lines, JSON."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np

from plait.contracts import Array, Json

__all__ = ["Span", "aligned", "between", "chance", "count", "number", "plain"]


class Span(NamedTuple):
    """One figure and its 95% interval; NaN where undefined."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    @classmethod
    def of(cls, interval: Sequence[Array]) -> Self:
        """What `plait.metrics.intervals` found of one figure."""
        value, low, high = (float(part) for part in interval)
        return cls(value, low, high)

    def __str__(self) -> str:
        return number(self.value) + ("" if np.isnan(self.low) else f" ({between(self.low, self.high)})")


def number(value: float) -> str:
    """Four digits behind the point where that tells something; ``-`` where it is undefined."""
    if np.isnan(value):
        return "-"
    size = abs(value)
    if 0 < size < 0.001:
        return f"{value:.3g}"
    return f"{value:.4f}" if size < 100 else f"{value:,.1f}" if size < 1e9 else f"{value:.5g}"


def between(low: float, high: float) -> str:
    """An interval; ``-`` where it is undefined."""
    return "-" if np.isnan(low) or np.isnan(high) else f"{number(low)} to {number(high)}"


def chance(p: float) -> str:
    """A p-value to three digits, smaller ones as a bound; ``-`` where it is undefined."""
    return "-" if np.isnan(p) else "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def count(value: float) -> str:
    """A count, or a weight."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines; the first column to the left, the others to the right."""
    widths = [max(_width(row[j]) for row in table) for j in range(len(table[0]))]
    lines = []
    for row in table:
        pads = [" " * (width - _width(cell)) for width, cell in zip(widths, row, strict=True)]
        cells = [row[0] + pads[0], *(pad + cell for pad, cell in zip(pads[1:], row[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return lines


def plain(value: object) -> Json:
    """Dataclasses, tuples, mappings and arrays as JSON; what is not a finite number becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _width(text: str) -> int:
    """Columns of a terminal: East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
