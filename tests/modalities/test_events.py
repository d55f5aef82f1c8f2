"""The events room: what it reads and refuses, what it says of a history, and what no row may see."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import MAX_FEATURES, Batch, Column, Features, FitContext, Ragged, Side, Source
from plait.data import samples
from plait.data.asof import side as as_side
from plait.data.frame import column as as_column
from plait.errors import ArtifactError, ConfigError, SchemaError
from plait.modalities.events import Events
from plait.modalities.series import Series

DAY = 86_400.0
START = datetime(2024, 3, 1)


def column(cells, row_time=None, side=None):
    values = np.empty(len(cells), object)
    for i, cell in enumerate(cells):
        values[i] = cell
    return Column("paid", values, np.array([cell is not None for cell in cells], bool), row_time, side)


def fitted(cells, **options) -> Events:
    cells = cells if isinstance(cells, Column) else column(cells)
    context = FitContext(np.zeros(len(cells)), "binary", 1, np.ones(len(cells)))
    return Events(Source("paid", "events", ("paid",), {"paid": options})).fit([(cells,)], context)


def read(cells, **options) -> tuple[Events, Batch]:
    cells = cells if isinstance(cells, Column) else column(cells)
    room = fitted(cells, **options)
    return room, room.transform((cells,))


def row(batch: Batch, i: int, key: str):
    array = batch.arrays[key]
    assert isinstance(array, Ragged)
    return array.row(i)


def named(features: Features, i: int = 0) -> dict[str, float]:
    return {n.removeprefix("paid."): v for n, v in zip(features.names, features.values[i].tolist(), strict=True)}


def record(day: float, kind: str = "shop", amount: float = 1.0, **more):
    return {"time": START + timedelta(days=day), "kind": kind, "amount": amount, **more}


def moment(day: float) -> float:
    return (START + timedelta(days=day)).replace(tzinfo=UTC).timestamp()


SOME = [record(0, "rent", 5), record(1, "shop", 2), record(3, "shop", 4), record(9, "rent", 5), record(9.5, "cash", 9)]


# cells


def test_records_in_every_form():
    by_column = {key: [r[key] for r in SOME] for key in SOME[0]}
    texts = [{**r, "time": r["time"].isoformat()} for r in SOME]
    stamps = [{**r, "time": r["time"].replace(tzinfo=UTC).timestamp()} for r in SOME]
    arrays = {k: np.array(v, "datetime64[ns]") if k == "time" else np.array(v) for k, v in by_column.items()}
    forms = [SOME, tuple(SOME), np.array(SOME, object), by_column, arrays, texts, json.dumps(texts), SOME[::-1]]
    room, batch = read(forms)
    assert batch.present.all()
    assert batch.faults == ()
    for i in range(len(forms)):
        np.testing.assert_array_equal(row(batch, i, "time"), row(batch, 0, "time"))
        np.testing.assert_array_equal(row(batch, i, "numbers")[:, 0], [5, 2, 4, 5, 9])
        np.testing.assert_array_equal(row(batch, i, "codes"), row(batch, 0, "codes"))
    _, seconds = read([stamps] * 3)
    np.testing.assert_allclose(row(seconds, 0, "time"), row(batch, 0, "time"), atol=1e-9)
    assert fitted(forms).state() == room.state()


def test_records_without_a_time_stand_in_order():
    room, batch = read([[{"kind": "a"}, {"kind": "b"}], [{"kind": "b"}, {"kind": "a"}, {"kind": "c"}]])
    assert row(batch, 1, "time").tolist() == [0, 1, 2]
    assert named(room.features(batch))["count"] == 2


@pytest.mark.parametrize("cell", [None, [], "[]", {}, {"time": [], "kind": []}])
def test_empty_cells_are_missing_without_a_fault(cell):
    _, batch = read([SOME, SOME, cell])
    assert batch.present.tolist() == [True, True, False]
    assert batch.faults == ()


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("hello", "a text is not a list of records"),
        ("[{", "not JSON"),
        (7, "a int"),
        ([1, 2], "mixed"),
        ([SOME[0], "x"], "mixed"),
        ({"kind": "a"}, "not a list"),
        ({"kind": ["a"], "amount": [1, 2]}, "unequal lengths"),
        ([{"kind": "a"}], "no 'time'"),
        ([{"time": None, "kind": "a"}], "no time"),
        ([{"time": "monday", "kind": "a"}], "not a time"),
        ([record(0, amount=float("inf"))], "infinity"),
        ([record(0, amount=10**400)], "infinity"),
    ],
)
def test_broken_cells_are_faults(cell, reason):
    _, batch = read([SOME, SOME, SOME, SOME, cell])
    (fault,) = batch.faults
    assert (fault.row, fault.column) == (4, "paid")
    assert reason in fault.reason
    assert batch.present.tolist() == [True] * 4 + [False]


@pytest.mark.parametrize(
    ("cells", "sure"),
    [
        ([SOME, None, []], True),
        ([json.dumps([{"kind": "a", "n": 1}])], True),
        ([{"kind": ["a", "b"], "n": [1, 2]}], True),
        ([[{"time": "2024-01-01", "v": 1.0}]], False),  # numbers alone are a series,
        ([[{"time": "2024-01-01", "said": "no"}]], False),  # and one field may be what another room reads
        ([{"time": ["2024-01-01"], "v": [1.0]}], False),
        ([["a", "b"]], False),
        (["words", "[sic]"], False),
        ([[1, 2]], False),
    ],
)
def test_accepts(cells, sure):
    assert (Events.accepts(column(cells)) > 0.9) == sure
    assert not sure or Series.accepts(column(cells)) == 0


# options


def test_options_are_checked():
    with pytest.raises(ConfigError, match="did you mean 'windows'"):
        fitted([SOME], window=[7])
    for bad in ([7, 1], [], [0], ["7"], list(range(1, 9))):
        with pytest.raises(ConfigError, match="rising numbers of days"):
            fitted([SOME], windows=bad)
    with pytest.raises(ConfigError, match="whole number from 1"):
        fitted([SOME], max_events=0)
    with pytest.raises(ConfigError, match="distinct names"):
        fitted([SOME], columns={"kind": "colour"})
    with pytest.raises(ConfigError, match="did you mean 'records'"):
        fitted([SOME], encoder="record")


def test_columns_are_of_their_kind_and_can_be_named():
    cells = [[record(d, code=d % 3, online=bool(d % 2), note={"x": 1}) for d in range(9)]] * 2
    room, batch = read(cells)
    assert row(batch, 0, "numbers").shape[1] == 2
    assert row(batch, 0, "codes").shape[1] == 2
    room, batch = read(cells, columns={"code": "category", "amount": "number"})
    names = room.features(batch).names
    assert row(batch, 0, "codes").shape[1] == 1
    assert any(name.startswith("paid.code.") for name in names)
    assert not any("kind" in name for name in names)
    _, batch = read(cells, columns=["kind"])
    assert row(batch, 0, "numbers").shape[1] == 0


def test_the_time_may_have_another_name():
    cells = [[{"booked": r["time"], "kind": r["kind"]} for r in SOME]]
    for options in ({}, {"time": "booked"}):
        _, batch = read(cells, **options)
        assert row(batch, 0, "time")[-1] == pytest.approx(moment(9.5) / DAY)


def test_windows_suit_the_histories():
    def windows(days):
        room, batch = read([[record(d, "ab"[i % 2]) for i, d in enumerate(np.linspace(0, days, 20))]] * 3)
        return [n.removeprefix("paid.count_") for n in room.features(batch).names if n.startswith("paid.count_")]

    assert windows(120) == ["7d", "30d", "90d"]
    assert windows(1000) == ["30d", "90d", "365d"]
    assert windows(64 / 24) == ["1h", "4h", "16h"]


# features


def test_what_a_history_is_like():
    room, batch = read(column([SOME] * 3, np.full(3, moment(10))), windows=[2, 5])
    told = named(room.features(batch))
    assert (told["count"], told["count_2d"], told["count_5d"]) == (5, 2, 2)
    assert (told["span"], told["recency"]) == (pytest.approx(10), pytest.approx(0.5))
    assert (told["amount.sum"], told["amount.max"], told["amount.min"], told["amount.last"]) == (25, 9, 2, 9)
    assert (told["amount.sum_2d"], told["amount.max_5d"]) == (14, 9)
    gaps = np.array([1, 2, 6, 0.5])
    assert told["gap_mean"] == pytest.approx(gaps.mean())
    assert told["gap_sd"] == pytest.approx(gaps.std())
    assert told["gap_burstiness"] == pytest.approx((gaps.std() - gaps.mean()) / (gaps.std() + gaps.mean()))
    assert told["gap_last"] == pytest.approx(0.5)
    assert told["gap_trend"] == pytest.approx(np.polyfit(range(4), np.log1p(gaps), 1)[0])
    assert told["kind.rent.share"] == pytest.approx(0.4)
    assert told["kind.rent.gap_mean"] == pytest.approx(9)
    assert told["kind.shop.recency"] == pytest.approx(7)
    assert told["kind.shop.amount_mean"] == pytest.approx(3)
    assert told["kind.last_share"] == pytest.approx(0.2)
    assert (told["kind.distinct"], told["kind.new_2d"]) == (3, 1)
    assert told["kind.rent_to_cash.soonest"] == pytest.approx(0.5)
    assert told["kind.rent_to_cash.soon_2d"] == 1
    assert told["kind.rent_to_shop.soon_2d"] == 1
    assert np.isnan(told["kind.cash_to_rent.soonest"])
    assert told["night.share"] == pytest.approx(0.8)
    assert told["afternoon.share"] == pytest.approx(0.2)


def test_order_changes_features_that_counts_do_not_see():
    kinds = ["salary", "gambling", "rent", "shop"] * 3
    forth = [record(i, kind) for i, kind in enumerate(kinds)]
    back = [record(i, kind) for i, kind in enumerate(kinds[::-1])]
    room, batch = read([forth, back], windows=[1, 100])
    one, other = (named(room.features(batch), i) for i in range(2))
    assert one["kind.gambling.share"] == other["kind.gambling.share"]
    assert (one["kind.salary_to_gambling.soon_1d"], other["kind.salary_to_gambling.soon_1d"]) == (3, 0)


def test_features_are_bounded_whatever_the_columns():
    rng = np.random.default_rng(0)
    cells = [
        [
            {
                "time": d,
                **{f"n{i}": rng.normal() for i in range(9)},
                **{f"c{i}": f"l{rng.integers(9)}" for i in range(9)},
            }
            for d in range(40)
        ]
        for _ in range(5)
    ]
    room, batch = read(cells)
    features = room.features(batch)
    assert len(set(features.names)) == len(features.names) <= MAX_FEATURES
    assert np.isfinite(features.values).mean() > 0.8


plain = st.fixed_dictionaries(
    {},
    optional={
        "time": st.integers(-3, 3) | st.just("2024-01-02"),
        "kind": st.sampled_from(["a", "b", "c", "", None]) | st.booleans() | st.integers(),
        "amount": st.floats(width=32, allow_infinity=False) | st.text(max_size=3) | st.none(),
    },
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(plain, max_size=6) | st.none() | st.integers(), min_size=1, max_size=6))
def test_features_are_finite_where_present_and_rows_stand_alone(cells):
    room, batch = read(cells)
    features = room.features(batch)
    np.testing.assert_array_equal(np.isnan(features.values), ~features.present)
    assert not np.isinf(features.values).any()
    assert np.isfinite(room.inputs(batch).arrays["values"].values).all()
    for i in range(len(cells)):
        alone = room.features(room.transform((column(cells[i : i + 1]),)))
        np.testing.assert_array_equal(alone.values[0], features.values[i])


# what a row may see

days = st.integers(-20, 20)
payments = st.lists(st.tuples(days, st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=12)


def both(facts, later, now):
    """The batch of a row before and after records later than its moment are known: as a cell, and in a side table."""
    room = fitted(column([[record(d, k, a) for d, k, a in facts]] * 2, np.full(2, moment(25))))
    cells = [[record(d, k, a) for d, k, a in known] for known in (facts, [*later, *facts])]
    batches = [room.transform((column([cell], np.array([moment(now)])),)) for cell in cells]
    table = {
        "who": np.array(["x"] * (len(facts) + len(later)), object),
        "time": np.array([moment(d) for d, *_ in [*later, *facts]]),
        "kind": np.array([k for _, k, _ in [*later, *facts]], object),
        "amount": np.array([float(a) for *_, a in [*later, *facts]]),
    }
    batches.append(room.transform((column(["x"], np.array([moment(now)]), Side("t", table, "who", "time")),)))
    return room, batches


@settings(deadline=None, max_examples=60)
@given(payments, st.lists(st.tuples(st.integers(1, 30), st.sampled_from("abcz"), st.integers(0, 99)), max_size=6), days)
def test_a_later_record_never_changes_a_row(facts, after, now):
    later = [(now + lag, kind, amount) for lag, kind, amount in after]
    room, (before, cell, table) = both(facts, later, now)
    seen = sorted(d for d, *_ in facts if d <= now)
    assert before.present[0] == bool(seen)
    np.testing.assert_allclose(row(before, 0, "time"), [moment(d) / DAY for d in seen])
    for other in (cell, table):
        assert other.present[0] == before.present[0]
        for key in ("time", "numbers", "codes", "marks"):
            np.testing.assert_allclose(np.sort(row(other, 0, key), axis=0), np.sort(row(before, 0, key), axis=0))
    np.testing.assert_array_equal(room.features(cell).values, room.features(before).values)
    np.testing.assert_array_equal(row(room.inputs(cell), 0, "values"), row(room.inputs(before), 0, "values"))


def test_later_records_teach_nothing():
    later = [*SOME, *[record(50 + i, "unheard", 1e6) for i in range(9)]]
    early, late = (fitted(column([cell] * 3, np.full(3, moment(10)))) for cell in (SOME, later))
    assert early.state() == late.state()


def test_a_row_sees_the_very_moment_and_all_where_it_has_none():
    for offset, count in ((0.0, 5), (-1e-3, 4), (np.nan, 5)):
        _, batch = read(column([SOME] * 2, np.full(2, moment(9.5) + offset)))
        assert len(row(batch, 0, "time")) == count
    room, batch = read([SOME] * 2, max_events=2)
    assert row(batch, 0, "numbers")[:, 0].tolist() == [5, 9]
    assert named(room.features(batch))["recency"] == 0


# side tables


def test_a_side_table_says_what_cells_say():
    cells, (frame, table) = samples.payments(60, seed=3), samples.payments_side(60, seed=3)
    now = frame["reviewed_at"].to_numpy().astype("datetime64[s]").astype(float)
    long = as_side("ledger", table, "customer", "time")
    nested = as_column(cells["payments"].rename("paid"), now)
    keys = as_column(frame["customer"].rename("paid"), now, long)
    assert Events.accepts(keys) == 0.95 > Series.accepts(keys)
    one, first = read(nested)
    other, second = read(keys)
    np.testing.assert_array_equal(first.present, second.present)
    a, b = one.features(first), other.features(second)
    shared = [name for name in a.names if name in b.names]
    assert len(shared) > 150
    for name in shared:
        x, y = a.values[:, a.names.index(name)], b.values[:, b.names.index(name)]
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-4, err_msg=name)


def test_side_tables_of_numbers_are_series_first():
    numbers = Side("n", {"k": np.array(["a"], object), "v": np.array([1.0])}, "k")
    keys = column(["a"], None, numbers)
    assert 0 < Events.accepts(keys) < Series.accepts(keys)
    bare = Side("n", {"k": np.array(["a"], object)}, "k")
    assert Events.accepts(column(["a"], None, bare)) == 0
    with pytest.raises(SchemaError, match="no column to read"):
        fitted(column(["a"], None, bare))
    table = {"k": np.array(["a"], object), "amount": np.array([1.0])}
    with pytest.raises(ConfigError, match="did you mean 'amount'"):
        fitted(column(["a"], None, Side("n", table, "k")), columns=["amont"])


def test_another_side_table_must_have_the_columns():
    table = {"k": np.array(["a", "a"], object), "kind": np.array(["x", "x"], object)}
    room = fitted(column(["a"], None, Side("n", table, "k")))
    other = Side("n", {"k": np.array(["a"], object), "sort": np.array(["x"], object)}, "k")
    with pytest.raises(ConfigError, match="unknown column of side table 'n' 'kind'"):
        room.transform((column(["a"], None, other),))


# tokens and state


@pytest.mark.parametrize("kind", ["auto", "records", "record_states"])
def test_tokens_are_few_and_learn(kind):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    long = [record(d / 5, "abc"[d % 3], d) for d in range(200)]
    room, batch = read([SOME, None, long], encoder=kind)
    inputs = room.inputs(batch)
    assert len(row(inputs, 2, "values")) == 64
    encoder = room.encoder(16)
    tokens = encoder(encoder.collate(inputs))
    assert tokens.values_BTD.shape[1] <= 16
    assert tokens.mask_BT.any(dim=1).tolist() == [True, False, True]
    tokens.values_BTD[tokens.mask_BT].square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_newer_state_is_refused():
    from dataclasses import replace

    room = fitted([SOME])
    with pytest.raises(ArtifactError, match="update plait"):
        Events.from_state(room.source, replace(room.state(), version=99))


# the made set


def test_payments_are_as_documented(tmp_path):
    frame, (keys, table) = samples.payments(1500, seed=2), samples.payments_side(1500, seed=2)
    assert frame["reviewed_at"].is_monotonic_increasing
    assert 0.2 < frame["default"].mean() < 0.32
    assert frame["payments"].isna().mean() == pytest.approx(0.05, abs=0.02)
    np.testing.assert_array_equal(frame["default"], keys["default"])
    held = frame["payments"].dropna()
    assert all(cell[-1]["time"] <= now for cell, now in zip(held, frame["reviewed_at"][held.index], strict=True))
    first = keys.index[frame["payments"].notna()][0]
    own = table[table["customer"] == keys.loc[first, "customer"]]
    assert (own["time"] > keys.loc[first, "reviewed_at"]).any()
    assert (own["time"] <= keys.loc[first, "reviewed_at"]).sum() == len(held[first])
    oracle = samples.payments_oracle(1500, seed=2)
    logits = oracle.drop(columns="probability").sum(axis=1)
    np.testing.assert_allclose(oracle["probability"], 1 / (1 + np.exp(-logits)))
    frame.to_parquet(tmp_path / "payments.parquet")
    again = pd.read_parquet(tmp_path / "payments.parquet")
    room, batch = read(as_column(frame["payments"].head(20).rename("paid")))
    np.testing.assert_array_equal(
        room.features(batch).values,
        room.features(room.transform((as_column(again["payments"].head(20).rename("paid")),))).values,
    )
