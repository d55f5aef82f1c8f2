"""Splits: nothing on both sides, nothing from the future, every class where it can be."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import FitContext
from plait.data.splits import folds, holdout, inner_folds, split
from plait.errors import ConfigError, DataError

quick = settings(deadline=None, max_examples=60)
small = st.integers(0, 6)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    n = draw(st.integers(2, 40))
    column = st.lists(small, min_size=n, max_size=n)
    days = np.array(draw(column))
    return pd.DataFrame(
        {
            "day": pd.Timestamp("2011-01-01") + pd.to_timedelta(days, unit="D"),
            "known": pd.Timestamp("2011-01-01") + pd.to_timedelta(days + np.array(draw(column)), unit="D"),
            "who": draw(column),
            "label": draw(column),
        },
        index=[f"row {i}" for i in range(n)],
    )


def context(n: int, **given: object) -> FitContext:
    targets = np.arange(n) % 2
    base = FitContext(targets.astype(float), "binary", 1, np.ones(n))
    return replace(base, **given)  # type: ignore[arg-type]


def parts(frame: pd.DataFrame, **how: object) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    try:
        train, test = split(frame, **how)  # type: ignore[arg-type]
    except DataError:
        return None
    assert len(train)
    assert len(test)
    assert not set(train.index) & set(test.index)
    for part in (train, test):
        assert list(part.index) == [row for row in frame.index if row in set(part.index)]
    return train, test


@quick
@given(frames(), st.floats(0.05, 0.95), st.integers(0, 9))
def test_split_at_random_takes_the_share(frame: pd.DataFrame, test: float, seed: int) -> None:
    both = parts(frame, test=test, seed=seed)
    assert both is not None
    assert len(both[0]) + len(both[1]) == len(frame)
    assert abs(len(both[1]) - test * len(frame)) <= 1


@quick
@given(frames(), st.floats(0.05, 0.95))
def test_split_by_time_keeps_the_future_out(frame: pd.DataFrame, test: float) -> None:
    both = parts(frame, time="day", test=test)
    if both is None:
        assert frame["day"].nunique() == 1
        return
    assert both[0]["day"].max() < both[1]["day"].min()
    assert len(both[0]) + len(both[1]) == len(frame)


@quick
@given(frames())
def test_split_by_time_keeps_unknown_outcomes_near_times_and_tested_groups_out(frame: pd.DataFrame) -> None:
    both = parts(frame, time="day", label_time="known", embargo="2D", group="who")
    if both is not None:
        train, test = both
        assert train["known"].max() < test["day"].min()
        assert train["day"].max() <= test["day"].min() - pd.Timedelta("2D")
        assert not set(train["who"]) & set(test["who"])


@quick
@given(frames(), st.floats(0.05, 0.95))
def test_split_by_group_keeps_groups_whole(frame: pd.DataFrame, test: float) -> None:
    both = parts(frame, group="who", test=test)
    if both is None:
        assert frame["who"].nunique() == 1
        return
    assert not set(both[0]["who"]) & set(both[1]["who"])
    assert len(both[0]) + len(both[1]) == len(frame)


@quick
@given(frames(), st.floats(0.05, 0.95))
def test_split_by_class_keeps_shares(frame: pd.DataFrame, test: float) -> None:
    both = parts(frame, stratify="label", test=test)
    if both is None:
        assert not frame["label"].duplicated().any()
        return
    counts = frame["label"].value_counts()
    tested = both[1]["label"].value_counts().reindex(counts.index, fill_value=0)
    assert (np.abs(tested - test * counts) <= 1).all()
    assert set(both[0]["label"]) == set(frame["label"])


def test_split_at_a_date_and_by_text_dates_and_numbers() -> None:
    frame = pd.DataFrame({"day": ["2011-06-30", "2011-07-01", "2011-01-01"], "step": [1, 2, 3]})
    train, test = split(frame, time="day", at="2011-07-01")
    assert train.index.tolist() == [0, 2]
    assert test.index.tolist() == [1]
    train, test = split(frame, time="step", at=3, embargo=2)
    assert train.index.tolist() == [0]
    assert test.index.tolist() == [2]


def test_a_row_whose_outcome_is_never_known_leaves_the_training_rows() -> None:
    days = pd.to_datetime(["2011-01-01", "2011-01-02", "2011-01-03", "2011-01-04"])
    frame = pd.DataFrame({"day": days, "known": [days[1], pd.NaT, days[1], days[3]]})
    assert split(frame, time="day", label_time="known", at="2011-01-04")[0].index.tolist() == [0, 2]


def test_missing_groups_are_groups_of_their_own() -> None:
    train, test = split(pd.DataFrame({"who": ["a", None, None, "a"]}), group="who", test=0.5)
    assert ("a" in set(train["who"])) != ("a" in set(test["who"]))


def test_splitting_panels_by_time_and_group_divides_the_groups_too() -> None:
    frame = pd.DataFrame({"day": np.repeat(np.arange(10), 8), "who": np.tile(np.arange(8), 10)})
    train, test = split(frame, time="day", group="who")
    assert not set(train["who"]) & set(test["who"])
    assert train["day"].max() < test["day"].min()


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ({"time": "dya"}, ConfigError, "did you mean 'day'"),
        ({"test": 1.0}, ConfigError, "test=1.0"),
        ({"at": "2011"}, ConfigError, "need time"),
        ({"stratify": "who", "group": "who"}, ConfigError, "stratify"),
        ({"time": "day", "embargo": 30}, ConfigError, "'30D'"),
        ({"time": "day", "embargo": "a month"}, ConfigError, "not a duration"),
        ({"time": "day", "embargo": "-1D"}, ConfigError, "0 or more"),
        ({"time": "who", "embargo": "30D"}, ConfigError, "give a number"),
        ({"time": "day", "at": "2031-01-01"}, DataError, "to test on"),
        ({"time": "day", "at": "soon"}, DataError, "'soon'"),
        ({"time": "hole"}, DataError, "missing in 1 row"),
        ({"time": "same"}, DataError, "fewer than two"),
        ({"group": "same"}, DataError, "no row to test on"),
    ],
)
def test_bad_splits_say_why(how: dict[str, object], error: type[Exception], says: str) -> None:
    days = pd.to_datetime(["2011-01-01", "2011-01-02", "2011-01-03"])
    frame = pd.DataFrame({"day": days, "who": [1, 2, 3], "hole": [1.0, np.nan, 2.0], "same": 1})
    with pytest.raises(error, match=says):
        split(frame, **how)  # type: ignore[arg-type]


@quick
@given(st.lists(small, min_size=0, max_size=50), st.integers(2, 7), st.integers(0, 3))
def test_folds_are_even_in_rows_and_classes(classes: list[int], k: int, seed: int) -> None:
    targets = np.array(classes, np.int64)
    dealt = folds(len(targets), k, targets=targets, seed=seed)
    assert dealt.dtype == np.int64
    if len(targets) < 2:
        assert (dealt == -1).all()
        return
    sizes = np.bincount(dealt)
    assert len(sizes) == min(k, len(targets))
    assert np.ptp(sizes) <= 1
    for one in set(classes):
        assert np.ptp(np.bincount(dealt[targets == one], minlength=len(sizes))) <= 1
    assert (folds(len(targets), k, targets=targets, seed=seed) == dealt).all()


@quick
@given(st.lists(st.tuples(small, small), min_size=1, max_size=50), st.integers(2, 7))
def test_folds_keep_groups_whole_and_none_empty(rows: list[tuple[int, int]], k: int) -> None:
    groups, targets = (np.array(column) for column in zip(*rows, strict=True))
    dealt = folds(len(groups), k, targets=targets, groups=groups)
    distinct = np.unique(groups)
    if len(distinct) == 1:
        assert (dealt == -1).all()
        return
    assert set(dealt) == set(range(min(k, len(distinct))))
    for group in distinct:
        assert len(set(dealt[groups == group])) == 1


def test_folds_of_groups_balance_rows_and_classes() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 300, 5000)
    targets = (rng.random(5000) < 0.1).astype(int)
    dealt = folds(5000, 5, targets=targets, groups=groups)
    assert np.ptp(np.bincount(dealt)) < 100
    assert np.ptp(np.bincount(dealt, targets)) < 10


def test_one_fold_is_refused() -> None:
    with pytest.raises(ConfigError, match="k=1"):
        folds(10, 1)


def test_inner_folds_are_stratified_for_classes_and_work_for_values() -> None:
    told = context(100)
    dealt = inner_folds(told)
    assert (np.bincount(dealt, told.targets) == 10).all()
    assert set(inner_folds(replace(told, task="regression", targets=np.linspace(-1, 1, 100)))) == set(range(5))


@quick
@given(frames(), st.booleans(), st.booleans())
def test_holdout_looks_only_forward(frame: pd.DataFrame, late: bool, grouped: bool) -> None:
    n = len(frame)
    told = context(
        n,
        time=frame["day"].astype("int64").to_numpy() / 1e9,
        label_time=frame["known"].astype("int64").to_numpy() / 1e9 if late else None,
        groups=frame["who"].to_numpy() if grouped else None,
    )
    fit, judge = holdout(told)
    assert not set(fit) & set(judge)
    if grouped:
        assert not set(frame["who"].iloc[fit]) & set(frame["who"].iloc[judge])
    if frame["day"].nunique() > 1 and len(fit) and len(judge):
        assert frame["day"].iloc[fit].max() < frame["day"].iloc[judge].min()
        if late:
            assert frame["known"].iloc[fit].max() < frame["day"].iloc[judge].min()


@quick
@given(st.lists(small, min_size=0, max_size=30))
def test_holdout_keeps_every_class_to_fit_on(classes: list[int]) -> None:
    n = len(classes)
    told = context(n, task="multiclass", outputs=7, targets=np.array(classes, float))
    fit, judge = holdout(told)
    assert sorted([*fit, *judge]) == list(range(n))
    assert {classes[i] for i in fit} == set(classes)
    assert len(judge) or len(set(classes)) == n


def test_holdout_by_time_moves_the_cut_until_every_class_was_seen() -> None:
    told = context(10, targets=np.array([0.0] * 9 + [1.0]), time=np.arange(10.0))
    assert holdout(told)[1].tolist() == [8, 9]  # the last class comes too late for any cut
    told = context(10, targets=np.array([0.0] * 8 + [1.0, 1.0]), time=np.arange(10.0))
    assert holdout(told)[1].tolist() == [9]


def test_holdout_leaves_rows_of_unknown_time_out() -> None:
    fit, judge = holdout(context(10, time=np.array([np.nan, *range(9)])))
    assert 0 not in fit
    assert 0 not in judge


def test_holdout_of_one_moment_one_row_and_one_group() -> None:
    assert len(holdout(context(10, time=np.ones(10)))[1]) == 2
    assert [len(part) for part in holdout(context(1))] == [1, 0]
    assert [len(part) for part in holdout(context(5, groups=np.ones(5, np.int64)))] == [5, 0]


def test_the_array_functions_need_no_pandas() -> None:
    code = "import sys, plait.data.splits; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
