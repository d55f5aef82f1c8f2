"""Frames and cells: every kind of input becomes one of five kinds of values, with presence."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import Side
from plait.data.frame import as_frame, column, extra_columns, seconds, source_columns
from plait.data.schema import ColumnSpec, Schema, SideSpec
from plait.errors import DataError

DAY = np.datetime64("2011-07-01", "ns")
SECONDS = 1309478400.0


class Offers:
    """A stranger's frame: all it has is a way to become an Arrow table."""

    def to_arrow(self) -> pa.Table:
        return pa.table({"a": [1, 2]})


@pytest.mark.parametrize(
    ("X", "columns"),
    [
        (pd.DataFrame({"a": [1], 2: [3]}), ["a", "2"]),
        (np.zeros((2, 3)), ["x0", "x1", "x2"]),
        ([[1, "a"], [2, "b"]], ["x0", "x1"]),
        ({"a": [1], "b": ["x"]}, ["a", "b"]),
        (pa.table({"a": [1]}), ["a"]),
        (Offers(), ["a"]),
    ],
)
def test_as_frame_takes_what_people_hold(X: object, columns: list[str]) -> None:
    assert list(as_frame(X).columns) == columns


def test_as_frame_does_not_copy_a_frame() -> None:
    frame = pd.DataFrame({"a": [1]})
    assert as_frame(frame) is frame


class Sparse:
    def tocsr(self) -> None: ...


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (np.zeros(3), "Reshape your data"),
        ({"a": [1], "b": [1, 2]}, "one length"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "duplicate column 'a'"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels"),
        (Sparse(), "sparse"),
        (7, "got int"),
    ],
)
def test_as_frame_says_what_it_cannot_use(X: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        as_frame(X)


NUMBERS: dict[str, Any] = {
    "int": [1, 2, 3],
    "with None": [1.0, None, 3.0],
    "objects": pd.Series([1, None, np.float32(2.5)], dtype=object),
    "decimals": [Decimal("1.5"), None, Decimal(2)],
    "nullable": pd.array([1, None, 3], "Int64"),
    "arrow": pd.array([1, None, 3], "int32[pyarrow]"),
    "sparse": pd.arrays.SparseArray([0.0, np.nan, 3.0]),
}
BOOLS: dict[str, Any] = {
    "bool": [True, False, True],
    "objects": [True, None, False],
    "nullable": pd.array([True, None, False], "boolean"),
    "arrow": pd.array([True, None, False], "bool[pyarrow]"),
}
MOMENTS: dict[str, Any] = {
    "ns": pd.to_datetime(["2011-07-01", None]),
    "seconds, and the end of time": np.array(["2011-07-01", "9999-12-31"], "M8[s]"),
    "zone": pd.to_datetime(["2011-07-01 09:00", None]).tz_localize("Asia/Tokyo"),
    "dates": [dt.date(2011, 7, 1), None],
    "dates beyond": [dt.date(2011, 7, 1), dt.date(9999, 12, 31)],
    "arrow dates": pd.Series([dt.date(2011, 7, 1), None]).astype("date32[pyarrow]"),
    "arrow zone": pd.Series(["2011-07-01", None]).astype("timestamp[us, tz=UTC][pyarrow]"),
    "period": pd.PeriodIndex(["2011-07", None], freq="M"),
}
OBJECTS: dict[str, Any] = {
    "text": ["a", None],
    "string": pd.array(["a", None], "string"),
    "arrow string": pd.array(["a", None], "string[pyarrow]"),
    "category": pd.Categorical([1, None]),
    "lists": [[1, 2], None],
    "arrow lists": pd.Series([[1.0], None], dtype=pd.ArrowDtype(pa.list_(pa.float64()))),
    "dicts": [{"a": 1}, np.nan],
    "mixed": [1, "a", None],
    "beyond floats": pd.Series([10**400, None], dtype=object),
}


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        *((cells, "float64") for cells in NUMBERS.values()),
        *((cells, "bool") for cells in BOOLS.values()),
        *((cells, "datetime64[ns]") for cells in MOMENTS.values()),
        *((cells, "object") for cells in OBJECTS.values()),
        ([dt.timedelta(days=1), None], "timedelta64[ns]"),
        (pd.to_timedelta(["1D", None]), "timedelta64[ns]"),
        ([None, None], "object"),
        ([], "object"),
    ],
)
def test_column_knows_every_kind(cells: Any, dtype: str) -> None:
    series = pd.Series(cells, name="x", dtype=object if len(cells) == 0 else None)
    made = column(series)
    assert made.values.dtype == dtype
    assert made.present.dtype == bool
    if None in series.tolist() or series.isna().any():
        assert made.present.tolist() == series.notna().tolist()
    if dtype == "datetime64[ns]":
        assert made.values[0] == (DAY if made.present[0] else None)
        assert made.present.tolist() == [True, False]
    one = column(series.iloc[:1])
    assert len(one) == min(len(series), 1)


