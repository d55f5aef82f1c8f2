"""Master scales: made by hand, fixed, or fitted so that grades can be told apart; and their tests."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import Array
from plait.desks.credit.grade_tests import grade_report
from plait.desks.credit.grades import GradesSettings, MasterScale, fit_scale, names_of
from plait.errors import ConfigError, DataError, InputError


def drawn(rows: int, seed: int, spread: float = 0.8) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    pd = 1 / (1 + np.exp(-rng.normal(-2, spread, rows)))
    return pd, (rng.random(rows) < pd).astype(float)


@pytest.fixture(scope="module")
def rows() -> tuple[Array, Array]:
    return drawn(20_000, 0)


@pytest.fixture(scope="module")
def scale(rows: tuple[Array, Array]) -> MasterScale:
    return fit_scale(*rows)


def test_bounds_belong_to_the_better_grade() -> None:
    made = MasterScale.of({"edges": [0.01, 0.05]})
    assert made.assign(np.array([0.0, 0.01, 0.0100001, 0.05, 0.06, 1.0])).tolist() == [0, 0, 1, 1, 2, 2]
    assert made.named(np.array([0, 2])) == ["1", "3"]


def test_the_standard_scale_doubles_the_odds_and_is_fixed() -> None:
    made = MasterScale.standard()
    edges = np.array(made.edges[:-1])
    odds = edges / (1 - edges)
    np.testing.assert_allclose(odds[1:] / odds[:-1], 2)
    assert odds[0] == pytest.approx(0.0003)
    assert (made.names[0], made.names[-1], len(made)) == ("AAA", "C", 13)
    mids = np.array(made.pds)
    np.testing.assert_allclose((mids / (1 - mids))[1:] / (mids / (1 - mids))[:-1], 2)


def test_a_fitted_scale_holds_what_it_promises(rows: tuple[Array, Array], scale: MasterScale) -> None:
    pd, bad = rows
    grade = scale.assign(pd)
    share = np.bincount(grade) / len(pd)
    rates = np.bincount(grade, bad) / np.bincount(grade)
    assert len(scale) == 10
    assert share.min() >= 0.02
    assert share.max() <= 0.35
    assert (np.diff(rates) > 0).all()
    assert scale.names == tuple(map(str, range(1, 11)))


def test_inner_grades_are_about_equally_wide_in_log_odds(scale: MasterScale) -> None:
    inner = np.array(scale.edges[:-1])
    widths = np.diff(np.log(inner / (1 - inner)))
    assert widths.max() / widths.min() < 1.6


def test_fewer_rows_tell_fewer_grades_apart() -> None:
    sizes = [len(fit_scale(*drawn(n, 3))) for n in (300, 3_000, 30_000)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]


def test_pds_that_tell_nothing_apart_make_one_grade() -> None:
    made = fit_scale(np.full(100, 0.1), np.arange(100) < 10)
    assert made.edges == (1.0,)
    assert made.pds[0] == pytest.approx(0.1)


def test_a_concentration_limit_is_kept_where_it_can_be() -> None:
    pd, bad = drawn(20_000, 1, spread=0.5)
    free = np.bincount(fit_scale(pd, bad, grades=4, most=1.0).assign(pd)) / len(pd)
    kept = np.bincount(fit_scale(pd, bad, grades=4, most=0.3).assign(pd)) / len(pd)
    assert free.max() > 0.3 >= kept.max()
    nothing = np.append(np.full(900, 0.05), np.full(100, 0.4))  # nine of ten rows share one PD
    lumped = fit_scale(nothing, np.random.default_rng(0).random(1000) < nothing, most=0.5)
    assert len(lumped) == 2


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), count=st.integers(60, 600), grades=st.integers(2, 12), weighted=st.booleans())
def test_every_fitted_scale_is_one(seed: int, count: int, grades: int, weighted: bool) -> None:
    pd, bad = drawn(count, seed, spread=1.2)
    weight = np.random.default_rng(seed).uniform(0.2, 3, count) if weighted else None
    if not 0 < bad.sum() < count:
        return
    made = fit_scale(pd, bad, grades=grades, weight=weight)
    assert 1 <= len(made) <= grades
    assert MasterScale.from_json(json.loads(json.dumps(made.to_json()))) == made
    order = np.argsort(pd)
    assert (np.diff(made.assign(pd)[order]) >= 0).all()
    mids = made.mids(made.assign(pd))
    assert (np.diff(mids[order]) >= 0).all()


def test_rows_of_no_weight_change_nothing(rows: tuple[Array, Array]) -> None:
    pd, bad = (each[:4000] for each in rows)
    weight = (np.arange(4000) % 2).astype(float)
    assert fit_scale(pd, bad, weight=weight) == fit_scale(pd[1::2], bad[1::2])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"edge": [0.1]}, "did you mean 'edges'"),
        ({"edges": [0.2, 0.1]}, "must rise"),
        ({"edges": [0.1, 1.2]}, "must rise"),
        ({"edges": []}, "one grade"),
        ({"edges": "0.1"}, "list of numbers"),
        ({"edges": [True]}, "list of numbers"),
        ({"edges": [0.1], "names": ["a"]}, "1 names, 2 bounds"),
        ({"edges": [0.1], "names": ["a", "a"]}, "must differ"),
        ({"edges": [0.1], "pds": [0.2, 0.3]}, "is not within"),
        ({"edges": [0.1], "names": "roman"}, "letters, numbers"),
    ],
)
def test_a_scale_by_hand_is_checked(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        MasterScale.of(given)


def test_names_are_numbers_or_letters() -> None:
    assert names_of(3) == ("1", "2", "3")
    assert names_of(9, "letters")[-1] == "C"
    assert names_of(21, "letters")[1] == "AA+"
    with pytest.raises(ConfigError, match="21 grades"):
        names_of(22, "letters")


def test_settings_make_the_scale_that_they_name(rows: tuple[Array, Array]) -> None:
    pd, bad = rows
    assert GradesSettings.of({}).make(pd, bad) == fit_scale(pd, bad)
    assert GradesSettings.of({"scale": "standard"}).make(pd, bad) == MasterScale.standard()
    by_hand = {"edges": [0.1], "names": ["good", "poor"]}
    assert GradesSettings.of({"scale": by_hand}).make(pd, bad) == MasterScale.of(by_hand)
    few = GradesSettings.of({"grades": 4, "names": "letters"}).make(pd, bad)
    assert few.names == ("AAA", "AA", "A", "BBB")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"grade": 4}, "did you mean 'grades'"),
        ({"scale": "master"}, "unknown master scale"),
        ({"scale": {"edges": [2]}}, "must rise"),
        ({"scale": "standard", "grades": 4}, "do nothing"),
        ({"grades": 1}, "2 to 30"),
        ({"grades": "ten"}, "not a number"),
        ({"grades": 25, "names": "letters"}, "letters for 21"),
        ({"names": "roman"}, "letters, numbers"),
        ({"least": 0.5, "most": 0.4}, "least < most"),
        ({"apart": 0}, "apart=0"),
    ],
)
def test_settings_are_checked(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        GradesSettings.of(given)


def test_what_is_no_pd_is_refused(scale: MasterScale) -> None:
    with pytest.raises(InputError, match="not per cent"):
        scale.assign(np.array([0.1, 12.0]))
    with pytest.raises(InputError, match="NaN"):
        scale.assign(np.array([0.1, np.nan]))
    with pytest.raises(DataError, match="with and without a default"):
        fit_scale(np.array([0.1, 0.2]), np.zeros(2))


def test_right_grades_are_green_and_in_order(scale: MasterScale) -> None:
    pd, bad = drawn(20_000, 7)
    report = grade_report(scale, pd, bad)
    assert report.monotone
    assert {line.light for line in report.lines} == {"green"}
    assert report.hosmer_lemeshow.freedom == 10
    assert report.hosmer_lemeshow.p > 0.01
    assert sum(line.rows for line in report.lines) == 20_000
    assert sum(line.defaults for line in report.lines) == bad.sum()
    assert report.gini is not None
    assert report.gini.pd.value > report.gini.grade.value
    assert 0 < report.gini.lost.low <= report.gini.lost.value <= report.gini.lost.high < 0.03
    assert "observed rates rise with the grade" in str(report)
    json.dumps(report.to_json(), allow_nan=False)


def test_right_pds_seldom_turn_a_light(scale: MasterScale) -> None:
    turned = 0
    for seed in range(30):
        pd, bad = drawn(1500, 100 + seed)
        mids = scale.mids(scale.assign(pd))
        bad = (np.random.default_rng(seed).random(1500) < mids).astype(float)
        turned += any(line.light in ("yellow", "red") for line in grade_report(scale, pd, bad, seed=seed).lines)
    assert turned <= 5  # 1.5 of 30 expected


def test_pds_that_are_too_low_turn_red(scale: MasterScale) -> None:
    pd, _ = drawn(20_000, 8)
    worse = (np.random.default_rng(8).random(20_000) < np.minimum(1.5 * pd, 1)).astype(float)
    lights = [line.light for line in grade_report(scale, pd, worse).lines]
    assert "red" in lights
    shared = grade_report(scale, pd, worse, correlation=0.15)
    assert "red" not in [line.light for line in shared.lines]  # a bad year explains as much
    assert shared.hosmer_lemeshow.p < 0.001


def test_pds_that_are_too_high_are_told_and_turn_no_light(scale: MasterScale) -> None:
    pd, _ = drawn(20_000, 9)
    better = (np.random.default_rng(9).random(20_000) < 0.6 * pd).astype(float)
    report = grade_report(scale, pd, better)
    assert {line.light for line in report.lines} == {"green"}
    assert "5" in report.cautious()
    assert "higher than defaults bear out" in str(report)
    assert grade_report(scale, *drawn(20_000, 7)).cautious() == ()


def test_exceptions_to_the_order_are_named() -> None:
    scale = MasterScale.of({"edges": [0.05, 0.1]})
    pd = np.repeat([0.03, 0.07, 0.2], 100)
    bad = np.concatenate([np.arange(100) < 12, np.arange(100) < 4, np.arange(100) < 25]).astype(float)
    report = grade_report(scale, pd, bad)
    assert not report.monotone
    (told,) = report.exceptions()
    assert told.startswith("grade 2 defaulted less often (4.00%) than the better 1 (12.00%)")
    assert told in str(report)
    assert report.to_json()["monotone"] is False


def test_empty_grades_are_shown_and_not_tested() -> None:
    report = grade_report(MasterScale.standard(), np.full(50, 0.01), np.arange(50) < 1)
    assert [line.light for line in report.lines].count("-") == 12
    assert np.isnan(report.lines[0].rate.value)
    all_good = grade_report(MasterScale.standard(), np.full(50, 0.01), np.zeros(50))
    assert all_good.gini is None
    json.dumps(all_good.to_json(), allow_nan=False)


def test_outcomes_are_zero_or_one(scale: MasterScale) -> None:
    with pytest.raises(InputError, match=r"1 \(default\) or 0"):
        grade_report(scale, np.array([0.1, 0.2]), np.array([0.0, 2.0]))
    with pytest.raises(InputError, match="shape"):
        grade_report(scale, np.array([0.1]), np.array([0.0, 1.0]))
