"""Judging on the command line: slices, costs, lift, two models, and data that can tell little."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait.metrics.value import Costs

Run = Callable[..., Any]


def made(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows).round(3)
    words = np.array(["asks", "for", "more", "time", "rent", "salary", "month", "will", "pay", "call", "again", "late"])
    notes = [" ".join(rng.choice(words, 9)) for _ in range(rows)]
    return pd.DataFrame(
        {
            "when": pd.date_range("2020-01-01", periods=rows).strftime("%Y-%m-%d"),
            "x": x,
            "kind": rng.choice(["a", "b", "c"], rows),
            "note": np.where(rng.random(rows) < 0.7, notes, None),
            "amount": rng.integers(100, 900, rows),
            "bad": np.where(x + 0.7 * rng.normal(size=rows) > 0.4, "yes", "no"),
            "loss": (2 * x + rng.normal(size=rows)).round(3),
        }
    )


EVIDENCE = ["when", "x", "kind", "note", "amount"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three saved models and rows that they have not seen."""
    there = tmp_path_factory.mktemp("judging")
    train = made()
    for name, columns, target in (
        ("good", EVIDENCE, "bad"),
        ("poor", ["when", "kind"], "bad"),
        ("value", EVIDENCE, "loss"),
    ):
        schema = plait.Schema.infer(train[[*columns, target]], target=target, time="when")
        kind = plait.Regressor if target == "loss" else plait.Classifier
        fitted = kind(schema=schema, fusion="early", learner="linear", n_jobs=1).fit(train[columns], train[target])
        fitted.save(there / f"{name}.plait")
    made(seed=1).to_csv(there / "rows.csv", index=False)
    return there


def refused(said: Any, why: str) -> None:
    last = said.err.strip().splitlines()[-1]
    assert said.code == 2, said.err
    assert last.startswith("plait: error: ")
    assert why in last
    assert "Traceback" not in said.err


# What is asked for


def test_evaluate_shows_slices_costs_and_lift(run: Run, folder: Path) -> None:
    said = run(
        "evaluate", "good.plait", "rows.csv", "--slice", "kind,when", "--slice", "amount",
        "--cost", "FP=1,FN=5", "--lift", "--pictures", "drawn",
    )  # fmt: skip
    assert said.code == 0, said.err
    for told in ("kind = a", "when = up to 2020-", "note = absent", "best 0.", "implied 0.1667", "band", "selected"):
        assert told in said.out
    assert {"gain.png", "profit.png", "roc.png"} <= {path.name for path in (folder / "drawn").iterdir()}


def test_json_holds_all_that_was_asked_for(run: Run) -> None:
    said = run(
        "evaluate",
        "good.plait",
        "rows.csv",
        "--slice",
        "kind",
        "--cost",
        "FN=0.6,FP=0.1",
        "--amount",
        "amount",
        "--json",
    )
    assert set(said.json) >= {"figures", "slices", "thresholds", "profit"}
    assert "lift" not in said.json
    assert {each["column"] for each in said.json["slices"]["slices"]} == {"kind", "note"}
    plain = run("evaluate", "good.plait", "rows.csv", "--json").json
    assert not {"slices", "lift", "thresholds", "profit"} & set(plain)
    by_column = run("evaluate", "good.plait", "rows.csv", "--cost", "FP=1,FN=amount", "--json").json
    assert by_column["thresholds"]["implied"]["threshold"] is None  # it differs by row


def test_the_command_line_says_what_python_says(run: Run, folder: Path) -> None:
    model, rows = plait.load(folder / "good.plait"), pd.read_csv(folder / "rows.csv")
    said = run("evaluate", "good.plait", "rows.csv", "--slice", "kind", "--cost", "FP=1,FN=5", "--lift", "--json").json
    judged = model.judge(rows, rows["bad"])
    assert said["slices"] == judged.slices(["kind"]).to_json() == model.slices(rows, rows["bad"], ["kind"]).to_json()
    assert said["thresholds"] == judged.thresholds(Costs(1, 5)).to_json()
    assert said["lift"] == judged.lift().to_json()
    assert model.evaluate(rows, rows["bad"]).to_json()["figures"] == said["figures"]


def test_permutations_and_the_threshold(run: Run) -> None:
    said = run("evaluate", "good.plait", "rows.csv", "--permutations", "40", "--threshold", "0.2", "--json").json
    assert said["permutations"]["chance"]["p"] == pytest.approx(1 / 41)
    assert set(said["permutations"]["others"]) == {"constant", "linear", "lightgbm"}
    plain = run("evaluate", "good.plait", "rows.csv", "--json").json
    recall = [next(f["value"] for f in each["figures"] if f["metric"] == "recall") for each in (said, plain)]
    assert (said["threshold"], plain["threshold"]) == (0.2, 0.5)
    assert recall[0] > recall[1]


