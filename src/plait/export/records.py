"""Frames as the records that an exported model reads, and made rows where there are none."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from plait.contracts import Array, Json, Modality, Side
from plait.contracts.parts import Sendable
from plait.data.columns import read_columns
from plait.data.frame import column
from plait.data.schema import Schema
from plait.errors import ConfigError

__all__ = ["made_frame", "records_of", "side_records"]

MISSING = 0.1  # share of made cells that are missing


def records_of(frame: pd.DataFrame, schema: Schema) -> list[dict[str, Any]]:
    """The rows of a frame as records of the columns that the model reads, in Python's own cells; None is missing.

    Raises
    ------
    DataError
        If the frame lacks a column.
    """
    place = read_columns(frame.columns, schema)
    names = [place[name] for source in schema.sources for name in source.columns]
    names += [] if schema.time is None else [schema.time]
    return _records({name: _cells(frame[name]) for name in dict.fromkeys(names)}, len(frame))


def _cells(series: pd.Series[Any]) -> list[Any]:
    cells = column(series)
    return _plain(cells.values, cells.present)


def _plain(values: Array, present: Array) -> list[Any]:
    if values.dtype.kind in "mM":
        values = values.astype(f"{values.dtype.kind}8[us]")
    return [cell if there else None for cell, there in zip(values.tolist(), present, strict=True)]


def _records(columns: Mapping[str, list[Any]], rows: int) -> list[dict[str, Any]]:
    return [{name: cells[row] for name, cells in columns.items()} for row in range(rows)]


def side_records(side: Side) -> list[dict[str, Any]]:
    """The rows of a long table as records."""
    columns = {name: _plain(values, ~pd.isna(values)) for name, values in side.columns.items()}
    return _records(columns, len(side.columns[side.key]))


def made_frame(rooms: Mapping[str, Modality], schema: Schema, rows: int, seed: int = 0) -> pd.DataFrame:
    """Made cells, one in ten missing: what the fitted rooms give as examples of what may be sent to them.

    Raises
    ------
    ConfigError
        If a room gives none, or the model reads long tables: then real rows are needed.
    """
    rng = np.random.default_rng(seed)
    if schema.sides:
        raise ConfigError(f"the model reads the long table {schema.sides[0].name!r}; give rows and tables to check on")
    columns: dict[str, list[Any]] = {}
    for source, room in rooms.items():
        told = room.cells() if isinstance(room, Sendable) else {}
        for name in room.source.columns:
            examples = [*told.get(name, {}).get("examples", ())]
            if not examples:
                raise ConfigError(f"no made cells are known of source {source!r}; give rows to check on (--rows FILE)")
            coded = "contentEncoding" in told[name]
            chosen = rng.integers(len(examples), size=rows)
            columns[name] = [_decoded(examples[i]) if coded else examples[i] for i in chosen]
            for row in np.flatnonzero(rng.random(rows) < MISSING):
                columns[name][row] = None
    if schema.time is not None:
        columns[schema.time] = [f"2024-01-{1 + day:02d}" for day in rng.integers(28, size=rows).tolist()]
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


def _decoded(example: Json) -> Json:
    """Bytes of a file; a path or another form of the cell stays."""
    return b64decode(example) if isinstance(example, str) else example
