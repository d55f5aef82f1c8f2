"""Expected losses, term structures, scenarios and stages of the credit desk."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.calc.money import total
from plait.desks.credit.losses.allowance import allowance
from plait.desks.credit.losses.book import Book
from plait.desks.credit.losses.expected import lifetime_losses, portfolio_loss
from plait.desks.credit.losses.scenarios import Scenario, Scenarios
from plait.desks.credit.losses.settings import LossSettings
from plait.desks.credit.losses.stages import StageRules, Standing, stage
from plait.desks.credit.losses.term import TermStructure, of_migrations, read_term
from plait.errors import ConfigError, DataError

FLAT = TermStructure.flat()
MACRO = {
    "sensitivity": {"unemployment": 0.2},
    "normal": {"unemployment": 5},
    "scenarios": {
        "base": {"weight": 0.5, "unemployment": [5, 5]},
        "good": {"weight": 0.25, "unemployment": [3, 3]},
        "bad": {"weight": 0.25, "unemployment": [7, 7]},
    },
}


def book(n: int = 6, months: int = 36, schedule: str = "annuity") -> Book:
    rng = np.random.default_rng(3)
    return Book(
        rng.uniform(0.001, 0.2, n),
        rng.uniform(0.1, 0.9, n),
        rng.uniform(100, 1e5, n),
        rng.uniform(0, 0.2, n),
        np.arange(months, months + n),
        schedule,
    )


def test_rows_add_up_to_the_portfolio_to_the_coin() -> None:
    rng = np.random.default_rng(0)
    pds, lgd, ead = rng.uniform(0, 0.2, 500), rng.uniform(0, 1, 500), rng.uniform(0, 1e5, 500).round(2)
    found = portfolio_loss(pds, lgd, ead)
    assert sum(Decimal(f"{loss:.2f}") for loss in found.loss) == found.expected
    assert float(found.expected) == pytest.approx(float((pds * lgd * ead).sum()), abs=500 * 0.005)
    assert found.low < float(found.expected) < found.high < found.worst
    assert found.independent_sd < found.sd
    assert found.added(pd.DataFrame({"ead": ead}))["capital"].sum() == pytest.approx(float(found.capital))


def test_a_year_of_a_bullet_loan_without_interest_is_the_plain_product() -> None:
    loans = replace(book(months=12, schedule="bullet"), rate=np.zeros(6), months=np.full(6, 12))
    found = lifetime_losses(loans, FLAT)
    assert found.year == pytest.approx(loans.pd * loans.lgd * loans.ead, rel=1e-12)
    assert found.life == pytest.approx(found.year)
    assert found.pd == pytest.approx(loans.pd)


def test_blocks_and_order_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    loans = book(20)
    whole = lifetime_losses(loans, FLAT, Scenarios.of(MACRO))
    monkeypatch.setattr("plait.desks.credit.losses.expected.BLOCK", 3)
    assert lifetime_losses(loans, FLAT, Scenarios.of(MACRO)).life == pytest.approx(whole.life, rel=1e-14)
    back = np.arange(20)[::-1]
    assert lifetime_losses(loans.at(back), FLAT, Scenarios.of(MACRO)).life[back] == pytest.approx(whole.life)


def test_certain_and_impossible_defaults_are_finite() -> None:
    loans = replace(book(2, 12, "bullet"), pd=np.array([0.0, 1.0]), rate=np.zeros(2), months=np.full(2, 12))
    assert lifetime_losses(loans, FLAT).year == pytest.approx([0, loans.lgd[1] * loans.ead[1]], rel=1e-9)


def test_weighted_losses_are_not_those_of_the_mean_scenario() -> None:
    scenarios = Scenarios.of(MACRO)
    weighted = lifetime_losses(book(), FLAT, scenarios)
    assert weighted.life == pytest.approx(weighted.weights @ weighted.life_by)
    assert (lifetime_losses(book(), FLAT, scenarios.average).life < weighted.life).all()  # exp is convex
    good, base, bad = (weighted.life_by[weighted.names.index(name)] for name in ("good", "base", "bad"))
    assert ((good < base) & (base < bad)).all()


def test_the_factor_moves_pds_as_vasicek_says_and_is_unknown_after_its_path() -> None:
    from plait.calc.expected_loss import cumulative, intensity
    from plait.calc.vasicek import conditional_pd

    scenarios = Scenarios((Scenario("bad", 1.0, factor=(-2.0,)),), correlation=0.2)
    usual = np.full((1, 24), intensity(0.03))
    found = scenarios.intensities(scenarios.scenarios[0], usual)
    assert cumulative(found)[0, 11] == pytest.approx(float(conditional_pd(0.03, -2.0, 0.2)))
    assert found[0, 12:] == pytest.approx(usual[0, 12:])


@given(st.floats(1e-6, 0.9), st.floats(0.01, 0.5))
@settings(deadline=None, max_examples=25)
def test_the_mean_over_all_states_is_the_pd(chance: float, rho: float) -> None:
    from plait.calc.expected_loss import cumulative, intensity

    z = np.linspace(-9, 9, 181)
    weight = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()
    each = tuple(Scenario(str(i), w, factor=(float(a),)) for i, (a, w) in enumerate(zip(z, weight, strict=True)))
    scenarios = Scenarios(each, correlation=rho)
    usual = np.full((1, 12), intensity(chance))
    mean = sum(s.weight * cumulative(scenarios.intensities(s, usual))[0, 11] for s in scenarios)
    assert mean == pytest.approx(chance, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scenarios": {"a": {"weight": 0.5}, "b": {"weight": 0.4}}}, "sum to 0.9"),
        ({"scenarios": {"a": {}}}, "no weight"),
        ({"scenarios": {"a": {"weight": 1, "unemploymnt": [3]}}}, "did you mean 'unemployment'"),
        ({"scenarios": {"a": {"weight": 1, "factor": [-1]}}}, "correlation"),
        ({"scenarios": {"a": {"weight": 1, "unemployment": "high"}}}, "a value a year"),
        ({"normal": {}}, "usual value"),
        ({"correlation": 1}, "out of range"),
        ({"wieghts": 1}, "unknown setting"),
        ({"scenarios": [1]}, "mapping"),
    ],
)
def test_scenarios_that_make_no_sense_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Scenarios.of({**MACRO, **change})


def test_migrations_have_the_pd_of_their_matrix() -> None:
    matrix = np.array([[0.9, 0.07, 0.03], [0.1, 0.7, 0.2]])
    term = of_migrations(matrix, ("good", "bad"), years=5)
    full = np.vstack([matrix, [0, 0, 1]])
    for year in (1, 2, 5):
        expected = np.linalg.matrix_power(full, year)[:2, 2]
        assert term.pd[:, 12 * year - 1] == pytest.approx(expected)
    assert TermStructure.from_json(term.to_json()).pd == pytest.approx(term.pd)
    rows = term.rows(np.array([0.05, 0.05]), 36, np.array([0, 1]))
    assert 1 - np.exp(-rows[:, :12].sum(1)) == pytest.approx([0.05, 0.05])
    assert rows[0, 24:].sum() > rows[1, 24:].sum()  # the good one gets worse, the bad one has defaulted or got better


def test_wrong_matrices_and_curves_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sum to 1"):
        of_migrations(np.array([[0.9, 0.2]]), ("a",))
    with pytest.raises(ConfigError, match="2 x 3"):
        of_migrations(np.eye(2), ("a", "b"))
    with pytest.raises(DataError, match="no default within twelve months"):
        of_migrations(np.array([[1.0, 0.0]]), ("a",))
    (tmp_path / "term.json").write_text("[1]")
    with pytest.raises(DataError, match="no term structure"):
        read_term(tmp_path / "term.json")


NAN = float("nan")


@pytest.mark.parametrize(
    ("loan", "where", "rule"),
    [
        ({}, "1", "no significant rise"),
        ({"poci": 1, "defaulted": 1}, "POCI", "credit-impaired"),
        ({"defaulted": 1}, "3", "in default"),
        ({"dpd": 90}, "3", "90 days past due"),
        ({"dpd": 89}, "2", "more than 30 days"),
        ({"dpd": 31}, "2", "more than 30 days"),
        ({"dpd": 30}, "1", "no significant rise"),
        ({"previous": 3, "months_clean": 2}, "3", "cured for less than 3 months"),
        ({"previous": 3, "months_clean": 3}, "1", "no significant rise"),
        ({"previous": 3, "months_clean": NAN}, "3", "cured for less than 3 months"),
        ({"previous": 2, "months_clean": 2}, "2", "on probation"),
        ({"previous": 2, "months_clean": NAN}, "2", "on probation"),
        ({"watch": 1}, "2", "watch list"),
        ({"pd": 0.02}, "2", "2 times"),
        ({"pd": 0.0199}, "1", "no significant rise"),
        ({"pd": 0.004, "pd_origin": 0.001}, "1", "no significant rise"),  # four times, but by .3 points only
        ({"grade": 5, "grade_origin": 2}, "2", "3 grades"),
        ({"grade": 4, "grade_origin": 2}, "1", "no significant rise"),
        ({"pd_origin": NAN, "grade": NAN}, "1", "nothing to compare with"),
    ],
)
def test_every_rule_decides_its_case(loan: dict[str, float], where: str, rule: str) -> None:
    usual = {"pd": 0.01, "pd_origin": 0.01, "dpd": 0, "grade": 2, "grade_origin": 2, "previous": 1, "months_clean": 9}
    usual |= {"defaulted": 0, "watch": 0, "poci": 0}
    found = stage(Standing(**{name: np.array([float(value)]) for name, value in (usual | loan).items()}))
    assert found.names.tolist() == [where]
    assert rule in found.rule[0]


def test_low_risk_overrules_comparisons_but_not_the_backstop() -> None:
    pds, origin = np.full(3, 0.002), np.full(3, 0.0001)
    standing = Standing(pds, origin, dpd=np.array([0.0, 31, 0]), watch=np.array([0, 0, 1]))
    strict = StageRules(absolute=0.0)
    assert stage(standing, strict).names.tolist() == ["2", "2", "2"]
    lenient = stage(standing, replace(strict, low_risk=0.003))
    assert lenient.names.tolist() == ["1", "2", "2"]
    assert lenient.rule[0] == "low credit risk"
    trying = replace(standing, previous=np.full(3, 2.0), months_clean=np.full(3, 1.0))
    assert stage(trying, replace(strict, low_risk=0.003)).rule[0] == "on probation for less than 3 months"


def test_rules_that_are_off_do_not_decide() -> None:
    standing = Standing(np.array([0.5]), np.array([0.01]), grade=np.array([9.0]), grade_origin=np.array([0.0]))
    assert stage(standing, StageRules(ratio=None, notches=None)).rule.tolist() == ["nothing to compare with"]


def test_each_stage_sets_aside_what_it_should() -> None:
    loans = book(4)
    staged = stage(Standing(loans.pd, loans.pd, dpd=np.array([0, 40, 95, 0.0]), poci=np.array([0, 0, 0, 1])))
    scenarios = Scenarios.of(MACRO)
    found = allowance(loans, staged, FLAT, scenarios)
    life = lifetime_losses(loans, FLAT, scenarios)
    expected = [life.year[0], life.life[1], loans.lgd[2] * loans.ead[2], life.life[3]]
    assert found.ecl == pytest.approx(expected, abs=0.006)
    assert [each.stage for each in found.stages] == ["1", "2", "3", "POCI"]
    assert sum((each.ecl for each in found.stages), Decimal(0)) == found.total == total(found.ecl)
    assert sum(each.rows for each in found.stages) == 4
    mean = sum(w * float(ecl) for w, ecl in zip(life.weights, found.by_scenario, strict=True))
    assert float(found.total) == pytest.approx(mean, abs=0.05)
    assert found.of_average < found.total


def test_settings_are_read_or_refused() -> None:
    made = LossSettings.of(
        {"lgd": 0.6, "downturn": {"scale": 0.92, "add": 0.08}, "stages": {"ratio": 3, "low_risk": 0.001}}
    )
    assert made.stages.ratio == 3
    assert made.downturn(np.array([0.5, 1.0])) == pytest.approx([0.54, 1.0])
    for said, why in (
        ({"lgd": 2}, "between 0 and 1"),
        ({"lgt": 0.5}, "did you mean 'lgd'"),
        ({"exposure": "cars"}, "exposure"),
        ({"stages": {"past_due": 90}}, "raise it"),
        ({"stages": {"ratio": 0.5}}, "1 or more"),
        ({"stages": 3}, "by name"),
        ({"downturn": {"add": "some"}}, "between 0 and 2"),
    ):
        with pytest.raises(ConfigError, match=why):
            LossSettings.of(said)


def test_a_book_tells_which_cell_is_wrong() -> None:
    frame = pd.DataFrame({"pd": [0.1, 2.5], "ead": [1, 2], "months": [12, 7.5]})
    columns = {"pd": "pd", "lgd": "0.4", "ead": "ead", "rate": "0.05", "months": "12"}
    with pytest.raises(DataError, match=r"is 2\.5 in row 1, and wrong in 1 of 2 rows"):
        Book.read(frame, columns)
    with pytest.raises(DataError, match="whole months"):
        Book.read(frame.assign(pd=0.1), {**columns, "months": "months"})
    with pytest.raises(ConfigError, match="did you mean 'ead'"):
        Book.read(frame.assign(pd=0.1), {**columns, "ead": "eat"})
    assert Book.read(frame.assign(pd=0.1), columns).lgd.tolist() == [0.4, 0.4]
