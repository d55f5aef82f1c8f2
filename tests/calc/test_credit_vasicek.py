"""The one-factor model: against closed forms, brute force and simulated histories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom, norm

from plait.calc.vasicek import (
    asset_correlation,
    conditional_pd,
    count_p,
    factor_of,
    fit_factor,
    unconditional_pd,
)
from plait.errors import ConfigError, DataError, InputError

chances = st.floats(1e-4, 0.9)
states = st.floats(-3, 3)
correlations = st.floats(0.01, 0.5)


@settings(deadline=None, max_examples=50)
@given(pd=chances, state=states, correlation=correlations)
def test_a_state_is_put_on_and_taken_off(pd: float, state: float, correlation: float) -> None:
    there = conditional_pd(np.array([pd]), state, correlation)
    np.testing.assert_allclose(unconditional_pd(there, state, correlation), pd, rtol=1e-6)
    np.testing.assert_allclose(factor_of(there, pd, correlation), state, atol=1e-6)


def test_the_mean_over_all_states_is_the_pd() -> None:
    mean, _ = quad(lambda z: float(conditional_pd(np.array(0.03), z, 0.15)) * norm.pdf(z), -9, 9)
    assert mean == pytest.approx(0.03, rel=1e-8)


def test_better_times_mean_fewer_defaults() -> None:
    assert (np.diff(conditional_pd(np.array(0.05), np.linspace(-3, 3, 13), 0.2)) < 0).all()


def test_correlations_of_the_basel_formulas() -> None:
    np.testing.assert_allclose(asset_correlation(np.array([0.0, 1.0])), [0.24, 0.12], atol=1e-12)
    np.testing.assert_allclose(asset_correlation(np.array([0.0, 1.0]), "retail"), [0.16, 0.03], atol=1e-12)
    assert asset_correlation(np.array(0.01)) == pytest.approx(0.12 * (1 + np.exp(-0.5)), abs=1e-10)
    assert asset_correlation(np.array(0.02), "mortgage") == 0.15
    assert asset_correlation(np.array(0.02), "revolving") == 0.04
    assert asset_correlation(np.array(0.01)) - asset_correlation(np.array(0.01), sales=5) == pytest.approx(0.04)
    assert asset_correlation(np.array(0.01), sales=80) == asset_correlation(np.array(0.01))


def test_the_capital_of_an_irb_exposure() -> None:
    """K = LGD (PD in the .1% worst state - PD), of a corporate of PD 1%, LGD 45%: 5.86% before maturity adjustment."""
    pd = np.array(0.01)
    worst = conditional_pd(pd, -norm.ppf(0.999), asset_correlation(pd))
    rho = 0.12 * (1 - np.exp(-0.5)) / (1 - np.exp(-50)) + 0.24 * (1 - (1 - np.exp(-0.5)) / (1 - np.exp(-50)))
    by_hand = norm.cdf((norm.ppf(0.01) + np.sqrt(rho) * norm.ppf(0.999)) / np.sqrt(1 - rho))
    assert float(worst) == pytest.approx(by_hand, rel=1e-12)
    assert 0.45 * (float(worst) - 0.01) == pytest.approx(0.0586, abs=5e-5)


def test_count_p_is_the_binomial_test_where_defaults_are_independent() -> None:
    defaults, rows, pd = np.array([0.0, 3, 10, 50]), np.array([20.0, 100, 10, 1000]), np.array([0.1, 0.02, 0.5, 0.04])
    np.testing.assert_allclose(count_p(defaults, rows, pd), binom.sf(defaults - 1, rows, pd), rtol=1e-10)


def test_count_p_with_correlation_is_the_mean_over_states() -> None:
    def given_state(z: float) -> float:
        return float(binom.sf(4, 100, conditional_pd(np.array(0.02), z, 0.12))) * float(norm.pdf(z))

    found = count_p(np.array([5.0]), np.array([100.0]), np.array([0.02]), 0.12)
    assert float(found[0]) == pytest.approx(quad(given_state, -8, 8)[0], rel=1e-6)
    assert found[0] > count_p(np.array([5.0]), np.array([100.0]), np.array([0.02]))[0]


def test_the_likelihood_of_a_period_is_its_integral() -> None:
    """Maximum likelihood at a given correlation, against a grid of integrals done by quadrature."""
    defaults, rows = np.array([2.0, 9, 0, 4]), np.array([100.0, 120, 30, 90])

    def told(pd: float) -> float:
        def of(d: float, n: float) -> float:
            return float(quad(lambda z: binom.pmf(d, n, conditional_pd(np.array(pd), z, 0.1)) * norm.pdf(z), -8, 8)[0])

        return float(np.sum([np.log(of(d, n)) for d, n in zip(defaults, rows, strict=True)]))

    grid = np.linspace(0.03, 0.07, 11)
    best = grid[np.argmax([told(pd) for pd in grid])]
    assert fit_factor(defaults, rows, 0.1).pd == pytest.approx(best, abs=0.004)


def test_a_simulated_history_is_told_back() -> None:
    rng = np.random.default_rng(0)
    held, rhos = [], []
    for _ in range(12):
        z = rng.normal(size=40)
        defaults = rng.binomial(2000, conditional_pd(np.full(40, 0.04), z, 0.1))
        found = fit_factor(defaults, np.full(40, 2000))
        assert np.corrcoef(found.states, z)[0, 1] > 0.95
        held.append(np.abs(found.states - z) < 1.96 * found.errors)
        rhos.append(found.correlation)
    assert 0.88 < np.mean(held) <= 1
    assert np.mean(rhos) == pytest.approx(0.1, abs=0.025)


def test_small_periods_stay_near_the_middle_and_empty_ones_are_unknown() -> None:
    found = fit_factor(np.array([0, 30, 0]), np.array([3, 1000, 0]), 0.1)
    assert abs(found.states[0]) < 0.3
    assert found.errors[0] > 0.9
    assert np.isnan(found.states[2])
    assert np.isnan(found.errors[2])


@pytest.mark.parametrize(
    ("defaults", "rows", "error"),
    [
        ([0, 0, 0], [5, 5, 5], DataError),
        ([5, 5, 5], [5, 5, 5], DataError),
        ([1, 2], [50, 50], DataError),
        ([6, 1, 1], [5, 5, 5], InputError),
        ([-1, 1, 1], [5, 5, 5], InputError),
        ([1, 1], [5, 5, 5], InputError),
    ],
)
def test_what_tells_no_cycle_is_refused(defaults: list[int], rows: list[int], error: type[Exception]) -> None:
    with pytest.raises(error):
        fit_factor(np.array(defaults), np.array(rows))


def test_what_is_no_correlation_is_refused() -> None:
    with pytest.raises(ConfigError, match="correlation"):
        fit_factor(np.array([1]), np.array([5]), 1.0)
    with pytest.raises(ConfigError, match="retail"):
        asset_correlation(np.array(0.1), "retial")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="sales"):
        asset_correlation(np.array(0.1), "retail", sales=5)
