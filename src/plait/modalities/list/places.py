"""The items of one list, and the places inside an item: versions of the list without some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Batch, Column, Divisible, Exhibit, Modality, Nested, Place, Ragged
from plait.media.runs import bounds, runs, staying

__all__ = ["divide", "shown", "without"]

LONGEST = 200  # characters of an item that its room cannot show


@dataclass(frozen=True)
class Inside(Place):
    """A place inside one item: `where` is the item, the one after it, and where the items' room says that it is."""

    inner: Place


def divide(room: Modality, items: Column, most: int, within: Place | None) -> tuple[Place, ...]:
    """Runs of items, down to single ones; of an item, the places that its own room finds there."""
    first, last = (0, len(items)) if within is None else bounds(within)
    if within is None or last - first > 1:
        return runs("items", first, last, most)
    inner = within.inner if isinstance(within, Inside) else None
    parts = cast("Divisible", room).places((items,), first, most, inner) if hasattr(room, "places") else ()
    if len(parts) < 2:
        return ()
    return tuple(
        Inside("items", (float(first), float(last), *part.where), f"item {last}: {part.label}", part) for part in parts
    )


def shown(room: Modality, items: Column, present: npt.NDArray[np.bool_]) -> Exhibit:
    """The items as their room shows them, or as they stand where it cannot."""
    able = hasattr(room, "exhibit")
    return Exhibit(
        "items",
        tuple(
            cast("Divisible", room).exhibit((items,), i)
            if able and present[i]
            else Exhibit("words", str(items.values[i])[:LONGEST])
            for i in range(len(items))
        ),
    )


def without(room: Modality, items: Column, row: Batch, places: Sequence[Place], kept: npt.NDArray[np.bool_]) -> Batch:
    """Versions of one list that lack some items, or places inside them.

    Parameters
    ----------
    room
        The items' room.
    items
        The cells of the list's items.
    row
        A row of the lists' batch, present.
    kept
        bool ``M x P``.
    """
    nested = row.arrays["items"]
    assert isinstance(nested, Nested)
    versions, count = len(kept), len(items)
    pool, which = [nested.items], np.tile(np.arange(count), (versions, 1))
    inside = {i: place for i, place in enumerate(places) if isinstance(place, Inside)}
    for item in sorted({bounds(place)[0] for place in inside.values()}):
        own = [i for i, place in inside.items() if bounds(place)[0] == item]
        which[:, item] = sum(map(len, pool)) + np.arange(versions)
        pool.append(cast("Divisible", room).keep((items,), item, [inside[i].inner for i in own], kept[:, own]))
    whole = [i for i in range(len(places)) if i not in inside]
    stay = staying([places[i] for i in whole], kept[:, whole], count)
    left = Batch.concatenate(pool).take(which[stay])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(stay.sum(axis=1))])
    arrays: dict[str, Array | Ragged | Nested] = {"items": Nested(left, offsets)}
    if "time" in row.arrays:
        time = row.arrays["time"]
        assert isinstance(time, Ragged)
        arrays["time"] = Ragged(np.tile(time.values, (versions, 1))[stay], offsets)
        arrays["now"] = np.tile(np.asarray(row.arrays["now"]), versions)
    owner = np.repeat(np.arange(versions), np.diff(offsets))
    present = np.bincount(owner[left.present], minlength=versions) > 0
    return replace(row, arrays=arrays, present=np.asarray(present), faults=())
