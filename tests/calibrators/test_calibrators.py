"""Calibrators: what all of them promise, and what each one's source says of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import registry
from plait.contracts import Calibrator, State
from plait.metrics.classification import ece

NAMES = registry.names("calibrators")
LOG_ODDS = [-3.0, -1.0, -0.2, 0.1, 0.4, 2.0, 2.5, 7.0]


def made(n: int = 4000, classes: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are right, and what came true."""
    rng = np.random.default_rng(seed)
    if classes == 2:
        odds = rng.normal(-1, 1.5, n)
        return odds[:, None], (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(float)
    logits = rng.normal(0, 1.5, (n, classes))
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return logits, (chance.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).astype(float)


def chances(scores: np.ndarray) -> np.ndarray:
    if scores.shape[1] == 1:
        return 1 / (1 + np.exp(-scores[:, 0]))
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def again(calibrator: Calibrator) -> Calibrator:
    state = calibrator.state()
    values = json.loads(json.dumps(state.values, allow_nan=False))
    return type(calibrator).from_state(State(state.version, values, state.arrays))


def fitted(name: str, scores: np.ndarray, targets: np.ndarray, weight: np.ndarray | None = None) -> Calibrator:
    weight = np.ones(len(targets)) if weight is None else weight
    return registry.get("calibrators", name)().fit(scores, targets, weight)


def loss(scores: np.ndarray, targets: np.ndarray) -> float:
    p = chances(scores)
    said = np.where(targets == 1, p, 1 - p) if p.ndim == 1 else p[np.arange(len(p)), targets.astype(int)]
    return float(-np.log(said).mean())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [2, 4])
def test_it_undoes_overconfidence(name, classes):
    scores, targets = made(8000, classes)
    bent, later = 2.5 * scores[:4000], 2.5 * scores[4000:]
    calibrated = again(fitted(name, bent, targets[:4000]))(later)
    assert loss(calibrated, targets[4000:]) < loss(later, targets[4000:]) - 0.05
    assert loss(calibrated, targets[4000:]) < loss(scores[4000:], targets[4000:]) + 0.01
    assert ece(targets[4000:].astype(int), chances(calibrated)) < 0.03


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_saved_one_says_the_same(name, classes):
    scores, targets = made(300, classes)
    calibrator = fitted(name, scores, targets)
    np.testing.assert_array_equal(again(calibrator)(scores), calibrator(scores))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=30)
@given(
    scores=st.lists(st.floats(-40, 40), min_size=2, max_size=30),
    targets=st.lists(st.booleans(), min_size=30, max_size=30),
    asked=st.lists(st.floats(-1000, 1000), min_size=1, max_size=10),
)
def test_of_two_classes_rows_keep_their_order_and_scores_stay_finite(name, scores, targets, asked):
    calibrator = fitted(name, np.array(scores)[:, None], np.array(targets[: len(scores)], float))
    points = np.unique(np.array([*scores, *asked]).round(3))
    found = calibrator(points[:, None])[:, 0]
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_classes_wholly_apart_stay_short_of_certain(name):
    scores, targets = np.array(LOG_ODDS)[:, None], np.array([0, 0, 0, 1, 1, 1, 1, 1.0])
    found = fitted(name, scores, targets)(np.array([[-500.0], [500.0]]))
    assert np.isfinite(found).all()
    if name == "isotonic":  # five of its rows came true at the top: at most five of six
        assert chances(found).max() < 5 / 6 + 0.001


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_never_comes_costs_no_error(name):
    scores, targets = made(200, 3)
    few = fitted(name, scores[targets != 2], targets[targets != 2])
    assert np.isfinite(few(scores)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_of_two_is_a_row_that_stands_twice(name):
    scores, targets = made(400)
    weight = np.where(np.arange(400) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(400), weight.astype(int))
    by_weight, by_rows = fitted(name, scores, targets, weight), fitted(name, scores[twice], targets[twice])
    np.testing.assert_allclose(by_weight(scores), by_rows(scores), atol=2e-3)


def test_platt_is_its_own_regression_on_smoothed_targets():
    from sklearn.calibration import _sigmoid_calibration  # the same method by other hands

    scores, targets = made(500)
    slope, constant = _sigmoid_calibration(scores[:, 0], targets)
    found = fitted("platt", scores, targets)(np.array([[0.0], [1.0]]))[:, 0]
    np.testing.assert_allclose(found, [-constant, -slope - constant], atol=2e-3)


def test_isotonic_follows_the_steps_of_scikit_learn():
    from sklearn.isotonic import IsotonicRegression

    scores, targets = made(3000)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores[:, 0], targets).predict(scores[:, 0])
    ours = chances(fitted("isotonic", scores, targets)(scores))
    assert np.abs(ours - theirs).mean() < 0.01


def test_beta_bends_what_a_line_cannot():
    scores, targets = made(8000)
    p = chances(scores)
    squared = p**2  # in log-odds no straight line
    bent = (np.log(squared) - np.log1p(-squared))[:, None]
    ours, line = fitted("beta", bent, targets)(bent), fitted("platt", bent, targets)(bent)
    assert np.abs(chances(ours) - p).mean() < 0.01 < np.abs(chances(line) - p).mean()


def test_temperature_finds_the_temperature_and_moves_no_class():
    scores, targets = made(20_000, 4)
    calibrator = fitted("temperature", 3 * scores, targets)
    assert calibrator.state().values["temperature"] == pytest.approx(3, rel=0.05)
    np.testing.assert_array_equal(calibrator(scores).argmax(axis=1), scores.argmax(axis=1))
