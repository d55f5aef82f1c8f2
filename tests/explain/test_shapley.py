"""Shapley values: the axioms, brute force over all orders, and sums through every fusion."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.explain.shapley import coalitions, shapley

SEEDS = st.integers(0, 2**32 - 1)


def game(players: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 10, 2**players)


def by_orders(worth: np.ndarray, players: int) -> np.ndarray:
    """The mean gain over all orders, by definition."""
    gains = []
    for order in permutations(range(players)):
        gain, coalition = np.zeros(players), 0
        for player in order:
            gain[player] = worth[coalition | 1 << player] - worth[coalition]
            coalition |= 1 << player
        gains.append(gain)
    return np.mean(gains, axis=0)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), SEEDS)
def test_values_are_mean_gains_over_all_orders(players: int, seed: int) -> None:
    worth = game(players, seed)
    np.testing.assert_allclose(shapley(worth), by_orders(worth, players), atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10), SEEDS)
def test_values_sum_to_what_all_are_worth_less_what_none_are(players: int, seed: int) -> None:
    worth = game(players, seed)
    assert shapley(worth).sum() == pytest.approx(worth[-1] - worth[0], abs=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 8), SEEDS)
def test_a_player_that_changes_nothing_gets_nothing(players: int, seed: int) -> None:
    dummy = seed % players
    without = np.arange(2**players) & ~(1 << dummy)
    values = shapley(game(players, seed)[without])
    assert values[dummy] == pytest.approx(0, abs=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 8), SEEDS)
def test_players_that_do_the_same_get_the_same(players: int, seed: int) -> None:
    member = coalitions(players)
    worth = game(players, seed)
    swapped = member.copy()
    swapped[:, [0, 1]] = member[:, [1, 0]]
    both = (worth + worth[swapped @ (1 << np.arange(players))]) / 2
    values = shapley(both)
    assert values[0] == pytest.approx(values[1], abs=1e-10)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 7), SEEDS)
def test_values_of_added_games_add(players: int, seed: int) -> None:
    one, two = game(players, seed), game(players, seed + 1)
    np.testing.assert_allclose(shapley(one + two), shapley(one) + shapley(two), atol=1e-10)
