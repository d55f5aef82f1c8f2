"""The series room: what it reads, what it refuses, what it says of a series, and what it must not see."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import MAX_FEATURES, Batch, Column, Features, FitContext, Ragged, Side, Source
from plait.errors import ConfigError, SchemaError
from plait.modalities.series import Series


def column(cells, row_time=None, side=None):
    values = np.empty(len(cells), object)
    for i, cell in enumerate(cells):
        values[i] = cell
    return Column("walk", values, np.array([cell is not None for cell in cells], bool), row_time, side)


def fitted(cells, **options):
    cells = cells if isinstance(cells, Column) else column(cells)
    context = FitContext(np.zeros(len(cells)), "binary", 1, np.ones(len(cells)))
    return Series(Source("walk", "series", ("walk",), {"walk": options})).fit([(cells,)], context)


def read(cells, **options) -> tuple[Series, Batch]:
    cells = cells if isinstance(cells, Column) else column(cells)
    room = fitted(cells, **options)
    return room, room.transform((cells,))


def row(batch: Batch, i: int, key: str = "values"):
    array = batch.arrays[key]
    assert isinstance(array, Ragged)
    return array.row(i)


def named(features: Features, i: int = 0) -> dict[str, float]:
    return dict(zip(features.names, features.values[i].tolist(), strict=True))


def summary(cell, **options) -> dict[str, float]:
    room, batch = read([cell], **options)
    return {name.rsplit(".", 1)[-1]: value for name, value in named(room.features(batch)).items()}


# cells


def test_dated_steps_after_the_moment_of_the_row_are_not_seen():
    days = [f"2024-01-0{day}" for day in (1, 2, 3, 4)]
    cell = {"time": days, "price": [1.0, 2.0, 3.0, 4.0]}
    untold = {"time": [0, 1, 2, 3], "price": [1.0, 2.0, 3.0, 4.0]}
    moment = datetime(2024, 1, 2, tzinfo=UTC).timestamp()
    times = np.array([moment, np.nan, moment - 9e6, moment])
    _, batch = read(column([cell, cell, cell, untold], times))
    assert row(batch, 0)[:, 0].tolist() == [1.0, 2.0]
    assert len(row(batch, 1)) == len(row(batch, 3)) == 4
    assert batch.present.tolist() == [True, True, False, True]
    assert not batch.faults


def test_one_channel_in_every_form():
    forms = [[1, 2.5, 3], (1, 2.5, 3), np.array([1, 2.5, 3], np.float32), "[1, 2.5, 3]", [[1], [2.5], [3]]]
    _, batch = read(forms)
    assert batch.present.all()
    for i in range(len(forms)):
        np.testing.assert_array_equal(row(batch, i)[:, 0], [1, 2.5, 3])


def test_named_channels_in_every_form():
    by_name = {"open": [1, 2], "close": [3, 4]}
    records = [{"open": 1, "close": 3}, {"close": 4, "open": 2}]
    forms = [by_name, records, json.dumps(by_name), json.dumps(records), np.array(records), [[1, 3], [2, 4]]]
    room, batch = read(forms)
    assert batch.present.all()
    for i in range(len(forms)):
        np.testing.assert_array_equal(row(batch, i), [[1, 3], [2, 4]])
    assert "walk.close.last" in room.features(batch).names


def test_lacking_channels_are_unobserved_and_new_ones_ignored():
    room = fitted([{"a": [1, 2], "b": [3, 4]}] * 3)
    batch = room.transform((column([{"b": [5, 6], "c": [7, 8]}]),))
    np.testing.assert_array_equal(row(batch, 0), [[np.nan, 5], [np.nan, 6]])
    values = named(room.features(batch))
    assert np.isnan(values["walk.a.last"])
    assert values["walk.b.last"] == 6


def test_nested_parquet_cells_are_read():
    nested = np.empty(2, object)
    nested[0], nested[1] = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    _, batch = read([nested])
    np.testing.assert_array_equal(row(batch, 0), [[1, 2], [3, 4]])


def test_empty_and_unobserved_cells_are_missing_without_a_fault():
    _, batch = read([[], None, [None, float("nan")], "[]", {}, {"time": [2, 1]}, [1.0]])
    assert batch.present.tolist() == [False] * 6 + [True]
    assert batch.faults == ()


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ([1.0, float("inf")], "infinity"),
        ("[1, Infinity]", "infinity"),
        ([1e300], "beyond"),
        ("hello", "a text"),
        ("[1, 2", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (7.5, "a float"),
        ([[1, 2], [3]], "unequal"),
        ({"a": [1], "b": [1, 2]}, "unequal lengths"),
        ([{"a": 1}, 2], "mixed"),
        ([1, "two"], "not numbers"),
        (np.zeros((2, 2, 2)), "3 dimensions"),
        ([[1, 2]], "2 channels"),
        ({"v": [1, 2], "time": [1, None]}, "no time"),
        ({"v": [1, 2], "time": ["monday", "2024-01-01"]}, "not a time"),
    ],
)
def test_broken_cells_are_faults(cell, reason):
    _, batch = read([[1.0, 2.0]] * 3 + [cell])
    (fault,) = batch.faults
    assert (fault.row, fault.column) == (3, "walk")
    assert reason in fault.reason
    assert batch.present.tolist() == [True] * 3 + [False]


def test_long_cells_keep_their_most_recent_steps():
    _, batch = read([list(range(100))], max_steps=10)
    np.testing.assert_array_equal(row(batch, 0)[:, 0], range(90, 100))


def test_times_of_every_kind_are_sorted_days():
    stamps = [datetime(2024, 1, 3), datetime(2024, 1, 1), datetime(2024, 1, 2)]
    forms = [
        {"v": [3, 1, 2], "time": stamps},
        {"v": [3, 1, 2], "time": np.array(stamps, "datetime64[s]")},
        {"v": [3, 1, 2], "time": ["2024-01-03", "2024-01-01T00:00:00Z", "2024-01-02T08:00:00+08:00"]},
        [{"v": v, "time": t.replace(tzinfo=UTC)} for v, t in zip([3, 1, 2], stamps, strict=True)],
    ]
    _, batch = read(forms)
    for i in range(len(forms)):
        np.testing.assert_array_equal(row(batch, i)[:, 0], [1, 2, 3])
        np.testing.assert_array_equal(row(batch, i, "time"), 19723 + np.arange(3))


def test_options_are_checked():
    with pytest.raises(ConfigError, match="did you mean 'patch'"):
        fitted([[1]], pach=3)
    with pytest.raises(ConfigError, match="a whole number from 1"):
        fitted([[1]], max_steps=0)
    with pytest.raises(ConfigError, match="a list of distinct names"):
        fitted([[1]], channels="close")


def test_only_named_channels_are_read():
    cell = {"close": [1, 2], "note": ["x", "y"], "when": [0, 1]}
    _, batch = read([cell], channels=["close"], time="when")
    np.testing.assert_array_equal(row(batch, 0), [[1], [2]])
    assert "time" in batch.arrays


@pytest.mark.parametrize(
    ("cells", "sure"),
    [
        ([[1, 2, 3], [4.0], None, []], True),
        (["[1, 2]", "[3]"], True),
        ([{"a": [1, 2]}], True),
        (["some words", "[sic] more words"], False),
        ([["a", "b"]], False),
        ([1.5, 2.5], False),
        ([[], "[]", None], False),
    ],
)
def test_accepts(cells, sure):
    assert (Series.accepts(column(cells)) > 0.8) == sure


# features


def test_what_a_ramp_is_like():
    ramp = summary([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert ramp["length"] == 6
    assert (ramp["last"], ramp["min"], ramp["max"], ramp["mean"]) == (6, 1, 6, 3.5)
    assert ramp["slope"] == pytest.approx(1)
    assert ramp["change"] == pytest.approx(3)
    assert ramp["volatility"] == ramp["fall"] == ramp["drawdown"] == ramp["season_strength"] == 0
    assert ramp["spectral_entropy"] == 1
    assert ramp["growth"] == pytest.approx(np.log(6) / 5)


def test_what_a_fall_is_like():
    fall = summary([100.0, 200.0, 50.0, 100.0])
    assert (fall["fall"], fall["fall_at_end"]) == (150, 100)
    assert (fall["drawdown"], fall["drawdown_at_end"]) == (0.75, 0.5)
    assert (fall["jump"], fall["jump_position"]) == (-150, pytest.approx(2 / 3))


def test_what_a_season_is_like():
    month = np.arange(36)
    season = summary(10 + np.sin(2 * np.pi * month / 12))
    assert season["season_strength"] > 0.9
    assert season["season_period"] == 12
    assert season["spectral_entropy"] < 0.2
    noise = summary(np.random.default_rng(0).normal(size=200))
    assert noise["season_strength"] < 0.2
    assert noise["spectral_entropy"] > 0.8


def test_memory_is_the_textbook_autocorrelation():
    x = np.random.default_rng(3).normal(size=50).cumsum()
    c = x - x.mean()
    found = summary(x.astype(np.float32))
    assert found["autocorrelation_1"] == pytest.approx((c[1:] * c[:-1]).sum() / (c * c).sum(), abs=1e-5)
    assert found["autocorrelation_2"] == pytest.approx((c[2:] * c[:-2]).sum() / (c * c).sum(), abs=1e-5)


@pytest.mark.parametrize("cell", [[0.1] * 9, [7.0], [-3.3, -3.3], [0.0] * 4])
def test_what_never_moves_is_finite_and_still(cell):
    still = summary(cell)
    assert still["last"] == still["mean"] == pytest.approx(cell[0])
    for name in ("std", "slope", "change", "volatility", "last_score", "fall", "autocorrelation_1", "season_strength"):
        assert still[name] == 0, name


def test_returns_are_defined_for_positive_values_only():
    assert np.isnan(summary([1.0, -1.0, 2.0])["return_volatility"])
    assert summary([1.0, 2.0, 4.0])["return_volatility"] == pytest.approx(0, abs=1e-7)
    signs = summary([0.0, -1.0, 2.0, 0.0])
    assert (signs["zeros"], signs["negatives"]) == (0.5, 0.25)


def test_unobserved_steps_are_carried_forward_and_counted():
    room, batch = read([[np.nan, 1.0, np.nan, 3.0, np.nan], [1.0, 2.0, 3.0, 4.0, 5.0]])
    values = named(room.features(batch))
    assert values["walk.unobserved"] == pytest.approx(0.6)
    assert (values["walk.last"], values["walk.min"], values["walk.mean"]) == (3, 1, pytest.approx(9 / 5))
    inputs = room.inputs(batch)
    assert np.isfinite(row(inputs, 0)).all()
    np.testing.assert_array_equal(row(inputs, 0)[:, -1], [0, 1, 0, 1, 0])


def test_timed_series_tell_slopes_a_day_and_gaps():
    told = summary({"v": [0.0, 2.0, 4.0, 10.0], "time": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-06"]})
    assert told["slope"] == pytest.approx(2)
    assert (told["span"], told["mean_gap"], told["longest_gap"]) == (5, pytest.approx(5 / 3), 3)
    same = summary({"v": [1.0, 2.0], "time": [19723.1, 19723.1]})
    assert same["slope"] == same["span"] == 0


@pytest.mark.parametrize("channels", [2, 9, 40, 300])
def test_features_are_bounded_whatever_the_channels(channels):
    room, batch = read([np.random.default_rng(i).normal(size=(7, channels)) for i in range(5)])
    features = room.features(batch)
    assert len(features.names) == len(set(features.names)) <= MAX_FEATURES
    assert "walk.channel0.last" in features.names
    assert features.present.all() or channels < 40


numbers = st.floats(width=32, allow_infinity=False) | st.integers(-(10**6), 10**6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(numbers, max_size=12) | st.none() | st.text(max_size=5) | numbers, min_size=1, max_size=8))
def test_features_are_finite_where_present_and_rows_stand_alone(cells):
    room, batch = read(cells)
    features = room.features(batch)
    np.testing.assert_array_equal(np.isnan(features.values), ~features.present)
    assert not np.isinf(features.values).any()
    assert np.isfinite(row(room.inputs(batch), 0)).all()
    for i in range(len(cells)):
        alone = room.features(room.transform((column(cells[i : i + 1]),)))
        np.testing.assert_array_equal(alone.values[0], features.values[i])


# side tables


def ledger(**changes) -> Side:
    columns = {
        "customer": np.array(["a", "b", "a", "a", "c"], object),
        "booked": np.array(["2024-01-03", "2024-01-01", "2024-01-01", "2024-01-02", "NaT"], "datetime64[ns]"),
        "amount": np.array([3.0, 10.0, 1.0, 2.0, 99.0]),
        "memo": np.array(["x"] * 5, object),
        **changes,
    }
    return Side("ledger", columns, "customer", "booked")


def moment(*days: str):
    return np.array(days, "datetime64[ns]").astype("datetime64[s]").astype(float)


def test_a_row_sees_what_was_known_at_its_time_and_nothing_later():
    now = moment("2024-01-02", "2024-01-01", "2023-12-31", "2030-01-01", "2030-01-01", "2030-01-01")
    now[0] -= 0.5
    keys = column(["a", "a", "a", "a", "c", "nobody"], now, ledger())
    room, batch = read(keys)
    assert [row(batch, i)[:, 0].tolist() for i in range(6)] == [[1], [1], [], [1, 2, 3], [], []]
    assert batch.present.tolist() == [True, True, False, True, False, False]
    exactly = room.transform((column(["a"], moment("2024-01-02"), ledger()),))
    assert row(exactly, 0)[:, 0].tolist() == [1, 2]
    unknown = room.transform((column(["a"], np.array([np.nan]), ledger()),))
    assert row(unknown, 0)[:, 0].tolist() == [1, 2, 3]
    untimed = room.transform((column(["a", "b"], None, ledger()),))
    assert row(untimed, 0, "time").tolist() == [19723, 19724, 19725]
    assert batch.faults == ()


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-5, 5)), min_size=1, max_size=30),
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-6, 6)), min_size=1, max_size=10),
    st.integers(1, 5),
)
def test_histories_agree_with_a_plain_search(facts, rows, longest):
    columns = {
        "k": np.array([key for key, _ in facts], object),
        "t": np.array([time for _, time in facts], float),
        "v": np.arange(float(len(facts))),
    }
    keys = column([key for key, _ in rows], np.array([t for _, t in rows], float), Side("s", columns, "k", "t"))
    _, batch = read(keys, max_steps=longest)
    for i, (key, now) in enumerate(rows):
        seen = sorted((time, v) for v, (k, time) in enumerate(facts) if k == key and time <= now)
        assert row(batch, i)[:, 0].tolist() == [v for _, v in seen][-longest:]


def test_keys_match_whatever_number_type_holds_them():
    side = Side("s", {"k": np.array([12, 7]), "v": np.array([1.0, 2.0])}, "k")
    as_float = Column("walk", np.array([12.0, 8.0]), np.ones(2, bool), np.array([-1e9, 0.0]), side)
    room, batch = read(as_float)
    assert batch.present.tolist() == [True, False]
    assert room.transform((column(["12", "x"], None, side),)).present.tolist() == [True, False]
    texts = Side("s", {"k": np.array(["12", "x"], object), "v": np.array([1.0, 2.0])}, "k")
    assert room.transform((Column("walk", np.array([12.0]), np.ones(1, bool), None, texts),)).present.tolist() == [True]


def test_infinity_in_a_side_table_is_a_fault_of_the_rows_that_see_it():
    side = ledger(amount=np.array([np.inf, 10.0, 1.0, 2.0, np.inf]))
    _, batch = read(column(["a", "a", "b"], moment("2024-01-02", "2024-01-03", "2024-01-03"), side))
    assert batch.present.tolist() == [True, False, True]
    assert [fault.row for fault in batch.faults] == [1]


def test_side_tables_without_the_channel_are_told():
    words = Side("notes", {"k": np.array([1.0]), "memo": np.array(["x"], object)}, "k")
    assert Series.accepts(column([1.0], None, words)) == 0
    assert Series.accepts(column(["a"], None, ledger())) == 0.4
    numbers = Side("numbers", {"k": np.array([1.0]), "v": np.array([2.0])}, "k")
    assert Series.accepts(column([1.0], None, numbers)) == 0.9
    with pytest.raises(SchemaError, match="no numeric column"):
        fitted(column([1.0], None, words))
    with pytest.raises(ConfigError, match="did you mean 'amount'"):
        fitted(column(["a"], None, ledger()), channels=["amont"]).transform((column(["a"], None, ledger()),))


# tokens and state


def test_inputs_are_scaled_bounded_and_recent():
    rng = np.random.default_rng(0)
    cells = [(rng.normal(size=40).cumsum() * 1000 + 50_000).tolist() for _ in range(50)]
    cells[0] = [1e30] + [0.0] * 900
    room, batch = read([*cells, None], patch=2)
    inputs = room.inputs(batch)
    values = inputs.arrays["values"]
    assert isinstance(values, Ragged)
    assert values.values.dtype == np.float32
    assert values.values.shape[1] == 2
    assert values.lengths.max() == 2 * 16
    assert values.lengths[-1] == 0
    assert np.isfinite(values.values).all()
    assert np.abs(values.take(np.arange(1, 50)).values).max() < 10


def test_tokens_of_absent_rows_are_masked():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    room, batch = read([[1.0, 2.0, 3.0], None, list(range(40))])
    encoder = room.encoder(8)
    tokens = encoder(encoder.collate(room.inputs(batch)))
    assert tokens.values_BTD.shape[2] == 8
    assert tokens.mask_BT.shape[1] <= 16
    assert tokens.mask_BT.any(dim=1).tolist() == [True, False, True]


def test_newer_state_is_refused():
    from dataclasses import replace

    from plait.errors import ArtifactError

    room = fitted([[1.0, 2.0]])
    with pytest.raises(ArtifactError, match="update plait"):
        Series.from_state(room.source, replace(room.state(), version=99))
