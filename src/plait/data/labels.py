"""Class labels of any plain type: learned, counted, and told apart again after a save."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column, Json
from plait.errors import ArtifactError, InputError

__all__ = ["Labels", "different", "is_class_target"]

_KINDS = {"b": "number", "i": "number", "u": "number", "f": "number", "U": "string", "O": "string"}


@dataclass(frozen=True)
class Labels:
    """The sorted distinct labels of a target: bool, int, float or str.

    Parameters
    ----------
    classes
        ``C`` labels, ascending. Strings keep the dtype they came in (object or fixed width).
    """

    classes: Array

    @classmethod
    def learn(cls, targets: Array) -> Self:
        """Find the labels of `targets`.

        Raises
        ------
        InputError
            If a target is missing, of another type, or there are fewer than two classes.
        """
        classes = np.unique(_plain(targets))
        if len(classes) < 2:
            found = f"one class only ({classes.tolist()[0]!r})" if len(classes) else "no rows"
            raise InputError(f"the target has {found}; a classifier needs at least two classes")
        return cls(classes)

    def encode(self, targets: Array) -> npt.NDArray[np.int64]:
        """Position of each target among the classes, int64 ``N``.

        Raises
        ------
        InputError
            If a target is missing or is none of the classes; the first such label is named.
        """
        values = _plain(targets)
        if not len(values):
            return np.zeros(0, np.int64)
        if _KINDS[values.dtype.kind] != _KINDS[self.classes.dtype.kind]:
            raise self._stranger(values[0])
        index = np.searchsorted(self.classes, values).clip(max=len(self.classes) - 1).astype(np.int64)
        wrong = np.flatnonzero(self.classes[index] != values)
        if len(wrong):
            raise self._stranger(values[wrong[0]])
        return index

    def counts(self, targets: Array, weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sum of the weights of each class, float64 ``C``."""
        return np.bincount(self.encode(targets), weight, len(self.classes)).astype(np.float64)

    def to_json(self) -> Json:
        kind = self.classes.dtype.kind
        return {"dtype": kind if kind in "UO" else self.classes.dtype.str, "labels": self.classes.tolist()}

    @classmethod
    def from_json(cls, saved: Json) -> Self:
        """The labels that `to_json` wrote, with their types."""
        try:
            dtype = np.dtype(saved["dtype"])
            if dtype.kind in _KINDS and dtype.itemsize <= 8:  # a declared width of text could be huge
                return cls(_plain(np.array(saved["labels"], dtype)))
        except (KeyError, OverflowError, TypeError, ValueError):
            pass
        raise ArtifactError("the saved class labels cannot be read; the model file is damaged")

    def _stranger(self, label: object) -> InputError:
        known = ", ".join(repr(c) for c in self.classes[:12].tolist()) + (", ..." if len(self.classes) > 12 else "")
        shown = label.item() if isinstance(label, np.generic) else label
        return InputError(f"the label {shown!r} was not seen in training (known: {known})")


def _plain(targets: Array) -> Array:
    """Targets as one of the plain dtypes: objects are looked through, missing ones are an error."""
    values = np.asarray(targets)
    if values.ndim != 1:
        raise InputError(f"the target must be one column, not an array of shape {values.shape}")
    if values.dtype.kind == "T":
        values = values.astype(object)
    if values.dtype.kind == "O":
        values = _from_objects(values)
    if values.dtype.kind not in _KINDS:
        raise InputError(f"class labels of dtype {values.dtype} are not supported (allowed: bool, int, float, str)")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        wrong = np.flatnonzero(~np.isfinite(values))
        raise InputError(f"the target is NaN or infinite in {len(wrong)} rows (the first is row {wrong[0]})")
    return values


def _from_objects(values: Array) -> Array:
    """Objects of one plain type; strings stay objects."""
    for row, value in enumerate(values):
        if value is None or (isinstance(value, float) and value != value):
            raise InputError(f"the target is missing in row {row}; drop such rows or fill them")
    kinds = {type(value) for value in values}
    if all(issubclass(kind, str) for kind in kinds):
        return values
    if all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return values.astype(bool)
    if all(issubclass(kind, int | np.integer) for kind in kinds):
        return values.astype(np.int64)
    if all(issubclass(kind, int | float | np.integer | np.floating | np.bool_) for kind in kinds):
        return values.astype(np.float64)
    listed = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise InputError(f"the target mixes labels of types {listed}; make them one of bool, int, float or str")


def is_class_target(cells: Column) -> bool:
    """Whether a target is classes: text, booleans, or at most 10 distinct whole numbers."""
    if cells.values.dtype.kind != "f":
        return cells.values.dtype.kind in "bO"
    distinct = np.unique(cells.values[cells.present])
    return len(distinct) <= 10 and bool((np.isfinite(distinct) & (np.floor(distinct) == distinct)).all())


def different(names: object, least: int) -> bool:
    """Whether these are so many different names or more, and not one text."""
    if not isinstance(names, Collection) or isinstance(names, str):
        return False
    return len(names) >= least and all(isinstance(name, Hashable) for name in names) and len(set(names)) == len(names)
