"""Rows with other cells in some of their columns: what importance, dependence and counterfactuals ask the model of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Batch, Column
from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.explain.subject import Subject

__all__ = ["Cells", "cells_of", "changed", "joint_columns"]

Cells = tuple[Array, npt.NDArray[np.bool_]]  # values and presence, as in `Column`


def joint_columns(subject: Subject) -> dict[str, str]:
    """Columns that share a source with others (numbers, categories, dates), each with its source."""
    return {
        column.name: source
        for source, columns in subject.columns.items()
        if subject.rooms[source].joint
        for column in columns
    }


def cells_of(subject: Subject, name: str) -> Column:
    """A column that can be changed cell by cell.

    Raises
    ------
    ConfigError
        If there is no such column, or a source of its own is made of it.
    """
    known = joint_columns(subject)
    if name not in known:
        if any(name in subject.rooms[source].source.columns for source in subject.sources):
            raise ConfigError(
                f"column {name!r} is a source of its own, not a number or category; explain it by depth 'cells' "
                f"(allowed here: {', '.join(known) or 'none'})"
            )
        raise unknown("column", name, known)
    return next(column for column in subject.columns[known[name]] if column.name == name)


def changed(subject: Subject, rows: Array, cells: Mapping[str, Cells]) -> dict[str, Batch]:
    """Sources of ``M`` rows of the subject by index (repeats allowed), read anew with other cells in some columns.

    Parameters
    ----------
    rows
        int ``M``.
    cells
        Name of a joint column to ``M`` values and their presence.

    Returns
    -------
    Name of each source that has such a column to its batch, as `Subject.instead` takes them.
    """
    known = joint_columns(subject)
    batches = {}
    for source in dict.fromkeys(known[name] for name in cells):
        columns = []
        for column in subject.columns[source]:
            taken = column.take(rows)
            if column.name in cells:
                values, present = cells[column.name]
                taken = replace(taken, values=values, present=present)
            columns.append(taken)
        batches[source] = subject.rooms[source].transform(tuple(columns))
    return batches
