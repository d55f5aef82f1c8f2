"""Transition matrices: by hand on a few spells, and told back from simulated histories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from plait.calc.transitions import (
    Spells,
    after,
    cohort_counts,
    generator_of,
    jumps,
    matrix_of,
    mobility,
    no_generator,
    rates_of,
    same_in_time,
    without_memory,
)
from plait.errors import DataError, InputError

RATES = np.array([[-0.1, 0.08, 0.02, 0], [0.05, -0.2, 0.13, 0.02], [0.01, 0.1, -0.3, 0.19], [0, 0, 0, 0]])


def simulated(entities: int, seed: int, momentum: float = 1.0) -> Spells:
    """Histories of six years; after a downgrade, the next move is `momentum` times as likely to be one."""
    rng = np.random.default_rng(seed)
    rows = []
    for entity in range(entities):
        time, state, fell = 0.0, int(rng.integers(0, 3)), False
        until = min(rng.exponential(8.0), 6.0)
        while state < 3:
            rates = RATES[state].clip(0).copy()
            if fell:
                rates[state + 1 :] *= momentum
            stay = rng.exponential(1 / rates.sum())
            rows.append((entity, time, min(time + stay, until), state))
            if time + stay >= until:
                break
            time += stay
            new = int(rng.choice(4, p=rates / rates.sum()))
            fell, state = new > state, new
        else:
            rows.append((entity, time, 6.0, 3))
    entity_, start, end, state_ = map(np.array, zip(*rows, strict=True))
    return Spells(entity_, start, end, state_)


@pytest.fixture(scope="module")
def spells() -> Spells:
    return simulated(2500, 0)


def by_hand() -> Spells:
    """One stays, one moves after .5 and defaults at 2, one is withdrawn at 1.5, one comes back after a gap."""
    rows = [(0, 0, 3, 0), (1, 0, 0.5, 0), (1, 0.5, 2, 1), (1, 2, 3, 2), (2, 0, 1.5, 1), (3, 0, 0.5, 0), (3, 1, 3, 0)]
    entity, start, end, state = map(np.array, zip(*rows, strict=True))
    return Spells(entity, start.astype(float), end.astype(float), state)


def test_cohorts_by_hand() -> None:
    counts = cohort_counts(by_hand(), np.array([0.0, 1.0, 2.0]), 3, 1.0)
    assert counts[0].tolist() == [[2, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert counts[1].tolist() == [[2, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]]
    assert counts[2].tolist() == [[2, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]
    matrix = matrix_of(counts.sum(0))
    np.testing.assert_allclose(matrix[0], np.array([6, 1, 0]) / 7)
    np.testing.assert_allclose(matrix[1], np.array([0, 1, 1]) / 2)  # who was withdrawn is left out


def test_durations_by_hand() -> None:
    moves, time = jumps(by_hand(), 3)
    assert moves.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert time.tolist() == [3 + 0.5 + 0.5 + 2, 1.5 + 1.5, 1]
    np.testing.assert_allclose(rates_of(moves, time), np.array([[-1, 1, 0], [0, -2, 2], [0, 0, 0]]) / 6)


def test_weights_count_entities_again() -> None:
    twice = np.array([2.0, 0, 1, 1])
    assert cohort_counts(by_hand(), np.array([0.0]), 3, 1.0, weight=twice)[0].tolist() == [
        [3, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]
    moves, time = jumps(by_hand(), 3, weight=twice)
    assert moves.sum() == 0
    assert time.tolist() == [6 + 0.5 + 2, 1.5, 0]


def test_a_known_generator_is_told_back(spells: Spells) -> None:
    rates = rates_of(*jumps(spells, 4))
    np.testing.assert_allclose(rates, RATES, atol=0.02)
    matrix = matrix_of(cohort_counts(spells, np.arange(5.0), 4, 1.0).sum(0))
    np.testing.assert_allclose(matrix, expm(RATES), atol=0.02)


def test_duration_gives_rare_defaults_a_probability_and_beats_cohorts() -> None:
    errors = []
    for seed in range(8):
        few = simulated(120, seed)
        by_cohort = matrix_of(cohort_counts(few, np.arange(5.0), 4, 1.0).sum(0))
        by_duration = after(rates_of(*jumps(few, 4)), 1)
        assert by_duration[0, 3] > 0
        errors.append([np.abs(each - expm(RATES))[:3].sum() for each in (by_duration, by_cohort)])
    assert np.mean(errors, 0)[0] < np.mean(errors, 0)[1]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 7), pace=st.floats(0.05, 0.6))
def test_generators_of_embeddable_matrices_come_back(seed: int, size: int, pace: float) -> None:
    rng = np.random.default_rng(seed)
    rates = rng.random((size, size)) * pace / size
    np.fill_diagonal(rates, 0)
    np.fill_diagonal(rates, -rates.sum(1))
    matrix = after(rates, 1)
    assert no_generator(matrix) == ()
    for adjustment in ("weighted", "diagonal"):
        np.testing.assert_allclose(generator_of(matrix, adjustment), rates, atol=1e-8)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 7))
def test_an_adjusted_generator_is_one(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.eye(size) * 4 + rng.random((size, size)) * (rng.random((size, size)) < 0.5)
    matrix /= matrix.sum(1, keepdims=True)
    for adjustment in ("weighted", "diagonal"):
        rates = generator_of(matrix, adjustment)
        assert (rates[~np.eye(size, dtype=bool)] >= 0).all()
        np.testing.assert_allclose(rates.sum(1), 0, atol=1e-9)
        np.testing.assert_allclose(after(rates, 1).sum(1), 1, atol=1e-9)


def test_a_matrix_with_zeros_where_paths_lead_has_no_exact_generator_but_a_near_one() -> None:
    rows = [[0.9, 0.1, 0, 0], [0.05, 0.85, 0.1, 0], [0, 0.1, 0.8, 0.1], [0, 0, 0, 1]]
    told = no_generator(np.array(rows))
    assert "4 moves never happen" in told[0]
    rates = generator_of(np.array(rows))
    assert np.abs(after(rates, 1) - rows).max() < 0.01


def test_conditions_of_embedding() -> None:
    assert "not above 0" in no_generator(np.array([[0.4, 0.6], [0.7, 0.3]]))[0]
    turning = np.array([[0.9, 0.1, 0.0], [0.0, 0.9, 0.1], [0.1, 0.0, 0.9]])
    assert any("never happen" in each for each in no_generator(turning))
    with pytest.raises(DataError, match="logarithm"):
        generator_of(np.array([[0.5, 0.5], [0.5, 0.5]]))
    with pytest.raises(DataError, match="logarithm"):
        generator_of(np.array([[0.4, 0.6], [0.7, 0.3]]))
    with pytest.raises(InputError, match="sum to 1"):
        generator_of(np.array([[0.5, 0.4], [0.0, 1.0]]))


def test_mobility_of_what_stays_and_what_moves() -> None:
    counts = np.array([[8.0, 2, 0], [3, 5, 2]])
    still = mobility(np.eye(3), np.array([[5.0, 0, 0], [0, 5, 0]]))
    assert (still.trace, still.singular, still.upward, still.downward) == (0, 0, 0, 0)
    assert np.isnan(still.ratio)
    moved = mobility(matrix_of(np.vstack([counts, [0, 0, 1]])), counts)
    assert moved.upward == pytest.approx(3 / 20)
    assert moved.downward == pytest.approx(4 / 20)
    assert moved.ratio == pytest.approx(0.75)
    assert moved.trace == pytest.approx((3 - 0.8 - 0.5 - 1) / 2)


def test_a_jafry_schuermann_matrix_moves_as_much_as_it_says() -> None:
    """All off-diagonal mass the same: the mean singular value of ``P - I`` is the share that moves."""
    size, moving = 4, 0.3
    matrix = np.full((size, size), moving / size) + np.eye(size) * (1 - moving)
    assert mobility(matrix, np.ones((4, 4))).singular == pytest.approx(moving * (size - 1) / size)


def test_years_alike_and_years_apart(spells: Spells) -> None:
    counts = cohort_counts(spells, np.arange(5.0), 4, 1.0)[:, :3, :4]
    assert same_in_time(counts).p > 0.01
    counts[2, :, 3] *= 3
    assert same_in_time(counts).p < 0.001


def test_memory_is_seen_where_there_is_some(spells: Spells) -> None:
    assert without_memory(spells, 4).p > 0.01
    assert without_memory(simulated(2500, 0, momentum=6.0), 4).p < 0.001


def test_nobody_anywhere_stays() -> None:
    assert matrix_of(np.zeros((2, 3))).tolist() == [[1, 0], [0, 1]]
    assert np.isnan(same_in_time(np.zeros((2, 2, 2))).p)
