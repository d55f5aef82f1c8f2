"""What a cell shows: the places inside it that can be taken away, and the cell as a person looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plait.contracts.arrays import Array

__all__ = ["Exhibit", "Form", "Place", "PlaceKind"]

PlaceKind: TypeAlias = Literal["span", "box", "seconds", "steps", "records", "frames", "points", "link", "items"]
Form: TypeAlias = Literal["words", "pixels", "waves", "steps", "records", "frames", "points", "links", "items"]


@dataclass(frozen=True)
class Place:
    """A part of a cell that a person can point at, and that can be taken away.

    Parameters
    ----------
    kind, where
        ``"span"``: first character and the one after the last. ``"box"``: left, top, right, bottom in 0..1 of width
        and height. ``"seconds"``, ``"frames"``: begin and end in seconds. ``"steps"``, ``"records"``, ``"items"``:
        first, and the one after the last, oldest first. ``"points"``: centre x, y, z and radius, in the exhibit's
        coordinates. ``"link"``: number of the neighbour in the exhibit; of several, the first and the one after the
        last.
    label
        The place in words: the text itself, ``"1.5 to 2.0 s"``, ``"steps 12 to 15"``.
    """

    kind: PlaceKind
    where: tuple[float, ...]
    label: str


@dataclass(frozen=True)
class Exhibit:
    """A cell as it is shown to a person; large cells are shown smaller.

    Parameters
    ----------
    form
        What `values` is. ``"words"``: a str. ``"pixels"``: uint8 ``H x W x 3``, at most 512 a side. ``"waves"``:
        float32 samples in -1..1, `rate` a second. ``"steps"``: float64 ``T x C``, NaN unobserved, columns named.
        ``"records"``, ``"links"``: a tuple of mappings with readable values (a link has ``"neighbour"``).
        ``"frames"``: uint8 ``F x H x W x 3``, `rate` a second. ``"points"``: float32 ``P x 3``. ``"items"``: a tuple
        of exhibits.
    names
        Of the columns of ``"steps"``.
    """

    form: Form
    values: str | Array | tuple[Mapping[str, object], ...] | tuple[Exhibit, ...]
    rate: float | None = None
    names: tuple[str, ...] = ()
