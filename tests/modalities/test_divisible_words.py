"""What texts, series, histories and lists are without some of their places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import registry
from plait.contracts import Column, FitContext, Place, Source

LETTER = "I lost my job, and more. We own 3.5 trucks!  我丢了工作，特此说明。谢谢"


def fitted(modality: str, cells: list[Any], options: dict[str, Any] | None = None, moment: float | None = None) -> Any:
    """A room fitted on the cells, and their column."""
    values = np.empty(len(cells), object)
    values[:] = cells
    time = None if moment is None else np.full(len(cells), moment)
    column = Column("cell", values, np.ones(len(cells), bool), time)
    labels = np.arange(len(cells)) % 2.0
    context = FitContext(labels, "binary", 1, np.ones(len(cells)), folds=np.arange(len(cells)) % 5)
    source = Source("evidence", modality, ("cell",), {"cell": options or {}})
    return registry.get("modalities", modality)(source).fit([(column,)], context), (column,)


def texts(batch: Any) -> list[str]:
    return [batch.arrays["text"].row(i).tobytes().decode().removesuffix("\n") for i in range(len(batch))]


def test_a_text_falls_into_sentences_clauses_and_words() -> None:
    room, columns = fitted("text", [LETTER, "another one"])
    sentences = room.places(columns, 0, 12)
    assert [place.label for place in sentences] == [
        "I lost my job, and more.",
        "We own 3.5 trucks!",
        "我丢了工作，特此说明。",
        "谢谢",
    ]
    assert [place.label for place in room.places(columns, 0, 12, sentences[0])] == ["I lost my job,", "and more."]
    assert [place.label for place in room.places(columns, 0, 12, sentences[1])] == ["We", "own", "3.5", "trucks!"]
    assert [place.label for place in room.places(columns, 0, 12, sentences[2])] == ["我丢了工作，", "特此说明。"]
    assert [place.label for place in room.places(columns, 0, 12, sentences[3])] == ["谢", "谢"]
    assert len(room.places(columns, 0, 2)) == 2


def test_white_space_is_made_good() -> None:
    room, columns = fitted("text", [LETTER, "another one"])
    sentences = room.places(columns, 0, 12)
    kept = np.array([[True, False, True, True], [False, True, True, True], [False] * 4])
    batch = room.keep(columns, 0, sentences, kept)
    assert texts(batch) == [
        "I lost my job, and more. 我丢了工作，特此说明。谢谢",
        "We own 3.5 trucks!  我丢了工作，特此说明。谢谢",
        "",
    ]
    np.testing.assert_array_equal(batch.present, [True, True, False])


@settings(deadline=None, max_examples=40)
@given(st.text(alphabet="ab,. !。，我\n", min_size=1, max_size=60), st.integers(2, 9))
def test_places_of_any_text_hold_all_of_it_but_white_space(text: str, most: int) -> None:
    room, _ = fitted("text", ["some words", "and others"])
    columns = (Column("cell", np.array([text], object), np.ones(1, bool)),)
    places = room.places(columns, 0, most)
    assert len(places) <= most
    held = "".join(text[int(place.where[0]) : int(place.where[1])] for place in places)
    assert "".join(held.split()) == "".join(text.split())
    gone = room.keep(columns, 0, places, np.zeros((1, len(places)), bool))
    assert not gone.present.any()


def test_straight_lines_bridge_steps_that_are_gone() -> None:
    room, columns = fitted("series", [[1.0, 2.0, 9.0, 9.0, 5.0, 6.0], [1.0, 2.0]])
    dip, start, end = (Place("steps", where, "") for where in ((2.0, 4.0), (0.0, 1.0), (5.0, 6.0)))
    kept = np.array([[False, True, True], [True, False, False], [True, True, True]])
    values = room.keep(columns, 0, (dip, start, end), kept).arrays["values"]
    np.testing.assert_allclose(values.row(0)[:, 0], [1, 2, 3, 4, 5, 6])
    np.testing.assert_allclose(values.row(1)[:, 0], [2, 2, 9, 9, 5, 5])
    np.testing.assert_allclose(values.row(2)[:, 0], [1, 2, 9, 9, 5, 6])


def test_steps_that_were_never_observed_stay_so() -> None:
    room, columns = fitted("series", [[1.0, None, 9.0, 4.0], [1.0, 2.0]])
    values = room.keep(columns, 0, (Place("steps", (2.0, 3.0), ""),), np.array([[False]])).arrays["values"]
    np.testing.assert_allclose(values.row(0)[:, 0], [1, np.nan, 3, 4])


HISTORY = [{"time": f"2024-01-{day:02d}", "kind": kind, "amount": 1.5} for day, kind in ((1, "a"), (5, "b"), (9, "a"))]


@pytest.mark.parametrize("moment", [None, 1.7e9 + 86_400 * 100])
def test_records_that_are_gone_are_gone_as_if_they_had_never_been(moment: float | None) -> None:
    room, columns = fitted("events", [HISTORY, HISTORY[:2], HISTORY[1:]], moment=moment)
    for kept in ([True, True, False], [False, True, True], [True, False, True]):
        places = tuple(Place("records", (float(i), float(i + 1)), "") for i in range(3))
        made = room.keep(columns, 0, places, np.array([kept]))
        cells = np.empty(1, object)
        cells[0] = [record for record, stays in zip(HISTORY, kept, strict=True) if stays]
        time = columns[0].row_time
        plain = room.transform((Column("cell", cells, np.ones(1, bool), None if time is None else time[:1]),))
        for name, array in plain.arrays.items():
            if name == "now":
                np.testing.assert_array_equal(array, made.arrays[name])
            else:
                np.testing.assert_array_equal(array.values, made.arrays[name].values)
                np.testing.assert_array_equal(array.offsets, made.arrays[name].offsets)


def test_a_record_is_told_by_what_it_says() -> None:
    room, columns = fitted("events", [HISTORY, HISTORY[:2]])
    label = room.places(columns, 0, 3)[1].label
    assert label.startswith("record 2: 2024-01-05")
    assert "b" in label
    assert room.exhibit(columns, 0).values[1]["kind"] == "b"


def test_items_are_dropped_and_divided_by_their_own_room() -> None:
    posts = ["Rent is due. We wait.", "All is well.", "Prices went up. Again, and again."]
    room, columns = fitted("list", [posts, posts[:2], posts[1:]], {"of": "text"})
    first, _, last = room.places(columns, 0, 12)
    parts = room.places(columns, 0, 12, last)
    assert [part.label for part in parts] == ["item 3: Prices went up.", "item 3: Again, and again."]
    assert parts[0].kind == "items"
    assert parts[0].where[:2] == (2.0, 3.0)
    kept = np.array([[True, True, True], [False, True, False], [True, False, False]])
    nested = room.keep(columns, 0, (first, *parts), kept).arrays["items"]
    np.testing.assert_array_equal(nested.lengths, [3, 2, 3])
    assert texts(nested.items.take(np.arange(3, 5))) == ["All is well.", "Prices went up."]
    assert not nested.items.present[-1]
    assert [part.label for part in room.places(columns, 0, 4, parts[1])] == ["item 3: Again,", "item 3: and again."]
