"""What pictures, sounds, films, shapes and links are without some of their places."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import registry
from plait.contracts import Batch, Column, Fault, FitContext, Nested, Place, Ragged, Side, Source
from plait.data.versions import versions
from plait.errors import DataError
from plait.media.motion import CHANNELS
from plait.media.spans import spans
from plait.media.surfaces import MEASURES


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


def test_small_neighbours_come_in_groups_that_can_be_divided() -> None:
    names = [f"B{i:03d}" for i in range(300)]
    side = Side(
        "payments",
        {"a": np.array(["hub"] * 300, object), "b": np.array(names, object), "sum": np.arange(300.0) + 1},
        "a",
    )
    column = Column("a", np.array(["hub", "B001", "nobody"], object), np.ones(3, bool), None, side)
    room = fitted("graph", (column,), {"target": "b"})
    told = room.exhibit((column,), 0).values
    assert [one["neighbour"] for one in told[:2]] == ["B299", "B298"]
    assert told[-1]["neighbour"] == "101 others"
    assert told[0] == {"neighbour": "B299", "links": 1, "out": 300.0, "in": 0.0}
    places = room.places((column,), 0, 32)
    assert [place.label for place in places[:2]] == ["B299", "B298"]
    assert [place.where[0] for place in places[1:]] == [
        place.where[-1] + (len(place.where) < 2) for place in places[:-1]
    ]
    group = places[-1]
    inner = room.places((column,), 0, 32, group)
    assert (inner[0].where[0], inner[-1].where[-1]) == group.where
    none = room.keep((column,), 0, places, np.zeros((1, len(places)), bool))
    same(none.take(np.array([0])), replace_entity(room, column, side), ())
    assert room.places((column,), 2, 32) == ()
    assert len(room.places((column,), 1, 32)) == 1


def replace_entity(room: Any, column: Column, side: Side) -> Batch:
    """What the room says of the hub where nobody has any link with it."""
    bare = replace(column, side=replace(side, columns={name: values[:0] for name, values in side.columns.items()}))
    batch: Batch = room.transform((bare.take(np.array([0])),))
    return batch


# Pictures


def page(height: int = 120, width: int = 90) -> Any:
    """A plain page with a dark square in its lower right."""
    pixels = np.full((height, width, 3), 230, np.uint8)
    pixels[90:110, 60:80] = (150, 20, 20)
    return pixels


def one_cell(modality: str, cell: object, options: dict[str, Any] | None = None) -> tuple[Any, tuple[Column, ...]]:
    values = np.empty(2, object)
    values[0] = cell
    column = Column("cell", values, np.array([True, False]))
    return fitted(modality, (column,), options), (column,)


def test_boxes_share_out_a_picture() -> None:
    room, columns = one_cell("image", page())
    places = room.places(columns, 0, 12)
    area = sum((right - left) * (bottom - top) for left, top, right, bottom in (place.where for place in places))
    assert area == pytest.approx(1.0)
    assert 8 <= len(places) <= 12
    quarters = room.places(columns, 0, 12, places[0])
    assert len(quarters) == 4
    assert quarters[0].where[:2] == places[0].where[:2]
    assert quarters[-1].where[2:] == places[0].where[2:]
    finer = quarters
    while finer:
        assert len(finer) <= 4
        finer = room.places(columns, 0, 12, finer[0])
    assert room.places(columns, 1, 12) == ()


def test_a_box_taken_out_is_as_if_nothing_had_stood_there() -> None:
    room, columns = one_cell("image", page())
    box = (Place("box", (0.5, 0.7, 1.0, 1.0), "the corner"),)
    found = room.keep(columns, 0, box, np.array([[True], [False]]))
    bare, bare_columns = one_cell("image", np.full((120, 90, 3), 230, np.uint8))
    same(found.take(np.array([0])), room.transform((columns[0].take(np.array([0])),)))
    same(found.take(np.array([1])), bare.transform((bare_columns[0].take(np.array([0])),)))


def test_nothing_of_a_picture_is_no_picture() -> None:
    room, columns = one_cell("image", page())
    places = room.places(columns, 0, 9)
    none = room.keep(columns, 0, places, np.zeros((1, len(places)), bool))
    assert not none.present[0]
    assert np.isnan(room.features(none).values).all()


def test_pictures_are_shown_upright_and_small() -> None:
    room, columns = one_cell("image", np.zeros((900, 1200, 3), np.uint8))
    shown = room.exhibit(columns, 0)
    assert (shown.form, shown.values.shape) == ("pixels", (384, 512, 3))
    with pytest.raises(DataError, match="no picture to show"):
        room.exhibit(columns, 1)


# Sounds


def tone(begin: float, end: float, seconds: float = 2.0, rate: int = 8000) -> Any:
    """Noise with a loud tone between two moments, int16."""
    rng = np.random.default_rng(0)
    clock = np.arange(int(seconds * rate)) / rate
    inside = (clock >= begin) & (clock < end)
    return (rng.normal(0, 60, len(clock)) + inside * 9000 * np.sin(2 * np.pi * 500 * clock)).astype(np.int16)


def test_seconds_taken_out_sound_like_the_ground() -> None:
    room, columns = one_cell("audio", (8000, tone(0.5, 1.0)))
    places = room.places(columns, 0, 8)
    assert [place.where for place in places[:2]] == [(0.0, 0.25), (0.25, 0.5)]
    kept = np.array([[True] * 8, [True, True, False, False] + [True] * 4])
    found = room.keep(columns, 0, places, kept)
    whole, less = (found.arrays["samples"].row(i).astype(float) for i in range(2))
    same(found.take(np.array([0])), room.transform((columns[0].take(np.array([0])),)))
    np.testing.assert_array_equal(whole[:4000], less[:4000])
    np.testing.assert_array_equal(whole[8000:], less[8000:])
    middle = less[4100:7900]
    assert middle.std() == pytest.approx(whole[:4000].std(), rel=0.3)
    features = room.features(found)
    loud, quiet = features.values[:, features.names.index("cell.level")]
    assert quiet < loud - 20


def test_no_second_of_a_sound_is_no_sound() -> None:
    room, columns = one_cell("audio", (8000, tone(0.5, 1.0)))
    places = room.places(columns, 0, 5)
    found = room.keep(columns, 0, places, np.array([[False] * 5, [True] + [False] * 4]))
    np.testing.assert_array_equal(found.present, [False, True])


@given(seconds=st.floats(0.06, 40.0), most=st.integers(2, 40))
@settings(deadline=None, max_examples=25)
def test_spans_share_out_the_whole(seconds: float, most: int) -> None:
    found = spans("seconds", seconds, most, 0.05)
    assert len(found) <= most
    if found:
        assert (found[0].where[0], found[-1].where[1]) == (0.0, seconds)
        assert all(one.where[1] == other.where[0] for one, other in pairwise(found))
        inner = spans("seconds", seconds, most, 0.05, found[1])
        assert not inner or (inner[0].where[0], inner[-1].where[1]) == found[1].where


def test_sounds_are_shown_at_a_rate_that_pages_can_hold() -> None:
    room, columns = one_cell("audio", (48_000, np.resize(tone(0.2, 0.4), 48_000)), {"rate": 48_000})
    shown = room.exhibit(columns, 0)
    assert (shown.form, shown.rate, len(shown.values)) == ("waves", 16_000, 16_000)
    assert np.abs(shown.values).max() <= 1.0


# Films


def film() -> Any:
    """A square that jumps to the right at two thirds: 30 frames of 32 x 48 pixels at 25 a second."""
    frames = np.full((30, 32, 48, 3), 40, np.uint8)
    for t in range(30):
        left = 6 if t < 20 else 30
        frames[t, 10:20, left : left + 10] = (250, 240, 200)
    return frames


def test_a_span_taken_out_of_a_film_stands_still() -> None:
    room, columns = one_cell("video", film())
    whole = room.transform((columns[0].take(np.array([0])),))
    late = (Place("frames", (0.7, 1.2), "the end"),)
    found = room.keep(columns, 0, late, np.array([[True], [False]]))
    same(found.take(np.array([0])), whole)
    frames = found.arrays["frames"][1]
    assert (frames == frames[0]).all()
    assert (found.arrays["track"][1][:, CHANNELS.index("change")] == 0).all()
    assert (whole.arrays["track"][0][:, CHANNELS.index("change")] > 0).any()
    early = (Place("frames", (0.0, 0.9), "the beginning"),)
    frames = room.keep(columns, 0, early, np.array([[False]])).arrays["frames"][0]
    np.testing.assert_array_equal(frames, np.broadcast_to(whole.arrays["frames"][0][-1], frames.shape))
    both = (Place("frames", (0.0, 1.2), "all"),)
    assert not room.keep(columns, 0, both, np.array([[False]])).present[0]


def test_films_have_spans_and_are_shown_in_their_proportions() -> None:
    room, columns = one_cell("video", film())
    places = room.places(columns, 0, 6)
    assert [place.where[0] for place in places] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert len(room.places(columns, 0, 6, places[0])) == 2
    shown = room.exhibit(columns, 0)
    assert (shown.form, shown.values.shape) == ("frames", (8, 107, 160, 3))
    assert shown.rate == pytest.approx(8 / 1.2)


# Models


def towers() -> dict[str, Any]:
    """Two boxes of 5 x 5 x 5 cells side by side, the second twice as high."""
    grid = np.linspace(0, 1, 6)
    u, v = (axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij"))
    cell = np.array([i * 6 + j for i in range(5) for j in range(5)])
    square = np.stack([cell, cell + 6, cell + 7, cell, cell + 7, cell + 1], axis=1).reshape(-1, 3)
    sides = [np.stack(order, axis=1) for w in (0 * u, 0 * u + 1) for order in ((u, v, w), (w, u, v), (v, w, u))]
    vertices = np.concatenate(sides)
    faces = np.concatenate([square + 36 * i for i in range(6)])
    high = vertices * [1, 1, 2] + [3, 0, 0]
    return {"vertices": np.concatenate([vertices, high]), "faces": np.concatenate([faces, faces + len(vertices)])}


def test_parts_share_out_a_model_and_can_be_taken_out() -> None:
    room, columns = one_cell("mesh", towers())
    whole = room.transform((columns[0].take(np.array([0])),))
    places = room.places(columns, 0, 8)
    assert len(places) == 8
    right = np.array([place.where[0] > 0 for place in places])
    found = room.keep(columns, 0, places, np.stack([right | True, ~right, right, right & False]))
    same(found.take(np.array([0])), whole)
    np.testing.assert_array_equal(found.present, [True, True, True, False])
    points, measures = found.arrays["points"], found.arrays["measures"]
    assert (points[1][:, 0] < 0).all()
    assert (points[2][:, 0] > 0).all()
    faces = MEASURES.index("faces")
    assert measures[1, faces] == measures[2, faces] == measures[0, faces] / 2
    # What stays has not moved.
    stays = points[0][:, 0] < 0
    np.testing.assert_array_equal(points[1][stays], points[0][stays])
    assert (measures[1:3, MEASURES.index("extent_z")] == [1.0, 2.0]).all()


def test_a_part_is_divided_and_a_cloud_has_parts_too() -> None:
    room, columns = one_cell("mesh", towers())
    first, *_ = room.places(columns, 0, 8)
    inner = room.places(columns, 0, 8, first)
    assert len(inner) == 4
    reach = [np.hypot.reduce(np.subtract(place.where[:3], first.where[:3])) for place in inner]
    assert max(reach) < first.where[3]
    cloud, cells = one_cell("mesh", {"vertices": towers()["vertices"]})
    places = cloud.places(cells, 0, 4)
    kept = ~np.eye(4, dtype=bool)
    found = cloud.keep(cells, 0, places, kept)
    assert found.present.all()
    counts = found.arrays["measures"][:, MEASURES.index("vertices")]
    assert counts.sum() == 3 * cloud.transform((cells[0].take(np.array([0])),)).arrays["measures"][0, 7]


def test_models_are_shown_as_points() -> None:
    room, columns = one_cell("mesh", towers())
    shown = room.exhibit(columns, 0)
    assert (shown.form, shown.values.shape, shown.values.dtype) == ("points", (2000, 3), np.float32)


# All of them


@pytest.mark.parametrize("modality", ["image", "audio", "video", "mesh", "graph"])
def test_cells_that_are_not_there_have_no_places(modality: str) -> None:
    columns = registry.get("modalities", modality).example(np.random.default_rng(5), 40)
    room = fitted(modality, columns)
    for row in np.flatnonzero(~room.transform(columns).present)[:4].tolist():
        assert room.places(columns, row, 8) == ()
        assert not room.keep(columns, row, (), np.ones((3, 0), bool)).present.any()
        with pytest.raises(DataError, match=f"row {row} of column"):
            room.exhibit(columns, row)


def test_each_version_is_made_once() -> None:
    whole = Batch({"x": np.zeros((1, 1))}, np.ones(1, bool), (Fault(0, "x", "odd"),))
    asked = []

    def without(gone: npt.NDArray[np.bool_]) -> Batch:
        asked.append(tuple(gone.tolist()))
        return Batch({"x": np.full((1, 1), gone.sum())}, np.ones(1, bool))

    kept = np.array([[True, True], [False, True], [False, False], [False, True]])
    found = versions(whole, kept, without)
    np.testing.assert_array_equal(np.asarray(found.arrays["x"])[:, 0], [0, 1, 2, 1])
    assert sorted(asked) == [(True, False), (True, True)]
    assert not versions(whole.mask(np.zeros(1, bool)), kept, without).present.any()
