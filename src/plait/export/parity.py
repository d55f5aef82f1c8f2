"""Whether an exported model says what the model says, on the same rows, with sources hidden, one by one; how fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Batches, Head, Json
from plait.edge.model import Model as Edge
from plait.evidence import View
from plait.model import Model

__all__ = ["TOLERANCE", "Parity", "Speed", "compared", "timed"]

TOLERANCE = 1e-4  # of probabilities and of values in units of their spread, for graphs in float32
MASKS = 8  # ways to hide sources that are tried on all rows
ALONE = 25  # rows that are also asked one by one
REPEATS = 200


@dataclass(frozen=True)
class Parity:
    """The largest absolute differences of what the head says, over so many rows.

    Parameters
    ----------
    rows
        As they are, all at once.
    alone
        One by one.
    hidden
        With some of their sources hidden, also with none left.
    faults
        Whether the same cells could not be read.
    """

    count: int
    rows: float
    alone: float
    hidden: float
    faults: bool

    @property
    def most(self) -> float:
        return max(self.rows, self.alone, self.hidden)

    def to_json(self) -> dict[str, Json]:
        return {"rows": self.count, "all": self.rows, "alone": self.alone, "hidden": self.hidden, "faults": self.faults}


@dataclass(frozen=True)
class Speed:
    """Milliseconds of one row, from records to answers: exported (p50, p99), and the model as it is (p50, p99)."""

    exported: tuple[float, float]
    eager: tuple[float, float]

    def to_json(self) -> dict[str, Json]:
        return {"exported_ms": list(self.exported), "eager_ms": list(self.eager)}


def compared(model: Model, edge: Edge, theirs: Batches, ours: Batches) -> Parity:
    """Compare on the same rows.

    Parameters
    ----------
    theirs, ours
        The rows as the model and as the exported model read them.
    """
    hide = np.random.default_rng(0)
    sources = len(model.rooms)

    def apart(present: Array | None, rows: Array) -> float:
        if not len(rows):
            return 0.0
        one = model.fitted.score(View(theirs.take(rows), model.rooms, present))
        other = edge.fitted.score(View(ours.take(rows), edge.rooms, present))
        return float(np.abs(_said(model.head, one) - _said(model.head, other)).max())

    everyone = np.arange(len(theirs))
    masks = [np.zeros(sources, bool), *(hide.random((MASKS, sources)) < 0.5)]
    return Parity(
        len(theirs),
        apart(None, everyone),
        max((apart(None, everyone[i : i + 1]) for i in range(min(ALONE, len(theirs)))), default=0.0),
        max(apart(mask, everyone) for mask in masks),
        theirs.faults == ours.faults,
    )


def _said(head: Head, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probabilities, or values in units of the spread of the training targets, which is what scores of values are."""
    prediction = head.decode(scores)
    return scores if prediction.classes is None else prediction.values


def timed(ask: Mapping[str, Callable[[], object]], repeats: int = REPEATS) -> dict[str, tuple[float, float]]:
    """Milliseconds (p50, p99) of calls, taken in turn so that a busy moment falls on all of them."""
    found: dict[str, list[float]] = {name: [] for name in ask}
    for _ in range(repeats):
        for name, call in ask.items():
            start = perf_counter()
            call()
            found[name].append((perf_counter() - start) * 1e3)
    return {name: (float(np.quantile(times, 0.5)), float(np.quantile(times, 0.99))) for name, times in found.items()}
