"""How the prediction follows a column, and which columns and sources work together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.errors import ConfigError
from plait.explain.changed import Cells, cells_of, changed, joint_columns
from plait.explain.shapley import coalitions
from plait.explain.subject import Subject
from plait.metrics.shown import aligned, number, plain

__all__ = ["Dependence", "Interaction", "Interactions", "interactions", "partial_dependence"]

CURVES = 40  # rows whose own curves are kept
LEVELS = 12  # categories shown, the most frequent ones


@dataclass(frozen=True)
class Dependence:
    """How the mean prediction of all rows follows one column.

    Parameters
    ----------
    column
        Its name.
    numeric
        Whether `points` lie on a line (numbers, seconds since 1970 where `dates`) or are categories.
    points
        ``G`` numbers or labels.
    mean, error
        float64 ``G``: mean prediction with every row's cell set to the point, and its standard error over rows.
    missing
        Mean prediction with the cell missing in every row.
    curves
        float64 ``n x G``: the same of single rows (individual conditional expectation).
    rug
        Deciles of the column's own cells, float64 ``9``; empty for categories.
    """

    column: str
    numeric: bool
    dates: bool
    points: tuple[float | str, ...]
    mean: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]
    missing: float
    curves: npt.NDArray[np.float64]
    rug: npt.NDArray[np.float64]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings, the header first."""
        told = [number(p) if isinstance(p, float) else str(p) for p in self.points]
        body = [(p, number(m), number(e)) for p, m, e in zip(told, self.mean, self.error, strict=True)]
        return ((self.column, "mean prediction", "error"), *body, ("missing", number(self.missing), ""))

    def __str__(self) -> str:
        return "\n".join(aligned(self.rows()))

    def to_json(self) -> Json:
        return plain(self)


def partial_dependence(
    subject: Subject, column: str, *, points: int = 20, rows: int = 200, seed: int = 0
) -> Dependence:
    """The mean prediction as one column of a joint source is set to one value in all rows (Friedman, "Greedy Function
    Approximation", 2001, section 8.2), with curves of single rows (Goldstein et al., "Peeking Inside the Black Box",
    2015).

    Where the column hangs together with others, some of the rows asked are unlikely ones.

    Parameters
    ----------
    points
        Values of numbers and dates: quantiles of the cells that are there. Categories: the most frequent 12.
    rows
        Most rows averaged, drawn at random.

    Raises
    ------
    ConfigError
        If the column is unknown, a source of its own, or nowhere present.
    """
    own = cells_of(subject, column)
    grid = _grid(own.values[own.present], column, points)
    sample = np.random.default_rng([seed, 0x9D]).permutation(len(subject))[:rows]
    told = _set(subject, sample, column, grid)
    kind = own.values.dtype.kind
    numeric = kind in "fmM"
    shown = grid.astype("datetime64[ns]").astype(np.int64) / 1e9 if kind == "M" else grid
    seen = own.values[own.present]
    rug = np.quantile(_as_numbers(seen), np.arange(1, 10) / 10) if numeric else np.empty(0)
    absent = changed(subject, sample, {column: (own.values[sample], np.zeros(len(sample), bool))})
    return Dependence(
        column,
        numeric,
        kind == "M",
        tuple(map(float, _as_numbers(shown))) if numeric else tuple(map(str, grid)),
        told.mean(axis=0),
        told.std(axis=0) / np.sqrt(len(sample)),
        float(subject.instead(sample, absent).mean()),
        told[:CURVES],
        rug,
    )


def _as_numbers(values: Array) -> npt.NDArray[np.float64]:
    """Numbers as they are, dates and spans in seconds."""
    if values.dtype.kind in "mM":
        return values.astype(np.int64) / 1e9
    return np.asarray(values, np.float64)


def _grid(seen: Array, column: str, points: int) -> Array:
    if not len(seen):
        raise ConfigError(f"column {column!r} is missing in all rows; give rows that have it")
    if seen.dtype.kind in "fmM":
        finite = seen[np.isfinite(seen)] if seen.dtype.kind == "f" else seen
        place = np.linspace(0, len(finite) - 1, points).round().astype(np.int64)
        return np.unique(np.sort(finite)[place])
    labels, counts = np.unique(seen.astype(str), return_counts=True)
    kept = labels[np.argsort(-counts, kind="stable")[:LEVELS]]
    by_text = {str(value): value for value in seen.tolist()}
    grid = np.empty(len(kept), seen.dtype)
    grid[:] = [by_text[label] for label in kept]
    return grid


