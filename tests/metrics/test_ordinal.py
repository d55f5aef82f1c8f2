"""Grades: against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from plait.errors import InputError
from plait.metrics import ordinal
from plait.metrics.classification import confusion_matrix


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(deadline=None, max_examples=40)
def test_figures_of_grades_agree_with_the_references(seed: int, grades: int) -> None:
    rng = np.random.default_rng(seed)
    truth, guess = rng.integers(0, grades, (2, 40))
    truth[:2], weight = [0, 1], rng.integers(1, 4, 40).astype(float)
    confusion = confusion_matrix(truth, guess, grades, np.stack([np.ones(40), weight]))
    for told, w in zip(confusion, (None, weight), strict=True):
        expected = reference.cohen_kappa_score(truth, guess, weights="quadratic", sample_weight=w)
        assert ordinal.quadratic_kappa(told) == pytest.approx(expected)
        assert ordinal.grade_error(told) == pytest.approx(np.average(np.abs(truth - guess), weights=w))
        for within in (0, 1, 2):
            near = np.average(np.abs(truth - guess) <= within, weights=w)
            assert ordinal.adjacent_accuracy(told, within) == pytest.approx(near)
    assert ordinal.quadratic_kappa(confusion)[1] == pytest.approx(ordinal.quadratic_kappa(confusion[1]))


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_ranked_probability_score_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, p = rng.integers(0, 4, 12), rng.dirichlet(np.ones(4), 12)
    weight = rng.integers(1, 4, (2, 12)).astype(float)
    rows = [
        sum((p[i, : c + 1].sum() - (truth[i] <= c)) ** 2 for c in range(3)) / 3  # against the step at the truth
        for i in range(12)
    ]
    np.testing.assert_allclose(ordinal.ranked_probability_score(truth, p, weight), np.average([rows] * 2, 1, weight))


def test_a_near_miss_costs_less_than_a_far_one() -> None:
    near, far = np.array([[0, 1.0, 0, 0]]), np.array([[0, 0, 0, 1.0]])
    truth = np.array([0])
    assert ordinal.ranked_probability_score(truth, near) < ordinal.ranked_probability_score(truth, far) == 1
    assert ordinal.ranked_probability_score(truth, np.eye(4)[:1]) == 0


def test_two_grades_are_the_brier_score() -> None:
    truth, p = np.array([0, 1, 1]), np.array([0.2, 0.7, 0.4])
    both = np.stack([1 - p, p], 1)
    assert ordinal.ranked_probability_score(truth, both) == pytest.approx(np.mean((p - truth) ** 2))


def test_bad_input() -> None:
    with pytest.raises(InputError, match="one grade"):
        ordinal.quadratic_kappa(np.array([[5.0, 0], [0, 0]]))
    assert np.isnan(ordinal.quadratic_kappa(np.array([[[5.0, 0], [0, 0]]]))).all()
    with pytest.raises(InputError, match=r"grades 0\.\.1"):
        ordinal.ranked_probability_score(np.array([2]), np.full((1, 2), 0.5))
    with pytest.raises(InputError, match="column for each"):
        ordinal.ranked_probability_score(np.array([0]), np.array([0.5]))
