"""Panels of grades as life leaves them, unsorted and with holes, made into stays in grades that follow one another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.calc.transitions import Spells
from plait.contracts import Array
from plait.errors import DataError, SchemaError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Panel", "best_first", "month_name", "panel_of"]

LETTER = re.compile(r"([A-Z]+?)(\+\+|\+|--|-|[1-3])?", re.IGNORECASE)
RANKS = ("AAA", "AA", "A", "BAA", "BBB", "BA", "BB", "B", "CAA", "CCC", "CA", "CC", "C")  # of either kind of agency
SLACK = 3  # months: a row missing so shortly before the end of the record is no withdrawal
WITHDRAWN = {"", "nr", "n.r.", "wr", "withdrawn", "not rated", "unrated", "wd", "n/a"}


@dataclass(frozen=True)
class Panel:
    """Histories of grades.

    Parameters
    ----------
    spells
        Stays; times are months since 1970-01. Who defaults stays there to the end of the record.
    names
        Grades, best first; the default, if there is one, last.
    defaults
        Whether the last of `names` is the default.
    first, last
        First and last month of the record.
    entities, rows
        How many; rows as given.
    left_out
        Why rows were left out, to how many.
    """

    spells: Spells
    names: tuple[str, ...]
    defaults: bool
    first: int
    last: int
    entities: int
    rows: int
    left_out: Mapping[str, int]


def panel_of(
    frame: pd.DataFrame,
    id: str,
    date: str,
    grade: str,
    *,
    order: Sequence[str] = (),
    defaulted: Sequence[str] = ("D",),
    gap: int = 12,
    changes: bool = False,
) -> Panel:
    """Histories of grades from rows in any order.

    Of several rows of an entity in a month the last one given counts, a default before all others. A grade holds until
    the next row, if that follows within `gap` months; else, or where the cell is empty or says NR, WR or withdrawn, the
    entity was withdrawn. After its last row, too, unless the record ends within the usual distance between rows, three
    months at most. Nobody returns from default: rows after it are left out.

    Parameters
    ----------
    frame
        A row for each entity and date.
    id, date, grade
        Names of its columns. Dates are moments, text in one format, or whole numbers such as 2024, 202412 or 20241231.
    order
        Grades, best first; default: by number, or as rating agencies' letters go.
    defaulted
        What stands for default in the column of grades.
    gap
        Months that a grade is carried over where rows are missing.
    changes
        Rows are changes of grades, not a look at all of them each month or year: a grade holds until the next row,
        however late, and the last one to the end of the record.

    Raises
    ------
    SchemaError
        If a column is not there.
    DataError
        If fewer than two months are left, or dates do not parse.
    ConfigError
        If a grade is not in `order`, or no order is known.
    """
    import pandas as pd

    for name in (id, date, grade):
        if name not in frame.columns:
            raise SchemaError(str(unknown("column", name, map(str, frame.columns))))
    if not frame[grade].notna().any():
        raise DataError(f"{grade!r} holds no grade in {len(frame):,} rows; migration takes some, two months at least")
    month, grades = _months(frame[date]), _texts(frame[grade])
    gone = np.array([text.lower() in WITHDRAWN for text in grades])
    out = np.isin(grades, list(defaulted))
    known = ~(frame[id].isna().to_numpy() | np.isnan(month))
    names = _order(sorted(set(grades[known & ~gone & ~out])), order, tuple(defaulted))
    left_out = {"without an identifier or a date": int((~known).sum())}
    code = {name: i for i, name in enumerate(names)}
    state = np.where(out, len(names), [code.get(text, -1) for text in grades])
    entity, _ = pd.factorize(frame[id])
    kept = np.flatnonzero(known)
    kept = kept[np.lexsort((kept, out[kept], month[kept], entity[kept]))]  # a default is the last word of its month
    last_of_month = np.append((np.diff(entity[kept]) != 0) | (np.diff(month[kept]) != 0), True)[: len(kept)]
    left_out["more than one row of an entity and month"] = int((~last_of_month).sum())
    kept = kept[last_of_month]
    whose, when, what = entity[kept], month[kept], state[kept]
    since = np.full(entity.max(initial=0) + 1, np.inf)
    np.minimum.at(since, whose, np.where(what == len(names), when, np.inf))
    alive = when <= since[whose]
    left_out["after a default"] = int((~alive).sum())
    whose, when, what = whose[alive], when[alive], what[alive]
    if len(np.unique(when)) < 2:
        raise DataError(f"{date!r} names {len(np.unique(when))} months; migration takes two at least")
    spells = _spells(whose, when, what, len(names), np.inf if changes else gap, changes)
    shown = names + (tuple(defaulted[:1]) if out.any() else ())
    counted = {why: count for why, count in left_out.items() if count}
    ends = int(when.min()), int(when.max())
    return Panel(spells, shown, bool(out.any()), *ends, len(np.unique(whose)), len(frame), counted)


def _spells(whose: Array, when: Array, what: Array, default: int, gap: float, lasts: bool) -> Spells:
    """Rows in order to stays: each until the next row, the last one of an entity until it was seen, unless it lasts."""
    same, end = np.append(whose[1:] == whose[:-1], False), when.max()
    slack = min(np.median(np.diff(when)[same[:-1]]), SLACK) if same.any() else 0
    until = np.where(same, np.append(when[1:], 0), np.where(lasts | (end - when <= slack), end, when))
    lost = same & (until - when > gap)
    until = np.where(lost, when, until)
    until = np.where(same & ~lost & np.append(what[1:] < 0, False), np.nextafter(until, 0), until)  # gone by then
    until = np.where(what == default, end, until)
    stays = what >= 0
    return Spells(*(each[stays] for each in (whose, when, until, what)))


def best_first(names: Sequence[str]) -> tuple[str, ...] | None:
    """Grades in order where it can be told: all numbers (1 is best), single letters, or those of rating agencies."""
    try:
        return tuple(sorted(names, key=float))
    except ValueError:
        pass
    if all(len(name) == 1 and name.isalpha() for name in names):
        return tuple(sorted(names))
    found = {name: LETTER.fullmatch(name) for name in names}
    places = {}
    for name, match in found.items():
        if match is None or match[1].upper() not in RANKS:
            return None
        notch = {"++": 0, "+": 1, "1": 1, None: 2, "2": 2, "-": 3, "3": 3, "--": 4}[match[2]]
        places[name] = RANKS.index(match[1].upper()), notch
    return tuple(sorted(names, key=lambda name: places[name]))


def _order(present: Sequence[str], order: Sequence[str], defaulted: tuple[str, ...]) -> tuple[str, ...]:
    if order:
        for name in present:
            if name not in order:
                raise unknown("grade", name, order)
        return tuple(name for name in order if name not in defaulted)
    found = best_first(present)
    if found is None:
        listed = ", ".join(present[:12]) + (", ..." if len(present) > 12 else "")
        raise DataError(f"which grade is better than which cannot be told of {listed}; name them in order, best first")
    return found


def _texts(cells: pd.Series[Any]) -> Array:
    """Grades as text: 3.0 is 3, a missing cell is ""."""
    shown = [
        ("" if lost else f"{cell:g}" if isinstance(cell, float) else str(cell).strip())
        for cell, lost in zip(cells.tolist(), cells.isna().tolist(), strict=True)
    ]
    return np.array(shown, object)


def _months(cells: pd.Series[Any]) -> Array:
    """Months since 1970-01, float64, NaN where missing."""
    from plait.data.frame import column, seconds

    values = column(cells)
    if values.values.dtype.kind != "f":
        moments = seconds(cells)
        known = ~np.isnan(moments)
        found = np.full(len(moments), np.nan)
        found[known] = moments[known].astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
        return found
    number = values.values
    present = number[values.present]
    for size, low, high in ((1, 1800, 2300), (100, 180001, 230012), (10000, 18000101, 23001231)):
        if len(present) and (present == np.rint(present)).all() and low <= present.min() and present.max() <= high:
            whole = np.where(values.present, number, low)
            year = whole // size
            month = np.zeros(len(whole)) if size == 1 else whole // (size // 100) % 100 - 1
            if not ((month >= 0) & (month < 12)).all():
                break
            return np.where(values.present, (year - 1970) * 12 + month, np.nan)
    raise DataError(f"{str(cells.name)!r} holds numbers that are no dates; give moments, 2024, 202412 or 20241231")


def month_name(month: int) -> str:
    """A month since 1970-01 as ``2024-12``."""
    return str(np.datetime64(int(month), "M"))
