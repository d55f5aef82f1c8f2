"""Made applications: evidence, the places in it that tell, and the bias in what was recorded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from plait.data import samples
from plait.metrics.classification import roc_auc

PARTS = ("table", "letter", "account", "statement", "call")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return samples.applications(40, seed=3)


def test_the_same_seed_makes_the_same_applications(rows: pd.DataFrame) -> None:
    assert_frame_equal(rows, samples.applications(40, seed=3))
    assert rows["applied_at"].is_monotonic_increasing
    assert rows["applicant"].is_unique
    assert {type(cell) for name in ("statement", "call") for cell in rows[name].dropna()} == {bytes}
    assert set(rows["default"]) == {0, 1}


def test_the_fair_counterpart_differs_in_district_and_outcome_alone(rows: pd.DataFrame) -> None:
    drop = ["district", "default"]
    assert_frame_equal(samples.applications(40, seed=3, fair=True).drop(columns=drop), rows.drop(columns=drop))
    biased, fair = (samples.applications_oracle(500, seed=3, fair=fair)["risk"] for fair in (False, True))
    assert_series_equal(biased, fair)


def test_the_signal_is_divided_among_five_parts() -> None:
    truth = samples.applications_oracle(20_000, seed=1)
    odds = truth[[f"from_{part}" for part in PARTS]]
    whole = truth.filter(like="from_").sum(axis=1)
    np.testing.assert_allclose(1 / (1 + np.exp(-whole)), truth["probability"])
    assert np.abs(odds.corr().to_numpy() - np.eye(5)).max() < 0.03  # independent
    assert odds.std().between(0.9, 1.15).all()
    assert truth["probability"].mean() == pytest.approx(0.21, abs=0.02)
    assert (truth["probability"] > truth["risk"]).mean() == pytest.approx(0.35, abs=0.02)
    outcome = (np.random.default_rng(0).random(20_000) < truth["probability"].to_numpy()).astype(int)
    areas = [roc_auc(outcome, odds[name].to_numpy()) for name in odds]
    assert max(areas) < 0.72 < 0.87 < roc_auc(outcome, truth["probability"].to_numpy())


def test_places_hold_what_the_oracle_says(rows: pd.DataFrame) -> None:
    truth = samples.applications_oracle(40, seed=3)
    told = truth["letter_place"].dropna()
    assert 10 < len(told) < 36
    for letter, (first, last) in zip(rows["letter"][told.index], told, strict=True):
        sentence = letter[int(first) : int(last)]
        assert sentence[-1] in ".。"
        assert len(sentence) > 5
    dry = truth["account_place"].dropna()
    assert 5 < len(dry) < 25
    assert rows["account"][dry.index].notna().all()
    for cell, (first, last) in zip(rows["account"][dry.index], dry, strict=True):
        months = np.array(cell)
        inside = months[int(first) : int(last)]
        assert len(inside) in (2, 3)
        assert inside.max() < 0.1 * min(months[int(first) - 1], months[int(last)])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_bias_breaks_the_four_fifths_rule_and_the_risk_does_not(seed: int) -> None:
    for fair in (False, True):
        truth = samples.applications_oracle(4000, seed, fair=fair)
        approved = truth["probability"] <= truth["probability"].quantile(0.6)
        rates = approved.groupby(truth["origin"]).mean()
        assert (rates["B"] / rates["A"] > 0.9) if fair else (rates["B"] / rates["A"] < 0.72)
