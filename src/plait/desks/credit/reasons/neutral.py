"""What approved applicants typically have: what a cell is compared with, and set to where reasons are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from plait.contracts import Array, Column, Json, Side
from plait.desks.credit.reasons.decided import Decided
from plait.explain.changed import Cells, cells_of

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.model import CreditModel

__all__ = ["Cell", "Spread", "Typical", "cut_off_of", "replaced"]

Cell = float | bool | str | None  # a reference; None: typically not there
Floats = npt.NDArray[np.float64]

FEWEST = 30  # rows from which it is told what is typical, at least
ROWS = 2_000  # that are looked at
STEPS = 100  # intervals between the quantiles that are kept
LEVELS = 50  # categories that are kept, the most frequent ones
BINS = 20  # of a number, where columns are compared


@dataclass(frozen=True)
class Spread:
    """What rows have in a column: quantiles of numbers and dates (101 of them), or the share of each category."""

    quantiles: tuple[Cell, ...] = ()
    levels: Mapping[str, float] | None = None

    @classmethod
    def of(cls, own: Column) -> Self:
        """Of the cells that are there."""
        seen = _seen(own)
        if not len(seen):
            return cls()
        if own.values.dtype.kind in "fmM":
            place = np.linspace(0, len(seen) - 1, STEPS + 1).round().astype(np.int64)
            return cls(tuple(map(_plain, np.sort(seen)[place])))
        names, counts = np.unique(seen.astype(str), return_counts=True)
        most = np.argsort(-counts, kind="stable")[:LEVELS]
        return cls(levels={str(names[i]): float(counts[i] / len(seen)) for i in most})

    def column(self, own: Column) -> Column:
        """A column of about 100 rows with this spread, of the type of another."""
        if self.levels is None:
            cells: list[Cell] = list(self.quantiles)
        else:
            cells = [name for name, share in self.levels.items() for _ in range(max(1, round(STEPS * share)))]
            cells = [cell == "True" for cell in cells] if own.values.dtype.kind == "b" else cells
        values = np.empty(len(cells), own.values.dtype)
        for i, cell in enumerate(cells):
            values[i] = _typed(cell, own)
        return Column(own.name, values, np.ones(len(cells), bool))


@dataclass(frozen=True)
class Typical:
    """What applicants above the cut-off typically have, and what all have, learned from rows; no row is kept.

    Parameters
    ----------
    cells
        Column to the median (numbers, dates) or most frequent category of approved rows; None where most of them have
        none. A median is a cell that some row has.
    given
        Source of one column to the log-odds of default that it adds, at the median, where an approved row has it: the
        evidence model's answer with it less that without it. A model that is fitted with sources masked answers for
        any subset, so a hidden source with this put in its place stands for a typical one, and no applicant's letter
        or voice need be kept with the model, as a donor's would.
    together
        Columns that say the same, group by group.
    spread
        What all rows have, by column.
    cut_off
        Log-odds of default up to which rows counted as approved.
    approved
        How many there were.
    """

    cells: Mapping[str, Cell]
    given: Mapping[str, float]
    together: tuple[tuple[str, ...], ...]
    spread: Mapping[str, Spread]
    cut_off: float
    approved: int

    @classmethod
    def of(cls, decided: Decided, *, cut_off: float, twins: float = 0.9) -> Self:
        """Learn it from rows, best from such as the model was not fitted on.

        Parameters
        ----------
        cut_off
            Highest log-odds of default that are approved; the 30 least risky rows count as approved in any case.
        twins
            Correlation from which two columns say the same. Columns of every kind are compared by the mean log-odds
            of the rows in each of their bins or categories, as weights of evidence compare them.
        """
        order = np.argsort(decided.prediction, kind="stable")
        approved = order[: max(FEWEST, int((decided.prediction <= cut_off).sum()))]
        own = {name: cells_of(decided, name) for name in decided.joint}
        return cls(
            cells={name: _middle(column.take(approved)) for name, column in own.items()},
            given={name: _given(decided, approved, name) for name in decided.alone},
            together=_together(own, decided.prediction, twins),
            spread={name: Spread.of(column) for name, column in own.items()},
            cut_off=float(cut_off),
            approved=len(approved),
        )

    @classmethod
    def learned(cls, model: CreditModel, frame: pd.DataFrame, sides: Mapping[str, Side] | None = None) -> Self:
        """Learn it of a model from some 2,000 of the rows, evenly spread, at the model's own cut-off (`cut_off_of`)."""
        rows = np.linspace(0, len(frame) - 1, min(len(frame), ROWS)).astype(np.int64)
        decided = Decided.of(model, frame.iloc[rows], sides)
        return cls.of(decided, cut_off=cut_off_of(model), twins=model.config.reasons.twins)

    def to_json(self) -> dict[str, Json]:
        """What `json.dumps` accepts."""
        return {**asdict(self), "together": [list(group) for group in self.together]}

    @classmethod
    def from_json(cls, told: Mapping[str, Json]) -> Self:
        """From what `to_json` gave."""
        spread = {name: Spread(tuple(own["quantiles"]), own["levels"]) for name, own in told["spread"].items()}
        return cls(**{**told, "together": tuple(map(tuple, told["together"])), "spread": spread})

    def has(self, own: Column) -> npt.NDArray[np.bool_]:
        """Which cells of a column are the reference already: bool ``N``."""
        cell = self.cells[own.name]
        if cell is None:
            return ~own.present
        values = own.values.astype(str) if own.values.dtype == object else own.values
        return np.asarray(own.present & (values == _typed(cell, own)), bool)


