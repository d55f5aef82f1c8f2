"""LGD, EAD and survival of the credit desk: against known truths."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from plait.desks.credit.losses.ead import Ccf, estimate_ccf, exposure, off_balance
from plait.desks.credit.losses.lgd import (
    Downturn,
    SegmentLgd,
    TwoStageLgd,
    fit_evidence_lgd,
    fit_segments,
    fit_two_stage,
    workout,
)
from plait.desks.credit.losses.survival import Method, ProportionalHazards, fit_hazards, kaplan_meier
from plait.errors import ConfigError, DataError

DEFAULTS = pd.DataFrame(
    {
        "loan": ["a", "b", "c"],
        "ead": [1000.0, 500.0, 200.0],
        "day": pd.to_datetime(["2023-01-01"] * 3),
        "ended": [1, 1, 0],
    }
)
FLOWS = pd.DataFrame(
    {
        "loan": ["a", "a", "b"],
        "day": pd.to_datetime(["2024-01-01", "2023-01-01", "2023-01-01"]),
        "amount": [550.0, -20.0, 600.0],
    }
)
NAMES = {"key": "loan", "ead": "ead", "at": "day", "amount": "amount", "when": "day"}


def test_a_workout_counts_time_and_costs() -> None:
    found = workout(DEFAULTS, FLOWS, **NAMES, rate="0.1", closed="ended")
    worth = 550 * 1.1 ** -(365 / 365.25)
    assert found["economic_lgd"].tolist() == pytest.approx([1 - (worth - 20) / 1000, -0.2, 1.0])
    assert found["lgd"].tolist()[:2] == pytest.approx([1 - (worth - 20) / 1000, 0.0])
    assert np.isnan(found["lgd"][2])  # it goes on
    assert found["flows"].tolist() == [2, 1, 0]
    assert found["costs"].tolist() == pytest.approx([0.02, 0, 0])


@pytest.mark.parametrize(
    ("defaults", "flows", "said"),
    [
        (pd.concat([DEFAULTS, DEFAULTS]), FLOWS, "more than once"),
        (DEFAULTS, FLOWS.assign(loan="z"), "not among the defaults"),
        (DEFAULTS, FLOWS.assign(day=pd.Timestamp("2022-01-01")), "before their default"),
        (DEFAULTS.assign(ead=0.0), FLOWS, "is 0 in 3"),
        (DEFAULTS.assign(day=20230101), FLOWS, "holds numbers"),
        (DEFAULTS, FLOWS.assign(day=[FLOWS["day"][0], None, None]), "2 defaults or flows have no date"),
    ],
)
def test_flows_that_belong_to_no_default_are_refused(defaults: pd.DataFrame, flows: pd.DataFrame, said: str) -> None:
    with pytest.raises(DataError, match=said):
        workout(defaults, flows, **NAMES, rate="0.1")


@pytest.fixture(scope="module")
def defaulted() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Defaults whose chance of a loss and severity are known: rows, LGD, expected LGD."""
    rng = np.random.default_rng(1)
    n = 6000
    frame = pd.DataFrame({"cover": rng.normal(size=n), "kind": rng.choice(["car", "home", "none"], n)})
    frame.loc[rng.random(n) < 0.05, "cover"] = np.nan
    push = np.nan_to_num(-0.8 * frame["cover"].to_numpy()) + 0.9 * (frame["kind"] == "none").to_numpy()
    chance, share = 1 / (1 + np.exp(-0.4 - push)), 1 / (1 + np.exp(0.3 - 0.5 * push))
    drawn = rng.beta(4 * share, 4 * (1 - share))
    return frame, np.where(rng.random(n) < chance, np.maximum(drawn, 1e-5), 0.0), chance * share


def test_two_stages_find_chance_and_severity(defaulted: tuple[pd.DataFrame, np.ndarray, np.ndarray]) -> None:
    frame, lgd, truth = defaulted
    fitted = fit_two_stage(frame[:4000], lgd[:4000])
    found, late = fitted.predict(frame[4000:]), truth[4000:]
    assert np.abs(found - late).mean() < 0.015
    assert ((found >= 0) & (found <= 1)).all()
    again = TwoStageLgd.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again.predict(frame[4000:]) == pytest.approx(found)
    segments = fit_segments(frame[:4000], lgd[:4000], "kind")
    assert np.abs(found - late).mean() < np.abs(segments.predict(frame[4000:]) - late).mean()


def test_unfinished_workouts_teach_nothing(defaulted: tuple[pd.DataFrame, np.ndarray, np.ndarray]) -> None:
    frame, lgd, _ = (each[:800] for each in defaulted)
    held = lgd.copy()
    held[500:] = np.nan
    assert fit_two_stage(frame, held).loss == fit_two_stage(frame[:500], lgd[:500]).loss
    with pytest.raises(DataError, match="goes on"):
        fit_segments(frame, np.full(800, np.nan), "kind")
    with pytest.raises(DataError, match=r"in 0\.\.1"):
        fit_two_stage(frame, lgd + 1)
    with pytest.raises(DataError, match="no severity"):
        fit_two_stage(frame, np.zeros(800))


def test_segments_of_few_rows_are_drawn_to_the_mean() -> None:
    frame = pd.DataFrame({"kind": ["a"] * 180 + ["b"]})
    fitted = fit_segments(frame, np.append(np.full(180, 0.5), 1.0), "kind", downturn=Downturn(1.0, 0.1))
    assert fitted.means["b"] == pytest.approx((1 + 20 * fitted.overall) / 21)
    new = pd.DataFrame({"kind": ["a", "c"]})
    assert fitted.predict(new) == pytest.approx([fitted.means["a"] + 0.1, fitted.overall + 0.1])
    assert SegmentLgd.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


