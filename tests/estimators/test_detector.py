"""Detectors as scikit-learn meets them, what their alerts promise, and what they say of odd rows."""

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
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

import plait
from plait.conformal.outliers import Alarm, Budget
from plait.errors import ConfigError
from plait.estimators import load_one

QUICK = {"isolation": {"trees": 60, "sample": 128}}


@parametrize_with_checks([plait.Detector(n_jobs=1, options=QUICK)])
def test_scikit_learn_checks(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def loans() -> pd.DataFrame:
    return plait.samples.loans(900, seed=4).drop(columns="default")


@pytest.fixture(scope="module")
def fitted(loans: pd.DataFrame) -> plait.Detector:
    return plait.Detector(time="issued_at", budget=0.05, n_jobs=1, options=QUICK).fit(loans.iloc[:700])


def test_no_feature_uses_labels(fitted: plait.Detector, loans: pd.DataFrame) -> None:
    names = fitted.model_.view(loans).joined.features.names
    assert not [name for name in names if name.endswith(".score") or "target" in name]
    assert any("topic" in name for name in names)


def test_the_threshold_comes_from_the_latest_rows(fitted: plait.Detector, loans: pd.DataFrame) -> None:
    record = fitted.record_
    assert record["learned"] + record["held_out"] <= 700
    assert record["alarm"]["promised"] <= 0.05
    assert record["alarm"]["low"] < 0.05 < record["alarm"]["high"]
    held = loans.iloc[700 - record["held_out"] : 700]
    alerts = int((fitted.predict(held) < 0).sum())
    assert alerts == int(0.05 * (record["held_out"] + 1)) - 1  # one above each of them but the threshold itself


def test_what_is_odd_alerts_and_is_explained(fitted: plait.Detector, loans: pd.DataFrame) -> None:
    rows = loans.iloc[700:720].copy()
    rows.iloc[3, rows.columns.get_loc("amount")] = 2e6
    told = fitted.explain(rows)
    assert told[3].alert
    assert fitted.predict(rows)[3] == -1
    assert told[3].reasons[0].column == "amount"
    assert "2,000,000, usually" in told[3].reasons[0].text
    assert max(told[3].sources, key=lambda name: told[3].sources[name]) == told[3].reasons[0].source
    assert sum(told[3].sources.values()) == pytest.approx(1)
    assert "alert" in str(told[3])
    assert [odd.p_value for odd in told] == fitted.p_values(rows).tolist()
    np.testing.assert_allclose([-odd.score for odd in told], fitted.score_samples(rows))
    json.dumps([odd.to_json() for odd in told], allow_nan=False)


def test_sources_may_be_missing(fitted: plait.Detector, loans: pd.DataFrame) -> None:
    rows = loans.iloc[700:].copy()
    rows["letter"], rows["balance"] = None, None
    scores = fitted.score_samples(rows)
    assert np.isfinite(scores).all()
    assert (fitted.predict(rows) < 0).mean() < 0.1  # that evidence is missing is no reason
    assert np.isfinite(fitted.score_samples(rows.drop(columns=["letter"]).assign(letter=None))).all()


def test_save_and_load(fitted: plait.Detector, loans: pd.DataFrame, tmp_path: Path) -> None:
    fitted.save(tmp_path / "odd.plait")
    again = plait.load(tmp_path / "odd.plait")
    assert isinstance(again, plait.Detector)
    np.testing.assert_array_equal(again.score_samples(loans), fitted.score_samples(loans))
    assert again.offset_ == fitted.offset_
    assert again.record_["alarm"] == fitted.record_["alarm"]
    assert again.get_params()["budget"] == 0.05
    assert [str(odd) for odd in again.explain(loans[:3])] == [str(odd) for odd in fitted.explain(loans[:3])]
    with pytest.raises(ConfigError, match="plait detect"):
        load_one(tmp_path / "odd.plait")


def test_what_was_asked_is_saved_and_what_cannot_be_read_is_told(loans: pd.DataFrame, tmp_path: Path) -> None:
    options = {"isolation": {"trees": 20}}
    detector = plait.Detector(detectors=["isolation"], options=options, n_jobs=1).fit(loans[["amount", "income"]])
    detector.save(tmp_path / "odd.plait")
    assert plait.load(tmp_path / "odd.plait").get_params()["options"] == options
    broken = loans[["amount", "income"]].head(3).assign(income=[1.0, np.inf, 2.0])
    faults = [[(fault.column, fault.reason) for fault in odd.faults] for odd in detector.explain(broken)]
    assert faults == [[], [("income", "infinite")], []]
    with pytest.raises(ConfigError, match="most=-1 is out of range"):
        detector.explain(broken, most=-1)


def test_contamination_is_of_the_rows_themselves(loans: pd.DataFrame) -> None:
    model = plait.Detector(contamination=0.1, detectors=["isolation"], n_jobs=1, options=QUICK)
    assert (model.fit_predict(loans[["income", "amount", "term"]]) < 0).sum() == 90


@pytest.mark.parametrize(
    ("said", "share", "a_day"),
    [(0.01, 0.01, None), ("1%", 0.01, None), ("2.5 %", 0.025, None), ("50 a day", None, 50), ("3/day", None, 3)],
)
def test_budgets_are_read(said: float | str, share: float | None, a_day: float | None) -> None:
    assert Budget.of(said) == Budget(share, a_day)


@pytest.mark.parametrize("said", ["", "many", "60%", 0, -1, "0 a day", "1% a day", float("nan")])
def test_budgets_that_cannot_be_read(said: float | str) -> None:
    with pytest.raises(ConfigError):
        Budget.of(said)


def test_alerts_a_day(loans: pd.DataFrame) -> None:
    a_day = 700 / (3 * 365 * 700 / 900)  # loans are spread evenly over three years
    few = plait.Detector(
        time="issued_at", budget=f"{a_day / 20} a day", detectors=["isolation"], options=QUICK, n_jobs=1
    )
    few.fit(loans[["issued_at", "income", "amount"]].iloc[:700])
    assert few.record_["alarm"]["asked"] == pytest.approx(0.05, rel=0.15)
    with pytest.raises(ConfigError, match="name the time"):
        few.set_params(time=None).fit(loans[["income", "amount"]])
    with pytest.raises(ConfigError, match="over half"):
        few.set_params(time="issued_at", budget="500 a day").fit(loans[["issued_at", "income", "amount"]])


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 400), st.floats(0.001, 0.5), st.integers(0, 99))
def test_no_more_rows_alert_than_promised(rows: int, share: float, seed: int) -> None:
    """Over all places that a new row may have among those held out, exactly as many alert as is promised."""
    scores = np.sort(np.random.default_rng(seed).permutation(rows + 1))
    alerts = 0
    for new in range(rows + 1):
        alarm = Alarm(np.delete(scores, new).astype(float), share)
        alert = scores[new] > alarm.threshold
        assert alert == (alarm.p_values(np.array([float(scores[new])]))[0] <= alarm.promised + 1e-12)
        alerts += alert
    assert alerts / (rows + 1) == pytest.approx(alarm.promised)
    assert alarm.promised <= share + 1e-9 or alarm.short


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"detectors": []}, "different names"),
        ({"detectors": ["isolatoin"]}, "isolation"),
        ({"options": {"forest": {}}}, "none of the detectors"),
        ({"options": {"isolation": {"leaves": 3}}}, "leaves"),
        ({"contamination": 0.7}, "out of range"),
        ({"holdout": 0}, "out of range"),
    ],
)
def test_arguments_that_cannot_be_used(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plait.Detector(**wrong).fit(np.zeros((9, 2)))
