"""Ratings of companies: statements under any name, ratios, grades and notches; and the made companies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plait.data import samples
from plait.desks.credit.companies.judged import out_of_fold, rank_companies
from plait.desks.credit.companies.rating import Anchor, HandWeighted, Notches, fit_ratio_scorecard, notch
from plait.desks.credit.companies.ratios import RATIOS, altman, altman_pd, ratios
from plait.desks.credit.companies.statements import ITEMS, read_statements
from plait.desks.credit.grades import MasterScale
from plait.errors import ConfigError, DataError
from plait.metrics.classification import roc_auc

SCALE = MasterScale.standard()


@pytest.fixture(scope="module")
def firms() -> pd.DataFrame:
    return samples.companies(1500, 3)


@pytest.fixture(scope="module")
def latest(firms: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Ratios of the last statements, and defaults."""
    table = read_statements(firms).table
    last = ~table.duplicated("company", keep="last")
    return ratios(table).values[last].reset_index(drop=True), table["default"][last].to_numpy(float)


def test_made_statements_add_up(firms: pd.DataFrame) -> None:
    f = firms
    sums = {
        "total_assets": f.total_liabilities + f.equity,
        "current_assets": f.cash + f.receivables + f.inventory,
        "current_liabilities": f.payables + f.short_term_debt,
        "net_income": f.ebit - f.interest_expense - f.tax,
    }
    for item, worth in sums.items():
        assert (f[item] == worth).all(), item
    assert (f.cash >= 0).all()
    first, second = f[::2].reset_index(), f[1::2].reset_index()
    assert (first.company == second.company).all()
    assert (second.equity - first.equity == second.retained_earnings - first.retained_earnings).all()
    assert (second.equity - first.equity <= second.net_income).all()
    assert samples.companies(50, 3).equals(samples.companies(50, 3))
    assert not samples.companies(50, 3).equals(samples.companies(50, 4))


def test_the_oracle_is_as_documented() -> None:
    truth = samples.companies_oracle(20_000, 0)
    bad = samples.companies(20_000, 0)["default"].to_numpy()[1::2]
    assert f"{float(roc_auc(bad, truth['probability'].to_numpy())):.3f}"[1:] in (samples.companies.__doc__ or "")
    assert bad.mean() == pytest.approx(0.07, abs=0.005)


def test_items_are_found_under_their_chinese_names_and_units(firms: pd.DataFrame) -> None:
    chinese = {item: aliases[-1] for item, aliases in ITEMS.items()}
    chinese |= {
        "company": "公司名称",
        "year": "会计年度",
        "total_assets": "资产总计(万元)",
        "sales": "营业收入（万元）",
    }
    other = firms.rename(columns=chinese)
    for item in ("total_assets", "sales"):
        other[chinese[item]] = other[chinese[item]] / 1e4
    found = read_statements(other)
    assert found.columns["total_assets"] == ("资产总计(万元)", 1e4)
    ours = read_statements(firms)
    pd.testing.assert_frame_equal(found.table[list(ITEMS)], ours.table[list(ITEMS)])
    assert not found.checks


def test_items_are_found_under_english_names_and_by_hand(firms: pd.DataFrame) -> None:
    other = firms.rename(columns={"total_assets": "Total Assets (thousands)", "ebit": "OPRES", "sales": "Net Sales"})
    other["Total Assets (thousands)"] = other["Total Assets (thousands)"] / 1e3
    found = read_statements(other, {"ebit": "OPRES"})
    pd.testing.assert_frame_equal(found.table[list(ITEMS)], read_statements(firms).table[list(ITEMS)])
    halved = read_statements(firms.drop(columns="tax"), unit=1000).table
    assert halved["sales"].max() == 1000 * firms["sales"].max()


