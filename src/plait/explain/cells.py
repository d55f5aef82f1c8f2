"""Which places inside a cell count: words of a text, steps of a series, records of a history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from plait.contracts import Divisible, Place, Progress
from plait.contracts.crossing import unheard
from plait.errors import unknown
from plait.explain.explanation import CellShares
from plait.explain.subject import Subject

__all__ = ["explain_cells", "without"]

Floats: TypeAlias = npt.NDArray[np.float64]
Masks: TypeAlias = npt.NDArray[np.bool_]

FIRST = 12  # places that a cell is shared out into at first: many small ones drown in each other's noise
PARTS = 4  # that a place is divided into
EXACT = 5  # up to so many places all subsets are asked
RUNS = 16  # of a block of subsets, and as many complements: for at most 15 places
BLOCKS = 2  # asked at most
CLEAR = 3.0  # standard errors that make a value, or a difference of two, clear
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

    A cell is shared out into at most 12 places, and its row is predicted again without half of them, in blocks of 32
    balanced halves (Plackett & Burman, "The Design of Optimum Multifactorial Experiments", 1946, folded over) until it
    is clear which is the strongest, or that none is strong. The value of a place is its coefficient in a linear
    regression of these predictions on the places that were there: what it adds on average over what else there is
    (LIME: Ribeiro et al., 2016, with equal weights, which estimates the index of Banzhaf, 1965; see Wang & Jia, "Data
    Banzhaf", 2023, for why equal weights stand noise better than Shapley's). The strongest place is divided further,
    the rest of the cell being there, as long as one of its parts tells it alone (in the Euclidean norm the parts'
    values are within half of its value): a phrase stays one place where no word does.

    Parameters
    ----------
    sources
        Whose cells (default: all whose room is `Divisible`).
    most
        Places of a cell at most, 2 or more.
    top
        Places, the strongest, that may be divided at each depth.
    seed
        Of the choice of halves.

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
                shares = _shares(subject, name, row, most, top, seed)
                if shares is not None:
                    found.append(shares)
    return tuple(found)


def without(subject: Subject, source: str, row: int, places: Sequence[Place], kept: Masks) -> Floats:
    """What the model says of a row whose cell lacks some of its places, all else being as it is.

    Parameters
    ----------
    source, row
        Whose cell; its room is `Divisible`.
    places, kept
        Version ``m`` lacks places wherever ``kept[m]`` (bool ``M x P``) is false.

    Returns
    -------
    float64 ``M``, on the subject's scale.
    """
    room = cast("Divisible", subject.rooms[source])
    rows = np.full(len(kept), row)
    view = subject.view.replaced(rows, {source: room.keep(subject.columns[source], row, places, kept)})
    return subject.told(subject.fitted.score(view), subject.output[rows])


def _shares(subject: Subject, source: str, row: int, most: int, top: int, seed: int) -> CellShares | None:
    """Values of the places of one cell, the strongest divided as long as one part of them tells it alone."""
    room, columns = cast("Divisible", subject.rooms[source]), subject.columns[source]
    divide = partial(room.places, columns, row)
    predict = partial(without, subject, source, row)
    places = divide(min(most, FIRST))
    if not places:
        return None
    values, error = _values(partial(predict, places), len(places), seed)
    whole: set[Place] = set()
    for _ in range(DEPTH):
        strongest = np.argsort(-np.abs(values), kind="stable")[:top]
        least = np.maximum(CLEAR * error, WEAK * np.abs(values).max())
        strong = {places[i] for i in strongest if abs(values[i]) > least[i]} - whole
        if not strong:
            break
        for at in reversed(range(len(places))):
            if places[at] not in strong:
                continue
            left = min(most - len(places) + 1, PARTS)
            parts = divide(left, places[at]) if left > 1 else ()
            finer = _divided(partial(predict, parts), len(parts), values[at], seed)
            if finer is None:
                whole.add(places[at])
                continue
            told, unsure = finer
            places = (*places[:at], *parts, *places[at + 1 :])
            values = np.concatenate([values[:at], told, values[at + 1 :]])
            error = np.concatenate([error[:at], unsure, error[at + 1 :]])
    return CellShares(row, source, room.exhibit(columns, row), places, values, error)


def _divided(predict: Callable[[Masks], Floats], parts: int, value: float, seed: int) -> tuple[Floats, Floats] | None:
    """Values and errors of the parts of a place; None where there are none, or no part tells it alone."""
    if not parts:
        return None
    told, error = _values(predict, parts, seed)
    alone = np.where(np.arange(parts) == np.abs(told).argmax(), value, 0.0)
    return (told, error) if np.linalg.norm(told - alone) < ALONE * abs(value) else None


def _values(predict: Callable[[Masks], Floats], places: int, seed: int) -> tuple[Floats, Floats]:
    """What each of so many places adds, and its standard error."""
    kept, predicted = np.empty((0, places), bool), np.empty(0)
    for block in range(1 if places <= EXACT else BLOCKS):
        asked = _subsets(places, seed + block)
        kept, predicted = np.concatenate([kept, asked]), np.concatenate([predicted, predict(asked)])
        values, error = _regressed(kept, predicted)
        first, second = np.argsort(-np.abs(values), kind="stable")[[0, min(1, places - 1)]]
        ahead = abs(values[first]) - abs(values[second]) > CLEAR * np.hypot(error[first], error[second])
        if ahead or abs(values[first]) < CLEAR * error[first]:
            break
    return (values, error) if places > EXACT else (values, np.zeros(places))


def _regressed(kept: Masks, predicted: Floats) -> tuple[Floats, Floats]:
    """Coefficients of places in least squares, and their standard errors."""
    seen = np.column_stack([np.ones(len(kept)), kept])
    solve = np.linalg.pinv(seen)
    values = solve @ predicted
    freedom = len(seen) - seen.shape[1]
    residual = (predicted - seen @ values) ** 2 * len(seen) / max(freedom, 1)
    return values[1:], np.sqrt(solve**2 @ residual)[1:]


@cache
def _subsets(places: int, seed: int) -> Masks:
    """Which places are there: all subsets of a few, else balanced halves and their complements, bool ``M x P``.

    They depend on nothing but the number of places, so that like cells are asked alike.
    """
    if places <= EXACT:
        return np.asarray((np.arange(2**places)[:, None] >> np.arange(places)) % 2 == 1)
    code = np.arange(RUNS)
    # Sylvester's matrix of Hadamard: the sign in row i and column j is the parity of the bits that they share.
    positive = np.array([[(i & j).bit_count() % 2 == 0 for j in code] for i in code])
    chosen = np.random.default_rng([seed, places]).permutation(code[1:])[:places]
    half = positive[:, chosen]
    return np.concatenate([half, ~half])