def test_column_keeps_cells_as_they_are() -> None:
    made = column(pd.Series(["a", ["b"], {"c": 1}, None], name="x"))
    assert made.values.tolist() == ["a", ["b"], {"c": 1}, None]
    assert column(pd.Series(pd.Categorical([3, 1, 3]))).values.tolist() == ["3", "1", "3"]


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="Complex data not supported: column 'z'"):
        column(pd.Series([1j], name="z"))


@pytest.mark.parametrize(
    "cells",
    [
        ["2011-07-01", None],
        ["2011-07-01T00:00:00Z", None],
        ["2011-07-01 09:00:00+09:00", ""],
        ["2011/07/01", None],
        ["01.07.2011", None],
        ["Jul-2011", None],
        ["Jul-11", None],
        ["2011年7月1日", None],
        [dt.date(2011, 7, 1), None],
        [SECONDS, None],
    ],
)
def test_seconds_reads_moments(cells: list[Any]) -> None:
    moments = seconds(pd.Series([None if cell == "" else cell for cell in cells], name="t"))
    assert moments[0] == SECONDS
    assert np.isnan(moments[1])


def test_seconds_tells_day_from_month_by_the_other_cells() -> None:
    assert seconds(pd.Series(["01/07/2011", "31/07/2011"]))[0] == SECONDS
    assert seconds(pd.Series(["07/01/2011", "07/31/2011"]))[0] == SECONDS
    with pytest.raises(DataError, match="may be day-month or month-day"):
        seconds(pd.Series(["01/07/2011"]))


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["2011-07-01", "soon"], "time column 't': 'soon' does not parse"),
        (["2011-07-01", ["soon", 1], {}], "does not parse"),
        (["01.07.2011", "02.07.2011", "2011"], "'2011' does not parse"),
        ([True, False], "holds bool"),
        (["hello"], "'hello'"),
    ],
)
def test_seconds_names_the_cell_that_does_not_parse(cells: list[Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        seconds(pd.Series(cells, name="t"))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)), min_size=1, max_size=20))
def test_seconds_of_text_and_of_moments_agree(moments: list[dt.datetime]) -> None:
    text = pd.Series([moment.isoformat() for moment in moments])
    np.testing.assert_allclose(seconds(text), seconds(pd.Series(moments)), rtol=0, atol=1e-5)


SCHEMA = Schema(
    (
        ColumnSpec("income", "source", "table"),
        ColumnSpec("letter", "source", "text"),
        ColumnSpec("asked", "time"),
        ColumnSpec("bad", "target"),
    )
)


def test_source_columns_carry_the_rows_time() -> None:
    frame = pd.DataFrame({"asked": ["2011-07-01"], "letter": ["please"], "income": [1], "more": [2]})
    sources = source_columns(frame, SCHEMA)
    assert {name: [one.name for one in own] for name, own in sources.items()} == {
        "table": ["income"],
        "letter": ["letter"],
    }
    assert sources["letter"][0].row_time is not None
    assert sources["letter"][0].row_time.tolist() == [SECONDS]
    assert extra_columns(frame, SCHEMA) == ("more",)


def test_source_columns_name_everything_that_is_missing() -> None:
    with pytest.raises(DataError, match=r"lacks 3 column.* 'asked', 'income', 'letter'"):
        source_columns(pd.DataFrame({"bad": [1]}), SCHEMA)


def test_a_side_source_takes_its_keys_from_the_frame() -> None:
    schema = Schema(
        (ColumnSpec("account", "id"), ColumnSpec("payments", "source", "series", side="paid")),
        (SideSpec("paid", "account"),),
    )
    side = Side("paid", {"account": np.array([7.0]), "amount": np.array([1.0])}, "account")
    frame = pd.DataFrame({"account": [7, 8]})
    made = source_columns(frame, schema, {"paid": side})["payments"][0]
    assert made.name == "payments"
    assert made.side is side
    assert made.values.tolist() == [7.0, 8.0]
    assert extra_columns(frame, schema) == ()
    with pytest.raises(DataError, match="no long table given for 'paid'"):
        source_columns(frame, schema)
