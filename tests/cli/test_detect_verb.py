"""``plait detect``: fitted, and applied again, with scores, reasons and a picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import plait
from plait.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)

    def made(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        return int(left.value.code or 0), *capsys.readouterr()

    return made


FAST = ("--option", "isolation.trees=30", "--jobs", "1")


def test_odd_rows_are_found_and_told(run: Run) -> None:
    loans = plait.samples.loans(500, 0).drop(columns=["default", "balance"])
    loans.insert(0, "id", [f"A{i}" for i in range(500)])
    loans.iloc[:400].to_parquet("old.parquet")
    new = loans.iloc[400:].copy()
    new.iloc[7, new.columns.get_loc("amount")] = 3e6
    new.iloc[9, new.columns.get_loc("income")] = float("inf")
    new.to_csv("new.csv", index=False)
    code, out, err = run("detect", "old.parquet", "--time", "issued_at", "--budget", "5%", *FAST, "-o", "run", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["rows"] == 400
    assert told["alarm"]["promised"] <= 0.05
    assert sorted(path.name for path in Path("run").iterdir()) == [
        "detection.json",
        "detection.png",
        "model.plait",
        "scores.parquet",
    ]
    code, out, err = run("detect", "new.csv", "--model", "run/model.plait", "-o", "again")
    assert code == 0, err
    assert "amount is 3,000,000, usually" in out
    assert "note: column 'income': 1 cell(s) count as missing: infinite (row 9)" in err
    scores = pd.read_parquet("again/scores.parquet")
    assert len(scores) == 100
    assert scores["score"].idxmax() == 7
    assert scores.loc[7, "id"] == "A407"
    assert bool(scores.loc[7, "alert"])
    assert "amount is 3,000,000" in scores.loc[7, "because"]
    assert scores.filter(like="share_").sum(axis=1).between(0, 1.000001).all()


def test_a_dry_run_writes_nothing(run: Run) -> None:
    plait.samples.loans(50, 0).to_parquet("loans.parquet")
    code, out, err = run("detect", "loans.parquet", "--dry-run", "-o", "run")
    assert code == 0, err
    assert "letter" in out
    code, out, err = run("detect", "loans.parquet", "--dry-run", "--json")
    assert json.loads(out)["sources"]["letter"] == ["letter"]
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--budget", "lots"), "cannot be read"),
        (("--detector", "isolatoin"), "did you mean 'isolation'?"),
        (("--model", "x", "--budget", "1%"), "--budget is known to the model"),
        (("--model", "x", "--schema", "y"), "--schema is known to the model"),
        ((), "nowhere to write"),
        (("--option", "isolation.leaves=3"), "leaves"),
    ],
)
def test_mistakes_are_said_in_a_line(run: Run, arguments: tuple[str, ...], said: str) -> None:
    plait.samples.loans(50, 0).to_parquet("loans.parquet")
    where = () if said.startswith("nowhere") else ("-o", "run")
    code, _, err = run("detect", "loans.parquet", *arguments, *where)
    assert code == 2
    assert said in err
    assert not Path("run").exists()


@pytest.mark.slow
def test_what_predicts_finds_no_odd_rows_and_the_other_way_round(run: Run) -> None:
    plait.samples.loans(120, 0).drop(columns=["letter", "balance"]).to_parquet("loans.parquet")
    fast = ("--fusion", "early", "--learner", "linear", "--jobs", "1", "-o", "fitted")
    assert run("fit", "loans.parquet", "--target", "default", *fast, "--watch", "jsonl")[0] == 0
    lines = [json.loads(line) for line in Path("fitted/metrics.jsonl").read_text().splitlines()]
    assert any(line["stage"].startswith("reading") for line in lines)
    code, _, err = run("detect", "loans.parquet", "--model", "fitted/model.plait", "-o", "x")
    assert code == 2
    assert "predicts a target" in err
    assert run("detect", "loans.parquet", *FAST, "-o", "odd")[0] == 0
    code, _, err = run("predict", "odd/model.plait", "loans.parquet", "-o", "out.csv")
    assert code == 2
    assert "plait detect" in err
    code, _, err = run("fit", "loans.parquet", "--target", "default", *fast[:-1], "w", "--watch", "jsonk")
    assert code == 2
    assert "did you mean 'jsonl'?" in err