def _set(subject: Subject, rows: Array, column: str, grid: Array) -> npt.NDArray[np.float64]:
    """Predictions of each row with the column set to each point: float64 ``n x G``."""
    every = np.repeat(rows, len(grid))
    cells: Cells = (np.tile(grid, len(rows)), np.ones(len(every), bool))
    told = subject.with_cells(every, {column: cells})
    return told.reshape(len(rows), len(grid))


@dataclass(frozen=True)
class Interaction:
    """Two columns or two sources (`kind`), and how much of their joint effect is no sum of their own, 0..1."""

    first: str
    second: str
    kind: str
    strength: float


@dataclass(frozen=True)
class Interactions:
    """Pairs by strength, sources first, judged on ``rows`` rows."""

    judged: int
    pairs: tuple[Interaction, ...]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings, the header first."""
        body = [(pair.first, pair.second, pair.kind, f"{pair.strength:.3f}") for pair in self.pairs]
        return (("first", "second", "kind", "strength"), *body)

    def __str__(self) -> str:
        return "\n".join(aligned(self.rows()))

    def to_json(self) -> Json:
        return plain(self)


def interactions(subject: Subject, *, columns: int = 6, rows: int = 40, seed: int = 0) -> Interactions:
    """Which sources, and which columns, work together in the model.

    Sources: the mean absolute Shapley interaction index (Grabisch & Roubens 1999, equation 4) as a share of the mean
    absolute difference between prediction and base. Columns: Friedman's H (Friedman & Popescu, "Predictive Learning
    via Rule Ensembles", 2008, equation 44) between the `columns` whose partial dependence moves most. Both are 0 where
    two effects simply add up.

    Parameters
    ----------
    rows
        Drawn at random; the cost of columns grows with its square.
    """
    sample = np.random.default_rng([seed, 0x1A]).permutation(len(subject))[:rows]
    drawn = subject.take(np.sort(sample))
    found = sorted(_of_sources(drawn), key=lambda pair: -pair.strength)
    found += sorted(_of_columns(drawn, columns), key=lambda pair: -pair.strength)
    return Interactions(len(drawn), tuple(found))


def _of_sources(subject: Subject) -> list[Interaction]:
    players = len(subject.sources)
    if not 2 <= players <= 10:
        return []
    member = coalitions(players)
    every = np.repeat(np.arange(len(subject)), len(member))
    worth = subject.coalitions(every, np.tile(member, (len(subject), 1))).reshape(len(subject), len(member))
    worth[:, 0] = subject.base
    moved = np.abs(worth[:, -1] - worth[:, 0]).mean() or 1.0
    size = member.sum(axis=1)
    found = []
    for i, j in combinations(range(players), 2):
        without = np.flatnonzero(~member[:, i] & ~member[:, j])
        joint = worth[:, without + (1 << i) + (1 << j)] - worth[:, without + (1 << i)]
        second = joint - worth[:, without + (1 << j)] + worth[:, without]
        weight = np.array([1 / ((players - 1) * comb(players - 2, int(s))) for s in size[without]])
        strength = float(np.abs(second @ weight).mean() / moved)
        found.append(Interaction(subject.sources[i], subject.sources[j], "source", strength))
    return found


def _of_columns(subject: Subject, most: int) -> list[Interaction]:
    rows = np.arange(len(subject))
    singles = {name: _effect(subject, rows, (name,)) for name in joint_columns(subject)}
    moving = [name for name in sorted(singles, key=lambda name: -float(singles[name].std())) if singles[name].any()]
    found = []
    for first, second in combinations(moving[:most], 2):
        both = _effect(subject, rows, (first, second))
        spread = float((both**2).sum())
        left = float(((both - singles[first] - singles[second]) ** 2).sum())
        found.append(Interaction(first, second, "column", float(np.sqrt(min(left / spread, 1.0))) if spread else 0.0))
    return found


def _effect(subject: Subject, rows: Array, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Centred partial dependence on some columns at the rows' own cells: float64 ``N``."""
    every, given = np.repeat(rows, len(rows)), np.tile(rows, len(rows))
    columns = {name: cells_of(subject, name) for name in names}
    cells = {name: (column.values[given], column.present[given]) for name, column in columns.items()}
    told = subject.with_cells(every, cells).reshape(len(rows), len(rows)).mean(axis=0)
    return np.asarray(told - told.mean())
