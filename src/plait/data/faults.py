"""Cells that cannot be read: counted by column and reason, and looked for before anything is fitted."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from plait import registry
from plait.contracts import Column, Fault, FitContext, Json, Source
from plait.data.frame import column
from plait.data.schema import Schema

__all__ = ["ROWS", "Tally", "counted", "look"]

EXAMPLES = 3  # rows named of each reason
KINDS = 50  # reasons told apart; the rarer ones are one
OTHERS = "other reasons"
ROWS = 200  # looked at by default: a file takes milliseconds to decode


class Tally:
    """Faults counted piece by piece: what is kept does not grow with the rows."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[int, list[int]]] = {}

    def add(self, faults: Iterable[Fault], start: int = 0) -> None:
        """Count faults of rows whose first one is row `start` of all."""
        for fault in faults:
            cells, rows = self._found.get((fault.column, fault.reason), (0, []))
            self._found[fault.column, fault.reason] = cells + 1, _first([*rows, start + fault.row])

    def told(self) -> list[dict[str, Json]]:
        """By column and reason, the most frequent first: ``column``, ``reason``, ``cells``, the first ``rows``."""
        ordered = sorted(self._found.items(), key=lambda item: (-item[1][0], item[0]))
        kept = dict(ordered[:KINDS])
        for (name, _), (cells, rows) in ordered[KINDS:]:
            more, others = kept.get((name, OTHERS), (0, []))
            kept[name, OTHERS] = cells + more, _first([*others, *rows])
        return [
            {"column": name, "reason": reason, "cells": cells, "rows": rows}
            for (name, reason), (cells, rows) in kept.items()
        ]


def _first(rows: list[int]) -> list[int]:
    return sorted(rows)[:EXAMPLES]


def counted(faults: Iterable[Fault]) -> list[dict[str, Json]]:
    """Faults by column and reason, the most frequent first: ``column``, ``reason``, ``cells``, the first ``rows``."""
    tally = Tally()
    tally.add(faults)
    return tally.told()


def look(frame: pd.DataFrame, schema: Schema, rows: int | None = ROWS) -> tuple[tuple[Fault, ...], int]:
    """Read cells of every source as a model would, and say which cannot be.

    Parameters
    ----------
    frame
        Cells that are paths lie in ``frame.attrs["folder"]``. Columns that are not there and long tables beside the
        frame are left out.
    rows
        How many rows to read, spread evenly; None: all of them.

    Returns
    -------
    faults, looked
        Faults with the row's position in `frame`, and the number of rows that were read.
    """
    count = len(frame) if rows is None else min(rows, len(frame))
    places = np.linspace(0, len(frame) - 1, count).astype(np.int64)
    some = frame.iloc[places]
    folder = str(frame.attrs.get("folder", "."))
    beside = {spec.name for spec in schema.columns if spec.side is not None}
    found: list[Fault] = []
    for source in schema.sources if count else ():
        if not beside & set(source.columns) and set(source.columns) <= set(frame.columns):
            read = _read(source, tuple(column(some[name], folder=folder) for name in source.columns))
            found += [Fault(int(places[fault.row]), fault.column, fault.reason) for fault in read]
    return tuple(found), count


def _read(source: Source, columns: tuple[Column, ...]) -> tuple[Fault, ...]:
    """What a room that was fitted on these very cells cannot read of them."""
    count = len(columns[0])
    context = FitContext(np.zeros(count), "binary", 1, np.ones(count), doors=frozenset())
    return registry.room(source)(source).fit([columns], context).transform(columns).faults
