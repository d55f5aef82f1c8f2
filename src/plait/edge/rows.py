"""Records, as JSON has them, to the columns of a model's sources; and predictions to records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plait.contracts import Array, Column, Json, Prediction, Side
from plait.data.columns import as_keys, from_cells, moments, read_columns
from plait.data.schema import Schema, SideSpec
from plait.errors import DataError
from plait.metrics.kinds import middle_grade

__all__ = ["Records", "columns_of", "told"]

Records = Sequence[Mapping[str, Any]]


def columns_of(
    rows: Records, schema: Schema, sides: Mapping[str, Records], folder: str | None
) -> dict[str, tuple[Column, ...]]:
    """The columns of every source, as `plait.data.frame.source_columns` makes them of a frame of the same cells.

    Parameters
    ----------
    rows
        A mapping of column to cell each. None and NaN are missing; so is a column that only other rows have.
    sides
        Records of long tables, by name.
    folder
        Where cells that are paths lie; None: no path is opened.

    Raises
    ------
    DataError
        If a column or a long table is missing, or a moment does not parse.
    """
    for row, record in enumerate(rows):
        if not isinstance(record, Mapping):
            raise DataError(f"row {row} is {type(record).__name__}, not a mapping from column to cell")
    there = dict.fromkeys(name for record in rows for name in record)
    place = read_columns(there if rows else {spec.name for spec in schema.columns} | _keys(schema), schema)
    lost = sorted(side.name for side in schema.sides if side.name not in sides)
    if lost:
        raise DataError(f"no long table given for {', '.join(map(repr, lost))}: pass sides={{{lost[0]!r}: [...]}}")
    row_time = None
    if schema.time is not None:
        row_time = moments(*from_cells([record.get(schema.time) for record in rows]), schema.time)
    tables = {side.name: _side(side, sides[side.name]) for side in schema.sides}
    behind = {spec.name: tables[spec.side] for spec in schema.columns if spec.side is not None}

    def one(name: str) -> Column:
        values, present = from_cells([record.get(place[name]) for record in rows])
        side = behind.get(name)
        if side is not None and values.dtype == object:
            values = as_keys(values, present)
        return Column(name, values, present, row_time, side, folder)

    return {source.name: tuple(one(name) for name in source.columns) for source in schema.sources}


def _keys(schema: Schema) -> set[str]:
    return {side.key for side in schema.sides}


def _side(spec: SideSpec, rows: Records) -> Side:
    """A long table ready to stand behind cells; see `plait.data.asof.side`."""
    names = list(dict.fromkeys(name for record in rows for name in record)) or [spec.key, *filter(None, [spec.time])]
    wanted = [spec.key, *filter(None, [spec.time]), *spec.columns]
    if absent := [name for name in wanted if name not in names]:
        raise DataError(f"the long table {spec.name!r} lacks {', '.join(map(repr, absent))}")
    values, keep = from_cells([record.get(spec.key) for record in rows])
    keys = as_keys(values, keep)
    when = np.zeros(len(rows))
    if spec.time is not None:
        when = moments(*from_cells([record.get(spec.time) for record in rows]), f"{spec.name}.{spec.time}")
    kept = np.flatnonzero(keep & ~np.isnan(when))
    ranks = np.unique(keys[kept], return_inverse=True)[1]
    kept = kept[np.lexsort((when[kept], ranks))]
    arrays: dict[str, Array] = {spec.key: keys[kept]}
    if spec.time is not None:
        arrays[spec.time] = when[kept]
    for name in spec.columns or names:
        if name not in arrays:
            arrays[name] = _with_gaps(*from_cells([record.get(name) for record in rows]))[kept]
    return Side(spec.name, arrays, spec.key, spec.time)


def _with_gaps(values: Array, present: Array) -> Array:
    """Values with what stands for missing in their dtype where they are missing."""
    if present.all() or values.dtype.kind in "fmM":
        return values
    gaps = values.astype(object)
    gaps[~present] = None
    return gaps


def told(prediction: Prediction) -> list[dict[str, Json]]:
    """A record a row: ``label`` and ``probabilities`` of classes and grades, ``labels`` and ``probabilities`` of labels
    that do not exclude each other, ``quantiles``, ``value``; of several targets ``targets``, one such record each."""
    if prediction.parts:
        parts = {name: told(replace(part, faults=())) for name, part in prediction.parts.items()}
        return [{"targets": {name: part[row] for name, part in parts.items()}} for row in range(len(prediction))]
    values = prediction.values
    if prediction.kind == "quantiles":
        levels = [f"{level:g}" for level in prediction.levels]
        return [{"quantiles": dict(zip(levels, row, strict=True))} for row in values.tolist()]
    if prediction.classes is None:
        return [{"value": value} for value in values.tolist()]
    classes = prediction.classes.tolist()
    shares = [dict(zip(map(str, classes), row, strict=True)) for row in values.tolist()]
    if prediction.kind == "labels":
        chosen = (values > 0.5).tolist()
        return [
            {"labels": [c for c, is_in in zip(classes, row, strict=True) if is_in], "probabilities": share}
            for row, share in zip(chosen, shares, strict=True)
        ]
    best = (middle_grade(values) if prediction.kind == "grade" else values.argmax(axis=1)).tolist()
    return [{"label": classes[i], "probabilities": share} for i, share in zip(best, shares, strict=True)]
