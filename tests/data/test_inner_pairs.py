"""Inner splits: what a choice inside a fit may see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import FitContext
from plait.data.splits import inner_pairs

quick = settings(deadline=None, max_examples=80)


def context(n: int, task: str = "binary", **more: Any) -> FitContext:
    base = FitContext((np.arange(n) % 2).astype(float), "binary", 1, np.ones(n))
    return replace(base, task=task, **more)


@st.composite
def contexts(draw: st.DrawFn) -> FitContext:
    n = draw(st.integers(1, 60))

    def numbers(most: int) -> np.ndarray:
        return np.array(draw(st.lists(st.integers(0, most), min_size=n, max_size=n)))

    time = numbers(30).astype(float)
    delay = numbers(8)
    return context(
        n,
        task=draw(st.sampled_from(["binary", "regression"])),
        targets=numbers(1).astype(float),
        weight=numbers(2).astype(float),
        time=time if draw(st.booleans()) else None,
        label_time=np.where(delay == 8, np.inf, time + delay) if draw(st.booleans()) else None,
        groups=numbers(10) if draw(st.booleans()) else None,
        seed=draw(st.integers(0, 3)),
    )


@quick
@given(contexts(), st.integers(1, 4), st.sampled_from([10, 4_000]))
def test_both_sides_can_be_used_and_share_nothing(given: FitContext, cuts: int, few: int) -> None:
    pairs = inner_pairs(given, few=few, cuts=cuts)
    assert len(pairs) <= max(cuts, 5)
    judged: list[int] = []
    for fit, judge in pairs:
        assert not set(fit) & set(judge)
        assert given.weight[fit].sum() > 0 < given.weight[judge].sum()
        assert given.task == "regression" or len(set(given.targets[fit])) == 2
        if given.groups is not None:
            assert not set(given.groups[fit]) & set(given.groups[judge])
        judged += judge.tolist()
    assert len(judged) == len(set(judged))  # no row is judged twice


@quick
@given(contexts().filter(lambda given: given.time is not None), st.integers(1, 4))
def test_pairs_know_neither_the_future_nor_what_was_not_out_yet(given: FitContext, cuts: int) -> None:
    known = given.time if given.label_time is None else np.maximum(given.time, given.label_time)
    pairs = inner_pairs(given, cuts=cuts)
    forward = all(known[fit].max() < given.time[judge].min() for fit, judge in pairs)
    folds = all(len(fit) + len(judge) == len(given) for fit, judge in pairs)
    assert forward or folds


def test_three_windows_walk_forward() -> None:
    pairs = inner_pairs(context(1_000, time=np.arange(1_000.0)))
    assert [(len(fit), len(judge)) for fit, judge in pairs] == [(500, 150), (650, 150), (800, 200)]
    assert [int(judge[0]) for _, judge in pairs] == [500, 650, 800]
    ((fit, judge),) = inner_pairs(context(1_000, time=np.arange(1_000.0)), cuts=1)
    assert (len(fit), len(judge)) == (800, 200)


def test_equal_times_stay_together() -> None:
    day = np.repeat(np.arange(20.0), 50)
    for fit, judge in inner_pairs(context(1_000, time=day)):
        assert not set(day[fit]) & set(day[judge])


def test_outcomes_not_known_in_time_are_left_out() -> None:
    time = np.arange(1_000.0)
    for fit, judge in inner_pairs(context(1_000, time=time, label_time=time + 100)):
        assert time[fit].max() + 100 < time[judge].min()
    later = inner_pairs(context(1_000, time=time, label_time=time + 5_000))
    assert len(later) == 5  # nothing is known in time: folds


def test_without_time_few_rows_get_folds_and_many_a_holdout() -> None:
    assert len(inner_pairs(context(3_999))) == 5
    ((fit, judge),) = inner_pairs(context(4_000))
    assert (len(fit), len(judge)) == (3_200, 800)


@pytest.mark.parametrize("one", [context(1), context(6, targets=np.ones(6)), context(6, groups=np.zeros(6, int))])
def test_nothing_to_divide(one: FitContext) -> None:
    assert inner_pairs(one) == []
