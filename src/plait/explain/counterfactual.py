"""What would have to be otherwise for another decision, within what can change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column, Json
from plait.errors import ConfigError, DataError, unknown
from plait.explain.changed import cells_of, joint_columns
from plait.explain.subject import Subject
from plait.metrics.shown import number, plain

__all__ = ["Change", "Counterfactual", "Direction", "counterfactuals"]

Direction: TypeAlias = Literal["up", "down"]
STEPS = 12  # values of a number that are tried
LEVELS = 10  # categories that are tried, the most frequent ones
BEAM = 24  # sets of changes that are carried on
OVERLAP = 0.5  # share of columns that two answers may have in common


@dataclass(frozen=True)
class Change:
    """One column's cell as it is and as it would have to be; None is missing."""

    column: str
    before: object
    after: object


@dataclass(frozen=True)
class Counterfactual:
    """Changes that bring row `row` from `before` to `after` beyond the goal; `cost` as in `counterfactuals`."""

    row: int
    changes: tuple[Change, ...]
    before: float
    after: float
    cost: float

    def __str__(self) -> str:
        told = "; ".join(f"{c.column} {_shown(c.before)} -> {_shown(c.after)}" for c in self.changes)
        return f"row {self.row}: {number(self.before)} -> {number(self.after)} if {told}"

    def to_json(self) -> Json:
        return plain(self)


@dataclass(frozen=True)
class _Option:
    """A value that a column may take: the cell, its presence, and what moving there costs."""

    column: str
    value: object
    cost: float


@dataclass(frozen=True)
class _Menu:
    """What a column may become: the subject's own cells, the values on offer, and what the reference rows have of it.

    `ordered` are the reference's cells in order (numbers and dates), `shares` the share of each value (categories).
    """

    own: Column
    values: Array
    ordered: Array | None
    shares: Mapping[str, float]

    @classmethod
    def of(cls, own: Column, reference: Column) -> Self:
        seen, values = reference.values[reference.present], _values(reference)
        if own.values.dtype.kind in "fmM":
            return cls(own, values, np.sort(seen), {})
        texts = seen.astype(str)
        return cls(own, values, None, {str(value): float((texts == str(value)).mean()) for value in values})


def counterfactuals(
    subject: Subject,
    reference: Subject,
    *,
    goal: float,
    fixed: Collection[str] = (),
    one_way: Mapping[str, Direction] | None = None,
    most_changes: int = 3,
    answers: int = 3,
) -> tuple[Counterfactual, ...]:
    """The cheapest changes of a row's columns that bring its prediction to the other side of `goal`.

    Only cells of joint sources change (numbers, categories), to values that the reference rows have, so that no
    impossible one is asked for. A change of a number costs the share of reference rows that lie between, a change of
    category 1 less the share of rows that have it, and every change .1 beside: few small changes are best. Found by
    beam search over sets of changes (diverse and sparse answers as asked by Mothilal et al., "Explaining Machine
    Learning Classifiers through Diverse Counterfactual Explanations", 2020).

    Parameters
    ----------
    reference
        Rows whose cells may be taken: training rows, say.
    goal
        Prediction to be crossed, on the subject's scale.
    fixed
        Columns that nobody can change (age, sex, past defaults).
    one_way
        Columns that can only rise (``"up"``) or fall (``"down"``): education, debt to be paid down.
    most_changes
        Columns changed at once, 1 to 5.
    answers
        At most so many for each row, no two of which change mostly the same columns.

    Returns
    -------
    By row, the cheapest first. A row for which nothing was found has none.

    Raises
    ------
    ConfigError
        If a column is unknown or no number where a direction needs one, or `most_changes` is out of range.
    DataError
        If there is no reference row.
    """
    one_way = one_way or {}
    free = _free(subject, fixed, one_way, most_changes)
    if not len(reference):
        raise DataError("there is no reference row to take values from; give at least one")
    menus = [_Menu.of(cells_of(subject, name), cells_of(reference, name)) for name in free]
    found: list[Counterfactual] = []
    for row in range(len(subject)):
        allowed = [option for menu in menus for option in _allowed(menu, row, one_way.get(menu.own.name))]
        found.extend(_search(subject, row, allowed, goal, most_changes, answers))
    return tuple(found)


def _free(subject: Subject, fixed: Collection[str], one_way: Mapping[str, Direction], most: int) -> list[str]:
    if not 1 <= most <= 5:
        raise ConfigError(f"most_changes={most} is out of range (allowed: 1 to 5)")
    known = joint_columns(subject)
    everything = {name for source in subject.sources for name in subject.rooms[source].source.columns}
    for name in (*fixed, *one_way):
        if name not in everything:
            raise unknown("column", name, everything)
    for name, direction in one_way.items():
        if direction not in ("up", "down"):
            raise unknown(f"direction of {name!r}", direction, ("up", "down"))
        if name in known and cells_of(subject, name).values.dtype.kind not in "fmM":
            raise ConfigError(f"column {name!r} has no order, so it cannot go {direction!r} alone; put it into fixed")
    return [name for name in known if name not in fixed]


