"""Find the bins of a variable: optimal binning (optbinning), or where a person said that they lie."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.desks.credit.scorecard.binned import REST, Bins, Floats, Trend
from plait.desks.credit.scorecard.cells import Cells, Kind, Levels, level
from plait.desks.credit.scorecard.edits import Edit
from plait.errors import ConfigError, MissingExtraError, unknown

if TYPE_CHECKING:
    from plait.desks.credit.scorecard.settings import ScorecardSettings

__all__ = ["find_bins"]

WHOLE = 1000  # optbinning counts weights in whole numbers: they are given in thousandths of a row
ASKED: dict[Trend, str | None] = {
    "monotone": "auto_asc_desc",
    "rising": "ascending",
    "falling": "descending",
    "peak": "peak",
    "valley": "valley",
    "any": None,
}


@dataclass(frozen=True)
class _Rows:
    """Rows to find bins on: 1 = default, and weights whose mean is 1."""

    bad: Floats
    weight: Floats
    even: bool


def find_bins(
    name: str, kind: Kind, cells: Cells, bad: Floats, weight: Floats, settings: ScorecardSettings
) -> tuple[Bins, str]:
    """The bins of one variable, and what a person should know of them (empty: nothing).

    Ranges are those of the largest information value under the trend and the sizes asked for (Navas-Palencia, 2020,
    "Optimal binning: mathematical programming formulation", arXiv:2001.08025); each edge is then the shortest number
    that parts the same rows. Where weights are uneven, neighbours against the trend are joined.

    Parameters
    ----------
    name, kind
        Of the column.
    cells
        Float64 ``N``, NaN where missing; or levels.
    bad
        float64 ``N``, 1 = default.
    weight
        float64 ``N``, above 0.

    Raises
    ------
    ConfigError
        If what a person said of it does not fit its cells.
    MissingExtraError
        If optbinning is not installed and bins have to be found.
    """
    edit = settings.bins.get(name, Edit())
    special = settings.special_codes.get(name, {}) if edit.special is None else edit.special
    special = _codes(name, kind, special)
    trend = edit.trend or settings.trends.get(name, "monotone")
    rows = _Rows(bad, weight / weight.mean(), bool((weight == weight[0]).all()))
    note, least = "", settings.rare * float(weight.sum())
    if isinstance(cells, Levels):
        if edit.edges is not None:
            raise ConfigError(f"bins: {name}: it holds words, which have levels and no edges")
        groups = _found_groups(cells, special, rows, settings) if edit.levels is None else edit.levels
        made = Bins(name, kind, (), groups, special, "monotone", edit.fixed, least, (), ())
        note = _check_levels(made, cells, rows) if edit.fixed else ""
        made = _counted(made, cells, bad, weight)
        return _counted(_by_rate(made), cells, bad, weight), note
    if edit.levels is not None:
        raise ConfigError(f"bins: {name}: it holds numbers or dates, which have edges and no levels")
    edges = _found_edges(cells, special, trend, rows, settings) if edit.edges is None else edit.edges
    made = _counted(Bins(name, kind, edges, (), special, trend, edit.fixed, least, (), ()), cells, bad, weight)
    while not (edit.fixed or rows.even or made.monotone or trend in ("peak", "valley", "any")):
        made = _counted(_joined(made), cells, bad, weight)
    return made, note


def _codes(name: str, kind: Kind, special: Any) -> dict[str, tuple[float | str, ...]]:
    """Special codes as the variable's cells are."""
    if kind == "levels":
        return {label: tuple(map(level, codes)) for label, codes in special.items()}
    for code in (code for codes in special.values() for code in codes):
        if isinstance(code, str):
            raise ConfigError(f"special codes of {name}: {code!r} is text, and the column holds numbers or dates")
    return {label: tuple(map(float, codes)) for label, codes in special.items()}


def _counted(bins: Bins, cells: Cells, bad: Floats, weight: Floats) -> Bins:
    at, size = bins.find(cells), len(bins)
    good = np.bincount(at, weight * (1 - bad), size)
    lost = np.bincount(at, weight * bad, size)
    return replace(bins, good=tuple(good.tolist()), bad=tuple(lost.tolist()))


def _by_rate(bins: Bins) -> Bins:
    """Groups in the order of their bad rates."""
    rates = np.nan_to_num(bins.bad_rate[: bins.regular], nan=-1.0)
    return replace(bins, groups=tuple(bins.groups[i] for i in np.argsort(rates, kind="stable")))


