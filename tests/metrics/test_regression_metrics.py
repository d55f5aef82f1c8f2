"""Figures of values against scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn import metrics as reference

from plait.errors import InputError
from plait.metrics import regression as m


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_figures_agree_with_the_references(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 60))
    y = np.append(rng.integers(-5, 5, n - 2), [7, 8]) + rng.choice([0.0, 1e4])
    p = np.append(y[:-1] + rng.integers(-3, 4, n - 1), 99)
    counts = np.append(rng.integers(0, 4, n - 2), [1, 1])
    assert m.rmse(y, p, counts) == pytest.approx(reference.root_mean_squared_error(y, p, sample_weight=counts))
    assert m.mae(y, p, counts) == pytest.approx(reference.mean_absolute_error(y, p, sample_weight=counts))
    assert m.r2(y, p, counts) == pytest.approx(reference.r2_score(y, p, sample_weight=counts), rel=1e-6)
    repeated = np.repeat(y, counts), np.repeat(p, counts)
    assert m.spearman(y, p) == pytest.approx(spearmanr(y, p).statistic)
    if len(np.unique(repeated[1])) > 1:
        assert m.spearman(y, p, counts) == pytest.approx(spearmanr(*repeated).statistic)
    for metric in (m.rmse, m.mae, m.r2, m.spearman):
        both = metric(y, p, np.stack([np.ones(n), counts]))
        np.testing.assert_allclose(both, [metric(y, p), metric(y, p, counts)])


@pytest.mark.parametrize("metric", [m.r2, m.spearman])
def test_equal_targets_leave_it_undefined(metric) -> None:
    with pytest.raises(InputError, match="undefined"):
        metric(np.full(7, 0.1), np.arange(7.0))
    value = metric(
        np.array([0.3, 0.3, 0.9, 1.1]), np.arange(4.0), np.array([[1, 1, 1, 1.0], [1, 3, 0, 0], [0, 0, 3, 0]])
    )
    assert np.isnan(value).tolist() == [False, True, True]


def test_bad_input() -> None:
    with pytest.raises(InputError, match="targets are NaN"):
        m.rmse(np.array([1, np.nan]), np.zeros(2))
    with pytest.raises(InputError, match="predictions have shape"):
        m.rmse(np.zeros(2), np.zeros(3))
