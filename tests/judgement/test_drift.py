"""Drift: figures by hand and against scipy's, planted changes found, none where there is none, and performance told."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import plait
from plait.errors import ConfigError, DataError
from plait.judgement.drift import DriftReport, drift
from plait.metrics import drift as metrics

ROWS = 500
SHORT = ["income", "amount", "purpose", "employment_years", "letter", "balance"]


def population(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = plait.samples.loans(2 * ROWS, seed)[SHORT].sample(frac=1, random_state=seed)
    return frame.iloc[:ROWS], frame.iloc[ROWS:].reset_index(drop=True)


# Pure figures


def test_psi_by_hand() -> None:
    old, new = np.array([50.0, 50.0]), np.array([80.0, 20.0])
    a, b = (old + 0.5) / 101, (new + 0.5) / 101
    assert metrics.psi(old, new) == pytest.approx(((b - a) * np.log(b / a)).sum())
    assert metrics.psi(old, old) == 0
    assert np.isfinite(metrics.psi(np.array([10.0, 0.0]), np.array([0.0, 10.0])))


@settings(deadline=None, max_examples=30)
@given(arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-5, 5) | st.just(np.nan)))
def test_bins_hold_every_row_and_equal_values_share_one(values: np.ndarray) -> None:
    bins = metrics.equal_mass(values, values[::-1])
    np.testing.assert_array_equal(bins.old, bins.new)
    assert bins.old.sum() == len(values)
    for value in np.unique(values[~np.isnan(values)]):
        assert len(set(bins.code_old[values == value])) == 1
    assert ("(missing)" in bins.labels) == np.isnan(values).any()


def test_levels_that_are_rare_share_a_bin() -> None:
    old = np.array(["a"] * 90 + ["b"] * 99 + ["rare"] + [None] * 10, object)
    new = np.array(["a"] * 100 + ["b"] * 90 + ["newer"] * 9 + ["newest"], object)
    bins = metrics.levels(old, new)
    assert bins.labels == ("a", "b", "newer", "(rare)", "(missing)")
    np.testing.assert_array_equal(bins.old, [90, 99, 0, 1, 10])
    np.testing.assert_array_equal(bins.new, [100, 90, 9, 1, 0])


def test_ten_thousand_levels_of_one_population_are_no_drift() -> None:
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame({"shop": [f"shop {i}" for i in rng.integers(0, 10_000, 400)]}) for _ in range(2)]
    spec = plait.Schema.infer(pd.DataFrame({"shop": ["a b", "c d"] * 100}))
    report = drift(*frames, schema=spec)
    assert not report.drifted
    assert report["shop"].p == 1


def test_psi_floor_is_what_chance_gives() -> None:
    rng = np.random.default_rng(0)
    share = np.full(10, 0.1)
    drawn = [metrics.psi(rng.multinomial(800, share), rng.multinomial(1200, share)) for _ in range(2000)]
    floor = metrics.psi_floor(800, 1200, 10)
    assert 0.03 < np.mean(np.array(drawn) > floor) < 0.07


def test_tests_are_scipys_and_adjustment_is_benjamini_hochbergs() -> None:
    from scipy import stats

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=200), rng.normal(0.2, 1, 150)
    assert metrics.kolmogorov_smirnov(a, b).p == pytest.approx(stats.ks_2samp(a, b, method="asymp").pvalue)
    assert metrics.mann_whitney(a, b).p == pytest.approx(stats.mannwhitneyu(b, a, alternative="greater").pvalue)
    counts = np.array([40.0, 30.0, 30.0]), np.array([20.0, 60.0, 20.0])
    expected = stats.chi2_contingency(np.stack(counts), correction=False).pvalue
    assert metrics.chi_square(*counts).p == pytest.approx(expected)
    p = rng.random(20) ** 2
    np.testing.assert_allclose(metrics.adjusted(p), stats.false_discovery_control(p))
    assert metrics.kolmogorov_smirnov(a, b[:0]).p == 1


# The report


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda new: new.assign(income=new["income"] * 1.3), "income"),
        (lambda new: new.assign(purpose=new["purpose"].where(np.arange(len(new)) % 8 > 0, "crypto")), "purpose"),
        (lambda new: new.assign(employment_years=new["employment_years"].where(np.arange(len(new)) % 5 > 0)),
         "employment_years"),
        (lambda new: new.assign(letter=[t and t.replace("I ", "My company ") for t in new["letter"]]), "letter"),
        (lambda new: new.assign(balance=[b and [2 * x for x in b] for b in new["balance"]]), "balance"),
        (lambda new: new.assign(letter=new["letter"].where(np.arange(len(new)) % 4 > 0, None)), "letter"),
    ],
    ids=["shift", "new level", "more missing", "wording", "series level", "letters missing"],
)  # fmt: skip
def test_planted_drift_is_found(change: object, found: str) -> None:
    old, new = population(3)
    report = drift(old, change(new))  # type: ignore[operator]
    names = {shift.name for shift in report.drifted}
    assert found in names
    assert not names - {found, "table"}
    assert found in str(report).splitlines()[0]


def test_no_drift_is_mostly_said_where_there_is_none() -> None:
    alarms = sum(bool(drift(*population(seed), seed=seed).drifted) for seed in range(5))
    assert alarms <= 1


@pytest.fixture(scope="module")
def judged() -> tuple[DriftReport, DriftReport]:
    frame = plait.samples.loans(1500, 0).drop(columns=["letter", "balance"])
    train, old, new = frame.iloc[:700], frame.iloc[700:1100], frame.iloc[1100:].reset_index(drop=True)
    schema = plait.Schema.infer(train, target="default", time="issued_at", sensitive="region")
    model = plait.Classifier(schema=schema, fusion="early", learner="linear", n_jobs=1, random_state=0)
    model.fit(train.drop(columns="default"), train["default"])
    poorer = new.assign(income=new["income"] * 0.4)
    return drift(old, new, model=model), drift(old, poorer.drop(columns="default"), model=model)


def test_a_models_score_and_performance_are_told(judged: tuple[DriftReport, DriftReport]) -> None:
    same, poorer = judged
    assert same.performance is not None
    assert poorer.performance is not None
    assert poorer.score is not None
    for metric in ("roc_auc", "log_loss", "brier", "accuracy", "share"):
        expected, seen = same.performance.expected[metric], same.performance.seen[metric]
        assert expected.low <= expected.value <= expected.high
        assert max(expected.low, seen.low) <= min(expected.high, seen.high)
    assert poorer.performance.seen == {}
    assert poorer.performance.expected["share"].value > same.performance.expected["share"].high
    assert poorer["income"].csi > 0.2
    assert poorer.score.p < 1e-6
    assert "region" in {shift.name for shift in same.shifts}
    assert "default" in {shift.name for shift in same.shifts}
    assert "issued_at" not in {shift.name for shift in same.shifts}


def test_it_is_read_by_people_and_programs(judged: tuple[DriftReport, DriftReport]) -> None:
    told = json.loads(json.dumps(judged[1].to_json(), allow_nan=False))
    assert told["drifted"][0] == "income"
    assert told["shifts"][0]["psi"] == pytest.approx(judged[1]["income"].psi)
    assert "new rows, expected" in str(judged[1])
    assert "drift in income" in str(judged[1])


def test_of_several_classes_the_likeliest_ones_chance_is_the_share() -> None:
    frame = plait.samples.mixed(600).drop(columns="note")
    frame["outcome"] += (frame["number0"] > 0.5) * 1
    model = plait.Classifier(fusion="early", learner="linear", n_jobs=1)
    model.fit(frame.iloc[:300].drop(columns="outcome"), frame["outcome"].iloc[:300])
    report = drift(frame.iloc[300:450], frame.iloc[450:], model=model, target="outcome")
    assert report.score is None
    assert report.performance is not None
    expected, seen = report.performance.expected["accuracy"], report.performance.seen["accuracy"]
    assert max(expected.low, seen.low) <= min(expected.high, seen.high)


def test_values_have_no_expected_performance() -> None:
    frame = plait.samples.mixed(200).drop(columns="note")
    target = frame.pop("outcome").astype(float)
    model = plait.Regressor(fusion="early", learner="linear", n_jobs=1).fit(frame, target)
    report = drift(frame.iloc[:100], frame.iloc[100:], model=model)
    assert report.performance is None
    assert report.notes == ("performance without labels is estimated for classes only",)


def test_mistakes_are_told_in_one_line() -> None:
    old, new = population(0)
    with pytest.raises(DataError, match="there are 3 new rows; drift needs at least 30"):
        drift(old, new.head(3))
    with pytest.raises(ConfigError, match="level=2 is out of range"):
        drift(old, new, level=2)
    with pytest.raises(DataError, match="lacks 1 column"):
        drift(old, new.drop(columns="income"))
