"""Vintages: right where nothing is censored, fair where cohorts are young, and quiet where cohorts are alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait.desks.credit.monitoring.book import loans, panel
from plait.desks.credit.monitoring.vintages import Spells, VintageReport, curve, period_names, vintages
from plait.errors import ConfigError, DataError

NAT = np.datetime64("NaT")


def days(*dates: str) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    return np.array([np.datetime64(date or "NaT", "D") for date in dates])


def made(n: int, seed: int, hazard: float = 0.012, closing: float = 0.02, worse: str = "") -> Spells:
    """Loans of two years with level hazards, seen half a year after the last opening; one quarter may be worse."""
    rng = np.random.default_rng(seed)
    opened = np.datetime64("2020-01-01") + rng.integers(0, 720, n).astype("timedelta64[D]")
    rate = np.where(period_names(opened, "quarter") == worse, 2.5 * hazard, hazard)
    ages = np.stack([rng.exponential(1 / rate), rng.exponential(1 / closing, n)]) * 30.4375
    ends = opened + np.maximum(ages, 1).astype("timedelta64[D]")
    as_of = np.datetime64("2022-06-30")
    ends[0, (ages[0] > ages[1]) | (ends[0] > as_of)] = NAT
    ends[1, (ages[1] >= ages[0]) | (ends[1] > as_of)] = NAT
    return Spells.of_loans(opened, ends[0], ends[1], as_of)


@pytest.fixture(scope="module")
def report() -> VintageReport:
    return vintages(made(8000, 0, worse="2020 Q3"), by="quarter")


@pytest.mark.parametrize(
    ("opened", "ended", "month"),
    [
        ("2020-01-15", "2020-01-15", 1),
        ("2020-01-15", "2020-02-15", 1),
        ("2020-01-15", "2020-02-16", 2),
        ("2020-01-31", "2020-02-29", 1),
        ("2020-01-31", "2020-03-01", 2),
        ("2020-01-01", "2021-01-01", 12),
    ],
)
def test_months_on_book(opened: str, ended: str, month: int) -> None:
    spells = Spells.of_loans(days(opened), days(ended), None, np.datetime64("2022-01-01"))
    assert spells.age.tolist() == [month]
    assert spells.ended.tolist() == [1]


def test_an_unfinished_month_is_left_to_the_next_report() -> None:
    spells = Spells.of_loans(days("2020-01-15"), days("2020-03-20"), None, np.datetime64("2020-03-31"))
    assert (spells.horizon.tolist(), spells.age.tolist(), spells.ended.tolist()) == ([2], [2], [0])


def test_without_censoring_the_curve_is_the_share_that_defaulted() -> None:
    opened = np.repeat(days("2020-01-01"), 10)
    defaulted = np.full(10, NAT, "datetime64[D]")
    closed = defaulted.copy()
    defaulted[:3] = days("2020-02-01", "2020-06-01", "2020-06-01")
    closed[3:7] = days("2020-04-01")
    found = curve(Spells.of_loans(opened, defaulted, closed, np.datetime64("2021-01-01")))
    np.testing.assert_allclose(found.incidence, found.naive)
    np.testing.assert_allclose(found.incidence, [0.1] * 4 + [0.3] * 8)
    np.testing.assert_allclose(found.kaplan_meier[-1], 1 - 0.9 * (1 - 2 / 5))  # closings leave five on the book
    np.testing.assert_allclose(found.at_risk[:6], [10, 9, 9, 5, 5, 3])


def test_kaplan_meier_is_that_of_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    spells = made(1500, 1)
    found = curve(spells)
    seen = spells.age > 0
    fitted = lifelines.KaplanMeierFitter().fit(spells.age[seen], spells.ended[seen] == 1)
    ages = np.arange(1, len(found) + 1)
    np.testing.assert_allclose(found.kaplan_meier, 1 - fitted.survival_function_at_times(ages).to_numpy(), atol=1e-12)


def test_young_loans_do_not_hide_defaults() -> None:
    errors = []
    for seed in range(20):
        found = curve(made(2000, seed))
        true = 0.012 / 0.032 * (1 - np.exp(-0.032 * 20))
        errors.append((found.incidence[19] - true, found.naive[19] - true))
        assert found.low[19] < found.incidence[19] < found.high[19]
    incidence, naive = np.mean(errors, axis=0)
    assert abs(incidence) < 0.01
    assert naive < -0.03


def test_intervals_hold_what_they_promise() -> None:
    true = 0.012 / 0.032 * (1 - np.exp(-0.032 * 15))
    held = 0
    for seed in range(100):
        found = curve(made(400, 1000 + seed))
        held += bool(found.low[14] <= true <= found.high[14])
    assert held >= 88


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 900), st.integers(0, 2)), min_size=1, max_size=40))
def test_curves_are_shares_that_only_rise(loans: list[tuple[int, int, int]]) -> None:
    opened = np.array([np.datetime64("2020-01-01") + begin for begin, _, _ in loans])
    ends = opened + np.array([length for _, length, _ in loans])
    kind = np.array([k for _, _, k in loans])
    sides = [np.where(kind == k, ends, NAT).astype("datetime64[D]") for k in (1, 2)]
    spells = Spells.of_loans(opened, sides[0], sides[1], np.datetime64("2022-12-31"))
    found = curve(spells)
    for each in (found.incidence, found.kaplan_meier, found.naive):
        assert ((each >= 0) & (each <= 1 + 1e-12)).all()
        assert (np.diff(each) >= -1e-12).all()
    assert (found.incidence <= found.kaplan_meier + 1e-12).all()
    assert (found.naive <= found.incidence + 1e-12).all()
    assert found.defaults.sum() == (spells.ended == 1).sum()


def test_the_worse_cohort_is_named_and_only_it(report: VintageReport) -> None:
    assert {each.name for each in report.cohorts if each.verdict == "worse"} == {"2020 Q3"}
    assert report["2020 Q3"].adjusted < 0.001
    assert "2020 Q3 is worse" in str(report)


@pytest.mark.slow
def test_cohorts_that_are_alike_differ_rarely() -> None:
    odd = [any(each.verdict for each in vintages(made(1500, seed)).cohorts) for seed in range(60)]
    assert sum(odd) <= 8  # 5% are expected


def test_incomplete_ages_are_marked(report: VintageReport) -> None:
    last = report.cohorts[-1]
    assert last.complete < len(last.curve)
    young = vintages(made(500, 0), by="year").rows()
    assert any(cell.endswith("*") for row in young[1:] for cell in row)
    frame = report.frame()
    own = frame[frame["opened"] == last.name]
    assert own["complete"].sum() == last.complete
    json.dumps(report.to_json(), allow_nan=False)


def test_a_panel_says_what_its_loans_say() -> None:
    rows = []
    for loan, (bad_at, length) in enumerate([(3, 3), (None, 12), (None, 5), (12, 12)]):
        for month in range(length + 1):
            date = (np.datetime64("2020-01", "M") + month + 1).astype("datetime64[D]") - 1
            rows.append((loan, date, bad_at is not None and month >= bad_at))
    keys, dates, bad = (np.array(each) for each in zip(*rows, strict=True))
    spells = Spells.of_panel(keys, dates.astype("datetime64[D]"), bad)
    assert spells.age.tolist() == [3, 12, 5, 12]
    assert spells.ended.tolist() == [1, 0, 2, 1]


@pytest.mark.parametrize(
    ("opened", "defaulted", "closed", "said"),
    [
        ("2023-01-01", "", "", "opened after"),
        ("", "", "", "no opening date"),
        ("2020-01-01", "2019-01-01", "", "ended before"),
        ("2020-01-01", "2020-06-01", "2020-03-01", "defaulted after they were closed"),
    ],
)
def test_dates_that_do_not_fit_are_refused(opened: str, defaulted: str, closed: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Spells.of_loans(days(opened), days(defaulted), days(closed), np.datetime64("2022-01-01"))


def test_odd_requests_are_refused() -> None:
    spells = made(50, 0)
    with pytest.raises(ConfigError, match="quarter"):
        vintages(spells, by="week")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="age=0"):
        vintages(spells, age=0)
    young = Spells.of_loans(days("2020-01-15"), days(""), None, np.datetime64("2020-01-20"))
    with pytest.raises(DataError, match="on the book for a month"):
        vintages(young)


def test_frames_that_hold_no_dates_are_refused() -> None:
    frame = pd.DataFrame({"opened": ["2020-01-15", "2020-02-15"], "bad": [None, "2020-05-01"], "year": [2020, 2021]})
    assert loans(frame, "opened", "bad", None, None).as_of == np.datetime64("2020-05-01")
    with pytest.raises(DataError, match="numbers"):
        loans(frame, "year", "bad", None, None)
    with pytest.raises(ConfigError, match="did you mean 'opened'"):
        loans(frame, "openend", "bad", None, None)
    with pytest.raises(DataError, match="no loans"):
        loans(frame.head(0), "opened", "bad", None, None)
    months = pd.DataFrame({"loan": [1, 1], "month": ["2020-01-31", "2020-02-29"], "bad": [0, 2]})
    with pytest.raises(DataError, match="must be 1"):
        panel(months, "loan", "month", "bad", None)
    with pytest.raises(DataError, match="in every row"):
        panel(months.assign(bad=[0, None]), "loan", "month", "bad", None)


def test_the_made_book_is_as_it_is_said_to_be() -> None:
    truth = plait.samples.loan_book_oracle()
    columns = ("opened", "defaulted_at", "closed_at", "2022-06-30")
    found = vintages(loans(plait.samples.loan_book(seed=1), *columns))
    assert found["2020 Q3"].verdict == "worse"
    alike = curve(loans(plait.samples.loan_book(20_000, seed=1, alike=True), *columns))
    for name, age in (("incidence", 12), ("incidence", 24)):
        assert alike.incidence[age - 1] == pytest.approx(truth[name][age - 1], abs=0.01)
    assert alike.kaplan_meier[23] == pytest.approx(truth["had_none_closed"][23], abs=0.012)
    pd.testing.assert_frame_equal(plait.samples.loan_book(50, 3), plait.samples.loan_book(50, 3))


def test_the_verb(run: Callable[..., Any], folder: Path) -> None:
    spells = made(600, 2)
    frame = pd.DataFrame({"opened": spells.opened, "bad": NAT, "paid": NAT})
    gone = spells.opened + (30 * spells.age).astype("timedelta64[D]")
    frame["bad"] = np.where(spells.ended == 1, gone, NAT).astype("datetime64[ns]")
    frame["paid"] = np.where(spells.ended == 2, gone, NAT).astype("datetime64[ns]")
    frame.to_parquet(folder / "loans.parquet")
    ask = "credit vintage loans.parquet --opened opened --defaulted bad --closed paid --by year"
    said = run(*ask.split(), "--as-of", "2022-06-30", "-o", "out", "--json")
    assert said.code == 0
    assert [cohort["name"] for cohort in said.json["cohorts"]] == ["2020", "2021"]
    assert {path.name for path in (folder / "out").iterdir()} == {
        "vintages.csv",
        "vintages.png",
        "triangle.png",
        "seasoning.png",
    }
    assert "opened" in run(*ask.split()).out
    panel = run("credit", "vintage", "loans.parquet", "--id", "opened", "--opened", "opened")
    assert panel.code == 2
    assert "--defaulted" in panel.err
    assert run(*ask.split(), "--as-of", "soon").code == 2
