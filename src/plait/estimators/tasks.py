"""Several targets as the user holds them: read, judged, and joined where they come from different frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait.contracts import Array, Json
from plait.data.frame import as_frame, column
from plait.data.labels import is_class_target
from plait.errors import ConfigError, DataError, SchemaError, unknown

__all__ = ["Asked", "asked_of", "known_rows", "labels_of", "names_of", "separated", "together"]

Asked: TypeAlias = Sequence[str] | Mapping[str, str | Mapping[str, Json] | None]
Cells: TypeAlias = "pd.Series[object]"

KINDS = {"f": "numbers", "b": "true or false", "M": "moments", "m": "durations"}


def asked_of(targets: Asked, labels: pd.DataFrame) -> dict[str, str | Mapping[str, Json]]:
    """What was asked of each target; where nothing was, what its labels are."""
    given = targets if isinstance(targets, Mapping) else dict.fromkeys(targets)
    return {name: _judged(labels[name]) if said is None else said for name, said in given.items()}


def names_of(targets: Asked) -> tuple[str, ...]:
    """The targets by name.

    Raises
    ------
    ConfigError
        If there are none, one stands twice, or they are no names.
    """
    names = () if isinstance(targets, str) else tuple(targets)
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ConfigError(
            f"targets={targets!r} must be different column names, or map them to heads, as in "
            "{'default': 'binary', 'loss': None}"
        )
    return names


def separated(X: object, Y: object, targets: Asked) -> tuple[object, pd.DataFrame]:
    """Evidence and labels apart, whether `Y` has the labels or `X` has them among its columns (`Y` is None).

    Raises
    ------
    DataError, SchemaError
        If a target is nowhere, or in both.
    """
    names = names_of(targets)
    if Y is None:
        frame = as_frame(X)
        for name in names:
            if name not in frame.columns:
                raise DataError(
                    f"the labels are to be among the columns of X: {unknown('column', name, frame.columns)}"
                )
        return frame.drop(columns=list(names)), frame[list(names)]
    labels = as_frame(Y)
    for name in names:
        if name not in labels.columns:
            raise DataError(f"Y lacks a target: {unknown('column', name, labels.columns)}")
    if isinstance(X, pd.DataFrame) and (both := [name for name in names if name in X.columns]):
        raise SchemaError(f"the target {both[0]!r} is among the features; leave Y out, or drop it from X")
    return X, labels[list(names)]


def together(X: Sequence[object], Y: Sequence[object] | None, targets: Asked) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of several frames as one: a column that a frame lacks is missing there, and so is a label.

    Columns of one name are one column.

    Raises
    ------
    DataError, SchemaError
        If a target is in no frame, or a column holds one kind of cells here and another there.
    """
    if Y is not None and len(X) != len(Y):
        raise DataError(f"there are {len(X)} frames of evidence, but {len(Y)} of labels")
    names = names_of(targets)
    evidence, labels = [], []
    for i, frame in enumerate(X):
        whole = as_frame(frame)
        told = whole if Y is None else as_frame(Y[i])
        if Y is not None and len(told) != len(whole):
            raise DataError(f"frame {i + 1} has {len(whole)} rows but its labels have {len(told)}")
        own = [name for name in names if name in told.columns]
        evidence.append(whole.drop(columns=[name for name in names if name in whole.columns]))
        labels.append(told[own])
    for name in names:
        if not any(name in told.columns for told in labels):
            raise DataError(f"the target {name!r} is in none of the {len(labels)} frames")
    return _stacked(evidence), _stacked(labels)[list(names)]


def _stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames one above the other, each without the columns in which it has nothing to say."""
    kinds: dict[str, tuple[str, int]] = {}
    told = []
    for i, frame in enumerate(frames):
        own = {name: _kind(frame[name]) for name in frame.columns}
        for name, kind in own.items():
            first, where = kinds.setdefault(name, (kind, i)) if kind else (kind, i)
            if kind != first:
                raise SchemaError(
                    f"column {name!r} holds {first} in frame {where + 1} and {kind} in frame {i + 1}; columns of one "
                    "name are one source: make them alike, or rename one"
                )
        told.append(frame[[name for name, kind in own.items() if kind]])
    order = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    joined = pd.concat(told, ignore_index=True, sort=False).reindex(columns=order)
    joined.attrs = dict(frames[0].attrs)
    return joined


def _kind(series: Cells) -> str:
    """What a column's cells are, in words; nothing where all are missing."""
    cells = column(series)
    if not cells.present.any():
        return ""
    first = cells.values[cells.present.argmax()]
    return KINDS.get(cells.values.dtype.kind) or ("words" if isinstance(first, str) else type(first).__name__)


def labels_of(labels: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Labels as heads take them, object ``N x T``: None where one is missing.

    Whole numbers that pandas made fractions of because others are missing are whole again.

    Raises
    ------
    DataError
        If a label is infinite.
    """
    out = np.empty(labels.shape, object)
    for i, name in enumerate(labels.columns):
        values, missing = labels[name].to_numpy(object), labels[name].isna().to_numpy()
        if labels[name].dtype.kind == "f":
            numbers = labels[name].to_numpy(np.float64)
            if (infinite := np.flatnonzero(np.isinf(numbers))).size:
                raise DataError(
                    f"the target {name!r} is infinite in {len(infinite)} row(s), the first is row {infinite[0]}"
                )
            known = numbers[~missing]
            if missing.any() and len(known) and (known == np.floor(known)).all() and np.abs(known).max() < 2**53:
                values[~missing] = [int(number) for number in known]
        values[missing] = None
        out[:, i] = values
    return out


def known_rows(labels: Array) -> npt.NDArray[np.int64]:
    """Rows of one target (object ``N``) that have a label."""
    return np.flatnonzero([cell is not None for cell in labels])


def _judged(labels: Cells) -> str:
    """The head that fits a target: several names a row, two classes, more, or a value."""
    cells = column(labels)
    present = cells.values[cells.present]
    if len(present) and isinstance(present[0], list | tuple | set | frozenset | dict):
        return "multilabel"
    if not is_class_target(cells):
        return "regression"
    return "binary" if len(pd.unique(present)) == 2 else "multiclass"
