"""``plait credit loss``, ``stage`` and ``company``."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait.data import samples

SCENARIOS = """
sensitivity: {unemployment: 0.15}
normal: {unemployment: 5.0}
scenarios:
  base: {weight: 0.6, unemployment: [5.2, 5.0]}
  bad: {weight: 0.4, unemployment: [8.0, 9.0], lgd: [0.05, 0.05]}
"""


@pytest.fixture
def portfolio(folder: Path) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame(
        {
            "loan": np.arange(n),
            "PD_12M": rng.beta(1, 30, n).round(4),
            "pd_origin": rng.beta(1, 40, n).round(4),
            "days": rng.choice([0, 0, 0, 15, 40, 120], n),
            "lgd": rng.uniform(0.2, 0.7, n).round(2),
            "ead": rng.lognormal(9, 1, n).round(2),
            "rate": rng.uniform(0, 0.15, n).round(3),
            "months": rng.integers(1, 90, n),
            "grade": rng.choice(["A", "B"], n),
        }
    )
    frame.to_csv(folder / "p.csv", index=False)
    (folder / "scenarios.yaml").write_text(SCENARIOS)
    (folder / "m.csv").write_text("grade,A,B,default\nA,0.95,0.04,0.01\nB,0.10,0.80,0.10\n")
    return frame


def test_loss(run: Callable[..., Any], folder: Path, portfolio: pd.DataFrame) -> None:
    said = run("credit", "loss", "p.csv", "--pd", "PD_12M", "-o", "out.csv", "--json")
    assert said.code == 0
    out = pd.read_csv(folder / "out.csv", dtype={"expected_loss": str})
    assert sum(map(Decimal, out["expected_loss"])) == Decimal(said.json["expected_loss"])
    expected = portfolio["PD_12M"] * portfolio["lgd"] * portfolio["ead"]
    assert out["expected_loss"].astype(float).to_numpy() == pytest.approx(expected.to_numpy(), abs=0.005001)
    again = run("credit", "loss", "p.csv", "--pd", "PD_12M", "--rate", "rate", "--months", "months")
    assert "whole lifetime" in again.out
    assert "no add-on for a downturn" in again.out


def test_loss_by_scenario_and_settings(run: Callable[..., Any], folder: Path, portfolio: pd.DataFrame) -> None:
    (folder / "credit.yaml").write_text("loss: {exposure: mortgage, downturn: {scale: 0.92, add: 0.08}}\n")
    said = run(
        *("credit", "loss", "p.csv", "--pd", "0.02", "--lgd", "0.5", "--rate", "0", "--months", "24", "--json"),
        *("--schedule", "bullet", "--scenarios", "scenarios.yaml", "--config", "credit.yaml"),
    )
    assert said.json["exposure"] == "mortgage"
    assert float(said.json["expected_loss"]) == pytest.approx(0.02 * 0.54 * portfolio["ead"].sum(), abs=3)
    by = said.json["lifetime"]["by_scenario"]
    assert float(by["bad"]["life"]) > float(by["base"]["life"])
    assert any("0.92 x LGD" in note for note in said.json["notes"])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "unknown column for pd 'pd'"),
        (("--pd", "3"), "pd is 3; it is a probability"),
        (("--pd", "PD_12M", "--rate", "rate"), "both --rate and --months"),
        (("--pd", "PD_12M", "--scenarios", "scenarios.yaml"), "lifetime losses"),
        (("--pd", "PD_12M", "--months", "months", "--rate", "days"), "rate ('days') is"),
        (("--pd", "PD_12M", "--exposure", "cars"), "unknown exposure 'cars'"),
    ],
)
def test_loss_refuses(run: Callable[..., Any], portfolio: pd.DataFrame, options: tuple[str, ...], why: str) -> None:
    said = run("credit", "loss", "p.csv", *options)
    assert said.code == 2
    assert why in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_stage(run: Callable[..., Any], folder: Path, portfolio: pd.DataFrame) -> None:
    said = run(
        *("credit", "stage", "p.csv", "--column", "pd=PD_12M", "--dpd", "days", "--scenarios", "scenarios.yaml"),
        *("-o", "out.csv", "--pictures", "drawn", "--json"),
    )
    assert said.code == 0, said.err
    out = pd.read_csv(folder / "out.csv", dtype={"ecl": str, "stage": str})
    assert sum(map(Decimal, out["ecl"])) == Decimal(said.json["ecl"])
    assert (out["stage"][portfolio["days"] == 120] == "3").all()
    assert (out["stage"][portfolio["days"] == 40] == "2").all()
    assert out["rule"].notna().all()
    assert said.json["ecl_of_average_scenario"] != said.json["ecl"]
    assert [Path(path).name for path in said.json["pictures"]] == ["term_structure.png", "stages.png"]
    assert all((folder / path).stat().st_size > 5000 for path in said.json["pictures"])
    words = run("credit", "stage", "p.csv", "--column", "pd=PD_12M", "--dpd", "days", "--scenarios", "scenarios.yaml")
    assert "what that would leave out" in words.out


def test_stage_along_migrations(run: Callable[..., Any], folder: Path, portfolio: pd.DataFrame) -> None:
    common = ("credit", "stage", "p.csv", "--column", "pd=PD_12M", "--json")
    flat, moved = run(*common), run(*common, "--term", "m.csv", "--pictures", "drawn")
    assert flat.json["ecl"] != moved.json["ecl"]
    assert "no column dpd: its rules decide nothing" in flat.json["notes"]
    lost = portfolio.assign(grade="Z")
    lost.to_csv(folder / "z.csv", index=False)
    said = run("credit", "stage", "z.csv", "--column", "pd=PD_12M", "--term", "m.csv")
    assert said.code == 2
    assert "grade 'Z' has no curve" in said.err


def test_stage_reads_grades_of_a_scale_as_notches(run: Callable[..., Any], folder: Path) -> None:
    grades = [f"G{i}" for i in range(5)]
    matrix = np.full((5, 6), 0.02)
    matrix[:, 5] = [0.001, 0.005, 0.01, 0.05, 0.2]
    matrix[range(5), range(5)] += 1 - matrix.sum(1)
    pd.DataFrame(matrix, columns=[*grades, "default"]).assign(grade=grades)[["grade", *grades, "default"]].to_csv(
        folder / "m.csv", index=False
    )
    loans = pd.DataFrame(
        {"pd": 0.01, "ead": 100.0, "rate": 0.05, "months": 24, "grade": ["G4", "G1"], "grade_origin": "G1"}
    )
    loans.to_csv(folder / "p.csv", index=False)
    said = run("credit", "stage", "p.csv", "--term", "m.csv", "--json")
    assert {each["stage"]: each["rules"] for each in said.json["stages"]} == {
        "1": {"no significant rise": 1},
        "2": {"3 grades or more below origination": 1},
    }


def test_stage_knows_the_standard_scale_and_says_where_it_knows_no_order(run: Callable[..., Any], folder: Path) -> None:
    loans = pd.DataFrame(
        {"pd": 0.01, "ead": 100.0, "rate": 0.05, "months": 24, "grade": ["CCC", "A"], "grade_origin": "A"}
    )
    loans.to_csv(folder / "p.csv", index=False)
    said = run("credit", "stage", "p.csv", "--json")
    assert [each["stage"] for each in said.json["stages"]] == ["1", "2"]
    loans.assign(grade=["low", "high"]).to_csv(folder / "p.csv", index=False)
    told = run("credit", "stage", "p.csv", "--json")
    assert [each["stage"] for each in told.json["stages"]] == ["1"]
    assert any("no known order" in note for note in told.json["notes"])
    assert "unknown column for grade" in run("credit", "stage", "p.csv", "--column", "grade=rating").err
    loans[:0].to_csv(folder / "p.csv", index=False)
    assert run("credit", "stage", "p.csv", "--json").json["ecl"] == "0.00"
    assert "no rows" in run("credit", "loss", "p.csv").err


def test_stage_asks_for_what_it_needs(run: Callable[..., Any], folder: Path, portfolio: pd.DataFrame) -> None:
    assert "where pd stands is not known" in run("credit", "stage", "p.csv").err
    assert "did you mean 'months'" in run("credit", "stage", "p.csv", "--column", "month=months").err
    (folder / "scenarios.yaml").write_text("scenarios: {a: {weight: 2}}")
    said = run("credit", "stage", "p.csv", "--column", "pd=PD_12M", "--scenarios", "scenarios.yaml")
    assert "scenarios.yaml: weights of scenarios sum to 2" in said.err


def test_company_without_defaults(run: Callable[..., Any], folder: Path) -> None:
    firms = samples.companies(40, 0).drop(columns="default")
    firms["country_ceiling"] = np.where(firms["country"] == "islands", "B", None)
    firms["sector_notches"] = np.where(firms["sector"] == "construction", 1, 0)
    firms.to_csv(folder / "s.csv", index=False)
    said = run("credit", "company", "s.csv", "-o", "r.csv", "--altman", "private", "--json", "--pictures", "drawn")
    assert said.code == 0, said.err
    assert "weighted by hand" in said.json["method"]
    assert said.json["ranked"] is None
    out = pd.read_csv(folder / "r.csv")
    last = firms[firms["year"] == 2024]
    assert out["company"].tolist() == sorted(last["company"])
    assert set(out["grade"][(last["country"] == "islands").to_numpy()]) <= {"B", "CCC", "CC", "C"}
    assert out["steps"].notna().sum() == (last["country_ceiling"].notna() | (last["sector_notches"] > 0)).sum()
    assert json.loads(json.dumps(said.json))["pictures"]


@pytest.mark.slow
def test_company_with_defaults(run: Callable[..., Any], folder: Path) -> None:
    samples.companies(500, 5).to_csv(folder / "s.csv", index=False)
    said = run("credit", "company", "s.csv", "--default", "default", "--pictures", "drawn", "--json")
    assert said.code == 0, said.err
    found = said.json["ranked"]
    assert set(found["auc"]) == {"scorecard of ratios", "weighted by hand", "Altman Z''", "Altman Z'"}
    assert found["auc"]["scorecard of ratios"]["value"] > 0.65
    assert len(said.json["companies"]) == 500
    assert "out of fold" in said.json["method"]


def test_company_refuses_defaults_that_are_none(run: Callable[..., Any], folder: Path) -> None:
    samples.companies(30, 5).to_csv(folder / "s.csv", index=False)
    assert "0 and 1" in run("credit", "company", "s.csv", "--default", "year").err
    assert "unknown column for default" in run("credit", "company", "s.csv", "--default", "bad").err
