"""What stands on both sides of a split: the same rows, the same long cells, the same groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import Column
from plait.data.findings import Finding
from plait.data.frame import as_frame, column
from plait.data.repeats import Prints, printed
from plait.data.roles import named_identifier

if TYPE_CHECKING:
    import pandas as pd

    from plait.data.schema import Schema

__all__ = ["across", "names_a_group", "within"]

SHARE = 0.01  # of the rows judged, from which copies among the rows fitted spoil the figures
LONG = 80  # characters from which two equal cells are no coincidence
PARTIES = {
    "account",
    "applicant",
    "borrower",
    "client",
    "company",
    "customer",
    "device",
    "household",
    "issuer",
    "member",
    "merchant",
    "person",
    "symbol",
    "ticker",
    "user",
}
PARTIES_ZH = ("客户", "账户", "用户", "借款人", "会员")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

Flags = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]


def across(train: object, test: object, schema: Schema) -> tuple[Finding, ...]:
    """What a split leaves on both of its sides, so that the judged rows are not new to the model.

    Parameters
    ----------
    train, test
        The rows to fit and the rows to judge, as `as_frame` takes them.
    schema
        What their columns are.

    Returns
    -------
    Findings of kind ``"repeated_rows"`` (rows whose evidence, dates and identifiers aside, stands in the training rows,
    whole or but for one column; long cells that stand there word for word) and ``"shared_group"`` (the group, or a
    column named as one, has equal cells on both sides).
    """
    fitted, judged = as_frame(train), as_frame(test)
    names = [name for name in schema.names("source") if name in fitted.columns and name in judged.columns]
    old, new = _cells(fitted), _cells(judged)
    copied, found = _copies(old, new, names)
    return (*found, *_long_cells(old, new, names, copied), *_groups(old, new, schema))


def _cells(frame: pd.DataFrame) -> dict[str, Column]:
    return {str(name): column(frame[name]) for name in frame.columns}


def _copies(
    old: Mapping[str, Column], new: Mapping[str, Column], names: list[str]
) -> tuple[Flags, tuple[Finding, ...]]:
    """Judged rows that the fitted rows hold already, whole or but for one column."""
    prints = Prints.of([old, new], names)
    length = len(next(iter(new.values()))) if new else 0
    exact, near = _repeated(
        prints, lambda rows: np.isin(rows[len(rows) - length :], rows[: len(rows) - length]), length
    )
    if not near.any():
        return near, ()
    share = float(near.mean())
    said = (
        f"{int(near.sum()):,} of {length:,} rows to judge ({share:.1%}) stand among the rows to fit"
        f"{_but(near & ~exact)} (dates and identifiers aside): drop copies, or keep them together by a group"
    )
    evidence = {"rows": int(near.sum()), "exact": int(exact.sum()), "share": round(share, 4)}
    return near, (Finding("repeated_rows", (), "leak" if share >= SHARE else "note", said, evidence),)


def _repeated(prints: Prints, again: Callable[[Hashes], Flags], length: int) -> tuple[Flags, Flags]:
    """The last `length` rows that are copies by `again`: whole, and whole or but for one column."""
    if not len(prints) or not length:
        return np.zeros(length, bool), np.zeros(length, bool)
    rows = prints.rows()
    exact = again(rows) & prints.telling()[-length:]
    near = exact.copy()
    for name in prints.columns if len(prints.columns) > 2 else ():
        near |= again(prints.without(rows, name)) & prints.telling(name)[-length:]
    return exact, near


def _long_cells(
    old: Mapping[str, Column], new: Mapping[str, Column], names: list[str], copied: Flags
) -> Iterator[Finding]:
    for name in names:
        if old[name].values.dtype != object or new[name].values.dtype != object:
            continue
        long = new[name].present & ~copied & _long(new[name])
        if not long.any():
            continue
        again = long & np.isin(printed(new[name]), printed(old[name])[old[name].present])
        share = float(again.sum() / max(int(new[name].present.sum()), 1))
        if again.any() and share >= SHARE:
            said = (
                f"{int(again.sum()):,} of its cells in the rows to judge ({share:.1%}) stand word for word in the rows "
                "to fit: drop copies, or keep them together by a group"
            )
            evidence = {"cells": int(again.sum()), "share": round(share, 4)}
            yield Finding("repeated_rows", (name,), "warning", said, evidence)


def _long(cells: Column) -> Flags:
    """Cells that are long, of a column in which most cells differ."""
    seen = printed(cells)[cells.present]
    if 2 * len(np.unique(seen)) < len(seen):
        return np.zeros(len(cells), bool)
    return np.array([isinstance(cell, str) and len(cell) >= LONG for cell in cells.values], bool)


def _groups(old: Mapping[str, Column], new: Mapping[str, Column], schema: Schema) -> Iterator[Finding]:
    for name in new:
        told = name == schema.group
        if name not in old or not (told or (name != schema.target and names_a_group(new[name]))):
            continue
        cells = new[name]
        again = cells.present & np.isin(printed(cells), printed(old[name])[old[name].present])
        share = float(again.sum() / max(int(cells.present.sum()), 1))
        if share < SHARE or not (told or _repeats(old[name])):
            continue
        said = f"{share:.0%} of the rows to judge share {name!r} with rows to fit: the model has met them before; "
        said += "split by it" if told else f"if they belong together, name it as the group (group={name!r})"
        yield Finding("shared_group", (name,), "leak" if told else "warning", said, {"share": round(share, 4)})


def names_a_group(cells: Column) -> bool:
    """Whether a column's name and cells are those of a party that several rows may belong to."""
    words = [word.lower() for word in _WORDS.findall(cells.name)]
    named = named_identifier(cells.name) or (0 < len(words) <= 2 and words[-1] in PARTIES)
    return (named or any(word in cells.name for word in PARTIES_ZH)) and _codes(cells)


def _codes(cells: Column) -> bool:
    """Whether cells are whole numbers or short texts without spaces."""
    values = cells.values[cells.present]
    if values.dtype.kind == "f":
        return bool((np.isfinite(values) & (np.floor(values) == values)).all())
    return values.dtype == object and all(isinstance(cell, str) and len(cell) <= 64 for cell in values)


def _repeats(cells: Column) -> bool:
    """Whether there are many different cells, and yet several rows of many of them."""
    counts = np.unique(printed(cells)[cells.present], return_counts=True)[1]
    return len(counts) >= 10 and bool(counts.max() <= 0.2 * counts.sum())


def _again(rows: Hashes) -> Flags:
    """Rows that stand earlier, too."""
    again = np.ones(len(rows), bool)
    again[np.unique(rows, return_index=True)[1]] = False
    return again


def _but(changed: Flags) -> str:
    return f", {int(changed.sum()):,} of them but for one column" if changed.any() else ""


def within(cells: Mapping[str, Column], schema: Schema) -> Iterator[Finding]:
    """Rows of one frame that repeat an earlier one, dates and identifiers aside."""
    prints = Prints.of([cells], schema.names("source"))
    exact, near = _repeated(prints, _again, len(prints))
    if near.any():
        share = float(near.mean())
        said = (
            f"{int(near.sum()):,} rows ({share:.1%}) repeat an earlier one{_but(near & ~exact)} (dates and "
            "identifiers aside): drop them, or keep copies on one side of every split by a group"
        )
        evidence = {"rows": int(near.sum()), "exact": int(exact.sum()), "share": round(share, 4)}
        yield Finding("repeated_rows", (), "warning" if share >= SHARE else "note", said, evidence)
