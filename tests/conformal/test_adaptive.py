"""Adaptive intervals: long-run coverage whatever the data do, truths that come late, and state as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.conformal.adaptive import ADAPTIVE_METHODS, Adaptive
from plait.errors import ArtifactError, ConfigError, DataError


def streamed(stream: Adaptive, truth: np.ndarray, late: int = 0) -> np.ndarray:
    """Which truths were held by intervals around 0, each delivered `late` steps later."""
    held = []
    for t, value in enumerate(truth):
        low, high = stream.interval(0.0, t)[0]
        held.append(low <= value <= high)
        if t >= late:
            stream.deliver(t - late, truth[t - late])
    return np.array(held)


@pytest.mark.parametrize("method", ADAPTIVE_METHODS)
@pytest.mark.parametrize("late", [0, 5])
def test_coverage_holds_where_the_spread_grows_fivefold(method, late):
    rng = np.random.default_rng(0)
    calm, wild = rng.normal(size=1500), 5 * rng.normal(size=2500)
    truth = np.concatenate([calm[500:], wild])
    rate = 0.02 if method == "aci" else None
    held = streamed(Adaptive(0.9, method=method, rate=rate).warm(calm[:500]), truth, late)
    fixed = np.abs(truth) <= np.quantile(np.abs(calm[:500]), 0.9)
    assert fixed[1000:].mean() < 0.4
    assert held.mean() == pytest.approx(0.9, abs=0.015)
    assert held[2000:].mean() == pytest.approx(0.9, abs=0.02)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000))
def test_the_average_miss_obeys_the_bound(seed):
    """At most (largest level left + rate) / (rate t), whatever comes (Gibbs and Candes 2021, proposition 4.1)."""
    rng = np.random.default_rng(seed)
    truth = np.cumsum(rng.normal(size=300)) * rng.choice([0.1, 1, 10])
    held = streamed(Adaptive(0.8, method="aci", rate=0.05), truth)
    assert abs(held.mean() - 0.8) <= (0.8 + 0.05) / (0.05 * 300) + 1e-9


@pytest.mark.parametrize("method", ADAPTIVE_METHODS)
def test_a_stream_goes_on_from_its_json(method):
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(60, 3))
    one = Adaptive(0.8, method=method, window=20).warm(rng.normal(size=50))
    other = Adaptive.from_json(json.loads(json.dumps(one.to_json(), allow_nan=False)))
    for t in range(60):
        np.testing.assert_array_equal(one.interval(np.zeros(3), t), other.interval(np.zeros(3), t))
        if t >= 4:
            one.deliver(t - 4, truth[t - 4])
            other = Adaptive.from_json(json.loads(json.dumps(other.to_json(), allow_nan=False)))
            other.deliver(t - 4, truth[t - 4])
    assert other.waiting == one.waiting == (56.0, 57.0, 58.0, 59.0)


def test_scales_and_panels():
    stream = Adaptive(0.9, method="aci").warm([1.0] * 30)
    ends = stream.interval(np.array([0.0, 10.0]), 1, scale=np.array([1.0, 3.0]))
    np.testing.assert_allclose(ends, [[-1, 1], [7, 13]])
    assert stream.deliver(1, np.array([0.5, 14.0])) == 0.5
    stream.interval(np.array([0.0, 10.0]), 2)
    assert stream.deliver(2, np.array([np.nan, 10.0])) == 0
    stream.interval(0.0, 3)
    before = stream.radius
    assert np.isnan(stream.deliver(3, np.nan))
    assert stream.radius == before


def test_the_state_stays_small():
    stream = Adaptive(window=10)
    for t in range(15):
        stream.interval(np.zeros(5000), t)
        stream.deliver(t, np.arange(5000.0))
    assert len(json.dumps(stream.to_json())) < 20_000


def test_mistakes_are_said():
    stream = Adaptive()
    stream.interval(0.0, 1)
    with pytest.raises(DataError, match="asked for already"):
        stream.interval(0.0, 1)
    with pytest.raises(DataError, match="2 truths for 1"):
        stream.deliver(1, [1.0, 2.0])
    with pytest.raises(DataError, match="nothing waits"):
        stream.deliver(7, 1.0)
    with pytest.raises(DataError, match="finite"):
        stream.interval(np.nan, 2)
    with pytest.raises(ConfigError, match="did you mean 'aci'"):
        Adaptive(method="acy")
    with pytest.raises(ConfigError, match="above 0"):
        Adaptive(rate=0)
    with pytest.raises(ArtifactError, match="cannot be read"):
        Adaptive.from_json({"coverage": 0.9})
