"""Made dossiers: five kinds of evidence of one row, and the truth behind them."""

from __future__ import annotations

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from plait.data import samples
from plait.metrics.classification import roc_auc

PARTS = ("columns", "letter", "balance", "statement", "call")


def test_the_same_seed_makes_the_same_dossiers() -> None:
    first, second = samples.dossiers(12, seed=3), samples.dossiers(12, seed=3)
    assert_frame_equal(first, second)
    assert list(first.columns[-3:]) == ["statement", "call", "default"]
    assert first["issued_at"].is_monotonic_increasing
    assert 1 < first[["statement", "call"]].notna().to_numpy().sum() < 24
    assert {type(cell) for name in ("statement", "call") for cell in first[name].dropna()} == {bytes}


def test_the_signal_is_divided_among_five_parts() -> None:
    truth = samples.dossiers_oracle(20_000, seed=1)
    odds = truth[[f"from_{part}" for part in PARTS]]
    np.testing.assert_allclose(1 / (1 + np.exp(-truth.drop(columns="probability").sum(axis=1))), truth["probability"])
    assert np.abs(odds.corr().to_numpy() - np.eye(5)).max() < 0.03  # independent
    assert odds.std().between(0.9, 1.15).all()
    assert truth["probability"].mean() == pytest.approx(0.19, abs=0.02)
    outcome = (np.random.default_rng(0).random(20_000) < truth["probability"]).to_numpy().astype(int)
    areas = [roc_auc(outcome, odds[name].to_numpy()) for name in odds]
    assert max(areas) < 0.72 < 0.87 < roc_auc(outcome, truth["probability"].to_numpy())
