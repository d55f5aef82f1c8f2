"""Tests of grades: against scipy's distributions, and by how often they cry wolf."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from plait.errors import InputError
from plait.metrics.calibration import hosmer_lemeshow
from plait.metrics.grades import (
    concentration,
    inversions,
    jeffreys_interval,
    jeffreys_p,
    normal_test,
    spiegelhalter,
)


def test_jeffreys_is_a_beta_posterior() -> None:
    defaults, rows, pd = np.array([0, 3, 20]), np.array([50, 100, 20]), np.array([0.01, 0.05, 0.9])
    np.testing.assert_allclose(jeffreys_p(defaults, rows, pd), beta.cdf(pd, defaults + 0.5, rows - defaults + 0.5))
    low, high = jeffreys_interval(defaults, rows)
    assert low[0] == 0
    assert high[2] == 1
    assert low[1] == pytest.approx(beta.ppf(0.025, 3.5, 97.5))
    assert high[1] == pytest.approx(beta.ppf(0.975, 3.5, 97.5))


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 500), data=st.data())
def test_an_interval_holds_the_observed_rate(rows: int, data: st.DataObject) -> None:
    defaults = data.draw(st.integers(0, rows))
    low, high = jeffreys_interval(np.array(defaults), np.array(rows))
    assert 0 <= low <= defaults / rows <= high <= 1


def test_spiegelhalter_is_quiet_of_right_probabilities_and_loud_of_wrong_ones() -> None:
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.01, 0.4, 400)
    found = [spiegelhalter(rng.random(400) < chance, chance).p for _ in range(400)]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert spiegelhalter(rng.random(400) < np.minimum(1.6 * chance, 1), chance).p < 0.001
    assert np.isnan(spiegelhalter(np.array([1, 0]), np.array([0.5, 0.5])).p)


def test_hosmer_lemeshow_over_grades_counts_grades() -> None:
    rng = np.random.default_rng(0)
    grade = rng.integers(0, 4, 2000)
    pd = np.array([0.02, 0.05, 0.1, 0.3])[grade]
    right = hosmer_lemeshow(rng.random(2000) < pd, pd, by=grade)
    assert right.freedom == 4
    assert right.p > 0.01
    wrong = hosmer_lemeshow(rng.random(2000) < 1.5 * pd, pd, by=grade)
    assert wrong.p < 0.001
    held = np.bincount(grade, minlength=4)
    seen = np.bincount(grade, rng.random(2000) < 0, 4)
    by_hand = (held * (seen / held - np.unique(pd)) ** 2 / (np.unique(pd) * (1 - np.unique(pd)))).sum()
    assert hosmer_lemeshow(np.zeros(2000, bool), pd, by=grade).statistic == pytest.approx(by_hand)


def test_the_normal_test_asks_periods_not_rows() -> None:
    assert normal_test(np.array([0.05, 0.06, 0.04, 0.055]), np.full(4, 0.05)) > 0.2
    assert normal_test(np.array([0.07, 0.08, 0.075, 0.072]), np.full(4, 0.05)) < 0.01
    assert np.isnan(normal_test(np.array([0.07]), np.array([0.05])))
    assert np.isnan(normal_test(np.array([0.07, 0.07]), np.array([0.05, 0.05])))


def test_concentration_from_even_to_one() -> None:
    even = concentration(np.array([5, 5, 5, 5]))
    assert even.herfindahl == pytest.approx(0.25)
    assert even.normalised == pytest.approx(0)
    one = concentration(np.array([0, 9, 0]))
    assert (one.herfindahl, one.largest, one.share) == (1, 1, 1)
    assert one.normalised == pytest.approx(1)
    assert np.isnan(concentration(np.array([3])).normalised)
    with pytest.raises(InputError, match="no rows"):
        concentration(np.zeros(3))


def test_inversions_name_the_pair_and_how_likely_chance_is() -> None:
    found = inversions(np.array([1, 10, 0, 5, 60]), np.array([100, 100, 0, 100, 200]))
    (only,) = found
    assert (only.better, only.worse) == (1, 3)  # the empty grade between them is passed over
    pooled, gap = 15 / 200, 0.05
    assert only.p == pytest.approx(1 - _normal(gap / np.sqrt(pooled * (1 - pooled) * 2 / 100)), abs=1e-9)
    assert inversions(np.array([1, 2, 3]), np.array([50, 50, 50])) == ()


def _normal(z: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(z))