def test_what_is_wrong_with_statements_is_told() -> None:
    good = samples.companies(3, 0)
    broken = good.copy()
    broken.loc[0, "equity"] += 0.1 * broken.loc[0, "total_assets"]
    broken.loc[1, "inventory"] = -5
    broken.loc[2, "current_assets"] = 2 * broken.loc[2, "total_assets"]
    broken.loc[3, ["total_assets", "total_liabilities", "equity"]] *= 1000
    broken["net_income"] = broken["net_income"].astype(float)
    kinds = {check.check for check in read_statements(broken).checks}
    assert kinds >= {"balance", "sign", "parts", "units"}
    filled = read_statements(good.drop(columns=["total_liabilities", "ebit"]))
    assert (filled.table["total_liabilities"] == good.sort_values(["company", "year"])["total_liabilities"]).all()
    assert {check.check for check in filled.checks} == {"filled"}
    assert filled.to_json()["rows"] == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="company"), "no column tells the company"),
        (lambda f: f.drop(columns="sales"), "no column holds sales"),
        (lambda f: f.assign(year=2024), "two statements of 2024"),
        (lambda f: f.assign(sales="much"), "plain numbers"),
        (lambda f: f.assign(Revenue=1.0), "both sales"),
        (lambda f: f.assign(year="last"), "missing or no number"),
    ],
)
def test_statements_that_cannot_be_read_are_refused(change: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_statements(change(samples.companies(3, 0)))  # type: ignore[operator]


def test_columns_that_are_not_there_are_refused(firms: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="did you mean 'ebit'"):
        read_statements(firms, {"ebitt": "ebit"})
    with pytest.raises(ConfigError, match="unknown column"):
        read_statements(firms, {"ebit": "OPRES"})


def test_a_ratio_that_means_nothing_is_missing_with_a_reason() -> None:
    table = read_statements(samples.companies(2, 1)).table
    table.loc[0, "interest_expense"] = 0
    table.loc[1, "equity"] = -1.0
    table.loc[1, "ebit"] = np.nan
    found = ratios(table)
    assert np.isnan(found.values.loc[0, "interest_cover"])
    assert found.reasons.loc[0, "interest_cover"] == "interest expense is zero"
    assert found.reasons.loc[1, "return_on_equity"] == "equity is negative"
    assert found.reasons.loc[1, "interest_cover"] == "ebit not known"
    assert found.reasons.loc[2, "sales_growth"] == "no statement of the year before"
    assert found.values.loc[3, "sales_growth"] == pytest.approx(table.loc[3, "sales"] / table.loc[2, "sales"] - 1)
    assert (found.values[list(RATIOS)].isna() == (found.reasons != "")).all(axis=None)


def test_a_gap_of_years_is_no_growth() -> None:
    frame = samples.companies(1, 1)
    frame.loc[0, "year"] = 2020
    assert ratios(read_statements(frame).table).values["sales_growth"].isna().all()


def test_scores_of_altman_rank_defaults(latest: tuple[pd.DataFrame, np.ndarray]) -> None:
    values, bad = latest
    scores = altman(values, "any")
    assert roc_auc(bad, -scores["z"].to_numpy()) > 0.7
    assert set(scores["zone"]) == {"safe", "grey", "distress"}
    fitted = altman_pd(scores, SCALE, bad)
    assert fitted.mean() == pytest.approx(bad.mean(), rel=0.02)
    named = altman_pd(scores, SCALE)
    order = np.argsort(scores["z"].to_numpy())
    assert (np.diff(named[order]) <= 0).all()
    with pytest.raises(ConfigError, match="private"):
        altman(values, "privat")


@pytest.mark.slow
def test_a_scorecard_of_ratios_goes_the_way_that_makes_sense(latest: tuple[pd.DataFrame, np.ndarray]) -> None:
    values, bad = latest
    card = fit_ratio_scorecard(values, bad)
    assert card.variables
    worse = values.assign(
        interest_cover=-20.0, liabilities_to_assets=1.2, equity_to_liabilities=-0.2, ebit_to_assets=-0.3
    )
    assert (card.log_odds(worse) >= card.log_odds(values) - 1e-12).all()
    ranked = rank_companies(values, bad, out_of_fold(values, bad, folds=2))
    assert ranked.areas["scorecard of ratios"].value > 0.7
    assert ranked.defaults == bad.sum()
    assert "Altman Z''" in str(ranked)
    with pytest.raises(DataError, match="folds need"):
        out_of_fold(values, np.where(np.arange(len(bad)) < 2, 1.0, 0.0))


def test_hand_weights_rank_without_defaults(latest: tuple[pd.DataFrame, np.ndarray]) -> None:
    values, bad = latest
    hand = HandWeighted()
    odds = hand.log_odds(values)
    assert roc_auc(bad, odds) > 0.7
    empty = pd.DataFrame({name: [np.nan] for name in hand.columns})
    assert 1 / (1 + np.exp(-hand.log_odds(empty))) == pytest.approx([hand.central])  # all missing: the middle
    assert np.log(2) * (50 - hand.earned(values).sum(1)) / hand.halving + np.log(0.03 / 0.97) == pytest.approx(odds)
    for wrong in (
        {"lucky_number": Anchor(1, 0, 1)},
        {"net_margin": Anchor(0, 0, 1)},
        {"net_margin": Anchor(1, 1, 1)},
        {},
    ):
        with pytest.raises(ConfigError):
            HandWeighted(wrong)


def pd_of(grade: str) -> float:
    return SCALE.pds[SCALE.names.index(grade)]


@pytest.mark.parametrize(
    ("notches", "grade", "steps"),
    [
        (Notches(), "BB", 0),
        (Notches(parent="A", support=2), "BBB", 1),
        (Notches(parent="BB+", support=5), "BB+", 1),  # never above the parent
        (Notches(parent="C"), "BB", 1),  # a weak parent does not pull down
        (Notches(sector=1), "B+", 1),
        (Notches(sector=-1), "BB+", 1),
        (Notches(ceiling="B"), "B", 1),
        (Notches(ceiling="AAA"), "BB", 1),
        (Notches(parent="AAA", support=6, sector=1, ceiling="BBB"), "BBB", 3),
        (Notches(sector=99), "C", 1),
    ],
)
def test_notches_move_grades_and_every_step_is_kept(notches: Notches, grade: str, steps: int) -> None:
    rated = notch("x", pd_of("BB"), SCALE, notches)
    assert (rated.standalone, rated.grade, len(rated.steps)) == ("BB", grade, steps)
    at = "BB"
    for step in rated.steps:
        assert step.before == at
        at = step.after
    assert at == grade
    assert rated.to_json()["grade"] == grade


def test_a_grade_that_is_not_on_the_scale_is_refused() -> None:
    with pytest.raises(ConfigError, match="grade of company 'x'"):
        notch("x", 0.02, SCALE, Notches(parent="Aaa"))
