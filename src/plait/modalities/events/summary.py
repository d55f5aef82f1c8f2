"""What a history of records is like, in numbers: pace, sums by window and by kind, what follows what, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.modalities.events.fields import MISSING, Category

__all__ = ["KINDS", "Layout", "Sight", "since", "span_name", "summarise", "unique_names"]

Floats: TypeAlias = npt.NDArray[np.float64]
Named: TypeAlias = tuple[str, Floats]

NUMBERS = 4  # number columns, other categories, kinds, and kinds in pairs that are summarised
OTHERS = 4
KINDS = 8
PAIRED = 6


@dataclass(frozen=True)
class Layout:
    """What is summarised: names of number columns, categories, which of these is the kind, windows in days."""

    numbers: tuple[str, ...]
    categories: tuple[Category, ...]
    kind: int | None
    windows: tuple[float, ...]
    dated: bool


@dataclass(frozen=True)
class Sight:
    """The records of ``M`` rows, each with one or more, in order of time.

    Parameters
    ----------
    row
        Row of each record: int64 ``S``, rising.
    rows
        ``M``.
    time, age
        float64 ``S``, days: when, and how long before the row's moment (never negative).
    now
        float64 ``M``: the row's moment.
    numbers
        float64 ``S x C1``, NaN missing.
    codes, marks
        int32 and uint32 ``S x C2``; 0 missing.
    """

    row: npt.NDArray[np.int64]
    rows: int
    time: Floats
    age: Floats
    now: Floats
    numbers: Floats
    codes: Array
    marks: Array

    def only(self, chosen: npt.NDArray[np.bool_]) -> Sight:
        """Some of the records, of the same rows."""
        return replace(
            self,
            row=self.row[chosen],
            time=self.time[chosen],
            age=self.age[chosen],
            numbers=self.numbers[chosen],
            codes=self.codes[chosen],
            marks=self.marks[chosen],
        )

    # Sums over the records of each row: `bincount` adds in order of the records, so that no row feels another.

    def count(self, chosen: npt.NDArray[np.bool_] | None = None) -> Floats:
        row = self.row if chosen is None else self.row[chosen]
        return np.bincount(row, minlength=self.rows).astype(np.float64)

    def sum(self, values: Floats) -> Floats:
        return np.bincount(self.row, weights=values, minlength=self.rows).astype(np.float64)

    def mean(self, values: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
        return _ratio(self.sum(np.where(seen, values, 0.0)), self.count(seen))

    def largest(self, values: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
        out = np.full(self.rows, -np.inf)
        np.maximum.at(out, self.row[seen], values[seen])
        return np.where(np.isinf(out), np.nan, out)

    def last(self, values: Floats) -> Floats:
        """The value of each row's last record, NaN for rows without one."""
        out = np.full(self.rows, np.nan)
        out[self.row] = values  # of several, the last assignment stays
        return out

    def first(self, values: Floats) -> Floats:
        out = np.full(self.rows, np.nan)
        out[self.row[::-1]] = values[::-1]
        return out

    def gaps(self) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Days since the record before, and whether the row has one."""
        follows = np.concatenate([np.zeros(min(len(self.row), 1), bool), self.row[1:] == self.row[:-1]])
        return np.where(follows, np.diff(self.time, prepend=0.0), 0.0), follows


def _ratio(above: Floats, below: Floats) -> Floats:
    """Quotients, NaN where nothing stands below."""
    out = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def summarise(sight: Sight, layout: Layout) -> Iterator[Named]:
    """Names and float64 ``M`` (NaN undefined) of all summaries, the most telling first.

    All are as of the row's moment; windows end there.
    """
    yield from _pace(sight, layout)
    if layout.numbers:
        yield from _amounts(sight, layout, 0)
    if layout.kind is not None:
        yield from _kinds(sight, layout, layout.kind)
        yield from _order(sight, layout, layout.kind)
    for c in [c for c in range(len(layout.categories)) if c != layout.kind][:OTHERS]:
        yield from _levels(sight, layout, c)
    if layout.dated:
        yield from _clock(sight)
    for n in range(1, min(len(layout.numbers), NUMBERS)):
        yield from _amounts(sight, layout, n)


def _pace(sight: Sight, layout: Layout) -> Iterator[Named]:
    """How many, how long, how lately, how evenly (burstiness and memory: Goh & Barabasi, 2008, equations 1 and 2)."""
    count = sight.count()
    yield "count", count
    yield "span", sight.now - sight.first(sight.time)
    yield "recency", sight.now - sight.last(sight.time)
    for window in layout.windows:
        yield f"count_{span_name(window)}", sight.count(sight.age <= window)
    gap, follows = sight.gaps()
    mean = sight.mean(gap, follows)
    spread = np.sqrt(sight.mean((gap - mean[sight.row]) ** 2, follows))
    last = sight.last(np.where(follows, gap, np.nan))
    yield "gap_mean", mean
    yield "gap_sd", spread
    yield "gap_last", last
    yield "gap_burstiness", _ratio(spread - mean, spread + mean)
    twice = follows & np.concatenate([np.zeros(min(len(follows), 1), bool), follows[:-1]])
    off = gap - mean[sight.row]
    before = np.concatenate([np.zeros(min(len(off), 1)), off[:-1]])
    yield "gap_memory", _ratio(sight.mean(off * before, twice), spread**2)
    yield "gap_trend", _trend(sight, np.log1p(gap), follows)
    for window in layout.windows[:-1]:
        recent, longer = sight.count(sight.age <= window), sight.count(sight.age <= layout.windows[-1])
        yield f"quickening_{span_name(window)}", _ratio(recent * (layout.windows[-1] / window), longer)


def _trend(sight: Sight, values: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
    """Slope of least squares against the number of the value within its row; 0 where fewer than two are seen."""
    chosen = sight.only(seen)
    own = values[seen]
    start = np.searchsorted(chosen.row, np.arange(sight.rows))
    place = (np.arange(len(own)) - start[chosen.row]).astype(np.float64)
    everything = np.ones(len(own), bool)
    off = place - chosen.mean(place, everything)[chosen.row]
    spread = chosen.sum(off * off)
    return np.where(spread > 0, _ratio(chosen.sum(off * own), spread), 0.0)


def _amounts(sight: Sight, layout: Layout, n: int) -> Iterator[Named]:
    """Sums, means and extremes of a number column, and how its recent mean differs."""
    name, values = layout.numbers[n], sight.numbers[:, n]
    seen = ~np.isnan(values)
    mean = sight.mean(values, seen)
    yield f"{name}.sum", sight.sum(np.where(seen, values, 0.0))
    yield f"{name}.mean", mean
    yield f"{name}.max", sight.largest(values, seen)
    yield f"{name}.min", -sight.largest(-values, seen)
    spread = np.sqrt(sight.mean(np.where(seen, values - mean[sight.row], 0.0) ** 2, seen))
    last = sight.only(seen).last(values[seen])
    yield f"{name}.sd", spread
    yield f"{name}.last", last
    yield f"{name}.last_score", np.where(spread > 0, _ratio(last - mean, spread), 0.0)
    for window in layout.windows:
        recent = seen & (sight.age <= window)
        label = span_name(window)
        yield f"{name}.sum_{label}", sight.sum(np.where(recent, values, 0.0))
        yield f"{name}.max_{label}", sight.largest(values, recent)
        yield f"{name}.change_{label}", sight.mean(values, recent) - mean


def _kinds(sight: Sight, layout: Layout, c: int) -> Iterator[Named]:
    """Of each of the most frequent kinds: how many, how lately, how regularly, and how much."""
    category, codes = layout.categories[c], sight.codes[:, c]
    count = sight.count()
    own = f"{category.name}."
    for i, level in enumerate(category.levels[:KINDS]):
        chosen = sight.only(codes == i + 2)
        stem = f"{own}{level}."
        yield f"{stem}share", _ratio(chosen.count(), count)
        for window in layout.windows:
            yield f"{stem}count_{span_name(window)}", chosen.count(chosen.age <= window)
        yield f"{stem}recency", sight.now - chosen.last(chosen.time)
        gap, follows = chosen.gaps()
        mean = chosen.mean(gap, follows)
        yield f"{stem}gap_mean", mean
        yield f"{stem}gap_trend", _trend(chosen, np.log1p(gap), follows)
        if layout.numbers:
            values = chosen.numbers[:, 0]
            yield f"{stem}{layout.numbers[0]}_mean", chosen.mean(values, ~np.isnan(values))
    yield from _variety(sight, layout, c)
    newest = sight.last(codes.astype(np.float64))
    same = codes == newest[sight.row]
    yield f"{own}last_share", _ratio(sight.count(same), count)


def _order(sight: Sight, layout: Layout, c: int) -> Iterator[Named]:
    """What follows what: of each ordered pair of kinds, the soonest and how often it is soon.

    Soon is within the shortest window; both look from a record of the second kind back to the last of the first.
    """
    category, codes = layout.categories[c], sight.codes[:, c]
    soon = layout.windows[0]
    kinds = list(enumerate(category.levels[:PAIRED], 2))
    for code, level in kinds:
        lag = since(sight.row, sight.time, codes == code)
        for other, name in kinds:
            if other == code:
                continue
            after = np.isfinite(lag) & (codes == other)
            stem = f"{category.name}.{level}_to_{name}"
            yield f"{stem}.soonest", -sight.largest(-lag, after)
            yield f"{stem}.soon_{span_name(soon)}", sight.count(after & (lag <= soon))


def since(row: npt.NDArray[np.int64], time: Floats, chosen: npt.NDArray[np.bool_]) -> Floats:
    """Days from the row's latest chosen record up to and with each record; infinite before the first."""
    place = np.arange(len(row))
    latest = np.maximum.accumulate(np.where(chosen, place, -1)) if len(row) else place
    seen = (latest >= 0) & (row[np.maximum(latest, 0)] == row)
    return np.where(seen, time - time[np.maximum(latest, 0)], np.inf)


