"""Places along a line: runs of steps, of records, of items; and which of them stay."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from plait.contracts import Place, PlaceKind

__all__ = ["bounds", "runs", "staying"]


def bounds(place: Place) -> tuple[int, int]:
    """First of a run, and the one after its last."""
    first, last = place.where[:2]
    return int(first), int(last)


def runs(kind: PlaceKind, first: int, last: int, most: int) -> tuple[Place, ...]:
    """At most `most` runs of like length that share out ``first`` to before ``last``; labels count from 1.

    One run if there is one thing, none if there is nothing.
    """
    count = min(most, last - first)
    cuts = [first + (last - first) * i // count for i in range(count + 1)] if count > 0 else []
    made = []
    for begin, end in pairwise(cuts):
        label = f"{kind} {begin + 1} to {end}" if end - begin > 1 else f"{kind[:-1]} {end}"
        made.append(Place(kind, (float(begin), float(end)), label))
    return tuple(made)


def staying(places: Sequence[Place], kept: npt.NDArray[np.bool_], length: int) -> npt.NDArray[np.bool_]:
    """Which things of a line of so many stay in each version: bool ``M x length``, from `kept` (bool ``M x P``)."""
    stay = np.ones((len(kept), length), bool)
    for i, place in enumerate(places):
        first, last = bounds(place)
        stay[:, first:last] &= kept[:, i : i + 1]
    return stay
