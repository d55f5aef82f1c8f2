"""Quantiles, intervals and samples: against scikit-learn, closed forms and brute force."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_pinball_loss

from plait.errors import ConfigError, InputError
from plait.metrics import quantile

SEEDS = st.integers(0, 10_000)
NORMAL = NormalDist()


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_pinball_agrees_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, q, levels = rng.normal(size=30), np.sort(rng.normal(size=(30, 3)), 1), (0.1, 0.5, 0.95)
    weight = rng.integers(1, 4, (2, 30)).astype(float)
    expected = [
        np.mean([mean_pinball_loss(y, q[:, i], alpha=a, sample_weight=w) for i, a in enumerate(levels)]) for w in weight
    ]
    np.testing.assert_allclose(quantile.pinball(y, q, levels, weight), expected)


@given(SEEDS, st.integers(2, 8))
@settings(deadline=None, max_examples=20)
def test_crps_of_samples_is_its_definition(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    y, x = rng.normal(size=20), rng.normal(size=(20, count)).round(1)
    apart = np.abs(x[:, :, None] - x[:, None, :])
    near = np.abs(x - y[:, None]).mean(1)
    assert quantile.crps_from_samples(y, x) == pytest.approx(np.mean(near - apart.mean((1, 2)) / 2))
    fair = apart.sum((1, 2)) / (count * (count - 1))
    assert quantile.crps_from_samples(y, x, fair=True) == pytest.approx(np.mean(near - fair / 2))


def test_crps_of_a_normal_forecast_is_the_closed_form() -> None:
    y = np.linspace(-2, 2, 9)
    z = np.array([y_ * (2 * NORMAL.cdf(y_) - 1) + 2 * NORMAL.pdf(y_) - 1 / np.sqrt(np.pi) for y_ in y])
    levels = (np.arange(2000) + 0.5) / 2000
    quantiles = np.tile([NORMAL.inv_cdf(a) for a in levels], (9, 1))
    assert quantile.crps_from_quantiles(y, quantiles, levels) == pytest.approx(z.mean(), abs=1e-3)
    assert quantile.crps_from_samples(y, quantiles) == pytest.approx(z.mean(), abs=1e-3)


def test_crps_of_the_median_alone_is_the_absolute_error() -> None:
    y, q = np.array([1.0, 5.0]), np.array([[2.0], [2.0]])
    assert quantile.crps_from_quantiles(y, q, [0.5]) == quantile.crps_from_samples(y, q) == 2


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_the_interval_score_is_the_pinball_loss_of_its_ends(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, ends = rng.normal(size=25), np.sort(rng.normal(size=(25, 2)), 1)
    weight = rng.integers(1, 4, 25).astype(float)
    score = quantile.interval_score(y, *ends.T, level=0.9, weight=weight)
    assert score == pytest.approx(2 * quantile.pinball(y, ends, (0.05, 0.95), weight) / 0.05)
    inside = (ends[:, 0] <= y) & (y <= ends[:, 1])
    assert quantile.coverage(y, *ends.T, weight) == pytest.approx(np.average(inside, weights=weight))
    assert quantile.width(*ends.T, weight) == pytest.approx(np.average(ends[:, 1] - ends[:, 0], weights=weight))


def test_the_honest_forecast_has_the_best_score() -> None:
    y = np.random.default_rng(0).normal(size=4000)
    spreads = {
        s: quantile.interval_score(y, np.full(4000, -1.645 * s), np.full(4000, 1.645 * s), 0.9) for s in (0.5, 1, 2)
    }
    assert min(spreads, key=spreads.get) == 1


def test_crossing_is_counted_by_row() -> None:
    crossed = np.array([[1.0, 2, 3], [1, 3, 2], [2, 2, 2]])
    assert quantile.crossing_rate(crossed) == pytest.approx(1 / 3)
    assert quantile.crossing_rate(crossed, np.array([[1.0, 0, 1], [0, 1, 0]])).tolist() == [0, 1]


def test_bad_input() -> None:
    y = np.zeros(2)
    with pytest.raises(ConfigError, match="must rise"):
        quantile.pinball(y, np.zeros((2, 2)), (0.9, 0.1))
    with pytest.raises(ConfigError, match="level=1"):
        quantile.interval_score(y, y, y, 1)
    with pytest.raises(InputError, match="1 levels"):
        quantile.pinball(y, np.zeros((2, 2)), (0.5,))
    with pytest.raises(InputError, match="first in row 1"):
        quantile.coverage(y, np.array([0.0, 1]), np.zeros(2))
    with pytest.raises(InputError, match="row of 2 or more"):
        quantile.crps_from_samples(y, np.zeros((2, 1)), fair=True)
    with pytest.raises(InputError, match="one column for each level"):
        quantile.crossing_rate(y)
