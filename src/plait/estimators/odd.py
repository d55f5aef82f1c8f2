"""Why a row is odd: the sources and features that say so, in words a person can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plait.contracts import Array, Fault, Json, Origin

if TYPE_CHECKING:
    from plait.contracts import Side
    from plait.estimators.detection import Detection

__all__ = ["Odd", "Reason", "reasons"]

LEAST = 0.05  # share of the score from which a feature is a reason, unless it is the first
LONGEST = 40  # characters of a cell that are shown


@dataclass(frozen=True)
class Reason:
    """A feature that makes a row odd.

    Parameters
    ----------
    source, column, feature
        Where it comes from; `feature` is `column` where it is the cell itself.
    share
        Of the row's score.
    text
        In words: the value, and what is usual.
    """

    source: str
    column: str
    feature: str
    share: float
    text: str


@dataclass(frozen=True)
class Odd:
    """How odd a row is, and why.

    Parameters
    ----------
    row
        Position in what was given.
    score
        Its surprise: about 1 in the usual row; the higher, the odder.
    p_value
        The chance that a row like those held out is as odd.
    alert
        Whether it is above the threshold.
    sources
        Share of the score by source, the largest first.
    reasons
        The features that say the most, the strongest first.
    faults
        Cells of the row that are there but cannot be read; they make it no odder.
    """

    row: int
    score: float
    p_value: float
    alert: bool
    sources: Mapping[str, float]
    reasons: tuple[Reason, ...]
    faults: tuple[Fault, ...] = ()

    @property
    def text(self) -> str:
        """All reasons in a line."""
        return "; ".join(reason.text for reason in self.reasons)

    def to_json(self) -> Json:
        return asdict(self)

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.sources.items() if share >= 0.005)
        mark = "alert" if self.alert else "no alert"
        head = f"row {self.row}: score {self.score:.2f}, p {self.p_value:.3g}, {mark} ({shares})"
        return "\n".join([head, *(f"  {reason.share:>4.0%}  {reason.text}" for reason in self.reasons)])


def reasons(model: Detection, frame: pd.DataFrame, sides: Mapping[str, Side] | None, most: int) -> tuple[Odd, ...]:
    """Why each row of a frame is as odd as it is."""
    view = model.view(frame, sides)
    told = model.contributions(view)
    p_values = model.alarm.p_values(told.score)
    names = tuple(model.rooms)
    owner = np.array([names.index(origin.source) for origin in told.origins], np.int64)
    by_source = np.stack([told.values[:, owner == i].sum(axis=1) for i in range(len(names))], axis=1)
    values = view.joined.features.values
    faults: dict[int, list[Fault]] = {}
    for fault in view.batches.faults:
        faults.setdefault(fault.row, []).append(fault)
    found = []
    for row in range(len(frame)):
        total = max(float(told.score[row]), 1e-12)
        said: list[Reason] = []
        for i in np.argsort(-told.values[row], kind="stable")[:most].tolist():
            share, origin = float(told.values[row, i] / total), told.origins[i]
            if share >= LEAST or (share > 0 and not said):
                said.append(
                    Reason(
                        origin.source, origin.column, origin.name, share, _text(model, origin, i, frame, row, values)
                    )
                )
        shares = {names[i]: float(by_source[row, i] / total) for i in np.argsort(-by_source[row], kind="stable")}
        score = float(told.score[row])
        alert, unread = score > model.alarm.threshold, tuple(faults.get(row, ()))
        found.append(Odd(row, score, float(p_values[row]), alert, shares, tuple(said), unread))
    return tuple(found)


def _text(model: Detection, origin: Origin, place: int, frame: pd.DataFrame, row: int, values: Array) -> str:
    """A feature of a row, beside what is usual."""
    usual = model.usual
    cell = frame[origin.column].iloc[row] if origin.name == origin.column and origin.column in frame.columns else None
    value = float(values[row, place])
    where = origin.name if origin.column in origin.name else f"{origin.column}: {origin.name}"
    level = usual.share(place, value)
    if level is not None:
        shown = str(cell)[:LONGEST] if cell is not None else f"{value:g}"
        return f"{where} is {shown}, as in {level:.1%} of rows"
    shown = _number(value) if cell is None or isinstance(cell, int | float | np.number) else str(cell)[:LONGEST]
    if isinstance(cell, pd.Timestamp):
        return f"{where} is {cell:%Y-%m-%d}"
    if usual.low[place] <= value <= usual.high[place]:
        return f"{where} is {shown}, unlike what the rest of the row lets expect"
    return f"{where} is {shown}, usually {_number(usual.low[place])} to {_number(usual.high[place])}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
