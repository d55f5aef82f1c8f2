"""The choice among calibrators, and models that carry one."""

from __future__ import annotations

import numpy as np
import pytest

from plait import registry
from plait.calibration import choose
from plait.contracts import FitContext
from plait.errors import ConfigError, DataError


def made(n: int, bend: float, seed: int = 0, drift: float = 0.0):
    """Scores bent by a factor, what came true, and time; the base rate drifts from then on."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.random(n))
    odds = rng.normal(-1, 1.5, n)
    truth = (rng.random(n) < 1 / (1 + np.exp(-odds - drift * time))).astype(float)
    head = registry.get("heads", "binary")().fit(truth.astype(int), np.ones(n))
    context = FitContext(truth, "binary", 1, np.ones(n))
    return head, bend * odds[:, None], context, time


def test_what_is_right_stays_as_it_is():
    left = 0
    for seed in range(12):
        head, scores, context, _ = made(600, 1.0, seed)
        left += choose(head, scores, context).calibrator is None
    assert left >= 11


@pytest.mark.parametrize("bend", [0.3, 3.0])
def test_what_is_bent_is_put_right_simply(bend):
    head, scores, context, _ = made(2000, bend)
    choice = choose(head, scores, context)
    assert choice.method == "temperature"  # of least freedom, and the truth
    assert choice.losses["temperature"] < choice.losses["none"]
    assert choice.rows == 2000
    assert list(choice.losses) == ["none", "temperature", "platt", "beta", "isotonic"]


def test_a_level_that_is_off_takes_two_numbers():
    head, scores, context, _ = made(3000, 1.0)
    assert choose(head, scores + 1.5, context).method == "platt"


def test_time_judges_forward():
    """Bent in the past and right in the recent half: what helps the past alone is not taken."""
    from dataclasses import replace

    head, scores, context, time = made(4000, 1.0)
    bent = np.where(time[:, None] < 0.5, 3 * scores, scores)
    assert choose(head, bent, context).calibrator is not None
    assert choose(head, bent, replace(context, time=time)).calibrator is None


def test_named_ones_are_fitted_and_none_is_none():
    head, scores, context, _ = made(400, 2.0)
    for name in registry.names("calibrators"):
        choice = choose(head, scores, context, name)
        assert choice.method == name
        assert np.isfinite(choice.calibrator(scores)).all()
    assert choose(head, scores, context, "none").calibrator is None


def test_mistakes_are_said():
    head, scores, context, _ = made(50, 1.0)
    with pytest.raises(ConfigError, match="did you mean 'platt'"):
        choose(head, scores, context, "plat")
    one = FitContext(np.ones(50), "binary", 1, np.ones(50))
    with pytest.raises(DataError, match="one class"):
        choose(head, scores, one)
    values = registry.get("heads", "regression")().fit(np.arange(50.0), np.ones(50))
    with pytest.raises(ConfigError, match="conformalize"):
        choose(values, scores, FitContext(np.zeros(50), "regression", 1, np.ones(50)))
