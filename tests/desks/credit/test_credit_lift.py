"""What evidence adds: points that add up, ranking lost without a source, profit at equal approval."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait.contracts import Rows
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.lift import Terms, money_by_approval, split_points, without_sources
from plait.desks.credit.model import CreditModel
from plait.desks.credit.operations.lift import OPERATION, LiftRequest
from plait.errors import ConfigError, DataError, InputError

EARLY = {"evidence": {"fusion": "early", "learner": "linear"}}


@pytest.fixture(scope="module")
def parts() -> tuple[pd.DataFrame, pd.DataFrame]:
    return plait.split(plait.samples.loans(n=1400, seed=3), time="issued_at", test=0.4)


@pytest.fixture(scope="module")
def model(parts: Any) -> CreditModel:
    train, _ = parts
    return fit_credit(train, train["default"], time="issued_at", config=Config.of(EARLY), n_jobs=1)


def test_lines_add_up_to_the_points_of_every_row(model: CreditModel, parts: Any) -> None:
    rows = parts[1].head(60).copy()
    rows.loc[rows.index[:10], ["letter", "balance"]] = None
    for capped in (model, replace(model, blend=replace(model.blend, cap=5.0))):
        shares, scores = split_points(capped, rows), capped.score(rows)
        assert shares.lines == (
            "calibration",
            "table beyond the scorecard",
            "letter",
            "balance",
            "held back by the cap",
        )
        np.testing.assert_allclose(shares.scorecard, scores.scorecard, atol=1e-9)
        np.testing.assert_allclose(shares.values.sum(axis=1), scores.adjustment, atol=1e-9)
        np.testing.assert_allclose(shares.points, scores.points, atol=1e-9)
        assert not shares.values[:10, 2:4].any()
        assert not shares.error.any()
        np.testing.assert_array_equal(shares.values[:, 4] != 0, scores.capped)
    assert scores.capped.any()


def test_good_words_add_points_and_bad_words_take_them(model: CreditModel, parts: Any) -> None:
    row = parts[1].head(1)
    told = pd.concat([row, row], ignore_index=True)
    letters = parts[1].dropna(subset=["letter"])
    rising = letters["letter"].iloc[model.score(letters.assign(balance=None)).adjustment.argsort()]
    told["letter"] = [rising.iloc[0], rising.iloc[-1]]
    worse, better = split_points(model, told).frame()["letter"]
    assert worse < better


def test_hiding_evidence_costs_ranking(model: CreditModel, parts: Any) -> None:
    _, test = parts
    found = {each.source: each for each in without_sources(model, test, test["default"].to_numpy())}
    assert list(found) == ["table", "letter", "balance"]
    assert found["letter"].lost.low > 0
    assert found["balance"].lost.low > 0
    assert found["letter"].present == pytest.approx(test["letter"].notna().mean())


def test_profit_is_counted_as_by_hand() -> None:
    bad, amounts = np.array([0, 0, 1, 0]), np.array([100.0, 200.0, 300.0, 400.0])
    card, blend = np.array([0.3, 0.1, 0.2, 0.4]), np.array([0.1, 0.2, 0.4, 0.3])
    found = money_by_approval({"card": card, "blend": blend}, bad, amounts, terms=Terms(0.5, 0.1), approved=[0.5, 0.75])
    assert found.profit["card"][:, 0] == pytest.approx([100 * (20 - 150) / 1000, 100 * (20 - 150 + 10) / 1000])
    assert found.profit["blend"][:, 0] == pytest.approx([100 * 30 / 1000, 100 * 70 / 1000])
    assert found.gained[:, 0] == pytest.approx(found.profit["blend"][:, 0] - found.profit["card"][:, 0])


def test_rows_of_equal_score_are_approved_in_equal_part() -> None:
    bad, amounts, alike = np.array([0, 1, 0, 1]), np.full(4, 100.0), np.zeros(4)
    turned = money_by_approval({"a": alike, "b": alike}, bad[::-1], amounts, approved=[0.25])
    found = money_by_approval({"a": alike, "b": alike}, bad, amounts, approved=[0.25])
    assert found.profit["a"][0, 0] == pytest.approx(100 * (2 * 10 - 2 * 60) / 4 / 400)
    assert turned.profit["a"][0, 0] == pytest.approx(found.profit["a"][0, 0])


def test_amounts_and_terms_that_make_no_sense_are_refused() -> None:
    scores, bad = {"a": np.zeros(2), "b": np.zeros(2)}, np.array([0, 1])
    for amounts, told in (
        ([1.0, -1.0], "negative in 1 row"),
        ([np.nan, 1.0], "NaN"),
        ([0.0, 0.0], "all amounts are 0"),
    ):
        with pytest.raises(InputError, match=told):
            money_by_approval(scores, bad, np.array(amounts))
    with pytest.raises(ConfigError, match="loss given default 2 is out of range"):
        Terms(loss_given_default=2)
    with pytest.raises(ConfigError, match="within 0 to 1"):
        money_by_approval(scores, bad, np.ones(2), approved=[1.2])


def test_the_verb_tells_points_ranking_and_money(run: Any, model: CreditModel, parts: Any, folder: Path) -> None:
    model.save(folder / "run")
    parts[1].to_parquet(folder / "later.parquet")
    said = run("credit", "lift", "run", "later.parquet", "--amount", "amount", "--sample", 50, "-o", "lift", "--json")
    assert said.code == 0, said.err
    assert said.json["rows"] == 50
    assert [line["line"] for line in said.json["points"]][2:4] == ["letter", "balance"]
    assert said.json["money"]["terms"] == {"loss_given_default": 0.6, "margin": 0.1}
    assert {each.name for each in (folder / "lift").iterdir()} == {"points.csv", "lift.png", "money.png"}
    points = pd.read_csv(folder / "lift" / "points.csv")
    assert len(points) == 50
    lines = points.drop(columns=["scorecard", "points"]).select_dtypes("number")
    assert (points["scorecard"] + lines.sum(axis=1)).to_numpy() == pytest.approx(points["points"].to_numpy())
    said = run("credit", "lift", "run", "later.parquet", "--amount", "amount")
    assert "with a source of evidence hidden" in said.out
    assert "blend minus scorecard" in said.out


def test_without_outcomes_there_are_points_alone(model: CreditModel, parts: Any) -> None:
    rows = Rows(parts[1].head(30).drop(columns="default"))
    found = OPERATION(LiftRequest(model=model, rows=rows))
    assert found.judged is None
    assert found.money is None
    assert len(found.frame()) == 30
    json.dumps(found.to_json(), allow_nan=False)
    assert "ROC AUC" not in str(found)
    with pytest.raises(ConfigError, match="needs the outcome"):
        OPERATION(LiftRequest(model=model, rows=rows, amount="amount"))
    with pytest.raises(ConfigError, match="did you mean 'amount'"):
        OPERATION(LiftRequest(model=model, rows=rows, amount="amuont"))


def test_weights_of_rows_count(parts: Any) -> None:
    train, test = (part.head(400).drop(columns=["letter", "balance"]) for part in parts)
    train, test = train.assign(weight=1.0), test.assign(weight=np.arange(len(test)) % 2.0)
    schema = plait.Schema.infer(train, target="default", time="issued_at", weight="weight")
    model = fit_credit(train, train["default"], schema=schema, config=Config.of(EARLY), n_jobs=1)
    whole, some = (
        OPERATION(LiftRequest(model=model, rows=Rows(rows), amount="amount", sample=1))
        for rows in (test, test[test["weight"] > 0])
    )
    assert whole.judged is not None
    assert whole.money is not None
    assert some.judged is not None
    assert some.money is not None
    assert whole.judged.bad_rate == pytest.approx(some.judged.bad_rate)
    for name, standing in some.judged.standings.items():
        assert whole.judged.standings[name].roc_auc.value == pytest.approx(standing.roc_auc.value)
        np.testing.assert_allclose(whole.money.profit[name][:, 0], some.money.profit[name][:, 0])
    assert whole.without[0].roc_auc.value == pytest.approx(some.without[0].roc_auc.value)
    assert whole.money.amount == pytest.approx(some.money.amount)


def test_outcomes_that_are_missing_are_refused(model: CreditModel, parts: Any) -> None:
    rows = parts[1].head(30).astype({"default": float})
    rows.iloc[3, rows.columns.get_loc("default")] = np.nan
    with pytest.raises(DataError, match="'default' is missing in 1 of 30 rows"):
        OPERATION(LiftRequest(model=model, rows=Rows(rows)))