def test_evidence_is_held_in_the_unit_interval(defaulted: tuple[pd.DataFrame, np.ndarray, np.ndarray]) -> None:
    frame, lgd, truth = (each[:600] for each in defaulted)
    fitted = fit_evidence_lgd(frame, lgd, fusion="early", learner="linear", n_jobs=1)
    found = fitted.predict(frame)
    assert ((found >= 0) & (found <= 1)).all()
    assert np.corrcoef(found, truth)[0, 1] > 0.9


def test_exposure_is_drawn_and_part_of_the_rest() -> None:
    assert exposure(np.array([40.0, 120.0, 0.0]), np.array([100.0, 100, 100]), 0.5).tolist() == [70, 120, 50]
    assert off_balance(np.array([100.0, 100.0]), np.array(["guarantee", "commitment"])).tolist() == [100, 40]
    with pytest.raises(ConfigError, match="did you mean 'commitment'"):
        off_balance(np.array([1.0]), np.array(["comitment"]))


def test_conversion_factors_come_from_histories() -> None:
    months = pd.date_range("2021-01-01", "2023-12-01", freq="MS")
    history = pd.DataFrame([(k, m, 20.0, 100.0) for k in "abcd" for m in months], columns=["k", "m", "drawn", "limit"])
    history.loc[history["k"] == "d", "drawn"] = 99.0  # nothing left to draw
    defaults = pd.DataFrame(
        {"k": list("abcd"), "m": pd.to_datetime("2023-06-15"), "drawn": [60.0, 110, 10, 99], "seg": list("xxyy")}
    )
    found = estimate_ccf(history, defaults, key="k", month="m", drawn="drawn", limit="limit", segment="seg")
    assert found.overall == pytest.approx((0.5 + 1 + 0) / 3)  # above 1 and below 0 are held
    assert (found.rows, found.outside, found.undefined) == (3, 2, 1)
    assert found.factors["x"] > found.overall > found.factors["y"]
    assert Ccf.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.predict(pd.DataFrame({"seg": ["x", "new"]})).tolist() == [found.factors["x"], found.overall]
    history.loc[history["m"] == "2022-12-01", "drawn"] = 50.0
    names = {"key": "k", "month": "m", "drawn": "drawn", "limit": "limit"}
    assert estimate_ccf(history, defaults, **names, approach="cohort").overall == pytest.approx(
        (0.2 + 1 + 0 + 0.98) / 4
    )
    with pytest.raises(DataError, match="reference date"):
        estimate_ccf(history, defaults, **names, horizon=60)


@pytest.fixture(scope="module")
def lives() -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Loans with a known rising hazard: rows, months, defaulted, true PD by month (N x 48)."""
    rng = np.random.default_rng(2)
    n = 6000
    frame = pd.DataFrame({"burden": rng.normal(size=n), "kind": rng.choice(["own", "rent"], n, p=[0.6, 0.4])})
    ratio = np.exp(0.6 * frame["burden"] + 0.8 * (frame["kind"] == "rent")).to_numpy()
    steps = 1e-3 * np.diff(np.arange(49.0) ** 1.4)
    summed = np.cumsum(steps) * ratio[:, None]
    life = (summed < rng.exponential(size=(n, 1))).sum(1) + 1
    seen = rng.integers(6, 49, n)
    return frame, np.minimum(life, seen), life <= seen, 1 - np.exp(-summed)


@pytest.mark.parametrize("method", ["cox", "weibull", "discrete"])
def test_known_hazards_are_found(
    method: Method, lives: tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]
) -> None:
    frame, months, bad, truth = lives
    fitted = fit_hazards(frame, months, bad, method=method, horizon=48)
    assert np.abs(fitted.pd(frame, 48) - truth).mean(0).max() < 0.02
    ratios = fitted.hazard_ratios
    assert ratios["burden"] == pytest.approx(np.exp(0.6 * frame["burden"].std()), rel=0.1)
    assert ratios["kind = rent"] == pytest.approx(np.exp(0.8), rel=0.15)
    again = ProportionalHazards.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again.pd(frame[:9], 60) == pytest.approx(fitted.pd(frame[:9], 60))


def test_observed_survival_needs_no_model(lives: tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]) -> None:
    frame, months, bad, truth = lives
    found = kaplan_meier(months, bad, frame["kind"], horizon=48)
    for name, curve in zip(found.names, found.pd, strict=True):
        assert curve[[11, 35]] == pytest.approx(truth[frame["kind"] == name].mean(0)[[11, 35]], abs=0.02)
    assert kaplan_meier(np.array([1, 2, 2]), np.array([1, 0, 0]), horizon=2).pd == pytest.approx(
        np.array([[1 / 3] * 2])
    )


@pytest.mark.parametrize(
    ("months", "bad", "said"),
    [([0, 3], [1, 0], "1 or more"), ([1.5, 3], [1, 0], "whole months"), ([1, 3], [0, 0], "nobody defaulted")],
)
def test_durations_that_are_none_are_refused(months: list[float], bad: list[int], said: str) -> None:
    with pytest.raises(DataError, match=said):
        kaplan_meier(np.array(months), np.array(bad))
    with pytest.raises(DataError, match=said):
        fit_hazards(pd.DataFrame({"x": [1.0, 2.0]}), np.array(months), np.array(bad))


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'weibull'"):
        fit_hazards(pd.DataFrame({"x": [1.0]}), np.array([1]), np.array([1]), method="weibul")  # type: ignore[arg-type]