def _variety(sight: Sight, layout: Layout, c: int) -> Iterator[Named]:
    """How many different levels, and how many of them were new in each window."""
    marks, name = sight.marks[:, c], layout.categories[c].name
    order = np.lexsort((np.arange(len(marks)), marks, sight.row))
    row, mark = sight.row[order], marks[order]
    new = np.ones(len(order), bool)
    new[1:] = (row[1:] != row[:-1]) | (mark[1:] != mark[:-1])
    first = np.zeros(len(order), bool)
    first[order] = new & (mark != MISSING)
    distinct = sight.count(first)
    yield f"{name}.distinct", distinct
    for window in layout.windows:
        yield f"{name}.new_{span_name(window)}", sight.count(first & (sight.age <= window))
    yield f"{name}.repeats", _ratio(sight.count(marks != MISSING), distinct)


def _levels(sight: Sight, layout: Layout, c: int) -> Iterator[Named]:
    """Variety of a category that is not the kind, and shares of its most frequent levels."""
    yield from _variety(sight, layout, c)
    category, count = layout.categories[c], sight.count()
    for i, level in enumerate(category.levels[:OTHERS]):
        yield f"{category.name}.{level}.share", _ratio(sight.count(sight.codes[:, c] == i + 2), count)


def _clock(sight: Sight) -> Iterator[Named]:
    """Shares of the quarters of the day and of the weekend (1970 began on a Thursday), in UTC."""
    hour, count = sight.time % 1.0 * 24.0, sight.count()
    for name, begin in (("night", 0), ("morning", 6), ("afternoon", 12), ("evening", 18)):
        yield f"{name}.share", _ratio(sight.count((hour >= begin) & (hour < begin + 6)), count)
    weekday = (np.floor(sight.time) + 3) % 7
    yield "weekend.share", _ratio(sight.count(weekday >= 5), count)
    yield "last_hour", sight.last(hour)


def span_name(days: float) -> str:
    """A span as a person writes it: 90d, 12h, 30min, 5s."""
    for size, unit in ((1.0, "d"), (1 / 24, "h"), (1 / 1440, "min")):
        if days >= size:
            return f"{days / size:.3g}{unit}"
    return f"{days * 86_400:.3g}s"


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, with a mark behind those that came before: two columns may make one name."""
    out: dict[str, None] = {}
    for name in names:
        while name in out:
            name += "'"
        out[name] = None
    return tuple(out)
