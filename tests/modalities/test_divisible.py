"""What every room must do that takes places out of its cells. The suite walks the registry; others are skipped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from plait import registry
from plait.contracts import Batch, Column, FitContext, Nested, Place, Ragged, Source

ROWS, OTHERS = 80, 24
FORMS = {
    "span": "words",
    "box": "pixels",
    "seconds": "waves",
    "steps": "steps",
    "records": "records",
    "frames": "frames",
    "points": "points",
    "link": "links",
    "items": "items",
}
LINE = ("span", "seconds", "frames", "steps", "records", "items")  # kinds that begin and end


@dataclass(frozen=True)
class Case:
    """A fitted room, and other rows of which some are present and some are not."""

    room: Any
    columns: tuple[Column, ...]
    batch: Batch

    @property
    def present(self) -> list[int]:
        return np.flatnonzero(self.batch.present).tolist()[:6]


@pytest.fixture(scope="module", params=registry.names("modalities"))
def case(request: pytest.FixtureRequest) -> Case:
    kind = registry.get("modalities", request.param)
    if not hasattr(kind, "places"):
        pytest.skip(f"{request.param} does not take places out of its cells")
    rng = np.random.default_rng(11)
    columns, others = kind.example(rng, ROWS), kind.example(rng, OTHERS)
    source = Source("evidence", request.param, tuple(column.name for column in columns))
    labels = np.random.default_rng(5).integers(0, 2, ROWS).astype(np.float64)
    context = FitContext(labels, "binary", 1, np.ones(ROWS), folds=np.arange(ROWS) % 5)
    room = kind(source).fit([columns], context)
    return Case(room, others, room.transform(others))


def same(one: Any, other: Any) -> None:
    """Bitwise."""
    assert type(one) is type(other)
    if isinstance(one, Batch):
        np.testing.assert_array_equal(one.present, other.present)
        assert one.arrays.keys() == other.arrays.keys()
        for name in one.arrays:
            same(one.arrays[name], other.arrays[name])
    elif isinstance(one, Nested):
        np.testing.assert_array_equal(one.offsets, other.offsets)
        same(one.items, other.items)
    elif isinstance(one, Ragged):
        np.testing.assert_array_equal(one.offsets, other.offsets)
        same(one.values, other.values)
    else:
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def lines(places: tuple[Place, ...]) -> bool:
    return places[0].kind in LINE


def finite(case: Case, batch: Batch) -> None:
    """Features are NaN where absent and nowhere else, never infinite."""
    features = case.room.features(batch)
    np.testing.assert_array_equal(np.isnan(features.values), ~features.present)
    assert np.isfinite(features.values[features.present]).all()
    assert not features.present[~batch.present].any()


@pytest.mark.parametrize("most", [2, 5, 12])
def test_places_share_out_the_cell(case: Case, most: int) -> None:
    for row in case.present:
        places = case.room.places(case.columns, row, most)
        assert len(places) <= most
        assert len({place.where for place in places}) == len(places)
        if len(places) > 1 and lines(places):
            for before, after in pairwise(places):
                assert before.where[0] < before.where[1] <= after.where[0] < after.where[1]
        if places and places[0].kind == "box":
            areas = [(right - left) * (low - top) for left, top, right, low in (place.where for place in places)]
            assert min(areas) > 0
            assert sum(areas) == pytest.approx(1.0)


def test_some_cell_can_be_divided(case: Case) -> None:
    assert max(len(case.room.places(case.columns, row, 12)) for row in case.present) > 1


def test_parts_lie_inside_what_they_divide(case: Case) -> None:
    for row in case.present:
        for place in case.room.places(case.columns, row, 3):
            parts = case.room.places(case.columns, row, 4, place)
            assert len(parts) <= 4
            assert len(parts) != 1
            if parts and lines(parts):
                assert place.where[0] <= parts[0].where[0]
                assert parts[-1].where[1] <= place.where[1]


def test_what_is_divided_comes_to_an_end(case: Case) -> None:
    row = case.present[0]
    places = list(case.room.places(case.columns, row, 4))
    for _ in range(2_000):
        if not places:
            return
        places += case.room.places(case.columns, row, 4, places.pop())
    pytest.fail("places can be divided without end")


def test_all_kept_is_bitwise_what_transform_makes(case: Case) -> None:
    for row in case.present:
        places = case.room.places(case.columns, row, 5)
        alone = case.room.transform(tuple(column.take(np.array([row])) for column in case.columns))
        for kept in (np.ones((1, len(places)), bool), np.ones((3, len(places)), bool)):
            rows = np.zeros(len(kept), np.int64)
            same(replace(case.room.keep(case.columns, row, places, kept), faults=()), alone.take(rows))
        mixed = np.zeros((2, len(places)), bool)
        mixed[1] = True
        same(case.room.keep(case.columns, row, places, mixed).take(np.array([1])), alone.take(np.array([0])))


def test_any_subset_is_lawful_and_none_kept_too(case: Case) -> None:
    rng = np.random.default_rng(2)
    for row in case.present:
        places = case.room.places(case.columns, row, 6)
        kept = np.concatenate([np.zeros((1, len(places)), bool), rng.random((5, len(places))) < 0.5])
        batch = case.room.keep(case.columns, row, places, kept)
        assert len(batch) == len(kept)
        finite(case, batch)


def test_what_is_taken_away_changes_what_is_read(case: Case) -> None:
    changed = 0
    for row in case.present:
        places = case.room.places(case.columns, row, 2)
        if len(places) < 2:
            continue
        kept = np.array([[True, True], [False, True], [True, False]])
        values = case.room.features(case.room.keep(case.columns, row, places, kept)).values
        changed += any(not np.array_equal(values[0], other, equal_nan=True) for other in values[1:])
    assert changed


def test_parts_are_taken_out_beside_other_places(case: Case) -> None:
    for row in case.present[:3]:
        places = case.room.places(case.columns, row, 3)
        for place in places:
            parts = case.room.places(case.columns, row, 3, place)
            others = tuple(other for other in places if other != place)
            kept = np.random.default_rng(3).random((4, len(parts) + len(others))) < 0.5
            finite(case, case.room.keep(case.columns, row, (*parts, *others), kept))


def test_cells_that_are_missing_or_broken_have_no_places(case: Case) -> None:
    absent = np.flatnonzero(~case.batch.present).tolist()
    assert absent, "the example has neither missing nor broken cells"
    for row in absent:
        assert case.room.places(case.columns, row, 8) == ()


def test_places_can_be_read(case: Case) -> None:
    for row in case.present:
        for place in case.room.places(case.columns, row, 5):
            assert place.label.strip()
            assert all(isinstance(number, float) and np.isfinite(number) for number in place.where)


def test_exhibits_have_the_form_of_their_places(case: Case) -> None:
    for row in case.present:
        exhibit = case.room.exhibit(case.columns, row)
        for place in case.room.places(case.columns, row, 3):
            assert exhibit.form == FORMS[place.kind]
        if exhibit.form == "words":
            assert isinstance(exhibit.values, str)
        elif exhibit.form in ("records", "links", "items"):
            assert isinstance(exhibit.values, tuple)
        else:
            assert isinstance(exhibit.values, np.ndarray)
