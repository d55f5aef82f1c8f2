"""Whether probabilities come true: figures beside other hands, and reports on samples made right and wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from plait.errors import InputError
from plait.metrics.calibration import calibration_in_time, calibration_report, cox, ece_floor, hosmer_lemeshow
from plait.metrics.classification import ece
from plait.metrics.coverage import coverage_of_intervals, coverage_of_sets


def made(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 4, n)
    return p, (rng.random(n) < p).astype(int)


def test_the_floor_is_what_perfect_models_show():
    p, _ = made(2000)
    rng = np.random.default_rng(1)
    shown = [float(ece((rng.random(2000) < p).astype(int), p)) for _ in range(200)]
    floor = ece_floor(p)
    assert floor.mean == pytest.approx(np.mean(shown), rel=0.05)
    assert floor.high == pytest.approx(np.quantile(shown, 0.95), rel=0.1)
    assert floor == ece_floor(p)
    assert ece_floor(p[:500]).mean > 1.5 * floor.mean


def test_the_line_is_that_of_a_plain_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    p, y = made()
    bent = 1 / (1 + np.exp(-(2 * np.log(p / (1 - p)) + 0.5)))
    odds = np.log(bent / (1 - bent))
    theirs = LogisticRegression(C=np.inf, tol=1e-8).fit(odds[:, None], y)
    found = cox(y == 1, bent)
    assert found.slope.value == pytest.approx(theirs.coef_[0, 0], abs=1e-4)
    assert found.intercept.value == pytest.approx(theirs.intercept_[0], abs=1e-4)
    assert found.slope.low < 0.5 < found.slope.high
    moved = 1 / (1 + np.exp(-(odds + found.constant.value)))
    assert moved.mean() == pytest.approx(y.mean(), abs=1e-6)


def test_intervals_of_the_line_hold_the_truth_as_often_as_they_say():
    held = []
    for seed in range(150):
        p, y = made(400, seed)
        slope = cox(y == 1, p).slope
        held.append(slope.low <= 1 <= slope.high)
    assert 0.89 <= np.mean(held) <= 0.99


def test_hosmer_lemeshow_is_uniform_for_perfect_models():
    ps = []
    for seed in range(150):
        p, y = made(1000, seed)
        ps.append(hosmer_lemeshow(y, p).p)
    assert np.mean(np.array(ps) < 0.1) == pytest.approx(0.1, abs=0.07)
    p, y = made()
    assert hosmer_lemeshow(y, p**2).p < 1e-6
    assert hosmer_lemeshow(y, p).freedom == 10


@pytest.mark.parametrize("outcome", [np.zeros(50, bool), np.arange(50) >= 25])
def test_no_line_is_said_where_none_is_best(outcome):
    found = cox(outcome, np.linspace(0.01, 0.99, 50))
    assert np.isnan(found.slope.value)


def test_constant_probabilities_have_a_level_and_no_slope():
    y = np.arange(40) % 4 == 0
    found = cox(y, np.full(40, 0.25))
    assert found.constant.value == pytest.approx(0, abs=1e-9)
    assert np.isnan(found.slope.value)
    assert calibration_report(y.astype(int), np.full(40, 0.25)).ece == pytest.approx(0)


def test_time_shows_what_the_whole_hides():
    p, y = made()
    time = np.arange(4000) * 3600.0
    late = time >= time[2000]
    drifted = np.where(late, (np.random.default_rng(5).random(4000) < np.minimum(2 * p, 1)), y).astype(int)
    periods = calibration_in_time(drifted, p, time, periods=4)
    assert [each.rows for each in periods] == [1000] * 4
    assert [each.holds for each in periods] == [True, True, False, False]
    same = calibration_in_time(y, p, np.repeat([1.0, 2.0], 2000), periods=8)
    assert [each.begin for each in same] == [1, 2]
    assert calibration_in_time(y, p, np.full(4000, np.nan)) == ()


def test_the_report_reads_and_is_json():
    p, y = made()
    report = calibration_report(y, p, time=np.arange(4000) * 86400.0, what="bad: yes")
    said = str(report)
    assert "calibration of bad: yes, 4,000 rows" in said
    assert "1970-01-01" in said
    told = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert told["cox"]["slope"]["value"] == report.cox.slope.value
    assert told["periods"][0]["rows"] == 500
    numbers = calibration_report(y, p, time=np.arange(4000), dated=False)
    assert "1970" not in str(numbers)
    several = calibration_report(np.arange(60) % 3, np.full((60, 3), 1 / 3))
    assert several.what == "top label"
    with pytest.raises(InputError, match="no rows"):
        calibration_report(np.empty(0, int), np.empty(0))


def test_coverage_counts_hits_sizes_and_empties():
    sets = np.array([[True, False], [True, True], [False, False], [False, True]])
    report = coverage_of_sets(sets, np.array([0, 1, 1, 1]), ["good", "bad"], 0.9, groups=["a", "a", "b", "b"])
    assert report.whole.share.value == 0.75
    assert report.whole.size == 1.0
    assert report.whole.empty == 0.25
    assert {part.name: part.share.value for part in report.parts} == {
        "class good": 1.0,
        "class bad": pytest.approx(2 / 3),
        "a": 1.0,
        "b": 0.5,
    }
    assert "promised to hold 90%" in str(report)
    json.dumps(report.to_json(), allow_nan=False)
    ends = np.array([[0.0, 1.0], [0.0, np.inf]])
    values = coverage_of_intervals(ends, np.array([2.0, 2.0]), 0.9, weight=np.array([3.0, 1.0]))
    assert values.whole.share.value == 0.25
    with pytest.raises(InputError, match="low and high"):
        coverage_of_intervals(ends[:, :1], np.zeros(2), 0.9)
    with pytest.raises(InputError, match="shape"):
        coverage_of_sets(sets, np.zeros(3, int), ["good", "bad"], 0.9)