def test_compare_tells_which_is_better(run: Run) -> None:
    said = run("compare", "good.plait", "poor.plait", "rows.csv")
    assert said.code == 0, said.err
    assert said.out.startswith("300 rows: by roc_auc, good.plait is better than poor.plait (p ")
    told = run("compare", "poor.plait", "good.plait", "rows.csv", "--json").json
    assert (told["verdict"], told["first"]) == ("worse", "poor.plait")
    same = run("compare", "good.plait", "good.plait", "rows.csv", "--json").json
    assert (same["verdict"], same["first"], same["second"]) == ("cannot tell", "A", "B")


MISTAKES = {
    "an unknown column": (["--slice", "knid"], "did you mean 'kind'"),
    "an unknown outcome": (["--cost", "FP=1,FM=2"], "unknown outcome in --cost 'FM'"),
    "a cost without its mate": (["--cost", "FP=1"], "--cost lacks FN"),
    "a cost that is no number": (["--cost", "FP=1,FN=kind"], "'kind' is no finite number in 300 row(s)"),
    "a cost of no column": (["--cost", "FP=1,FN=lots"], "unknown column 'lots'"),
    "a cost without a value": (["--cost", "FP"], "'FP' is not NAME=VALUE"),
    "costs that pay for mistakes": (["--cost", "FP=-1,FN=2"], "a mistake must not pay"),
    "no permutations": (["--permutations", "0"], "'--permutations'"),
    "a threshold that is no probability": (["--threshold", "2"], "'--threshold'"),
    "an amount without costs": (["--amount", "amount"], "name them with --cost"),
    "a negative amount": (["--cost", "FP=1,FN=2", "--amount", "x"], "amounts are negative"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_costs_one_line(run: Run, mistake: str) -> None:
    arguments, said = MISTAKES[mistake]
    refused(run("evaluate", "good.plait", "rows.csv", *arguments), said)


def test_what_does_not_fit_the_model_is_said(run: Run) -> None:
    refused(run("evaluate", "value.plait", "rows.csv", "--lift"), "--lift is about two classes, but this model")
    refused(run("evaluate", "value.plait", "rows.csv", "--cost", "FP=1,FN=2"), "--cost is about two classes")
    refused(run("compare", "good.plait", "value.plait", "rows.csv"), "predict different columns, 'bad' and 'loss'")
    assert run("evaluate", "value.plait", "rows.csv", "--slice", "kind").code == 0


# Data that can tell little


def all_of_it(run: Run, rows: pd.DataFrame) -> Any:
    """Everything asked of two models on these rows; the words of `evaluate`, after both forms and `compare` ran."""
    rows.to_csv("few.csv", index=False)
    everything = ("--slice", "kind,amount,when,note", "--cost", "FP=1,FN=5", "--lift")
    said = run("evaluate", "good.plait", "few.csv", *everything)
    compared = run("compare", "good.plait", "poor.plait", "few.csv", "--json")
    for each in (said, compared):
        assert each.code == 0, each.err
        assert "Warning" not in each.err
    assert compared.json["verdict"] in ("better", "worse", "cannot tell")
    assert json.loads(run("evaluate", "good.plait", "few.csv", *everything, "--json").out)["n"] == len(rows)
    return said


def test_one_row(run: Run) -> None:
    said = all_of_it(run, made(1))
    assert "1 rows; 2 classes" in said.out
    assert "roc_auc, pr_auc, ks of model undefined: all targets are equal" in said.out
    assert "there is one row, or one group: no interval can be told" in said.out


@pytest.mark.parametrize("label", ["no", "yes"])
def test_a_single_class(run: Run, label: str) -> None:
    said = all_of_it(run, made(120).assign(bad=label))
    assert "of model undefined: all targets are equal" in said.out
    assert f"no target is {'yes' if label == 'no' else 'no'}" in said.out


@pytest.mark.slow
def test_ten_thousand_categories(run: Run) -> None:
    rows = made(10_000).assign(kind=[f"kind {i}" for i in range(10_000)])
    rows.to_csv("many.csv", index=False)
    said = run("evaluate", "poor.plait", "many.csv", "--slice", "kind")
    assert said.code == 0, said.err
    assert "kind: 10,000 slice(s) left out (10,000 row(s))" in said.out


def test_constant_predictions(run: Run) -> None:
    rows = made(120).assign(x=0.0, kind="a", note=None, amount=500, when="2020-01-01")
    said = all_of_it(run, rows)
    assert run("evaluate", "good.plait", "few.csv", "--lift", "--cost", "FP=1,FN=5", "--pictures", "few").code == 0
    assert "all predictions of model are equal: it tells no row from another" in said.out
    assert "a threshold selects all rows or none" in said.out


def test_predictions_that_are_no_numbers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from plait.evidence import Fitted  # what every fitted fusion derives from

    told = Fitted.predict

    def broken(self: Fitted, *arguments: Any) -> plait.contracts.Prediction:
        prediction = told(self, *arguments)
        prediction.values[:2] = np.nan
        return prediction

    monkeypatch.setattr(Fitted, "predict", broken)
    refused(run("evaluate", "good.plait", "rows.csv"), "predictions of 'model' are NaN or infinite in 2 rows (0, 1)")
    refused(run("compare", "good.plait", "poor.plait", "rows.csv"), "NaN or infinite in 2 rows (0, 1)")
