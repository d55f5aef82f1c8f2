"""Purged splits: no label on both sides, every row judged, embargo held, and paths put together."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_score

import plait
from plait.data.walks import CombinatorialPurged, PurgedWalkForward, SplitPlan
from plait.errors import ConfigError, DataError

Splitter = PurgedWalkForward | CombinatorialPurged


@st.composite
def labelled(draw: st.DrawFn) -> pd.DataFrame:
    """Rows at whole days (some shared), shuffled, whose labels are known up to 6 days later, in groups."""
    n = draw(st.integers(24, 90))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    day = np.concatenate([np.arange(24.0), rng.integers(0, 60, n - 24)])
    known = day + rng.integers(0, draw(st.integers(1, 7)), n)
    return pd.DataFrame({"day": rng.permutation(day), "known": 0.0, "group": rng.integers(0, n // 3, n)}).assign(
        known=lambda f: f["day"] + (known - day)
    )


def splitter(kind: str, embargo: float) -> Splitter:
    if kind == "walk":
        return PurgedWalkForward("day", "known", n_splits=3, embargo=embargo)
    if kind == "rolling":
        return PurgedWalkForward("day", "known", n_splits=3, embargo=embargo, window=30)
    return CombinatorialPurged("day", "known", n_blocks=5, n_judged=2, embargo=embargo)


def pairs(made: Splitter, frame: pd.DataFrame, groups: object = None) -> list[tuple[Any, Any]]:
    """The splits, up to one that has nothing left to fit."""
    found: list[tuple[Any, Any]] = []
    with contextlib.suppress(DataError):
        found.extend(made.split(frame, None, groups))
    return found


@pytest.mark.parametrize("kind", ["walk", "rolling", "combinatorial"])
@settings(deadline=None, max_examples=30)
@given(frame=labelled(), embargo=st.sampled_from([0.0, 2.0]))
def test_no_label_lives_on_both_sides(kind: str, frame: pd.DataFrame, embargo: float) -> None:
    begin, end = frame["day"].to_numpy(), frame["known"].to_numpy()
    for fit, judge in pairs(splitter(kind, embargo), frame):
        assert not set(fit) & set(judge)
        apart = (begin[judge][:, None] - end[fit] > embargo) | (begin[fit] - end[judge][:, None] > embargo)
        assert apart.all()
        if kind != "combinatorial":
            assert begin[fit].max() < begin[judge].min()
        if kind == "rolling":
            assert begin[fit].min() >= begin[judge].min() - 30


@settings(deadline=None, max_examples=30)
@given(frame=labelled())
def test_every_row_is_judged_as_often_as_it_should_be(frame: pd.DataFrame) -> None:
    walk = PurgedWalkForward("day", n_splits=4)
    judged = np.concatenate([judge for _, judge in walk.split(frame)])
    assert len(set(judged)) == len(judged)
    never = np.setdiff1d(np.arange(len(frame)), judged)
    assert frame["day"].iloc[never].max() < frame["day"].iloc[judged].min()
    often = CombinatorialPurged("day", n_blocks=5, n_judged=3)
    counts = np.bincount(np.concatenate([judge for _, judge in often.split(frame)]))
    assert (counts == often.n_paths).all()
    assert len(list(often.split(frame))) == often.get_n_splits() == 10


@pytest.mark.parametrize("kind", ["walk", "combinatorial"])
@settings(deadline=None, max_examples=20)
@given(frame=labelled())
def test_groups_never_straddle_and_nothing_else_is_lost(kind: str, frame: pd.DataFrame) -> None:
    made, groups = splitter(kind, 0.0), frame["group"].to_numpy()
    for fit, judge in pairs(made, frame, groups):
        assert not set(groups[fit]) & set(groups[judge])
    begin, end = frame["day"].to_numpy(), frame["known"].to_numpy()
    for fit, judge in pairs(made, frame):
        touches = (begin[:, None] <= end[judge]) & (end[:, None] >= begin[judge])
        later = begin > begin[judge].min() if kind == "walk" else np.zeros(len(frame), bool)
        lost = np.setdiff1d(np.arange(len(frame)), [*fit, *judge])
        # What is left out overlaps, lies after what is judged, or begins before the last label of a judged stretch.
        spared = ~touches.any(axis=1) & ~later
        assert all(begin[row] <= end[judge].max() and end[row] >= begin[judge].min() for row in lost if spared[row])


def test_paths_are_put_together_from_splits() -> None:
    frame = pd.DataFrame({"day": np.arange(60.0)})
    made = CombinatorialPurged("day", n_blocks=6, n_judged=2)
    scores = [np.full((len(judge), 2), number) for number, (_, judge) in enumerate(made.split(frame))]
    paths = made.paths(frame, scores)
    assert paths.shape == (made.n_paths, 60, 2) == (5, 60, 2)
    for row in range(60):
        judged_by = [number for number, (_, judge) in enumerate(made.split(frame)) if row in judge]
        assert paths[:, row, 0].tolist() == judged_by
    with pytest.raises(DataError, match="15 splits"):
        made.paths(frame, scores[:-1])


def test_equal_times_stay_together_and_stretches_are_even() -> None:
    frame = pd.DataFrame({"day": np.repeat(np.arange(10.0), 10)})
    sizes = [len(judge) for _, judge in PurgedWalkForward("day", n_splits=4).split(frame)]
    assert sizes == [20] * 4


def test_a_plan_says_when_what_is_fitted() -> None:
    days = pd.date_range("2024-01-01", periods=40, freq="D")
    frame = pd.DataFrame({"at": days, "known": days + pd.Timedelta("3D")})
    plan = PurgedWalkForward("at", "known", n_splits=3, embargo="2D").plan(frame)
    assert [(span.use, span.rows) for span in plan.spans if span.split == 0] == [
        ("fit", 5),
        ("purged", 5),
        ("judge", 10),
    ]
    assert plan.splits == 3
    assert plan.rows()[0] == {"split": "1", "use": "fit", "from": "2024-01-01", "to": "2024-01-05", "rows": "5"}
    assert str(plan).splitlines()[1].split() == ["1", "fit", "2024-01-01", "2024-01-05", "5"]
    assert json.loads(json.dumps(plan.to_json()))["spans"][2]["use"] == "judge"
    assert str(SplitPlan((), True)) == ""


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: PurgedWalkForward("day", n_splits=0), "n_splits=0"),
        (lambda: PurgedWalkForward("day", n_splits=1.5), "n_splits=1.5"),  # type: ignore[arg-type]
        (lambda: CombinatorialPurged("day", n_blocks=3, n_judged=3), "fewer than all"),
        (lambda: PurgedWalkForward("dya"), "did you mean 'day'"),
        (lambda: PurgedWalkForward("day", embargo="2D"), "give a number"),
        (lambda: PurgedWalkForward("at", embargo=2.0), "such as '30D'"),
        (lambda: PurgedWalkForward("day", embargo=-1.0), "out of range"),
        (lambda: PurgedWalkForward("day", "at"), "both be dates"),
        (lambda: PurgedWalkForward("day", "early"), "before time in 29 row"),
        (lambda: PurgedWalkForward("day", n_splits=40), "cannot be divided into 41"),
        (lambda: PurgedWalkForward("day", window=0.5, n_splits=2), None),
        (lambda: PurgedWalkForward("day", embargo=99.0), "no row is left to fit"),
        (lambda: PurgedWalkForward(np.arange(3)), "3 entries for 30 rows"),
    ],
)
def test_mistakes_are_told(make: object, says: str | None) -> None:
    days = pd.date_range("2024-01-01", periods=30, freq="D")
    frame = pd.DataFrame({"day": np.arange(30.0), "at": days, "early": np.arange(30.0) // 2})
    if says is None:
        with pytest.raises(DataError, match="no row is left to fit"):
            list(make().split(frame))  # type: ignore[operator]
        return
    with pytest.raises((ConfigError, DataError), match=says):
        list(make().split(frame))  # type: ignore[operator]


def test_serves_cross_validation_of_a_classifier() -> None:
    loans = plait.samples.loans(300, seed=0)[["issued_at", "income", "amount", "term", "default"]]
    walk = PurgedWalkForward("issued_at", n_splits=2, embargo="30D")
    model = plait.Classifier(fusion="early", learner="linear", time="issued_at", n_jobs=1)
    found = cross_val_score(model, loans.drop(columns="default"), loans["default"], cv=walk, scoring="roc_auc")
    assert found.shape == (2,)
    assert (found > 0.3).all()
