"""Losses, discounting and money: against closed forms, published tables, and exact sums."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from plait.calc.discounting import balances, discount, effective_rate, monthly, present_value
from plait.calc.expected_loss import (
    basel_capital,
    cumulative,
    expected_loss,
    intensity,
    loss_distribution,
    marginal,
    monthly_losses,
)
from plait.calc.money import coins, rounded, total
from plait.calc.vasicek import conditional_pd
from plait.errors import ConfigError, DataError

# Basel Committee, "International convergence of capital measurement and capital standards", June 2006, annex 5:
# risk weights in per cent at LGD 45% (corporates: maturity 2.5 years, turnover above 50 and of 5 million euros).
ANNEX_5 = {
    0.0003: (14.44, 11.30, 4.15, 4.45, 0.98),
    0.0010: (29.65, 23.30, 10.69, 11.16, 2.71),
    0.0050: (69.61, 54.91, 35.08, 32.36, 10.04),
    0.0100: (92.32, 72.40, 56.40, 45.77, 17.22),
    0.0200: (114.86, 88.55, 87.94, 57.99, 28.92),
}


@pytest.mark.parametrize("pd", ANNEX_5)
def test_capital_is_that_of_the_accord(pd: float) -> None:
    found = (
        basel_capital(pd, 0.45, "corporate"),
        basel_capital(pd, 0.45, "corporate", sales=5.0),
        basel_capital(pd, 0.45, "mortgage"),
        basel_capital(pd, 0.45, "retail"),
        basel_capital(pd, 0.45, "revolving"),
    )
    assert [1250 * float(k) for k in found] == pytest.approx(
        ANNEX_5[pd], abs=0.006
    )  # printed to .01, not always rounded


def test_nothing_is_unexpected_of_what_is_certain() -> None:
    assert basel_capital([0.0, 1.0], 0.45, "corporate").tolist() == [0, 0]


def test_a_textbook_portfolio_loses_what_it_should() -> None:
    pd, lgd, ead = np.array([0.01, 0.02, 0.05]), np.array([0.45, 0.4, 0.6]), np.array([100_000, 250_000, 40_000.0])
    assert expected_loss(pd, lgd, ead).sum() == pytest.approx(450 + 2000 + 1200, abs=1e-9)


@pytest.mark.parametrize("rate", [0.0, 0.08])
@pytest.mark.parametrize("months", [1, 12, 61])
def test_an_annuity_with_a_flat_hazard_loses_its_closed_form(rate: float, months: int) -> None:
    pd, lgd, owed, i = 0.03, 0.4, 10_000.0, float(monthly(rate))
    survive, v = (1 - pd) ** (1 / 12), 1 / (1 + i)

    def geometric(q: float) -> float:
        return months if q == 1 else (1 - q**months) / (1 - q)

    if rate:
        paid = owed * i / (1 - v**months)
        summed = paid / i * (v * geometric(survive * v) - v ** (months + 1) * geometric(survive))
    else:
        q = survive
        falling = sum(q**k * (1 - k / months) for k in range(months))
        summed = owed * falling
    closed = (1 - survive) * lgd * summed
    steps = np.full((1, months), intensity(pd))
    found = monthly_losses(steps, np.array([[lgd]]), balances(owed, rate, months), rate)
    assert found.sum() == pytest.approx(closed, rel=1e-12)


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=30))
@settings(deadline=None, max_examples=40)
def test_marginal_probabilities_are_what_the_cumulative_ones_gain(steps: list[float]) -> None:
    along = np.array([steps])
    assert np.cumsum(marginal(along), axis=1) == pytest.approx(cumulative(along), abs=1e-12)


def test_a_granular_portfolio_has_the_quantile_of_vasicek() -> None:
    n, pd, rho = 200_000, 0.02, 0.15
    spread = loss_distribution(np.full(n, pd), np.ones(n), rho)
    assert spread.mean == pytest.approx(n * pd, rel=1e-6)
    worst = n * float(conditional_pd(pd, -ndtri(0.999), rho))
    assert spread.quantile(0.999) == pytest.approx(worst, rel=1e-3)


def test_independent_debtors_have_the_binomial_spread() -> None:
    spread = loss_distribution(np.full(1000, 0.02), np.ones(1000), 0.0)
    assert spread.sd == pytest.approx(np.sqrt(1000 * 0.02 * 0.98), rel=1e-9)
    assert loss_distribution(np.zeros(3), np.ones(3), 0.1).quantile(0.999) == 0


@pytest.mark.parametrize("schedule", ["annuity", "linear", "bullet"])
@given(
    owed=st.floats(1, 1e9),
    rate=st.one_of(st.just(0.0), st.floats(1e-6, 2)),
    months=st.integers(1, 400),
    extra=st.integers(0, 5),
)
@settings(deadline=None, max_examples=25)
def test_what_is_owed_is_what_is_still_to_come(
    schedule: str, owed: float, rate: float, months: int, extra: int
) -> None:
    left = balances([owed, owed], rate, [months, months + extra], schedule)[0]
    assert left[0] == pytest.approx(owed)
    assert (np.diff(left[:months]) <= 1e-9 * owed).all()
    assert not left[months:].any()
    after = np.append(left[1:months], 0.0)
    paid = left[:months] * (1 + float(monthly(rate))) - after
    assert present_value(paid, np.arange(1, months + 1) / 12, rate) == pytest.approx(owed, rel=1e-7)
    if schedule == "annuity":
        assert paid == pytest.approx(np.full(months, paid[0]), rel=1e-6)


def test_the_effective_rate_counts_fees() -> None:
    assert effective_rate([-100, 112], [0, 1]) == pytest.approx(0.12, abs=1e-12)
    months = np.arange(1, 13) / 12
    with_fee = effective_rate(np.append(-98.0, np.full(12, 100 / 12)), np.append(0, months))
    assert present_value(np.full(12, 100 / 12), months, with_fee) == pytest.approx(98)
    with pytest.raises(DataError, match="no effective interest rate"):
        effective_rate([100, 12], [0, 1])
    assert discount(0.1, [0, 1, 2]).tolist() == pytest.approx([1, 1 / 1.1, 1 / 1.21])


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(ConfigError, match="annuity"):
        balances(100, 0.1, 12, "anuity")


@given(st.lists(st.floats(-1e9, 1e9), max_size=40), st.integers(0, 40), st.integers(0, 4))
@settings(deadline=None, max_examples=60)
def test_sums_of_money_do_not_hang_on_groups(amounts: list[float], cut: int, digits: int) -> None:
    whole = total(amounts, digits)
    assert whole == total(amounts[:cut], digits) + total(amounts[cut:], digits) == total(amounts[::-1], digits)
    assert total(rounded(amounts, digits), digits) == whole
    assert -whole.as_tuple().exponent in (digits, 0)


def test_money_is_rounded_to_the_coin_once() -> None:
    assert total([0.1] * 10) == Decimal("1.00")
    assert total([0.004] * 100) == Decimal("0.00")  # as every row shows
    assert coins([1.005, -2.5], 0).tolist() == [1, -2]
    for wrong in (np.nan, np.inf, 1e17):
        with pytest.raises(DataError, match="coin"):
            total([wrong])
