"""Dates written as text: every format gives its moment back, in records as in frames, whatever stands beside it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.columns import from_cells, moments
from plait.data.dates import FORMATS, read_dates
from plait.data.frame import seconds
from plait.errors import DataError

ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y%m%d", "%Y%m%dT%H%M%S", "%Y/%m/%d %H:%M", "%Y.%m.%d")
HOURS = st.sampled_from([None, *(timezone(timedelta(minutes=m)) for m in (-570, -60, 0, 120, 345))])
TIMES = st.lists(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), min_size=1, max_size=6)


def at(moment: datetime) -> float:
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


@settings(max_examples=80, deadline=None)
@given(TIMES, st.sampled_from([*ISO, *FORMATS]))
def test_what_is_written_in_one_format_is_read(times: list[datetime], form: str) -> None:
    years = {"%b-%y": (1969, 2069)}.get(form, (1700, 2200))
    texts = [moment.replace(year=2000 + moment.year % 50 if years[0] == 1969 else moment.year) for moment in times]
    written = [moment.strftime(form) for moment in texts]
    expected = [at(datetime.strptime(text, form)) for text in written]
    try:
        found = moments(*from_cells(written), "at")
    except DataError as error:
        assert "day-month" in str(error)  # noqa: PT017
        return
    assert np.allclose(found, expected, rtol=0, atol=1e-6)
    assert np.array_equal(found, seconds(pd.Series(written, dtype=object, name="at")))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), HOURS), max_size=6))
def test_a_zone_is_of_its_own_text_alone(told: list[tuple[datetime, timezone | None]]) -> None:
    times = [moment.replace(tzinfo=zone) for moment, zone in told]
    texts = [moment.isoformat() for moment in times]
    for found in (moments(*from_cells(texts), "at"), seconds(pd.Series(texts, dtype=object, name="at"))):
        assert np.allclose(found, [at(moment) for moment in times], rtol=0, atol=1e-6)


def test_how_rows_are_ordered_moves_none() -> None:
    texts = ["2024-01-01T10:00:00+05:00", "2024-01-01T10:00:00", "2024-01-01T10:00", "2024-01-01"]
    found = dict(zip(texts, read_dates(texts, "at"), strict=True))
    random.Random(0).shuffle(texts)
    assert all(found[text] == moment for text, moment in zip(texts, read_dates(texts, "at"), strict=True))
    assert found["2024-01-01T10:00:00"] == np.datetime64("2024-01-01T10:00", "ns")


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "today",
        "",
        "2024-13-01",
        "2024-02-30",
        "2024-01-01T24:00",
        "1500-01-01",
        "9999-12-31",
        "2024-W09-1",
        "2024-01-01T10:00+25:00",
        "２０２4-01-01",
        "2024 T10:00",
        "2024-01T10:00",
        "12345",
        "3.5",
        "nan",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    for read in (lambda: moments(*from_cells([text]), "at"), lambda: seconds(pd.Series([text], dtype=object))):
        with pytest.raises(DataError, match="does not parse as a date"):
            read()


def test_months_in_words_and_short_years() -> None:
    assert read_dates(["Dec-68", "jan-69"], "at").astype(str).tolist() == [
        "2068-12-01T00:00:00.000000000",
        "1969-01-01T00:00:00.000000000",
    ]
    assert len(read_dates([], "at")) == 0
