"""Which places inside a cell count: words of a text, steps of a series, records of a history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Column, Divisible, Place, Progress
from plait.contracts.crossing import unheard
from plait.errors import unknown
from plait.explain.explanation import CellShares
from plait.explain.subject import Subject

__all__ = ["explain_cells"]

Floats: TypeAlias = npt.NDArray[np.float64]
Masks: TypeAlias = npt.NDArray[np.bool_]

FIRST = 12  # places that a cell is shared out into at first: many small ones drown in each other's noise
EXACT = 5  # up to so many places all subsets are asked
DRAWS = 96  # else so many random subsets, in pairs of complements
DEPTH = 5  # times that places are divided
ALONE = 0.5  # of a place's value: how far its parts may be from one of them telling it alone
WEAK = 0.2  # of the strongest place's value: what is weaker is not divided


def explain_cells(
    subject: Subject,
    *,
    sources: Sequence[str] | None = None,
    most: int = 32,
    top: int = 1,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[CellShares, ...]:
    """What the places inside each cell add to the prediction, all other cells being as they are.

    A cell is shared out into places, and its row is predicted again without some of them, by random halves. The value
    of a place is its coefficient in a linear regression of these predictions on the places that were there: what it
    adds on average over what else there is (LIME: Ribeiro et al., 2016, with equal weights, which estimates the index
    of Banzhaf, 1965; see Wang & Jia, "Data Banzhaf", 2023, for why equal weights stand noise better than Shapley's).
    The strongest place is divided further, the rest of the cell being there, as long as one of its parts tells it alone
    (in the Euclidean norm the parts' values are within half of its value): a phrase stays one place where no word does.

    Parameters
    ----------
    sources
        Whose cells (default: all whose room is `Divisible`).
    most
        Places of a cell at most, 2 or more.
    top
        Places, the strongest, that may be divided at each depth.
    seed
        Of the random subsets.

    Returns
    -------
    A `CellShares` for each present cell that can be divided, by row, sources in order. Its errors are standard errors
    of the regression (heteroscedasticity-consistent, HC1; White, 1980), 0 where all subsets were asked.

    Raises
    ------
    ConfigError
        If a source is unknown, or its room cannot divide cells.
    """
    able = [name for name in subject.sources if hasattr(subject.rooms[name], "places")]
    for name in sources or ():
        if name not in able:
            raise unknown("source whose cells can be divided", name, able)
    report = progress or unheard
    found = []
    for row in range(len(subject)):
        report(Progress("inside the cells", row, len(subject)))
        for name in able if sources is None else [name for name in able if name in sources]:
            if subject.batches.sources[name].present[row]:
                cell = _Cell(subject, name, row)
                places = cell.room.places(cell.columns, row, min(most, FIRST))
                if places:
                    found.append(_shares(cell, places, most, top, seed))
    return tuple(found)


@dataclass(frozen=True)
class _Cell:
    """One cell, and what is predicted of its row without some of its places."""

    subject: Subject
    source: str
    row: int

    @property
    def room(self) -> Divisible:
        return self.subject.rooms[self.source]  # type: ignore[return-value]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.subject.columns[self.source]

    def predict(self, places: Sequence[Place], kept: Masks) -> Floats:
        """Predictions with the places where `kept` (bool ``M x P``) is true: float64 ``M``."""
        batch = self.room.keep(self.columns, self.row, places, kept)
        rows = np.full(len(kept), self.row)
        return self.subject.instead(rows, {self.source: batch})

    def divide(self, place: Place, most: int) -> tuple[Place, ...]:
        return self.room.places(self.columns, self.row, most, place)


def _shares(cell: _Cell, places: tuple[Place, ...], most: int, top: int, seed: int) -> CellShares:
    """Values of the places of one cell, the strongest divided as long as one part of them tells most."""
    values, error = _values(partial(cell.predict, places), len(places), seed)
    whole: set[Place] = set()
    for _ in range(DEPTH):
        strongest = np.argsort(-np.abs(values), kind="stable")[:top]
        strong = {places[i] for i in strongest if abs(values[i]) > WEAK * np.abs(values).max()} - whole
        if not strong:
            break
        for at in reversed(range(len(places))):
            if places[at] not in strong:
                continue
            finer = _divided(cell, places[at], values[at], min(most - len(places) + 1, FIRST), seed)
            if finer is None:
                whole.add(places[at])
                continue
            parts, told, unsure = finer
            places = (*places[:at], *parts, *places[at + 1 :])
            values = np.concatenate([values[:at], told, values[at + 1 :]])
            error = np.concatenate([error[:at], unsure, error[at + 1 :]])
    return CellShares(cell.row, cell.source, cell.room.exhibit(cell.columns, cell.row), places, values, error)


def _divided(
    cell: _Cell, place: Place, value: float, most: int, seed: int
) -> tuple[tuple[Place, ...], Floats, Floats] | None:
    """The parts of a place, their values and errors; None where it has none, or no part tells it alone."""
    parts = cell.divide(place, most) if most > 1 else ()
    if not parts:
        return None
    told, error = _values(partial(cell.predict, parts), len(parts), seed)
    alone = np.where(np.arange(len(parts)) == np.abs(told).argmax(), value, 0.0)
    return (parts, told, error) if np.linalg.norm(told - alone) < ALONE * abs(value) else None


def _values(predict: Callable[[Masks], Floats], places: int, seed: int) -> tuple[Floats, Floats]:
    """What each of so many places adds, and its standard error."""
    kept = _subsets(places, seed)
    predicted = predict(kept)
    seen = np.column_stack([np.ones(len(kept)), kept])
    solve = np.linalg.pinv(seen)
    values = solve @ predicted
    if places <= EXACT:
        return values[1:], np.zeros(places)
    residual = (predicted - seen @ values) ** 2 * len(seen) / (len(seen) - places - 1)
    return values[1:], np.sqrt(solve**2 @ residual)[1:]


@cache
def _subsets(places: int, seed: int) -> Masks:
    """Which places are there: all subsets of a few, else random ones and their complements, bool ``M x P``.

    They depend on nothing but the number of places, so that like cells are asked alike.
    """
    if places <= EXACT:
        return np.asarray((np.arange(2**places)[:, None] >> np.arange(places)) % 2 == 1)
    half = np.random.default_rng([seed, places]).random((DRAWS // 2, places)) < 0.5
    return np.concatenate([half, ~half])
