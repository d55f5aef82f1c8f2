"""A room of another package: flags, written as the colours of their stripes from the top, like ``#ff0000|#ffffff``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np

from plait import registry
from plait.contracts import Batch, Column, Encoder, Fault, Features, FitContext, Modality, Ragged, Source, State
from plait.errors import ArtifactError, unknown

__all__ = ["Flags"]

MOST = 12  # stripes
NAMES = ("stripes", "red", "green", "blue", "contrast")
FLAG = re.compile(r"#[0-9a-f]{6}(\|#[0-9a-f]{6})*")


class Flags(Modality):
    """Flags of 1 to 12 stripes. The batch holds ``stripes``: Ragged float32 ``T x 3``, red, green and blue in 0..1.

    Options of the column
    ---------------------
    encoder
        Of the stripes (default ``"stripes"``).
    """

    name: ClassVar[str] = "toy"
    joint: ClassVar[bool] = False
    version: ClassVar[int] = 1

    def __init__(self, source: Source) -> None:
        self.source = source
        (self._column,) = source.columns
        options = source.options.get(self._column, {})
        for key in options:
            if key != "encoder":
                raise unknown(f"option of column {self._column!r}", key, ["encoder"])
        self._encoder = str(options.get("encoder", "stripes"))
        self._usual = np.zeros(3, np.float32)

    @staticmethod
    def accepts(column: Column) -> float:
        """1 where most cells are flags."""
        if column.side is not None or column.values.dtype != object:
            return 0.0
        cells = column.values[column.present][:64].tolist()
        flags = sum(isinstance(cell, str) and FLAG.fullmatch(cell) is not None for cell in cells)
        return float(flags > 0.7 * len(cells))

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Flags of 1 to 5 stripes; one cell in ten missing, one in twenty broken."""
        values = np.empty(n, object)
        for row, kind in enumerate(rng.random(n)):
            stripes = [f"#{colour:06x}" for colour in rng.integers(0, 1 << 24, rng.integers(1, 6))]
            broken: tuple[Any, ...] = ("#12", 7, "|".join(stripes * 13))
            values[row] = None if kind < 0.1 else broken[row % 3] if kind < 0.15 else "|".join(stripes)
        return (Column("flag", values, np.array([cell is not None for cell in values], bool)),)

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn the usual colour: the median of all stripes."""
        parts = [np.empty((0, 3), np.float32), *(_stripes(self.transform(columns)).values for columns in chunks)]
        stripes = np.concatenate(parts)
        if len(stripes):
            self._usual = np.median(stripes, axis=0).astype(np.float32)
        return self

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        (column,) = columns
        rows = [np.empty((0, 3), np.float32)] * len(column)
        present = np.zeros(len(column), bool)
        faults = []
        for row in np.flatnonzero(column.present).tolist():
            cell = column.values[row]
            if not isinstance(cell, str) or FLAG.fullmatch(cell) is None:
                faults.append(Fault(row, column.name, "no flag"))
            elif cell.count("|") >= MOST:
                faults.append(Fault(row, column.name, f"{cell.count('|') + 1} stripes (allowed: {MOST})"))
            else:
                colours = [list(bytes.fromhex(stripe[1:])) for stripe in cell.split("|")]
                present[row], rows[row] = True, np.array(colours, np.float32) / 255
        return Batch({"stripes": Ragged.from_rows(rows, np.empty((0, 3), np.float32))}, present, tuple(faults))

    def features(self, batch: Batch) -> Features:
        """How many stripes, their mean colour, and how far they are from the usual colour."""
        values = np.full((len(batch), len(NAMES)), np.nan, np.float32)
        stripes = _stripes(batch)
        for row in np.flatnonzero(batch.present).tolist():
            own = stripes.row(row)
            values[row] = [len(own), *own.mean(axis=0), np.abs(own - self._usual).mean()]
        no = np.zeros(len(NAMES), bool)
        return Features(values, tuple(f"{self._column}.{name}" for name in NAMES), ~np.isnan(values), no, no)

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """A token a stripe."""
        make = registry.get("encoders", self._encoder if kind == "auto" else kind)
        encoder: Encoder = make(width, MOST)
        return encoder

    def state(self) -> State:
        return State(self.version, arrays={"usual": self._usual})

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        if state.version > cls.version:
            raise ArtifactError(f"source {source.name!r} was saved by a newer toy-room; update it")
        room = cls(source)
        room._usual = state.arrays["usual"]
        return room


def _stripes(batch: Batch) -> Ragged:
    stripes = batch.arrays["stripes"]
    assert isinstance(stripes, Ragged)
    return stripes
