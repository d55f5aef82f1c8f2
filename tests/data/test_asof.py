"""Long tables: validated, in one form, and sorted for look-ups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plait.contracts import Side
from plait.data.asof import side, sides
from plait.data.schema import Schema, SideSpec
from plait.errors import DataError, SchemaError

TABLE = pd.DataFrame(
    {
        "who": ["b", "a", "b", None, "a"],
        "at": ["2011-07-02", "2011-07-01", "2011-07-01", "2011-07-01", None],
        "amount": [1, 2, None, 4, 5],
        "kind": ["x", None, "y", "z", "z"],
    }
)
SCHEMA = Schema((), (SideSpec("paid", "who", "at"),))


def test_records_are_sorted_by_key_and_time_and_those_without_are_left_out() -> None:
    made = side("paid", TABLE, "who", "at")
    assert made.columns["who"].tolist() == ["a", "b", "b"]
    assert (np.diff(made.columns["at"][1:]) == 86400.0).all()
    np.testing.assert_array_equal(made.columns["amount"], [2.0, np.nan, 1.0])
    assert made.columns["kind"].tolist() == [None, "y", "x"]
    assert (made.name, made.key, made.time) == ("paid", "who", "at")


def test_numbers_as_keys_columns_chosen_and_arrow_tables() -> None:
    table = pa.table({"who": [2, 1, None], "on": [True, None, True], "more": [1, 2, 3]})
    made = side("links", table, "who", columns=["on"])
    assert list(made.columns) == ["who", "on"]
    assert made.columns["who"].tolist() == [1.0, 2.0]
    assert made.columns["on"].tolist() == [None, True]


def test_moments_and_spans_keep_their_gaps() -> None:
    table = pd.DataFrame(
        {"who": [1, 2], "day": pd.to_datetime(["2011-07-01", None]), "span": pd.to_timedelta(["1D", None])}
    )
    made = side("paid", table, "who")
    assert np.isnat(made.columns["day"]).tolist() == [False, True]
    assert np.isnat(made.columns["span"]).tolist() == [False, True]


def test_sides_come_from_what_is_given_or_from_the_path(tmp_path: Path) -> None:
    path = tmp_path / "paid.csv"
    TABLE.to_csv(path, index=False)
    ready = sides(SCHEMA, {"paid": TABLE})["paid"]
    assert sides(SCHEMA, {"paid": ready})["paid"] is ready
    spec = SideSpec("paid", "who", "at", ("amount",), str(path))
    assert list(sides(Schema((), (spec,)))["paid"].columns) == ["who", "at", "amount"]
    assert sides(Schema(())) == {}


def test_mistakes_are_named() -> None:
    with pytest.raises(SchemaError, match="long table 'paid': unknown column 'whom'; did you mean 'who'"):
        side("paid", TABLE, "whom")
    with pytest.raises(DataError, match=r"'paid\.kind': 'x' does not parse"):
        side("paid", TABLE, "who", "kind")
    with pytest.raises(SchemaError, match="no long table given for 'paid'"):
        sides(SCHEMA)
    with pytest.raises(SchemaError, match="unknown long table 'piad'; did you mean 'paid'"):
        sides(SCHEMA, {"piad": TABLE})
    with pytest.raises(SchemaError, match="has key 'id'"):
        sides(SCHEMA, {"paid": Side("paid", {"id": np.zeros(1)}, "id")})
