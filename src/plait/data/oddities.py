"""What is odd about the cells of one column: types, encodings, formats of dates, units, spellings, levels."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from plait.contracts import Array, Column
from plait.data.encodings import garbled
from plait.data.findings import Finding
from plait.data.personal import hidden

__all__ = ["of_cells"]

ENOUGH = 30  # cells under which nothing is said of shares
READ = 20_000  # texts of a column that are read
ALWAYS = 0.995  # share of one value from which a column is almost constant
DATED = 0.95  # share of texts that must look like dates
NUMERIC = 0.8  # share of texts that must be numbers for the others to be odd
FAR = 0.05  # share of the numbers that may be far off
GAP = 30.0  # how many times the next number a far one is at least
TIMES = 100.0  # how many times the middle number the far ones are
MANY = 1000  # categories from which most are seen too rarely to learn of
RARE = 5
CATEGORY = 40  # characters that the name of a category has on average at most

_NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
_DATES = {
    "2011-07-01": re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?"),
    "2011/07/01": re.compile(r"\d{4}/\d{1,2}/\d{1,2}( .*)?"),
    "20110701": re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])"),
    "1/7/2011": re.compile(r"\d{1,2}/\d{1,2}/(\d{4}|\d{2})( .*)?"),
    "1.7.2011": re.compile(r"\d{1,2}\.\d{1,2}\.(\d{4}|\d{2})( .*)?"),
    "1-7-2011": re.compile(r"\d{1,2}-\d{1,2}-(\d{4}|\d{2})( .*)?"),
    "1 Jul 2011": re.compile(r"\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2,4}"),
    "Jul-2011": re.compile(r"[A-Za-z]{3,9}[- ]\d{2,4}"),
    "Jul 1, 2011": re.compile(r"[A-Za-z]{3,9} \d{1,2}, ?\d{4}"),
    "2011年7月1日": re.compile(r"\d{4}年\d{1,2}月\d{1,2}日"),
}
_EITHER = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-]\d{2,4}")


def of_cells(cells: Column, role: str) -> Iterator[Finding]:
    """What is odd about a column of this role; of ignored columns only what says why they could not be read."""
    values = cells.values[cells.present]
    if values.dtype.kind == "f":
        yield from _infinite(cells.name, values)
        if role == "source":
            yield from _far_off(cells.name, values[np.isfinite(values)])
    elif values.dtype == object:
        yield from _types(cells.name, values)
        if role != "ignored" and len(values) and all(isinstance(cell, str) for cell in values):
            yield from _texts(cells.name, values, role)
    if role == "source":
        yield from _constant(cells)


def _infinite(name: str, values: Array) -> Iterator[Finding]:
    if infinite := int(np.isinf(values).sum()):
        yield Finding("infinite", (name,), "warning", f"{infinite:,} infinite values", {"cells": infinite})


def _types(name: str, values: Array) -> Iterator[Finding]:
    kinds = Counter(_kind(cell) for cell in values)
    if len(kinds) > 1:
        said = "mixed types: " + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        yield Finding("mixed_types", (name,), "warning", said, dict(kinds))


def _kind(cell: object) -> str:
    if isinstance(cell, bool | np.bool_):
        return "bool"
    if isinstance(cell, int | float | np.number):
        return "number"
    return (list if isinstance(cell, tuple | np.ndarray) else type(cell)).__name__


def _texts(name: str, values: Array, role: str) -> Iterator[Finding]:
    some = values[np.linspace(0, len(values) - 1, min(READ, len(values))).astype(np.int64)]
    of = "" if len(some) == len(values) else f" of {len(some):,} looked at"
    broken = [text for text in some if garbled(text)]
    if broken:
        said = (
            f"{len(broken):,} cells{of} were read in the wrong encoding, such as {hidden(broken[0])[:30]!r}: "
            "read the file again with the encoding it was written in"
        )
        yield Finding("encoding", (name,), "warning", said, {"cells": len(broken)})
    counts = Counter(some)
    bare = Counter({text.strip(): 0 for text in counts})
    for text, count in counts.items():
        bare[text.strip()] += count
    if len(values) >= ENOUGH:
        yield from _date_formats(name, bare, len(some))
        if role != "id":
            yield from _numbers_among(name, bare, len(some))
            yield from _levels(name, values, counts, role)


def _date_formats(name: str, counts: Counter[str], total: int) -> Iterator[Finding]:
    shapes: Counter[str] = Counter()
    for text, count in counts.items():
        shape = next((form for form, pattern in _DATES.items() if pattern.fullmatch(text)), None)
        if shape is not None:
            shapes[shape] += count
    if sum(shapes.values()) < DATED * total:
        return
    if len(shapes) > 1:
        said = "dates in several formats: " + ", ".join(f"{n:,} as {form}" for form, n in shapes.most_common())
        yield Finding("date_formats", (name,), "warning", said + "; write all as 2011-07-01", dict(shapes))
        return
    parts = [tuple(map(int, found.groups())) for text in counts if (found := _EITHER.match(text))]
    if not parts:
        return
    first, second = (max(part[i] for part in parts) > 12 for i in (0, 1))
    if first == second:
        what = "day and month stand in both orders" if first else "day and month cannot be told apart"
        said = f"{what}: write dates as 2011-07-01"
        yield Finding("date_formats", (name,), "warning", said, {"cells": total})


def _numbers_among(name: str, counts: Counter[str], total: int) -> Iterator[Finding]:
    odd = {text: count for text, count in counts.items() if not _NUMBER.fullmatch(text)}
    others = sum(odd.values())
    if odd and others <= (1 - NUMERIC) * total and len(counts) - len(odd) > 20:
        shown = ", ".join(repr(hidden(text)[:20]) for text in sorted(odd, key=lambda text: -odd[text])[:3])
        said = f"mixed types: numbers as text, but for {others:,} cells such as {shown}; mend these and it is numbers"
        yield Finding("mixed_types", (name,), "warning", said, {"numbers": total - others, "others": others})


def _levels(name: str, values: Array, counts: Counter[str], role: str) -> Iterator[Finding]:
    if 2 * len(counts) > counts.total() or np.mean([len(text) for text in counts]) > CATEGORY:
        return
    spelled: dict[str, list[str]] = {}
    for text in counts:
        spelled.setdefault(_folded(text), []).append(text)
    several = {key: texts for key, texts in spelled.items() if len(texts) > 1}
    if several:
        shown = " = ".join(repr(hidden(text)[:20]) for text in next(iter(several.values()))[:3])
        said = f"{len(several):,} categories are written in several ways ({shown}): spell each in one way"
        yield Finding("variants", (name,), "warning", said, {"levels": len(counts), "merged": len(spelled)})
    all_counts = pd.Series(values).value_counts()
    if role == "source" and len(all_counts) >= MANY:
        rare = int((all_counts < RARE).sum())
        said = (
            f"{len(all_counts):,} categories, {rare:,} of them in fewer than {RARE} rows: join the rare ones; "
            "or are these groups, or identifiers?"
        )
        yield Finding("many_levels", (name,), "note", said, {"levels": len(all_counts), "rare": rare})


def _folded(text: str) -> str:
    """A category as people would compare it: width, case, spaces and hyphens aside."""
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def _constant(cells: Column) -> Iterator[Finding]:
    values = cells.values[cells.present]
    if len(values) < 200 or not isinstance(values[0], str | float | bool | np.number | np.bool_):
        return
    try:
        counts = pd.Series(values).value_counts()
    except TypeError:  # nested cells among them
        return
    share = float(counts.iloc[0] / len(cells))
    if len(counts) > 1 and share >= ALWAYS:
        said = f"almost constant: {hidden(str(counts.index[0]))[:20]!r} in {share:.1%} of rows"
        yield Finding("constant", (cells.name,), "note", said, {"share": round(share, 5)})


def _far_off(name: str, values: Array) -> Iterator[Finding]:
    if len(values) < ENOUGH:
        return
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < 5:
        return
    yield from _placeholders(name, distinct, counts)
    size = np.sort(np.abs(values[values != 0]))
    rare = int(FAR * len(size))
    if rare < 1:
        return
    tail = size[-rare - 1 :]
    gaps = tail[1:] / tail[:-1]
    at = int(gaps.argmax())
    far = tail[at + 1 :]
    ratio = float(np.median(far) / np.median(size[: len(size) - len(far)]))
    if gaps[at] >= GAP and ratio >= TIMES and len(np.unique(far)) > 1:
        said = (
            f"{len(far):,} values are about {ratio:,.0f} times the others, with none between: in another unit, "
            "or a slip of the decimal point?"
        )
        yield Finding("outliers", (name,), "warning", said, {"values": len(far), "times": round(ratio, 1)})


def _placeholders(name: str, distinct: Array, counts: Array) -> Iterator[Finding]:
    """A number far off all others that comes again and again, such as -999 or 999999."""
    for one, others, seen in ((distinct[-1], distinct[:-1], counts[-1]), (distinct[0], distinct[1:], counts[0])):
        gap = float(min(abs(one - others[0]), abs(one - others[-1])))
        digits = f"{abs(one):.0f}"
        coded = set(digits) <= {"9", "8", "7"} and len(digits) >= 2 and len(set(digits)) == 1
        if seen >= 3 and gap > max(2 * float(np.ptp(others)), 1.0) and (coded or one in (-1.0, -1e3, 1e9)):
            said = (
                f"{one:.10g} stands in {int(seen):,} rows, far from all other values: "
                "if it means missing, leave the cell empty"
            )
            yield Finding("placeholder", (name,), "warning", said, {"value": float(one), "rows": int(seen)})
