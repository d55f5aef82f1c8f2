"""Slices: cuts of every kind of column, figures by hand, planted faults, and p-values that stay honest."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import Prediction
from plait.errors import ConfigError, InputError
from plait.metrics.classification import roc_auc
from plait.metrics.correction import holm, normal_p
from plait.metrics.cuts import MISSING, cut
from plait.metrics.slices import Slices, slices

LABELS = np.array(["paid", "违约"])


def two(p: np.ndarray) -> Prediction:
    return Prediction("class", np.stack([1 - p, p], axis=1), LABELS)


def loans(seed: int, n: int = 1200, broken: bool = False) -> tuple[Prediction, np.ndarray, dict[str, np.ndarray]]:
    """Rows of four regions of unequal size; in the south the model may be blind."""
    rng = np.random.default_rng(seed)
    region = rng.choice(["north", "south", "east", "west"], n, p=[0.4, 0.3, 0.2, 0.1])
    z = rng.normal(size=n) - 0.5
    p = 1 / (1 + np.exp(-1.5 * z))
    truth = np.where((region == "south") & broken, 0.4, p)
    return two(p), LABELS[(rng.random(n) < truth).astype(int)], {"region": region, "z2": rng.normal(size=n)}


# Cuts


def test_words_are_cut_by_value_and_the_rare_ones_counted() -> None:
    cells = np.array(["a"] * 5 + ["b"] * 3 + ["c"] * 2 + [None, np.nan], object)
    labels, code, others = cut("x", cells, most=2)
    assert (labels, others) == (("a", "b", MISSING), 1)
    assert code.tolist() == [0] * 5 + [1] * 3 + [-1] * 2 + [2, 2]


@pytest.mark.parametrize(
    "cells",
    [
        np.array([3, 1, 2, 1]),
        np.array([3.0, 1, 2, 1]),
        np.array([3, 1.0, Decimal(2), np.float32(1)], object),
    ],
)
def test_few_numbers_are_values(cells) -> None:
    labels, code, _ = cut("x", cells)
    assert labels == ("1", "2", "3")
    assert code.tolist() == [2, 0, 1, 0]


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_many_numbers_are_ranges_that_say_what_they_hold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.choice([rng.normal(size=200), rng.lognormal(8, 2, 200).round(), rng.poisson(3, 200) * 1.5])
    cells[:7] = np.nan
    labels, code, _ = cut("x", cells)
    assert labels[-1] == MISSING
    assert (code >= 0).all()
    assert set(code[:7].tolist()) == {len(labels) - 1}
    tops = [cells[7:][code[7:] == i].max() for i in range(len(labels) - 1)]
    lows = [cells[7:][code[7:] == i].min() for i in range(len(labels) - 1)]
    assert all(low > top for low, top in zip(lows[1:], tops[:-1], strict=True))  # apart, and rising
    if len(np.unique(cells[7:])) == 193:
        assert np.ptp(np.bincount(code)[:-1]) <= 2  # equally many rows


def test_dates_and_durations_are_ranges() -> None:
    days = np.array(["2024-01-01"], "datetime64[ns]") + np.arange(10) * np.timedelta64(1, "D")
    days[0] = "NaT"
    labels, code, _ = cut("when", days)
    assert (labels[0], labels[-1]) == ("up to 2024-01-03", MISSING)
    assert code[0] == len(labels) - 1
    as_objects = np.array([None, *pd.to_datetime(days[1:]).tz_localize("Asia/Shanghai")], object)
    assert cut("when", as_objects).labels == labels
    as_dates = np.array([None, *(datetime.date(2024, 1, i) for i in range(2, 11))], object)
    assert cut("when", as_dates).labels == labels
    assert "days" in cut("age", np.arange(20) * np.timedelta64(36, "h")).labels[0]


def test_booleans_and_pandas_missing_values() -> None:
    assert cut("x", np.array([True, False, True])).labels == ("True", "False")
    assert cut("x", pd.array([1, None, 2], "Int64").to_numpy(object)).labels == ("1", "2", MISSING)
    assert cut("x", np.array([None, None], object)).labels == (MISSING,)
    assert cut("x", np.array([np.nan, np.nan])).labels == (MISSING,)


def test_what_cannot_be_cut_is_named() -> None:
    lists = np.empty(2, object)
    lists[:] = [[1], [2]]
    with pytest.raises(InputError, match=r"column 'posts' holds cells like list"):
        cut("posts", lists)
    with pytest.raises(InputError, match="one cell a row"):
        cut("x", np.zeros((2, 2)))


# Slices


def test_figures_are_those_of_the_rows_alone() -> None:
    prediction, y, columns = loans(0)
    found = slices(prediction, y, columns, resamples=100)
    hit, p = (y == LABELS[1]).astype(int), prediction.values[:, 1]
    assert found.figure.value == pytest.approx(roc_auc(hit, p))
    regions = [each for each in found.slices if each.column == "region"]
    assert [each.value for each in regions] == ["north", "south", "east", "west"]  # the largest first
    for each in regions:
        inside = columns["region"] == each.value
        assert each.figure.value == pytest.approx(roc_auc(hit[inside], p[inside]))
        assert each.rest == pytest.approx(roc_auc(hit[~inside], p[~inside]))
        assert each.difference.value == pytest.approx(each.figure.value - each.rest)
        assert each.figure.low < each.figure.value < each.figure.high
        assert (each.rows, each.share) == (inside.sum(), pytest.approx(inside.mean()))
        assert (each.observed, each.predicted) == (pytest.approx(hit[inside].mean()), pytest.approx(p[inside].mean()))


def test_a_slice_in_which_the_model_is_blind_is_found_and_no_other() -> None:
    prediction, y, columns = loans(1, broken=True)
    found = slices(prediction, y, columns)
    assert [(each.column, each.value) for each in found.worse] == [("region", "south")]
    assert "worse" in str(found)
    assert not slices(*loans(2)).worse


def test_absent_sources_are_slices() -> None:
    prediction, y, _ = loans(3)
    present = np.random.default_rng(0).random((len(y), 3)) < [0.7, 1.1, 0.99]
    found = slices(prediction, y, {}, present=present, sources=("letter", "table", "call"), resamples=50)
    assert [(each.column, each.value) for each in found.slices] == [("letter", "absent")]
    assert found.slices[0].rows == (~present[:, 0]).sum()
    assert found.notes[0].startswith("call is absent in ")


def test_weights_are_counts_of_rows() -> None:
    prediction, y, columns = loans(4, 300)
    counts = np.random.default_rng(0).integers(1, 4, 300)
    rows = np.repeat(np.arange(300), counts)
    weighed = slices(prediction, y, columns, weight=counts.astype(float), resamples=0, smallest=20)
    repeated = slices(two(prediction.values[rows, 1]), y[rows], {"region": columns["region"][rows]}, resamples=0)
    named = {each.value: each for each in weighed.slices}
    assert repeated.slices
    for each in repeated.slices:
        assert named[each.value].figure.value == pytest.approx(each.figure.value)
        assert named[each.value].rest == pytest.approx(each.rest)
        assert named[each.value].share == pytest.approx(each.share)


def test_values_and_any_figure() -> None:
    rng = np.random.default_rng(5)
    y, half = rng.normal(size=400), np.repeat(["left", "right"], 200)
    prediction = Prediction("value", y + rng.normal(size=400) * np.where(half == "left", 3, 1))
    for metric, better in (("auto", "right"), ("mae", "right"), ("r2", "right")):
        found = slices(prediction, y, {"half": half}, metric=metric, resamples=200)
        assert found.metric == ("rmse" if metric == "auto" else metric)
        assert {each.value: each.verdict for each in found.slices}[better] == "better"


def test_groups_widen_intervals() -> None:
    rng = np.random.default_rng(6)
    customer = np.repeat(np.arange(60), 10)
    p, y = np.repeat(rng.random(60), 10), LABELS[np.repeat(rng.integers(0, 2, 60), 10)]
    half = np.where(customer < 30, "left", "right")
    alone = slices(two(p), y, {"half": half}, resamples=100).slices[0].figure
    whole = slices(two(p), y, {"half": half}, resamples=100, groups=customer).slices[0].figure
    assert whole.high - whole.low > 2 * (alone.high - alone.low)


def test_ten_thousand_categories_are_counted_not_shown() -> None:
    rng = np.random.default_rng(7)
    n = 12_000
    p = rng.random(n)
    found = slices(
        two(p), LABELS[(rng.random(n) < p).astype(int)], {"id": np.arange(n).astype(str) + "#"}, resamples=20
    )
    assert found.slices == ()
    assert found.notes == ("id: 12,000 slice(s) left out (12,000 row(s)), small or beyond the 20 largest",)


def test_same_seed_same_slices_and_strict_json() -> None:
    made = [slices(*loans(8), resamples=60, seed=3) for _ in range(2)]
    told = [json.dumps(each.to_json(), allow_nan=False) for each in made]
    assert told[0] == told[1]
    assert set(json.loads(told[0])["slices"][0]) >= {"column", "value", "rows", "figure", "difference", "p", "verdict"}
    header, *body = made[0].rows()
    assert all(len(row) == len(header) for row in body)


def test_one_class_and_one_row_are_told() -> None:
    p, columns = np.linspace(0, 0.4, 200), {"half": np.repeat(["a", "b"], 100)}
    found = slices(two(p), np.full(200, "paid"), columns, resamples=20)
    assert np.isnan(found.figure.value)
    assert found.notes[-1].startswith("roc_auc is undefined in 2 slice(s)")
    assert found.notes[-1].endswith("are all equal: half = a, half = b")
    one = slices(two(p[:1]), LABELS[:1], {"half": columns["half"][:1]}, resamples=20)
    assert one.slices == ()
    assert one.notes == ("half: 1 slice(s) left out (1 row(s)), of fewer than 50 rows, or beside fewer",)
    flat = slices(two(np.full(200, 0.3)), np.tile(LABELS, 100), columns, resamples=20)
    assert [each.p for each in flat.slices] == [pytest.approx(np.nan, nan_ok=True)] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "gini"}, "unknown metric 'gini'"),
        ({"smallest": 1}, "smallest=1"),
        ({"columns": {"x": np.zeros(3)}}, "'x' has 3 cells for 1200 rows"),
        ({"present": np.ones((2, 1), bool), "sources": ("a",)}, "present has shape"),
        ({"resamples": -1}, "resamples"),
        ({"level": 1.0}, "level"),
    ],
)
def test_what_is_refused(options, message) -> None:
    prediction, y, columns = loans(0)
    with pytest.raises((InputError, ConfigError), match=message):
        slices(prediction, y, **{"columns": columns, **options})


def test_a_slice_that_a_resample_misses_is_no_error() -> None:
    prediction, y, _ = loans(9, 200)
    half = np.repeat(["a", "b"], 100)
    found = slices(prediction, y, {"half": half}, groups=half, resamples=40)  # half the draws hold one of them only
    assert isinstance(found, Slices)
    assert np.isfinite(found.slices[0].figure.value)


# Correction


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(deadline=None, max_examples=50)
def test_holm_is_its_definition(p: list[float]) -> None:
    found = holm(np.array([*p, np.nan]))
    assert np.isnan(found[-1])
    order = np.argsort(p)
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for step, i in enumerate(order):
            if p[i] > level / (len(p) - step):
                break
            rejected.add(i)
        assert set(np.flatnonzero(found[:-1] <= level * (1 + 1e-12))) == rejected


def test_normal_p() -> None:
    assert normal_p(1.959963984540054, 1) == pytest.approx(0.05)
    assert normal_p(-3.919927969080108, 2) == pytest.approx(0.05)
    assert np.isnan(normal_p(1, 0))
    assert np.isnan(normal_p(1, np.nan))
