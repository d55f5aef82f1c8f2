"""Forecasts: by hand, against published values, and under a true null."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ConfigError, InputError
from plait.metrics import forecast


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_figures_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, f, last = rng.normal(size=(3, 20)).round(2)
    y[0], last[0] = 1.0, 0.0
    w = rng.integers(1, 4, (2, 20)).astype(float)
    for i, one in enumerate(w):
        near = {"weights": one}
        assert forecast.mase(y, f, 0.5, w)[i] == pytest.approx(np.average(np.abs(y - f) / 0.5, **near))
        percent = [0 if a == b == 0 else 2 * abs(a - b) / (abs(a) + abs(b)) for a, b in zip(y, f, strict=True)]
        assert forecast.smape(y, f, w)[i] == pytest.approx(np.average(percent, **near))
        expected = 1 - np.average((y - f) ** 2, **near) / np.average((y - last) ** 2, **near)
        assert forecast.skill(y, f, last, w)[i] == pytest.approx(expected)
        moved = y != last
        right = (1 + np.sign(y - last) * np.sign(f - last)) / 2
        assert forecast.directional_accuracy(y, f, last, w)[i] == pytest.approx(
            np.average(right[moved], weights=one[moved])
        )


def test_the_naive_forecast_repeats_the_season_and_has_no_skill() -> None:
    history = np.array([1.0, 5, 2, 6])
    naive = forecast.seasonal_naive(history, 5, season=2)
    assert naive.tolist() == [2, 6, 2, 6, 2]
    assert forecast.naive_scale(history, 2) == 1
    y = np.array([3.0, 6, 1, 7, 2])
    assert forecast.skill(y, naive, naive) == 0
    assert forecast.mase(y, naive, forecast.naive_scale(history, 2)) == pytest.approx(3 / 5)
    assert forecast.mase(y, naive, np.full(5, 2.0)) == pytest.approx(3 / 10)


def test_a_standstill_is_half_right_and_rows_that_did_not_move_are_left_out() -> None:
    last = np.zeros(4)
    assert forecast.directional_accuracy(np.array([1.0, -1, 0, 2]), np.array([1.0, 1, 1, 0]), last) == pytest.approx(
        0.5
    )


def test_diebold_mariano_by_hand() -> None:
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40)) ** 2
    found = forecast.diebold_mariano(a, b)
    # One step ahead the corrected test is Student's t of the mean difference.
    t = ttest_1samp(a - b, 0)
    assert (found.statistic, found.p) == (pytest.approx(t.statistic), pytest.approx(t.pvalue))
    other = forecast.diebold_mariano(b, a)
    assert (other.difference, other.p) == (-found.difference, found.p)
    d = (a - b) - (a - b).mean()
    variance = (d @ d + 2 * (d[1:] @ d[:-1] + d[2:] @ d[:-2])) / 40
    small = (40 + 1 - 6 + 6 / 40) / 40
    expected = (a - b).mean() / np.sqrt(variance / 40) * np.sqrt(small)
    assert forecast.diebold_mariano(a, b, horizon=3).statistic == pytest.approx(expected)


def test_diebold_mariano_keeps_its_level_where_errors_overlap() -> None:
    rng = np.random.default_rng(1)
    shocks = rng.normal(size=(300, 2, 123))
    errors = sum(shocks[:, :, i : i + 120] for i in range(4))  # four steps ahead
    p = [forecast.diebold_mariano(*(each**2), horizon=4).p for each in errors]
    blind = [forecast.diebold_mariano(*(each**2)).p for each in errors]
    assert np.mean(np.array(p) < 0.05) < 0.11
    assert np.mean(np.array(blind) < 0.05) > np.mean(np.array(p) < 0.05) + 0.03


def test_a_variance_below_zero_is_weighted() -> None:
    swing = np.tile([1.0, -1.0], 10) + 0.1
    assert np.isfinite(forecast.diebold_mariano(swing, np.zeros(20), horizon=2).statistic)
    assert np.isnan(forecast.diebold_mariano(np.ones(5), np.zeros(5)).p)


def test_bad_input() -> None:
    y = np.ones(3)
    for call, message in (
        (lambda: forecast.naive_scale(y), "repeats itself"),
        (lambda: forecast.naive_scale(y, 3), "more than a season of 3"),
        (lambda: forecast.seasonal_naive(y, 1, 4), "season of 4"),
        (lambda: forecast.mase(y, y, 0), "scale must be"),
        (lambda: forecast.skill(y, y, y), "no error to take away"),
        (lambda: forecast.directional_accuracy(y, y, y), "no target differs"),
        (lambda: forecast.diebold_mariano(y, y, 3), "need at least 4"),
        (lambda: forecast.diebold_mariano(y, y[:2]), "shape"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    for call in (lambda: forecast.seasonal_naive(y, 0), lambda: forecast.diebold_mariano(y, y, 0)):
        with pytest.raises(ConfigError):
            call()