def _values(column: Column) -> Array:
    """Cells that may be taken: quantiles of numbers and dates, the most frequent categories."""
    seen = column.values[column.present]
    if column.values.dtype.kind in "fmM":
        ordered = np.sort(seen[np.isfinite(seen)] if seen.dtype.kind == "f" else seen)
        place = np.linspace(0, len(ordered) - 1, STEPS + 2)[1:-1].round().astype(np.int64)
        return np.unique(ordered[place]) if len(ordered) else ordered
    labels, first, counts = np.unique(seen.astype(str), return_index=True, return_counts=True)
    kept = first[np.argsort(-counts, kind="stable")[:LEVELS]] if len(labels) else first
    return seen[kept]


def _allowed(menu: _Menu, row: int, direction: Direction | None) -> list[_Option]:
    own = menu.own
    there, now = bool(own.present[row]), own.values[row]
    if menu.ordered is None:
        return [
            _Option(own.name, value, 1.0 - menu.shares[str(value)])
            for value in menu.values
            if not there or str(value) != str(now)
        ]
    if not there or not len(menu.values):
        return []  # what is not known of a person is not theirs to change
    place = int(np.searchsorted(menu.ordered, now))
    found = []
    for value in menu.values:
        if value == now or (direction == "up" and value < now) or (direction == "down" and value > now):
            continue
        between = abs(int(np.searchsorted(menu.ordered, value)) - place)
        found.append(_Option(own.name, value, between / len(menu.ordered)))
    return found


def _search(
    subject: Subject, row: int, options: list[_Option], goal: float, most: int, answers: int
) -> list[Counterfactual]:
    """Sets of changes, one more a round: those beyond the goal are answers, the most promising go on."""
    before = float(subject.prediction[row])
    side = 1.0 if before < goal else -1.0
    beam: list[tuple[_Option, ...]] = [()]
    reached: list[tuple[float, tuple[_Option, ...], float]] = []
    for _ in range(most):
        tried = list(
            dict.fromkeys(
                tuple(sorted((*held, option), key=lambda each: each.column))
                for held in beam
                for option in options
                if option.column not in {each.column for each in held}
            )
        )
        if not tried:
            break
        told = _asked(subject, row, tried)
        costs = np.array([sum(option.cost + 0.1 for option in each) for each in tried])
        beyond = side * (told - goal) >= 0
        reached += [(float(costs[i]), tried[i], float(told[i])) for i in np.flatnonzero(beyond)]
        gain = np.where(beyond, -np.inf, side * (told - before) / costs)
        beam = [tried[i] for i in np.argsort(-gain, kind="stable")[:BEAM] if gain[i] > 0]
    reached.sort(key=lambda answer: answer[0])
    chosen: list[Counterfactual] = []
    for cost, changes, after in reached:
        columns = {change.column for change in changes}
        others = [{change.column for change in each.changes} for each in chosen]
        if len(chosen) < answers and not any(_alike(columns, other) for other in others):
            chosen.append(Counterfactual(row, tuple(_change(subject, row, c) for c in changes), before, after, cost))
    return chosen


def _alike(columns: set[str], other: set[str]) -> bool:
    """Whether a dearer answer says little that a cheaper one has not said."""
    return other <= columns or len(columns & other) > OVERLAP * len(columns | other)


def _change(subject: Subject, row: int, option: _Option) -> Change:
    own = cells_of(subject, option.column)
    return Change(option.column, _plain(own.values[row]) if own.present[row] else None, _plain(option.value))


def _asked(subject: Subject, row: int, sets: list[tuple[_Option, ...]]) -> npt.NDArray[np.float64]:
    every = np.full(len(sets), row)
    cells = {}
    for name in dict.fromkeys(option.column for each in sets for option in each):
        own = cells_of(subject, name)
        values, present = own.values[every].copy(), own.present[every].copy()
        for i, each in enumerate(sets):
            for option in each:
                if option.column == name:
                    values[i], present[i] = option.value, True
        cells[name] = (values, present)
    return subject.with_cells(every, cells)


def _plain(value: object) -> object:
    if isinstance(value, np.datetime64):
        return str(value)[:10]
    return value.item() if isinstance(value, np.generic) else value


def _shown(value: object) -> str:
    return "missing" if value is None else f"{value:,.6g}" if isinstance(value, float) else str(value)
