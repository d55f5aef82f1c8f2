"""Which places inside a cell count: words of a text, steps of a series, records of a history."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import comb
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

DRAWS = 48  # random subsets of the places, half of them the complements of the others
EXACT = 5  # up to so many places all subsets are asked
DEPTH = 4  # times that a place is divided
CONCENTRATED = 0.5  # share of a place's value that its strongest part must hold for the place to be divided
WEAK = 0.2  # of the strongest place's value: what is weaker is not divided


def explain_cells(
    subject: Subject,
    *,
    sources: Sequence[str] | None = None,
    most: int = 32,
    top: int = 2,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[CellShares, ...]:
    """What the places inside each cell add to the prediction, all other cells being as they are.

    A cell is shared out into places, of which subsets are taken away. The value of a place is its Shapley value in this
    game, from the weighted regression of Lundberg & Lee ("A Unified Approach to Interpreting Model Predictions", 2017,
    section 4.1) over every single place and its complement, and random subsets in pairs of complements (Covert & Lee,
    "Improving KernelSHAP", 2021, section 4.2). The `top` strongest places are divided further, as long as one of
    their parts holds at least half of what the whole held: a phrase stays one place where no word tells it alone.
    Parts share what their place adds, between the rest of the cell being there and not.

    Parameters
    ----------
    sources
        Whose cells (default: all whose room is `Divisible`).
    most
        Places of a cell at most, at first; 2 or more.
    top
        Places that are divided at each depth.
    seed
        Of the random subsets. They depend on nothing but their number, so that like cells are asked alike.

    Returns
    -------
    A `CellShares` for each present cell that can be divided, by row, sources in order. Its values sum to the prediction
    less what is predicted with all places taken away; its errors are those of the regression (heteroscedasticity
    consistent), 0 where all subsets were asked.

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
                places = cell.room.places(cell.columns, row, most)
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
        return self.subject.predict(self.subject.replaced(self.source, batch, rows), self.subject.output[rows])

    def divide(self, place: Place, most: int) -> tuple[Place, ...]:
        return self.room.places(self.columns, self.row, most, place)


def _shares(cell: _Cell, places: tuple[Place, ...], most: int, top: int, seed: int) -> CellShares:
    """Values of the places of one cell, the strongest divided as long as that tells more."""
    values, error = _values(partial(cell.predict, places), len(places), seed)
    whole: set[Place] = set()
    for _ in range(DEPTH):
        strongest = np.argsort(-np.abs(values), kind="stable")[:top]
        strong = [places[i] for i in strongest if abs(values[i]) > WEAK * np.abs(values).max()]
        if whole.issuperset(strong):
            break
        for place in strong:
            if place in whole:
                continue
            at = places.index(place)
            others = (*places[:at], *places[at + 1 :])
            room = most - len(others)
            parts = cell.divide(place, min(room, max(most // 2, 2))) if room > 1 else ()
            if not parts:
                whole.add(place)
                continue
            told, unsure = _values(partial(_between, cell, parts, others), len(parts), seed)
            if np.abs(told).max() < CONCENTRATED * abs(values[at]):
                whole.add(place)
                continue
            # What the parts leave of the place's value is nobody's alone: they share it.
            left = (values[at] - told.sum()) / len(parts)
            unsure = np.hypot(unsure, error[at] / len(parts))
            places = (*places[:at], *parts, *places[at + 1 :])
            values = np.concatenate([values[:at], told + left, values[at + 1 :]])
            error = np.concatenate([error[:at], unsure, error[at + 1 :]])
    return CellShares(cell.row, cell.source, cell.room.exhibit(cell.columns, cell.row), places, values, error)


def _between(cell: _Cell, parts: tuple[Place, ...], others: tuple[Place, ...], kept: Masks) -> Floats:
    """Predictions with some parts of a place: between all of the rest of the cell being there, and none of it."""
    rest = np.ones((len(kept), len(others)), bool)
    both = np.concatenate([np.hstack([kept, rest]), np.hstack([kept, ~rest])])
    there, gone = np.split(cell.predict((*parts, *others), both), 2)
    return (there + gone) / 2


def _values(predict: Callable[[Masks], Floats], places: int, seed: int) -> tuple[Floats, Floats]:
    """Shapley values of so many places, and their standard errors."""
    design = _design(places, seed)
    predicted = predict(design.kept)
    whole, nothing = predicted[0], predicted[1]
    seen = design.kept[2:].astype(np.float64)
    gain = predicted[2:] - nothing
    # Weighted least squares under the constraint that the values sum to the whole gain.
    free = design.inverse @ (seen * design.weight[:, None]).T
    ones = design.inverse.sum(axis=1) / design.inverse.sum()
    solve = free - np.outer(ones, free.sum(axis=0))
    values = solve @ gain + ones * (whole - nothing)
    if design.exact:
        return values, np.zeros(places)
    residual = gain - seen @ values
    freedom = len(seen) / (len(seen) - places + 1)
    return values, np.sqrt((solve**2) @ residual**2 * freedom)


@dataclass(frozen=True)
class _Design:
    """Subsets of places (all, none, then the others), the others' weights, and the inverse of their weighted Gram
    matrix; `exact` where they are all that there are."""

    kept: Masks
    weight: Floats
    inverse: Floats
    exact: bool


@cache
def _design(places: int, seed: int) -> _Design:
    """All single places and their complements, and random subsets of the sizes between, in pairs of complements."""
    ends = np.concatenate([np.ones((1, places), bool), np.zeros((1, places), bool)])
    one = np.eye(places, dtype=bool)
    if places <= EXACT:
        codes = np.arange(1, 2**places - 1)
        kept = (codes[:, None] >> np.arange(places)) % 2 == 1
        sizes = kept.sum(axis=1)
        weight = (places - 1) / (np.array([comb(places, size) for size in sizes]) * sizes * (places - sizes))
    else:
        rng = np.random.default_rng([seed, zlib.crc32(b"places"), places])
        size = np.arange(2, places - 1)
        kernel = (places - 1) / (size * (places - size))
        drawn = rng.choice(size, DRAWS // 2, p=kernel / kernel.sum())
        half = rng.random((len(drawn), places)).argsort(axis=1).argsort(axis=1) < drawn[:, None]
        kept = np.concatenate([one, ~one, half, ~half])
        weight = np.concatenate([np.full(2 * places, 1 / places), np.full(DRAWS, kernel.sum() / DRAWS)])
    seen = kept.astype(np.float64)
    inverse = np.linalg.pinv(seen.T @ (seen * weight[:, None])) if len(kept) else np.ones((1, 1))
    return _Design(np.concatenate([ends, kept]), weight, inverse, places <= EXACT)
