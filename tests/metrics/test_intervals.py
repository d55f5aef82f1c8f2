"""The paired bootstrap: coverage by known errors, pairing, groups, determinism."""

from __future__ import annotations

import numpy as np
import pytest

from plait.errors import ConfigError, InputError
from plait.metrics.classification import ece, roc_auc
from plait.metrics.intervals import bootstrap
from plait.metrics.regression import mae


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = (rng.random(800) < 0.3).astype(int)
    good = y + rng.normal(size=800)
    return y, good, good + rng.normal(0, 0.3, 800)


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    error = np.abs(np.random.default_rng(1).normal(size=2000))
    found = bootstrap(mae, np.zeros(2000), {"model": error}, resamples=2000).interval("model")
    half = 1.96 * error.std() / np.sqrt(2000)
    assert found.value == pytest.approx(error.mean())
    assert (found.low, found.high) == (
        pytest.approx(error.mean() - half, abs=0.002),
        pytest.approx(error.mean() + half, abs=0.002),
    )


def test_the_interval_of_auc_is_that_of_delong(scored) -> None:
    y, good, _ = scored
    above = good[y == 1][:, None] > good[y == 0]
    error = np.sqrt(above.mean(1).var(ddof=1) / y.sum() + above.mean(0).var(ddof=1) / (1 - y).sum())
    found = bootstrap(roc_auc, y, {"model": good}).interval("model")
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_pairing_cancels_what_models_share(scored) -> None:
    y, good, noisy = scored
    both = bootstrap(roc_auc, y, {"good": good, "noisy": noisy, "same": good})
    gap = both.difference("good", "noisy")
    assert gap.value == pytest.approx(roc_auc(y, good) - roc_auc(y, noisy))
    assert gap.high - gap.low < 0.5 * (both.interval("good").high - both.interval("good").low)
    assert both.difference("good", "same") == (0, 0, 0)


def test_same_seed_same_draws_whatever_else_is_judged(scored) -> None:
    y, good, noisy = scored
    alone = bootstrap(roc_auc, y, {"good": good}, resamples=50, seed=3)
    beside = bootstrap(roc_auc, y, {"noisy": noisy, "good": good}, resamples=50, seed=3)
    np.testing.assert_array_equal(alone.draws["good"], beside.draws["good"])
    other = bootstrap(roc_auc, y, {"good": good}, resamples=50, seed=4)
    assert (other.draws["good"] != alone.draws["good"]).any()


def test_groups_are_drawn_whole() -> None:
    error = np.random.default_rng(2).random(100)
    once = bootstrap(mae, np.zeros(100), {"model": error}, groups=np.arange(100).astype(str)).interval("model")
    five = np.repeat(error, 5)
    grouped = bootstrap(mae, np.zeros(500), {"model": five}, groups=np.repeat(np.arange(100), 5)).interval("model")
    alone = bootstrap(mae, np.zeros(500), {"model": five}).interval("model")
    assert grouped.high - grouped.low == pytest.approx(once.high - once.low, rel=0.1)
    assert alone.high - alone.low < 0.6 * (grouped.high - grouped.low)


def test_centred_intervals_hold_a_figure_that_resampling_inflates() -> None:
    rng = np.random.default_rng(5)
    p = rng.random(500)
    y = (rng.random(500) < p).astype(int)
    plain = bootstrap(ece, y, {"model": p}, resamples=300).interval("model")
    centred = bootstrap(ece, y, {"model": p}, resamples=300, centred=True).interval("model")
    assert plain.low + plain.high > 2 * plain.value
    assert 0 <= centred.low < centred.value < centred.high


def test_draws_that_lack_a_class_or_all_weight_are_left_out() -> None:
    y = np.array([1, *[0] * 30])
    found = bootstrap(roc_auc, y, {"model": np.linspace(1, 0, 31)}, resamples=200)
    assert np.isnan(found.draws["model"]).any()
    assert found.interval("model") == (1, 1, 1)
    weight = np.eye(31)[3]
    assert (
        50
        < len(bootstrap(mae, np.zeros(31), {"model": np.ones(31)}, weight=weight, resamples=200).draws["model"])
        < 200
    )


def test_no_resamples_no_interval(scored) -> None:
    y, good, _ = scored
    found = bootstrap(roc_auc, y, {"model": good}, resamples=0).interval("model")
    assert found.value > 0.5
    assert np.isnan(found.low)
    assert np.isnan(found.high)


def test_bad_input(scored) -> None:
    y, good, _ = scored
    with pytest.raises(InputError, match="one class only"):
        bootstrap(roc_auc, np.ones(5, int), {"model": np.arange(5.0)})
    with pytest.raises(InputError, match="groups"):
        bootstrap(roc_auc, y, {"model": good}, groups=np.arange(3))
    with pytest.raises(ConfigError, match="resamples"):
        bootstrap(roc_auc, y, {"model": good}, resamples=-1)
