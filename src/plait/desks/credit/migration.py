"""Migration of grades: yearly matrices by cohort and by duration, years ahead, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plait.calc.transitions import (
    ChiSquare,
    Mobility,
    after,
    cohort_counts,
    generator_of,
    jumps,
    matrix_of,
    mobility,
    no_generator,
    rates_of,
    same_in_time,
    without_memory,
)
from plait.contracts import Array, Json
from plait.desks.credit.panel import Panel, month_name, panel_of
from plait.errors import ConfigError, DataError
from plait.metrics.shown import aligned, chance, number, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cohort", "Migration", "Record", "Terms", "Trust", "migrate"]

YEAR = 12  # months


@dataclass(frozen=True)
class Cohort:
    """Those graded at the begin of a year, and where they were a year later, as shares of those still graded then.

    Parameters
    ----------
    begin
        Month, ``2020-01``.
    entities
        Graded, and not in default, when it began.
    withdrawn
        Share of them that were withdrawn in the year.
    upgraded, downgraded, defaulted
        Shares of the others; a default is no downgrade here. NaN where nobody is left.
    """

    begin: str
    entities: int
    withdrawn: float
    upgraded: float
    downgraded: float
    defaulted: float


@dataclass(frozen=True)
class Terms:
    """Probability of having defaulted after 1 to ``Y`` years, by grade: float64 ``Y x G`` each.

    Parameters
    ----------
    cohort
        By powers of the matrix by cohort.
    duration
        By the exponential of the generator by duration.
    seen
        Share of the cohorts of that length that had defaulted, without the withdrawn; NaN where there are none.
    low, high
        95% intervals of `duration` after the first year, float64 ``G``, by drawing entities anew (Christensen, Hansen
        and Lando, J. Banking & Finance 2004).
    """

    cohort: Array
    duration: Array
    seen: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Record:
    """The panel behind the figures; `first` and `last` month as ``2020-01``, the rest as in `panel.Panel`."""

    entities: int
    rows: int
    first: str
    last: str
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Trust:
    """Whether one yearly matrix tells it all.

    Parameters
    ----------
    no_generator
        Why no process in continuous time has the matrix by cohort exactly.
    same
        Whether the years differ beyond chance; None for fewer than two.
    memory
        Whether a move depends on the one before, beyond chance.
    """

    no_generator: tuple[str, ...]
    same: ChiSquare | None
    memory: ChiSquare


@dataclass(frozen=True)
class Migration:
    """How grades moved in a panel, per year.

    Parameters
    ----------
    names
        States, best first; default, if it occurs, last.
    defaults
        Whether the last state is default.
    record
        Of the panel.
    counts
        float64 ``S x (S + 1)``: moves of all cohorts, the last column withdrawn.
    cohort, duration
        float64 ``S x S``: yearly matrices.
    generator
        float64 ``S x S``: yearly rates by duration.
    embedded
        float64 ``S x S``: a generator near to the matrix by cohort; None where that has no real logarithm.
    mobility
        Of the matrix by cohort.
    cohorts
        Year by year.
    trust
        Whether the matrices can be trusted.
    terms
        Probabilities of default years ahead; None without defaults.
    """

    names: tuple[str, ...]
    defaults: bool
    record: Record
    counts: Array
    cohort: Array
    duration: Array
    generator: Array
    embedded: Array | None
    mobility: Mobility
    cohorts: tuple[Cohort, ...]
    trust: Trust
    terms: Terms | None

    @property
    def grades(self) -> tuple[str, ...]:
        """States without default."""
        return self.names[:-1] if self.defaults else self.names

    def matrix_rows(self, matrix: Array) -> list[list[str]]:
        """A matrix of probabilities as a table of per cent, the header first."""
        head = ["from \\ to", *self.names]
        return [head, *([name, *(f"{100 * p:.2f}" for p in row)] for name, row in zip(self.names, matrix, strict=True))]

    def term_rows(self) -> list[list[str]]:
        """Probabilities of default years ahead by grade as a table of per cent, the header first; [] without."""
        if self.terms is None:
            return []
        told = self.terms
        made = [["grade", "", *(f"{year + 1} y" for year in range(len(told.cohort))), "95% of 1 y"]]
        for g, name in enumerate(self.grades):
            spread = "" if np.isnan(told.low[g]) else f"{100 * told.low[g]:.2f} to {100 * told.high[g]:.2f}"
            for how, of, held in (
                ("cohort", told.cohort, ""),
                ("duration", told.duration, spread),
                ("seen", told.seen, ""),
            ):
                made.append([name, how, *("-" if np.isnan(p) else f"{100 * p:.2f}" for p in of[:, g]), held])
        return made

    def cohort_rows(self) -> list[list[str]]:
        """Years as a table of strings, the header first."""
        head = ["from", "graded", "upgraded", "downgraded", "defaulted", "withdrawn", "up / down"]
        lines = []
        for each in self.cohorts:
            ratio = each.upgraded / each.downgraded if each.downgraded else float("nan")
            shares = (each.upgraded, each.downgraded, each.defaulted, each.withdrawn)
            told = (f"{100 * share:.1f}%" if share == share else "-" for share in shares)
            lines.append([each.begin, f"{each.entities:,}", *told, number(ratio)])
        return [head, *lines]

    def to_json(self) -> dict[str, Json]:
        return dict(plain(self))

    def __str__(self) -> str:
        record, trust = self.record, self.trust
        told = [f"{record.entities:,} entities, {record.rows:,} rows, {record.first} to {record.last}"]
        told += [f"left out: {count:,} row(s) {why}" for why, count in record.left_out.items()]
        told += ["", "a year later, by cohort (%)", *aligned(self.matrix_rows(self.cohort))]
        told += ["", "a year later, by duration (%)", *aligned(self.matrix_rows(self.duration))]
        if self.terms is not None:
            told += ["", "defaulted by then (%)", *aligned(self.term_rows())]
        told += ["", *aligned(self.cohort_rows()), ""]
        moved = self.mobility
        told.append(
            f"mobility {number(moved.trace)} (trace), {number(moved.singular)} (singular values); "
            f"{number(moved.ratio)} upgrades for each downgrade or default"
        )
        if trust.same is not None:
            told.append(f"years alike: p {chance(trust.same.p)} ({trust.same.freedom} df)")
        told.append(f"moves without memory: p {chance(trust.memory.p)} ({trust.memory.freedom} df)")
        told += [f"no generator has the matrix by cohort exactly: {why}" for why in trust.no_generator]
        return "\n".join(told)

    def frame(self) -> pd.DataFrame:
        """A row for each pair of states: ``from``, ``to``, ``moves``, ``cohort``, ``duration``, ``rate``."""
        import pandas as pd

        size = len(self.names)
        return pd.DataFrame(
            {
                "from": np.repeat(np.array(self.names, object), size),
                "to": np.tile(np.array(self.names, object), size),
                "moves": self.counts[:, :size].ravel(),
                "cohort": self.cohort.ravel(),
                "duration": self.duration.ravel(),
                "rate": self.generator.ravel(),
            }
        )

    def draw(self, folder: Path) -> tuple[Path, ...]:
        """Write pictures: the matrix, and, with defaults, what they grow to over the years."""
        from plait.desks.credit.grade_charts import migration_pictures

        return migration_pictures(self, folder)


def migrate(
    frame: pd.DataFrame,
    id: str,
    date: str,
    grade: str,
    *,
    order: Sequence[str] = (),
    defaulted: Sequence[str] = ("D",),
    gap: int = 12,
    changes: bool = False,
    years: int = 5,
    resamples: int = 200,
    seed: int = 0,
) -> Migration:
    """Estimate how grades move per year.

    By cohort: where those graded at the begin of each year of the record are at its end; moves within the year and the
    withdrawn are left out. By duration: moves over time at risk, whenever they happen (Lando and Skodeberg 2002).

    Parameters
    ----------
    frame, id, date, grade, order, defaulted, gap, changes
        See `plait.desks.credit.panel.panel_of`.
    years
        How many years ahead defaults are foretold.
    resamples, seed
        Draws of entities for the intervals of probabilities of default (0: none).

    Raises
    ------
    DataError
        If the record is shorter than a year, or cannot be read as histories.
    ConfigError
        If `years` or `gap` is below 1, or the order of grades cannot be told.
    """
    if years < 1 or gap < 1:
        raise ConfigError(f"years={years} and gap={gap}: both must be 1 or more")
    panel = panel_of(frame, id, date, grade, order=order, defaulted=defaulted, gap=gap, changes=changes)
    size, spells = len(panel.names), panel.spells
    begins = np.arange(panel.first, panel.last - YEAR + 1, YEAR, dtype=np.float64)
    if not len(begins):
        span = f"{month_name(panel.first)} to {month_name(panel.last)}"
        raise DataError(f"the panel lasts from {span}; migration takes a year at least")
    each = cohort_counts(spells, begins, size, YEAR)
    counts, rates = each.sum(0), rates_of(*jumps(spells, size)) * YEAR
    matrix = matrix_of(counts)
    grades = size - 1 if panel.defaults else size
    try:
        embedded = generator_of(matrix)
    except DataError:  # singular: a fact about the matrix, told by `no_generator`
        embedded = None
    return Migration(
        names=panel.names,
        defaults=panel.defaults,
        record=Record(panel.entities, panel.rows, month_name(panel.first), month_name(panel.last), panel.left_out),
        counts=counts,
        cohort=matrix,
        duration=after(rates, 1),
        generator=rates,
        embedded=embedded,
        mobility=mobility(matrix, counts[:grades, :size]),
        cohorts=tuple(_cohort(begin, each[t, :grades], panel.defaults) for t, begin in enumerate(begins)),
        trust=Trust(
            no_generator(matrix),
            same_in_time(each[:, :grades, :size]) if len(begins) > 1 else None,
            without_memory(spells, size),
        ),
        terms=_terms(panel, matrix, rates, years, resamples, seed) if panel.defaults else None,
    )


def _cohort(begin: float, counts: Array, defaults: bool) -> Cohort:
    grades = len(counts)
    moves, entities = counts[:, :grades], float(counts.sum())
    stayed = entities - float(counts[:, -1].sum())

    def share(part: float) -> float:
        return part / stayed if stayed else float("nan")

    return Cohort(
        begin=month_name(int(begin)),
        entities=int(entities),
        withdrawn=1 - stayed / entities if entities else float("nan"),
        upgraded=share(float(np.tril(moves, -1).sum())),
        downgraded=share(float(np.triu(moves, 1).sum())),
        defaulted=share(float(counts[:, grades].sum()) if defaults else 0.0),
    )


def _terms(panel: Panel, matrix: Array, rates: Array, years: int, resamples: int, seed: int) -> Terms:
    size, spells = len(panel.names), panel.spells
    ahead = np.arange(1, years + 1)
    powers = np.stack([np.linalg.matrix_power(matrix, year)[:-1, -1] for year in ahead])
    grown = np.stack([after(rates, float(year))[:-1, -1] for year in ahead])
    seen = np.full(powers.shape, np.nan)
    for y, year in enumerate(ahead):
        begins = np.arange(panel.first, panel.last - YEAR * year + 1, YEAR, dtype=np.float64)
        counted = cohort_counts(spells, begins, size, YEAR * float(year)).sum(0)[:-1, :-1]
        total = counted.sum(1)
        seen[y, total > 0] = counted[total > 0, -1] / total[total > 0]
    rng = np.random.default_rng([seed, 0x316])
    drawn = np.full((max(resamples, 1), size - 1), np.nan)
    units = int(spells.entity.max()) + 1
    for r in range(resamples):
        weight = np.bincount(rng.integers(0, units, units), minlength=units).astype(np.float64)
        drawn[r] = after(rates_of(*jumps(spells, size, weight=weight)) * YEAR, 1)[:-1, -1]
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return Terms(powers, grown, seen, low, high)