def _check_levels(bins: Bins, cells: Levels, rows: _Rows) -> str:
    """Hold the levels of a person's groups against those of the rows; say which stand in no group."""
    for named in (each for group in bins.groups for each in group if each != REST):
        if named not in cells.names:
            raise ConfigError(f"bins: {bins.name}: {unknown('level', named, cells.names)}")
    if any(REST in group for group in bins.groups):
        return ""
    strange = [i for i, name in enumerate(cells.names) if name not in bins.of_level]
    if not strange:
        return ""
    some, n = ", ".join(repr(cells.names[i]) for i in strange[:3]), int(np.isin(cells.codes, strange).sum())
    return f"{bins.name}: {len(strange)} level(s) in {n:,} rows stand in no group and count as missing ({some})"


def _found_groups(cells: Levels, special: Any, rows: _Rows, settings: ScorecardSettings) -> tuple[tuple[str, ...], ...]:
    """Groups of levels of like bad rates; rare ones count as one, with every level that is not here."""
    codes = {code for each in special.values() for code in each}
    some = (cells.codes >= 0) & ~np.array([*(name in codes for name in cells.names), False])[cells.codes]
    if not some.any():
        return ((REST,),)
    share = np.bincount(cells.codes[some], rows.weight[some], len(cells.names)) / rows.weight.sum()
    rare = (share > 0) & (share < settings.rare)
    few = rare.any() and share[rare].sum() < settings.min_bin
    if few and not rare[cells.codes[some]].all():
        some &= ~rare[cells.codes]
    names = np.where(rare, REST, np.array(cells.names, object))[cells.codes[some]]
    if len(set(names)) < 2 or len(np.unique(rows.bad[some])) < 2:
        return (tuple(sorted(set(names))),)
    found = [sorted(group) for group in _optimal("categorical", names, rows, some, "monotone", settings)]
    if few:
        mean = np.average(rows.bad, weights=rows.weight)
        rates = [
            np.average(rows.bad[some][held], weights=rows.weight[some][held])
            for held in (np.isin(names, group) for group in found)
        ]
        found[int(np.argmin(np.abs(np.array(rates) - mean)))].append(REST)
    return tuple(map(tuple, found))


def _found_edges(
    cells: Floats, special: Any, trend: Trend, rows: _Rows, settings: ScorecardSettings
) -> tuple[float, ...]:
    codes = [code for each in special.values() for code in each]
    some = np.isfinite(cells) & ~np.isin(cells, codes)
    values = cells[some]
    if len(values) < 2 or values.min() == values.max() or len(np.unique(rows.bad[some])) < 2:
        return ()
    edges = _optimal("numerical", values, rows, some, trend, settings)
    held = np.unique(values)
    last = np.searchsorted(held, edges) - 1  # the largest value below each edge
    return tuple(_shortest(float(held[i]), float(held[i + 1])) for i in last)


def _optimal(dtype: str, values: Any, rows: _Rows, some: Any, trend: Trend, settings: ScorecardSettings) -> list[Any]:
    """Splits of numbers, or groups of levels, by optbinning: `values` are those of `some` of the rows."""
    bad, weight = rows.bad[some], rows.weight[some]
    scale = 1 if rows.even else WHOLE
    binning = _binner()(
        dtype=dtype,
        max_n_bins=settings.max_bins,
        # a share of the weights that are given here, where a leaf counts rows
        min_prebin_size=min(0.5, settings.min_bin * len(rows.bad) / (weight.sum() * scale)),
        monotonic_trend=ASKED[trend],
    )
    binning.fit(values, bad.astype(np.int64), None if rows.even else np.round(WHOLE * weight))
    return [each.tolist() if dtype == "categorical" else float(each) for each in binning.splits]


def _shortest(low: float, high: float) -> float:
    """A number of the fewest digits above `low` and at most `high`: it parts the two as every other does."""
    middle, size = (low + high) / 2, max(abs(low), abs(high))
    first = -math.floor(math.log10(size)) - 1
    for digits in range(first, first + 18):
        for edge in (round(middle, digits), round(math.floor(high * 10.0**digits) / 10.0**digits, digits)):
            if low < edge <= high:
                return edge + 0.0  # no minus before 0
    return high


def _joined(bins: Bins) -> Bins:
    """Join the two ranges that go least against the others."""
    steps = np.diff(bins.bad_rate[: bins.regular])
    against = -np.sign(steps.sum()) if steps.sum() else 1.0
    worst = np.where(np.sign(steps) == against, np.abs(steps), np.inf)
    drop = int(np.argmin(worst))
    return replace(bins, edges=bins.edges[:drop] + bins.edges[drop + 1 :])


@cache
def _binner() -> Any:
    """optbinning's class, imported when bins are to be found: it takes seconds."""
    try:
        from optbinning import OptimalBinning
    except ImportError:
        raise MissingExtraError("finding bins needs optbinning; install it: pip install 'plait[credit]'") from None
    return OptimalBinning
