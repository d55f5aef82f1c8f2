"""``plait credit grade``: applications to grades, in a view of the cycle, tested where outcomes are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.model import CreditModel, load

SETTINGS = {"evidence": {"fusion": "early", "learner": "linear"}, "grades": {"grades": 4}}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    made: pd.DataFrame = plait.samples.loans(n=1200, seed=5)
    return made.assign(loan=[f"L{i}" for i in range(len(made))])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, rows: pd.DataFrame) -> Path:
    where = tmp_path_factory.mktemp("grades")
    past, future = plait.split(rows, time="issued_at")
    schema = plait.Schema.infer(past, target="default", time="issued_at")
    fit_credit(past, past["default"], schema=schema, config=Config.of(SETTINGS), n_jobs=1).save(where / "run")
    future.to_parquet(where / "new.parquet")
    rates = {"period": ["2019", "2020", "2021", "2022"], "rows": [900] * 4, "rate": [0.1, 0.3, 0.15, 0.2]}
    pd.DataFrame(rates).to_csv(where / "history.csv", index=False)
    return where


@pytest.fixture(scope="module")
def model(folder: Path) -> CreditModel:
    return load(folder / "run")


def test_every_row_has_a_grade_and_known_outcomes_test_it(run: Any, folder: Path, model: CreditModel) -> None:
    said = run("credit", "grade", "run", "new.parquet", "--by", "quarter", "-o", "graded")
    assert said.code == 0, said.err
    new = pd.read_parquet(folder / "new.parquet")
    table = pd.read_csv(folder / "graded" / "grades.csv", dtype={"grade": str})
    assert list(table.columns) == ["loan", "pd", "points", "grade"]
    scores = model.score(new)
    np.testing.assert_allclose(table["pd"], scores.pd)
    np.testing.assert_allclose(table["points"], scores.points)
    assert table["grade"].tolist() == model.scale.named(scores.grade)
    told = json.loads((folder / "graded" / "grades.json").read_text())
    assert sum(told["grades"].values()) == len(new) == told["report"]["rows"]
    assert told["report"]["rate"] == pytest.approx(new["default"].mean())
    assert len(told["long_run"]["average"]) == len(model.scale)
    assert sorted(path.name for path in (folder / "graded").glob("*.png")) == ["rates.png", "spread.png"]
    assert "Hosmer-Lemeshow" in said.out
    assert "long-run average" in said.out


def test_without_outcomes_rows_are_counted(run: Any, folder: Path, model: CreditModel) -> None:
    new = pd.read_parquet(folder / "new.parquet").drop(columns="default")
    new.to_parquet(folder / "blind.parquet")
    said = run("credit", "grade", "run", "blind.parquet", "--json")
    assert said.code == 0, said.err
    assert said.json["report"] is None
    assert sum(said.json["grades"].values()) == len(new)
    assert said.json["scale"] == model.scale.to_json()
    assert "at a point in time" in said.json["view"]


def test_rows_without_an_outcome_are_graded_and_not_tested(run: Any, folder: Path) -> None:
    new = pd.read_parquet(folder / "new.parquet")
    new.assign(default=new["default"].where(np.arange(len(new)) % 2 == 0)).to_parquet(folder / "half.parquet")
    said = run("credit", "grade", "run", "half.parquet", "--json")
    assert said.code == 0, said.err
    assert said.json["rows"] == len(new)
    assert said.json["report"]["rows"] == (len(new) + 1) // 2


def test_an_outcome_of_neither_kind_is_no_good_one(run: Any, folder: Path) -> None:
    new = pd.read_parquet(folder / "new.parquet").head(60)
    new.assign(default=new["default"].where(new.index != new.index[3], 7)).to_parquet(folder / "odd.parquet")
    said = run("credit", "grade", "run", "odd.parquet")
    assert said.code == 2
    assert "'default' holds '7'; it is 0 or 1" in said.err


def test_views_move_pds_between_states(run: Any, folder: Path) -> None:
    def mean(*options: str) -> float:
        said = run("credit", "grade", "run", "new.parquet", "--history", "history.csv", *options, "-o", "view")
        assert said.code == 0, said.err
        return float(pd.read_csv(folder / "view" / "grades.csv")["pd"].mean())

    plain = mean()
    assert mean("--state", "2022") == pytest.approx(plain)  # the last period is where they hold
    assert mean("--state", "2020") > plain > mean("--state", "2019")
    assert mean("--view", "ttc", "--now", "2020") < plain < mean("--view", "ttc", "--now", "2019")
    assert (folder / "view" / "cycle.png").exists()


def test_lights_allow_for_a_correlation(run: Any) -> None:
    alone = run("credit", "grade", "run", "new.parquet", "--json").json["report"]
    shared = run("credit", "grade", "run", "new.parquet", "--correlation", "0.2", "--json").json["report"]
    retail = run("credit", "grade", "run", "new.parquet", "--correlation", "retail", "--json").json["report"]
    assert (alone["correlation"], shared["correlation"]) == (0, 0.2)
    assert 0.03 < retail["correlation"] < 0.16


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--view", "ttc"], "give --history"),
        (["--state", "2020"], "give --history"),
        (["--now", "2020"], "give --history"),
        (["--history", "history.csv", "--now", "2020"], "changes nothing"),
        (["--history", "history.csv", "--view", "ttc", "--state", "2020"], "no one state"),
        (["--history", "history.csv", "--state", "2031"], "unknown period '2031'"),
        (["--correlation", "house"], "corporate"),
        (["--view", "both"], "unknown view"),
    ],
)
def test_options_that_do_nothing_are_refused(run: Any, options: list[str], told: str) -> None:
    said = run("credit", "grade", "run", "new.parquet", *options)
    assert said.code == 2
    assert told in said.err


def test_averages_over_periods_take_outcomes(run: Any, folder: Path) -> None:
    pd.read_parquet(folder / "new.parquet").drop(columns="default").to_parquet(folder / "blind.parquet")
    said = run("credit", "grade", "run", "blind.parquet", "--by", "year")
    assert said.code == 2
    assert "--by takes rows with a time and outcomes" in said.err
