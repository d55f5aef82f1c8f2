"""Personal data in frames: found, counted, shown only by shape, and replaced by tokens."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plait.contracts import Array, Column
from plait.data.findings import Finding
from plait.data.frame import as_frame, column
from plait.data.persons import KINDS, is_chinese_name, is_full_name, is_kind, spans
from plait.data.read import as_json
from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.data.schema import Schema

__all__ = ["KINDS", "find", "hidden", "mask"]

READ = 20_000  # cells of a column that are read
MOST = 0.5  # share of the cells that must be of a kind for the column to be
NEARLY_ALL = 0.8  # the same where the name of the column says nothing
FEWEST = 5  # cells under which values alone do not make a column one of a kind
EXAMPLES = 3
SHORTEST = 1e10  # numbers below it are no phone, card or identity
_PLAIN_NUMBERS = ("resident_id", "card", "phone")  # kinds that may come as numbers
_NAMED: Mapping[str, re.Pattern[str]] = {
    "name": re.compile(
        r"(^|_)(first|last|full|given|family|middle|customer|client|borrower|applicant|holder|employee|owner|contact|"
        r"person|member|sur)_?name$|^name$|姓名|名字"
    ),
    "phone": re.compile(r"(^|_)(phone|mobile|telephone|tel|cell)(_?(no|number))?$|手机|电话"),
    "ssn": re.compile(r"(^|_)(ssn|social_security(_number)?)$"),
    "passport": re.compile(r"(^|_)passport(_?(no|number|id))?$|护照"),
    "address": re.compile(r"(^|_)(street|home|mailing|postal)_?address$|^address$|住址|地址"),
}
_SHAPES: Mapping[str, re.Pattern[str]] = {
    "name": re.compile(r"[^\W\d_][\w .,'·-]{1,60}"),
    "phone": re.compile(r"[+(]?\d[\d ().+-]{5,18}\d"),
    "ssn": re.compile(r"\d{3}-?\d{2}-?\d{4}"),
    "passport": re.compile(r"[A-Z]{0,2}\d{6,9}"),
    "address": re.compile(r".{5,200}", re.DOTALL),
}


def find(frame: object, schema: Schema | None = None) -> tuple[Finding, ...]:
    """Say which columns hold personal data, of which kinds, in how many cells.

    Kinds are ``email``, ``resident_id`` (Chinese), ``iban``, ``card``, ``ssn`` (US), ``passport``, ``phone``,
    ``address`` and ``name``: in cells of their own, inside free text, and inside nested cells. Numbers with a check
    digit are checked. At most 20,000 cells of a column are read, evenly spread.

    Parameters
    ----------
    frame
        As `as_frame` takes it.
    schema
        The target is then left out.

    Returns
    -------
    Findings of kind ``"personal"``, one for each column and kind. Values are shown by their shape alone: ``#`` for a
    digit, ``x`` for a letter.
    """
    table = as_frame(frame)
    found = []
    for name in table.columns:
        if schema is None or name != schema.target:
            found += _in_column(column(table[name]))
    return tuple(found)


def _in_column(cells: Column) -> list[Finding]:
    rows = np.flatnonzero(cells.present)
    if not len(rows):
        return []
    some = cells.values[rows[np.linspace(0, len(rows) - 1, min(READ, len(rows))).astype(np.int64)]]
    whole = _whole(cells.name, some)
    counts: dict[str, int] = {}
    shapes: dict[str, dict[str, None]] = {}
    if whole is not None:
        counts[whole] = len(some)
        shapes[whole] = dict.fromkeys(_shape(_as_text(cell)) for cell in some[:50])
    elif some.dtype == object:
        for text, times in Counter(map(_as_text, some)).items():
            found = spans(text) or _name_alone(text)
            for kind in {span[0] for span in found}:
                counts[kind] = counts.get(kind, 0) + times
            for kind, start, end in found:
                kept = shapes.setdefault(kind, {})
                if len(kept) < EXAMPLES:
                    kept[_shape(text[start:end])] = None
    return [
        _finding(cells.name, kind, count, len(some), list(shapes[kind]), kind == whole)
        for kind, count in sorted(counts.items())
    ]


def _finding(name: str, kind: str, count: int, read: int, shapes: list[str], whole: bool) -> Finding:
    shown = ", ".join(shapes[:EXAMPLES])
    said = (
        f"personal data: {kind.replace('_', ' ')} in {count:,} of {read:,} cells ({shown}); "
        "mask it on reading (mask=True, --mask-personal), or leave the column out"
    )
    evidence = {"of": kind, "cells": count, "read": read, "examples": shapes[:EXAMPLES], "whole": whole}
    return Finding("personal", (name,), "warning", said, evidence)


def _whole(name: str, values: Array) -> str | None:
    """The kind that all cells of a column are, as its name and cells say; None if they stand in texts, or are none."""
    texts = [_as_text(cell) for cell in values[:2000]] if values.dtype.kind in "fO" else []
    texts = [text.strip() for text in texts if text.strip()]
    if not texts:
        return None
    words = re.sub(r"[^\w]+|(?<=[a-z])(?=[A-Z])", "_", name).lower()
    for kind, named in _NAMED.items():
        if named.search(words) and _share(texts, _SHAPES[kind].fullmatch) > MOST:
            return kind
    if len(texts) < FEWEST:
        return None
    if values.dtype.kind == "f":
        if np.median(values) < SHORTEST:
            return None
        return next((kind for kind in _PLAIN_NUMBERS if _share(texts, partial(is_kind, kind)) > NEARLY_ALL), None)
    various = len(set(texts)) > 0.3 * len(texts)
    return "name" if various and _share(texts, _is_name) > NEARLY_ALL else None


def _share(texts: Sequence[str], holds: Callable[[str], object]) -> float:
    return sum(bool(holds(text)) for text in texts) / len(texts)


def _is_name(text: str) -> bool:
    return is_full_name(text) or is_chinese_name(text)


def _name_alone(text: str) -> list[tuple[str, int, int]]:
    return [("name", 0, len(text))] if len(text) <= 60 and is_full_name(text) else []


def _as_text(cell: object) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float):
        return f"{cell:.0f}" if cell.is_integer() else repr(cell)
    return "\n".join(_leaves(cell))


def _leaves(cell: object) -> Iterator[str]:
    """The texts inside a nested cell."""
    if isinstance(cell, str):
        yield cell
    elif isinstance(cell, Mapping):
        for value in cell.values():
            yield from _leaves(value)
    elif isinstance(cell, list | tuple):
        for item in cell:
            yield from _leaves(item)


def _shape(text: str) -> str:
    signs = (("#" if sign.isdigit() else "x" if sign.isalpha() else sign) for sign in text[:40])
    return "".join(signs)


def hidden(text: str) -> str:
    """A text with personal data replaced by the tokens of its kinds, to be shown."""
    return _masked(text, KINDS, None)


def mask(
    frame: object, columns: Sequence[str] | None = None, kinds: Sequence[str] | None = None, *, salt: str | None = None
) -> pd.DataFrame:
    """Replace personal data by tokens such as ``[card]``, in cells of their own, in texts and in nested cells.

    Parameters
    ----------
    frame
        As `as_frame` takes it; it is not changed.
    columns, kinds
        Where, and what, to mask; everywhere and everything by default.
    salt
        With it, equal values become equal tokens, ``[card:5f1d0c9a]``, a keyed hash (BLAKE2b) that cannot be undone
        without the salt; spaces, hyphens and case do not count. Without, all values of a kind become one token.

    Raises
    ------
    ConfigError
        If a column or kind is unknown, or the salt is empty.
    """
    table = as_frame(frame)
    for name in columns or ():
        if name not in table.columns:
            raise unknown("column", name, table.columns)
    for kind in kinds or ():
        if kind not in KINDS:
            raise unknown("kind of personal data", kind, KINDS)
    if salt is not None and not salt:
        raise ConfigError("salt='' hides nothing; give a secret text, or None for tokens without a hash")
    wanted = tuple(KINDS if kinds is None else kinds)
    masked = {}
    for name in table.columns if columns is None else columns:
        cells = _mask_column(table[name], wanted, salt)
        if cells is not None:
            masked[name] = cells
    return table.assign(**masked) if masked else table


def _mask_column(series: pd.Series[Any], kinds: tuple[str, ...], salt: str | None) -> pd.Series[Any] | None:
    """The column with tokens; None where nothing changed."""
    cells = column(series)
    present = np.flatnonzero(cells.present)
    whole = _whole(cells.name, cells.values[present]) if len(present) else None
    out = cells.values.astype(object)
    out[~cells.present] = None
    changed = False
    for row in present.tolist():
        old = out[row]
        if whole is not None:
            new = _token(whole, _as_text(old), salt) if whole in kinds else old
        else:
            new = _masked_cell(old, kinds, salt) if cells.values.dtype == object else old
        changed |= new is not old
        out[row] = new
    return pd.Series(out, index=series.index, name=series.name, dtype=object) if changed else None


def _masked_cell(cell: object, kinds: tuple[str, ...], salt: str | None) -> object:
    """A cell with tokens; the very object that was given where there was nothing to replace."""
    if isinstance(cell, str):
        if cell.startswith(("[", "{")):
            try:
                inside = json.loads(cell)
            except (ValueError, RecursionError):
                return _masked(cell, kinds, salt)
            changed = _masked_cell(inside, kinds, salt)
            return cell if changed is inside else as_json(changed)
        return _masked(cell, kinds, salt)
    if isinstance(cell, Mapping):
        fields = {key: _masked_cell(value, kinds, salt) for key, value in cell.items()}
        return cell if all(fields[key] is value for key, value in cell.items()) else fields
    if isinstance(cell, list | tuple):
        items = [_masked_cell(item, kinds, salt) for item in cell]
        return cell if all(new is old for new, old in zip(items, cell, strict=True)) else items
    return cell


def _masked(text: str, kinds: tuple[str, ...], salt: str | None) -> str:
    found = spans(text, kinds) or (_name_alone(text) if "name" in kinds else [])
    if not found:
        return text
    parts, last = [], 0
    for kind, start, end in found:
        parts += [text[last:start], _token(kind, text[start:end], salt)]
        last = end
    return "".join((*parts, text[last:]))


def _token(kind: str, value: str, salt: str | None) -> str:
    if salt is None:
        return f"[{kind}]"
    bare = re.sub(r"[\s()-]", "", value).casefold().encode("utf-8", "replace")
    key = hashlib.blake2b(salt.encode("utf-8")).digest()
    return f"[{kind}:{hashlib.blake2b(bare, key=key, digest_size=6).hexdigest()}]"
