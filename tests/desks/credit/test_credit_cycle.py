"""The state of the economy from default rates, and PDs moved between states."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait.calc.vasicek import asset_correlation, conditional_pd
from plait.desks.credit.cycle import Cycle, correlation_of, long_run, periods_of
from plait.errors import ConfigError, DataError, SchemaError


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    states = np.array([0.5, 1.2, -1.5, -0.4, 0.2, 1.6, -0.9, 0.1, 0.7, -2.0, 0.4, 0.9])
    rows = np.full(len(states), 5000)
    defaults = rng.binomial(rows, conditional_pd(np.full(len(states), 0.03), states, 0.08))
    years = [str(year) for year in range(2010, 2010 + len(states))]
    return pd.DataFrame({"period": years, "rows": rows, "defaults": defaults, "true": states})


@pytest.fixture(scope="module")
def cycle(history: pd.DataFrame) -> Cycle:
    return Cycle.of(history)


def test_states_are_told_back(cycle: Cycle, history: pd.DataFrame) -> None:
    assert np.corrcoef(cycle.states, history["true"])[0, 1] > 0.97
    assert cycle.pd == pytest.approx(0.03, abs=0.01)
    assert not cycle.given
    assert cycle.periods[np.argmin(cycle.states)] == "2019"


def test_order_and_form_of_the_history_do_not_matter(cycle: Cycle, history: pd.DataFrame) -> None:
    rates = history.assign(rate=history["defaults"] / history["rows"]).drop(columns="defaults").iloc[::-1]
    again = Cycle.of(rates)
    assert again.periods == cycle.periods
    np.testing.assert_allclose(again.states, cycle.states, atol=1e-6)


def test_pds_go_through_the_cycle_and_back(cycle: Cycle) -> None:
    said = np.array([0.001, 0.03, 0.3])
    through = cycle.through(said, "2019")  # the worst year: PDs through the cycle are lower
    assert (through < said).all()
    np.testing.assert_allclose(cycle.point(said, "2019", "2019"), said)
    np.testing.assert_allclose(cycle.point(said, "2019", cycle.state("2015")), cycle.point(said, "2019", "2015"))
    worse = cycle.point(said, "2015", "2019")
    assert (worse > said).all()


def test_a_portfolio_of_one_pd_shows_the_rate_of_its_year(cycle: Cycle, history: pd.DataFrame) -> None:
    told = [float(cycle.point(np.array([cycle.pd]), 0.0, year)[0]) for year in cycle.periods]
    through = float(cycle.through(np.array([cycle.pd]), 0.0)[0])
    expected = conditional_pd(np.array(through), cycle.states, cycle.correlation)
    np.testing.assert_allclose(told, expected)
    shown = conditional_pd(np.array(cycle.pd), cycle.states, cycle.correlation)
    np.testing.assert_allclose(shown, history["defaults"] / history["rows"], rtol=0.12)


def test_a_correlation_may_be_given_or_that_of_an_exposure(history: pd.DataFrame) -> None:
    assert Cycle.of(history, 0.05).correlation == 0.05
    rate = history["defaults"].sum() / history["rows"].sum()
    found = Cycle.of(history, "retail")
    assert found.correlation == pytest.approx(float(asset_correlation(rate, "retail")))
    assert found.given
    assert "given" in str(found)
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (lambda f: f.drop(columns="rows"), SchemaError, "'rows' is not"),
        (lambda f: f.drop(columns="defaults"), SchemaError, "'rate' is not"),
        (lambda f: f.assign(rows="many"), DataError, "numbers in every row"),
        (lambda f: pd.concat([f, f.head(1)]), DataError, "every period once"),
        (lambda f: f.head(2), DataError, "at least 3 periods"),
    ],
)
def test_what_is_no_history_is_refused(history: pd.DataFrame, change: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        Cycle.of(change(history))


def test_what_is_no_state_or_correlation_is_refused(cycle: Cycle) -> None:
    with pytest.raises(ConfigError, match="did you mean '2019'"):
        cycle.state("2019Q")
    assert cycle.state("-1.5") == -1.5
    assert correlation_of("0.1") == 0.1
    assert correlation_of("retail") == "retail"
    assert correlation_of(None) is None
    with pytest.raises(ConfigError, match="corporate"):
        correlation_of("house")


def test_periods_by_name() -> None:
    moments = np.array(["2011-07-01", "2011-12-31T23:59", "1969-02-03"], "datetime64[s]").astype(np.float64)
    assert periods_of(moments).tolist() == ["2011", "2011", "1969"]
    assert periods_of(moments, "quarter").tolist() == ["2011 Q3", "2011 Q4", "1969 Q1"]
    assert periods_of(moments, "month").tolist() == ["2011-07", "2011-12", "1969-02"]
    with pytest.raises(DataError, match="1 rows have no time"):
        periods_of(np.array([0.0, np.nan]))
    with pytest.raises(ConfigError, match="quarter"):
        periods_of(moments, "week")  # type: ignore[arg-type]


def test_the_long_run_counts_every_period_the_same() -> None:
    grade = np.array([0] * 10 + [0] * 100 + [1] * 4)
    bad = np.array([1.0] * 5 + [0] * 5 + [0.0] * 100 + [1, 0, 0, 0])
    period = np.array(["2010"] * 10 + ["2011"] * 100 + ["2011"] * 4)
    found = long_run(grade, bad, period, (0.1, 0.3))
    assert found.periods == ("2010", "2011")
    assert found.average.tolist() == [0.25, 0.25]  # not 5 of 110
    assert (found.low[0], found.high[0]) == (0, 0.5)
    assert np.isnan(found.rates[0, 1])
    assert np.isnan(found.p[1])
    assert found.table(("1", "2"), (0.1, 0.3))[1][:3] == ["1", "10.00%", "25.00%"]
