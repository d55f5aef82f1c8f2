"""Windows over the past of an entity: made event by event or for a whole frame, they are those of the definition."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.velocities import Velocities
from plait.data.windows import Windows, duration, number_of, text_of
from plait.errors import ConfigError, DataError

TOLD = {
    "card": {
        "over": ["1h", "10m"],
        "features": ["count", "sum(amount)", "mean(amount)", "max(amount)", "ratio(amount)", "distinct(shop)", "since"],
    },
    "shop": {"over": ["30m"], "features": ["count", "distinct(card)", "max(amount)"]},
}
WINDOWS = Windows.of(TOLD)
EVENT = st.tuples(
    st.integers(0, 7200),
    st.sampled_from(["a", "b", None]),
    st.sampled_from(["x", "y", "z", None]),
    st.one_of(st.integers(-(10**8), 10**8).map(lambda cents: cents / 100), st.sampled_from([math.nan, 0.0, 0.1])),
)


@st.composite
def crowded(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Many events of two cards, so that their windows are long and kept up; some late, amounts with missing ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    times = np.sort(rng.integers(0, 7200, 200)) - rng.choice([0, 0, 0, 200, 900], 200)
    amounts = np.where(rng.random(200) < 0.1, np.nan, rng.normal(50, 100, 200).round(2))
    cards, shops = rng.choice(["a", "a", "b"], 200), rng.choice(["x", "y", "z"], 200)
    return list(zip(times.tolist(), cards.tolist(), shops.tolist(), amounts.tolist(), strict=True))


EVENTS = st.one_of(st.lists(EVENT, min_size=2, max_size=40), crowded())


def by_definition(events: list[tuple[Any, ...]], late: float) -> tuple[list[dict[str, float]], list[bool]]:
    """Every event against all that arrived before it, one by one."""
    kept: list[tuple[Any, ...]] = []
    found, told = [], []
    for event in events:
        now = event[0]
        latest = max([e[0] for e in events[: len(found) + 1]])
        floor = latest - WINDOWS.longest - late
        row: dict[str, float] = {}
        for entity, at in (("card", 1), ("shop", 2)):
            mine = [e for e in kept if event[at] is not None and e[at] == event[at] and floor < e[0] <= now]
            if entity == "card":
                seen = [e[0] for e in mine if e[0] > now - 3600]
                row["card_since"] = now - max(seen) if seen else math.nan
            for span in ("10m", "1h") if entity == "card" else ("30m",):
                inside = [e for e in mine if e[0] > now - duration(span)]
                amounts = [e[3] for e in inside if e[3] == e[3]]
                nothing = math.nan if event[at] is None else 0.0
                mean = math.fsum(amounts) / len(amounts) if amounts else math.nan
                row[f"{entity}_count_{span}"] = len(inside) if event[at] is not None else math.nan
                row[f"{entity}_sum_amount_{span}"] = math.fsum(amounts) + nothing
                row[f"{entity}_mean_amount_{span}"] = mean
                row[f"{entity}_max_amount_{span}"] = max(amounts, default=math.nan)
                row[f"{entity}_ratio_amount_{span}"] = event[3] / mean if mean else math.nan
                row[f"{entity}_distinct_shop_{span}"] = len({e[2] for e in inside} - {None}) + nothing
                row[f"{entity}_distinct_card_{span}"] = len({e[1] for e in inside} - {None}) + nothing
        found.append({name: row[name] for name in WINDOWS.names})
        told.append(now < latest - late)
        if not told[-1]:
            kept.append(event)
    return found, told


@settings(deadline=None, max_examples=30)
@given(EVENTS, st.sampled_from([0.0, 300.0, 3600.0]))
def test_event_by_event_is_the_definition(events: list[tuple[Any, ...]], late: float) -> None:
    seen = Velocities(WINDOWS, late)
    online = [seen.see(float(t), (card, shop), (amount,)) for t, card, shop, amount in events]
    expected, told = by_definition(events, late)
    assert [flag for _, flag in online] == told
    got = np.array([row for row, _ in online])
    ratio = [i for i, name in enumerate(WINDOWS.names) if "ratio" in name or "mean" in name]
    plain = [i for i in range(len(WINDOWS.names)) if i not in ratio]
    wanted = np.array([list(row.values()) for row in expected], float)
    np.testing.assert_allclose(got[:, plain], wanted[:, plain], rtol=1e-9, atol=1e-9)
    # a mean near nothing is what is left of amounts that take each other away: the ratio to it is of no use
    large = np.isfinite(wanted[:, ratio]) & (np.abs(wanted[:, ratio]) < 1e6)
    np.testing.assert_allclose(got[:, ratio][large], wanted[:, ratio][large], rtol=1e-3, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(EVENTS, st.sampled_from([0.0, 300.0, 3600.0]))
def test_columns_for_training_are_those_of_the_stream(events: list[tuple[Any, ...]], late: float) -> None:
    seen = Velocities(WINDOWS, late)
    online = np.array([seen.see(float(t), (card, shop), (amount,))[0] for t, card, shop, amount in events])
    frame = pd.DataFrame(events, columns=["time", "card", "shop", "amount"]).assign(arrived=range(len(events)))
    shuffled = frame.sample(frac=1, random_state=0)
    made = WINDOWS.columns(shuffled, "time", arrival="arrived", late=late).loc[frame.index]
    np.testing.assert_array_equal(made.to_numpy(), online)
    assert tuple(made.columns) == WINDOWS.names


@settings(deadline=None, max_examples=30)
@given(EVENTS, st.integers(1, 199))
def test_a_restart_changes_nothing_to_the_last_bit(events: list[tuple[Any, ...]], cut: int) -> None:
    straight, before = Velocities(WINDOWS, 600.0), Velocities(WINDOWS, 600.0)
    kept, expected = [], []
    for t, card, shop, amount in events:
        expected.append(straight.see(float(t), (card, shop), (amount,))[0])
    for t, card, shop, amount in events[:cut]:
        if not before.see(float(t), (card, shop), (amount,))[1]:
            kept.append((float(t), (card, shop), (amount,)))
    after = Velocities(WINDOWS, 600.0, before.watermark)
    for event in kept:
        after.restore(*event)
    got = [after.see(float(t), (card, shop), (amount,))[0] for t, card, shop, amount in events[cut:]]
    np.testing.assert_array_equal(np.array(got).reshape(-1), np.array(expected[cut:]).reshape(-1))


def test_after_a_burst_windows_are_those_of_the_definition() -> None:
    burst = [(float(i), "a", "xyz"[i % 3], i / 4) for i in range(100)]
    calm = [(5000.0 + 300.0 * i, "a", "x", float(i)) for i in range(60)]
    seen = Velocities(WINDOWS, 60.0)
    got = np.array([seen.see(t, (card, shop), (amount,))[0] for t, card, shop, amount in burst + calm])
    wanted, _ = by_definition(burst + calm, 60.0)
    np.testing.assert_allclose(got, [list(row.values()) for row in wanted])


def test_what_nobody_can_see_is_forgotten() -> None:
    seen = Velocities(WINDOWS, 60.0)
    most = 0
    for i in range(20_000):
        seen.see(10.0 * i, (f"card{i // 3}", "one"), (1.0,))
        most = max(most, len(seen))
    assert most < 700
    found, _ = seen.see(10.0 * 20_000, ("new", "one"), (1.0,))
    assert dict(zip(WINDOWS.names, found, strict=True))["shop_count_30m"] == 179


def test_rows_are_taken_by_time_and_a_label_is_never_needed() -> None:
    frame = pd.DataFrame(
        {
            "time": ["2026-01-01T10:05:00", "2026-01-01T10:00:00"],
            "card": [12, 12.0],
            "shop": ["x", "y"],
            "amount": [1, 3],
        }
    )
    made = WINDOWS.columns(frame, "time")
    assert made["card_count_10m"].tolist() == [1.0, 0.0]
    assert made["card_ratio_amount_10m"].iloc[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "no column"),
        ({"card": {"over": ["1h"]}}, "'card'"),
        ({"card": {"over": [], "features": ["count"]}}, "at least one"),
        ({"card": {"over": ["1y"], "features": ["count"]}}, "'1y'"),
        ({"card": {"over": ["0h"], "features": ["count"]}}, "longer than nothing"),
        ({"card": {"over": ["1h"], "features": ["sum"]}}, r"sum\(COLUMN\)"),
        ({"card": {"over": ["1h"], "features": ["count(x)"]}}, "should be count"),
        ({"card": {"over": ["1h"], "features": ["cuont"]}}, "did you mean 'count'"),
    ],
)
def test_a_mistake_is_told_in_one_line(told: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Windows.of(told)


def test_files_and_frames_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        Windows.read(tmp_path / "none.yaml")
    with pytest.raises(DataError, match="'card'"):
        WINDOWS.columns(pd.DataFrame({"time": [1.0]}), "time")
    file = tmp_path / "windows.yaml"
    file.write_text("card: {over: [10m, 1h], features: [count, since]}\n")
    read = Windows.read(file)
    assert read.names == ("card_since", "card_count_10m", "card_count_1h")
    assert Windows.of(read.to_json()) == read


def test_cells_as_names_and_numbers() -> None:
    assert [text_of(cell) for cell in (12, 12.0, "12", None, math.nan, "", True)] == [
        "12",
        "12",
        "12",
        None,
        None,
        None,
        "True",
    ]
    assert number_of("1.5") == 1.5
    assert all(math.isnan(number_of(cell)) for cell in (None, "many", [1], 1e300, -1e300, math.inf, pd.NA))


def test_numbers_are_added_up_however_large() -> None:
    seen = Velocities(WINDOWS)
    for i in range(100):
        found, _ = seen.see(float(i), ("a", "x"), (number_of(1e200),))
    told = dict(zip(WINDOWS.names, found, strict=True))
    assert told["card_sum_amount_10m"] == pytest.approx(99e200)
    assert math.isnan(number_of(1.6e296))


def test_missing_names_of_every_type_of_column_are_missing() -> None:
    for kind, cells in (("string", ["a", None, "a"]), ("Int64", [1, None, 1]), ("category", ["a", None, "a"])):
        frame = pd.DataFrame({"time": [0.0, 1.0, 2.0], "card": pd.array(cells, dtype=kind), "shop": "x", "amount": 1.0})
        counts = WINDOWS.columns(frame, "time")["card_count_1h"].tolist()
        assert counts[::2] == [0.0, 1.0]
        assert math.isnan(counts[1])