def cut_off_of(model: CreditModel) -> float:
    """Highest log-odds of default that are approved: the policy's cut-off; without one, the rate of default that the
    model was fitted on."""
    policy = model.config.policy
    if policy.approve_below is None and policy.approve_from is None and policy.costs is None:
        return float(logit(model.record["bad_rate"]))
    return policy.cut_off(model.points)


def replaced(own: Column, rows: Array, where: npt.NDArray[np.bool_], cell: Cell) -> Cells:
    """Cells of ``M`` rows by index, a reference standing in for those in `where` (bool ``M``)."""
    values, present = own.values[rows].copy(), own.present[rows] & ~where
    if cell is not None:
        values[where] = _typed(cell, own)
        present |= where
    return values, present


def _seen(own: Column) -> Array:
    seen = own.values[own.present]
    return seen[np.isfinite(seen)] if seen.dtype.kind == "f" else seen


def _middle(own: Column) -> Cell:
    seen = _seen(own)
    if not len(seen) or 2 * len(seen) < len(own):
        return None
    if own.values.dtype.kind in "fmM":
        return _plain(np.sort(seen)[(len(seen) - 1) // 2])
    names, counts = np.unique(seen.astype(str), return_counts=True)
    cell = str(names[counts.argmax()])
    return cell == "True" if own.values.dtype.kind == "b" else cell


def _given(decided: Decided, rows: Array, source: str) -> float:
    place = decided.sources.index(source)
    rows = rows[decided.batches.present[rows, place]]
    if not len(rows):
        return 0.0
    without = np.tile(np.arange(len(decided.sources)) != place, (len(rows), 1))
    return float(np.median(decided.answer.evidence[rows] - decided.coalitions(rows, without)))


def _together(own: Mapping[str, Column], log_odds: Floats, twins: float) -> tuple[tuple[str, ...], ...]:
    """Columns in groups; those of a group hang together by correlations of at least `twins`."""
    from scipy.sparse.csgraph import connected_components

    names = [name for name, column in own.items() if np.ptp(_told(column, log_odds)) > 0]
    if len(names) < 2:
        return ()
    alike = np.abs(np.corrcoef([_told(own[name], log_odds) for name in names])) >= twins
    count, which = connected_components(alike, directed=False)
    groups = (tuple(name for name, i in zip(names, which, strict=True) if i == group) for group in range(count))
    return tuple(group for group in groups if len(group) > 1)


def _told(own: Column, log_odds: Floats) -> Floats:
    """Mean log-odds of the rows in each row's bin or category: float64 ``N``."""
    codes = np.zeros(len(own), np.int64)
    seen = own.values[own.present]
    if len(seen) and own.values.dtype.kind in "fmM":
        ordered = np.sort(seen)
        edges = np.unique(ordered[np.linspace(0, len(ordered) - 1, BINS + 1).astype(np.int64)[1:-1]])
        codes[own.present] = 1 + np.searchsorted(edges, seen, side="right")
    elif len(seen):
        codes[own.present] = 1 + np.unique(seen.astype(str), return_inverse=True)[1]
    return np.asarray((np.bincount(codes, log_odds) / np.maximum(np.bincount(codes), 1))[codes])


def _plain(value: object) -> Cell:
    """A cell as JSON: dates by their ISO name, durations in nanoseconds."""
    if isinstance(value, np.datetime64):
        return str(value)
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "ns"))
    return value.item() if isinstance(value, np.generic) else value  # type: ignore[return-value]


def _typed(cell: Cell, own: Column) -> object:
    """A cell of JSON as one of the column's."""
    if own.values.dtype.kind == "M":
        return np.datetime64(str(cell))
    if own.values.dtype.kind == "m":
        return np.timedelta64(round(float(cell or 0)), "ns")
    return cell
