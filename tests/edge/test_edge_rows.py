"""Records to columns as frames are read, and predictions to records."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import Prediction
from plait.data.columns import from_cells, moments
from plait.data.frame import column, seconds, source_columns
from plait.data.schema import Schema
from plait.edge.rows import columns_of, told
from plait.errors import DataError

SCHEMA = Schema.from_json(
    {"version": 1, "columns": {"at": "time", "x": "table", "b": "table", "note": "text", "y": "target"}}
)
ROWS: list[dict[str, Any]] = [
    {"at": "2024-01-02", "x": 1, "b": True, "note": "paid late"},
    {"at": "2024-03-04T05:06:07", "x": None, "b": None, "note": None},
    {"at": None, "x": 2.5, "b": False, "note": "ok"},
]

plain = st.one_of(
    st.lists(st.one_of(st.none(), st.booleans())),
    st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**6), st.floats(allow_nan=True, width=32))),
    st.lists(st.one_of(st.none(), st.text(max_size=5))),
    st.lists(st.one_of(st.none(), st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)))),
    st.lists(st.one_of(st.none(), st.timedeltas(timedelta(-1000), timedelta(1000)))),
    st.lists(st.one_of(st.none(), st.text(max_size=3), st.integers(0, 9), st.lists(st.integers(0, 3), max_size=2))),
)


@settings(max_examples=60, deadline=None)
@given(plain)
def test_cells_are_what_pandas_makes_of_them(cells: list[Any]) -> None:
    values, present = from_cells(cells)
    series = pd.Series(cells, dtype=object, name="x")
    expected = column(series)
    assert present.tolist() == expected.present.tolist()
    if present.any():
        assert values.dtype == expected.values.dtype
        assert values[present].tolist() == expected.values[present].tolist()


@pytest.mark.parametrize(
    ("cells", "dtype", "first"),
    [
        ([Decimal("1.5"), 2], "float64", 1.5),
        ([date(2024, 1, 2), None], "datetime64[ns]", np.datetime64("2024-01-02", "ns")),
        ([datetime(2024, 1, 2, 3, tzinfo=UTC)], "datetime64[ns]", np.datetime64("2024-01-02T03", "ns")),
        ([10**400, 1], "object", 10**400),
        ([b"\x00", None], "object", b"\x00"),
    ],
)
def test_kinds_of_cells(cells: list[Any], dtype: str, first: object) -> None:
    values, present = from_cells(cells)
    assert values.dtype == dtype
    assert present[0]
    assert values[0] == first


def test_moments_beyond_what_nanoseconds_hold_are_missing() -> None:
    assert from_cells([datetime(1500, 1, 1), datetime(2000, 1, 1)])[1].tolist() == [False, True]


@pytest.mark.parametrize("texts", [["2024-01-02", None], ["Jul-2011", "Dec-2015"], ["31.12.2020"], ["2020/05/06"]])
def test_moments_in_words_are_read_as_frames_read_them(texts: list[str | None]) -> None:
    ours = moments(*from_cells(texts), "at")
    assert np.array_equal(ours, seconds(pd.Series(texts, dtype=object, name="at")), equal_nan=True)


@pytest.mark.parametrize(("texts", "said"), [(["soon"], "'soon' does not parse"), (["01/02/2020"], "day-month")])
def test_moments_that_cannot_be_read(texts: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        moments(*from_cells(texts), "at")


def test_columns_are_those_of_a_frame() -> None:
    ours = columns_of(ROWS, SCHEMA, {}, None)
    theirs = source_columns(pd.DataFrame(ROWS), SCHEMA)
    assert ours.keys() == theirs.keys()
    for mine, other in zip((c for s in ours.values() for c in s), (c for s in theirs.values() for c in s), strict=True):
        assert mine.name == other.name
        assert mine.present.tolist() == other.present.tolist()
        assert mine.values[mine.present].tolist() == other.values[other.present].tolist()
        assert mine.row_time is not None
        assert other.row_time is not None
        assert np.array_equal(mine.row_time, other.row_time, equal_nan=True)
        assert mine.folder is None


def test_a_column_that_no_row_has_is_named() -> None:
    with pytest.raises(DataError, match=r"lacks 2 column.*'b', 'note'"):
        columns_of([{"at": "2024-01-01", "x": 1}], SCHEMA, {}, None)
    with pytest.raises(DataError, match="row 0 is list"):
        columns_of([["at"]], SCHEMA, {}, None)  # type: ignore[list-item]


def test_no_rows() -> None:
    assert all(len(column) == 0 for columns in columns_of([], SCHEMA, {}, None).values() for column in columns)


def test_what_is_told() -> None:
    shares = np.array([[0.2, 0.5, 0.3]])
    classes = np.array(["a", "b", "c"], object)
    assert told(Prediction("class", shares, classes)) == [
        {"label": "b", "probabilities": {"a": 0.2, "b": 0.5, "c": 0.3}}
    ]
    assert told(Prediction("labels", np.array([[0.2, 0.6, 0.7]]), classes))[0]["labels"] == ["b", "c"]
    assert told(Prediction("value", np.array([1.5]))) == [{"value": 1.5}]
    assert told(Prediction("quantiles", np.array([[1.0, 2.0]]), levels=(0.1, 0.9))) == [
        {"quantiles": {"0.1": 1.0, "0.9": 2.0}}
    ]
    twelfths = Prediction("quantiles", np.array([[1.0]]), levels=(1 / 12,))
    assert told(twelfths) == [{"quantiles": {"0.0833333": 1.0}}]
    both = Prediction("several", np.zeros((1, 2)), parts={"y": Prediction("value", np.array([3.0]))})
    assert told(both) == [{"targets": {"y": {"value": 3.0}}}]
