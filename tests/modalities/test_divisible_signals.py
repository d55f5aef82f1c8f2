"""What pictures, sounds, films, shapes and links are without some of their places."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from plait import registry
from plait.contracts import Batch, Column, FitContext, Nested, Ragged, Side, Source


def fitted(modality: str, columns: tuple[Column, ...], options: dict[str, Any] | None = None) -> Any:
    """A room fitted on the columns, with labels that say nothing."""
    (column,) = columns
    n = len(column)
    labels = np.random.default_rng(1).integers(0, 2, n).astype(np.float64)
    context = FitContext(labels, "binary", 1, np.ones(n), time=column.row_time, folds=np.arange(n) % 5)
    source = Source("evidence", modality, (column.name,), {column.name: options or {}})
    return registry.get("modalities", modality)(source).fit([columns], context)


def same(one: Batch, other: Batch, but: tuple[int, ...] = ()) -> None:
    """Bitwise; columns `but` of ``values`` are not looked at."""
    np.testing.assert_array_equal(one.present, other.present)
    for name, array in one.arrays.items():
        held = other.arrays[name]
        if isinstance(array, Ragged):
            assert isinstance(held, Ragged)
            np.testing.assert_array_equal(array.offsets, held.offsets)
            np.testing.assert_array_equal(array.values, held.values)
        else:
            assert not isinstance(array, Nested)
            kept = [i for i in range(array.shape[-1]) if i not in but] if name == "values" else slice(None)
            np.testing.assert_array_equal(array[..., kept], np.asarray(held)[..., kept])


# Links


def accounts(directed: bool = True, timed: bool = True) -> tuple[Any, tuple[Column, ...]]:
    (column,) = registry.get("modalities", "graph").example(np.random.default_rng(3), 60)
    if not timed:
        side = replace(column.side, time=None)
        column = replace(column, side=side, row_time=None)
    return fitted("graph", (column,), {"directed": directed}), (column,)


def less(side: Side, key: object, others: set[str]) -> Side:
    """The table without the links between `key` and `others`."""
    payer, payee = side.columns["payer"], side.columns["payee"]
    gone = [(a == key and b in others) or (b == key and a in others) for a, b in zip(payer, payee, strict=True)]
    return replace(side, columns={name: values[~np.array(gone)] for name, values in side.columns.items()})


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("timed", [True, False])
def test_links_taken_out_read_like_a_table_that_never_had_them(directed: bool, timed: bool) -> None:
    room, (column,) = accounts(directed, timed)
    rng = np.random.default_rng(0)
    ranked = [i for i, name in enumerate(room._names) if name == "page_rank"]
    for row in np.flatnonzero(room.transform((column,)).present)[:12].tolist():
        places = room.places((column,), row, 16)
        told = room.exhibit((column,), row).values
        assert len(told) == (
            max(int(place.where[-1] if len(place.where) > 1 else place.where[0] + 1) for place in places)
            if places
            else 0
        )
        kept = rng.random((4, len(places))) < 0.5
        found = room.keep((column,), row, places, kept)
        for version in range(len(kept) if places else 0):
            gone = [place for place, stays in zip(places, kept[version], strict=True) if not stays]
            others = set()
            for place in gone:
                first = int(place.where[0])
                last = int(place.where[1]) if len(place.where) > 1 else first + 1
                others |= {str(one["neighbour"]) for one in told[first:last]}
            without = replace(column, side=less(column.side, column.values[row], others))
            same(found.take(np.array([version])), room.transform((without.take(np.array([row])),)), tuple(ranked))
