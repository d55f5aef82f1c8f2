"""Loss up to a shift, against a search over shifts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.metrics.shifted import shifted_loss

quick = settings(deadline=None, max_examples=60)
SHIFTS = np.linspace(-40, 40, 8_001)


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores ``N x 1``, classes and weights; both classes have weight."""
    n = draw(st.integers(2, 12))
    scores = draw(st.lists(st.floats(-8, 8), min_size=n, max_size=n))
    targets = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda t: len(set(t)) == 2))
    weight = draw(st.lists(st.sampled_from([0.2, 1.0, 3.0]), min_size=n, max_size=n))
    return np.array(scores)[:, None], np.array(targets, float), np.array(weight)


def log_loss(odds: np.ndarray, targets: np.ndarray, weight: np.ndarray) -> np.ndarray:
    losses = np.logaddexp(0, odds) - targets * odds
    return (weight * losses).sum(axis=-1) / weight.sum()


@quick
@given(judged())
def test_no_shift_of_the_odds_is_better(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    scores, targets, weight = rows
    tried = log_loss(scores[:, 0] + SHIFTS[:, None], targets, weight)
    assert shifted_loss("binary", scores, targets, weight) == pytest.approx(tried.min(), abs=1e-4)


@quick
@given(judged(), st.floats(-5, 5))
def test_a_shift_changes_nothing(rows: tuple[np.ndarray, np.ndarray, np.ndarray], shift: float) -> None:
    scores, targets, weight = rows
    for task in ("binary", "regression"):
        moved = shifted_loss(task, scores + shift, targets, weight)
        assert moved == pytest.approx(shifted_loss(task, scores, targets, weight), abs=1e-6)


@quick
@given(judged())
def test_values_are_left_their_weighted_variance(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    scores, targets, weight = rows
    tried = np.square(targets - scores[:, 0] - SHIFTS[:, None]) @ weight / weight.sum()
    assert shifted_loss("regression", scores, targets, weight) == pytest.approx(tried.min(), abs=1e-4)


def test_one_class_has_no_best_shift() -> None:
    scores, ones, weight = np.array([[0.0], [2.0]]), np.ones(2), np.ones(2)
    assert shifted_loss("binary", scores, ones, weight) == pytest.approx(float(log_loss(scores[:, 0], ones, weight)))


def test_logits_of_many_classes_stay_as_they_are() -> None:
    scores = np.array([[2.0, 0.0, -1.0], [0.0, 1000.0, 0.0]])
    expected = (3 * (np.log(np.exp(scores[0]).sum()) - 2.0) + 1000.0) / 4
    assert shifted_loss("multiclass", scores, np.array([0.0, 2.0]), np.array([3.0, 1.0])) == pytest.approx(expected)
