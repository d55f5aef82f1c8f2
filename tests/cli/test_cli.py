"""The command line, as a user meets it: what is written and said, and what a mistake costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait.data.read import read
from plait.errors import PlaitError


def made(rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows).round(3)
    return pd.DataFrame(
        {
            "loan id": [f"L{i:05d}" for i in range(rows)],
            "when": pd.date_range("2020-01-01", periods=rows).strftime("%Y-%m-%d"),
            "x": x,
            "kind": rng.choice(["a", "b"], rows),
            "branch": rng.choice([f"b{i}" for i in range(12)], rows),
            "w": rng.integers(1, 4, rows),
            "bad": np.where(x + rng.normal(size=rows) > 0, "yes", "no"),
            "loss": (2 * x + rng.normal(size=rows)).round(3),
        }
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made().to_csv(tmp_path / "loans.csv", index=False)
    return tmp_path / "loans.csv"


FAST = ("--fusion", "early", "--learner", "linear", "--jobs", "1")


@pytest.fixture
def fitted(run, data: Path) -> Path:
    said = run(
        "fit", data, "--target", "bad", "--time", "when", "--ignore", "loss,w", "--test", "0.3", *FAST, "-o", "run"
    )
    assert said.code == 0, said.err
    return data.parent / "run"


# Verbs


def test_a_long_table_is_named_once(run, data: Path) -> None:
    rng = np.random.default_rng(1)
    frame = made()
    keys = np.repeat(frame["loan id"].to_numpy(), 4)
    days = pd.to_datetime(np.repeat(frame["when"].to_numpy(), 4)) + pd.to_timedelta(rng.integers(-30, 5, 480), "D")
    table = pd.DataFrame({"loan id": keys, "at": days, "kind": rng.choice(["rent", "food", "pay"], 480), "paid": 1.5})
    table.to_csv("payments.csv", index=False)
    told = run(
        "inspect", data, "--target", "bad", "--time", "when", "--side", "payments=payments.csv,key=loan id,time=at"
    )
    assert told.code == 0, told.err
    assert "long table payments: 480 records by loan id" in told.out
    beside = ("--side", "payments=payments.csv,key=loan id,time=at", *FAST)
    said = run("fit", data, "--target", "bad", "--time", "when", "--ignore", "loss,w", *beside, "-o", "run")
    assert said.code == 0, said.err
    said = run("predict", "run/model.plait", data, "-o", "with.csv")  # the model knows where the table lies
    assert said.code == 0, said.err
    other = table.assign(kind="food", paid=200.0)
    other.to_csv("other.csv", index=False)
    assert run("predict", "run/model.plait", data, "--side", "payments=other.csv", "-o", "other_rows.csv").code == 0
    assert Path("with.csv").read_text() != Path("other_rows.csv").read_text()


def test_fit_writes_a_model_and_its_record(fitted: Path) -> None:
    names = {path.name for path in fitted.iterdir()}
    assert names >= {"model.plait", "run.json", "schema.yaml", "evaluation.json", "roc.png", "reliability.png"}
    record = json.loads((fitted / "run.json").read_text())
    assert record["data"]["rows"] == 120
    assert (record["data"]["test_rows"], record["data"]["split"], record["rows"]) == (36, "time", 84)
    assert record["configuration"]["fusion"] == "early"
    assert {"plan", "schema", "seconds", "seed", "threads", "versions", "faults", "metrics"} <= set(record)
    assert plait.Schema.read(fitted / "schema.yaml") == plait.load(fitted / "model.plait").schema_


def test_fit_speaks_json_on_standard_output_alone(run, data: Path) -> None:
    said = run("fit", data, "--target", "bad", *FAST, "-o", "run", "--json")
    assert said.json["task"] == "classification"
    assert said.json["data"]["split"] == "class"
    assert "rows to fit" in said.err


def test_fit_tells_a_value_from_a_class(run, data: Path) -> None:
    said = run("fit", data, "--target", "loss", "--group", "branch", "--weight", "w", *FAST, "-o", "run", "--json")
    assert (said.json["task"], said.json["data"]["split"]) == ("regression", "group")
    assert {figure["metric"] for figure in said.json["metrics"]} == {"rmse", "mae", "r2", "spearman"}
    assert run("predict", "run/model.plait", data, "-o", "p.csv").code == 0
    assert list(read("p.csv").columns) == ["loan id", "prediction"]


def test_nothing_is_judged_where_nothing_is_held_out(run, data: Path) -> None:
    assert run("fit", data, "--target", "bad", "--test", "0", *FAST, "-o", "run").code == 0
    assert not (data.parent / "run" / "evaluation.json").exists()


def test_a_plan_is_replayed_to_the_same_figures(run, data: Path) -> None:
    first = run("fit", data, "--target", "bad", *FAST, "--option", "linear.strength=0.1", "-o", "a", "--json")
    assert first.code == 0, first.err
    again = run("fit", data, "--target", "bad", "--plan", "a/run.json", "--jobs", "1", "-o", "b", "--json")
    assert again.json["metrics"] == first.json["metrics"]
    assert again.json["plan"] == first.json["plan"]


def test_a_dry_run_shows_the_plan_and_writes_nothing(run, data: Path) -> None:
    said = run("fit", data, "--target", "bad", "--jobs", "1", "--dry-run", "--json")
    assert said.code == 0, said.err
    assert said.json["plan"]["parts"]
    assert said.json["estimated_seconds"] > 0
    assert [path.name for path in data.parent.iterdir()] == ["loans.csv"]


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl", "p.parquet"])
def test_predict_keeps_order_and_identifiers(run, data: Path, fitted: Path, name: str) -> None:
    said = run("predict", "run/model.plait", data, "-o", name, "--json")
    assert said.json["rows"] == 120
    assert said.json["ignored"] == []
    predicted = read(data.parent / name)
    assert list(predicted.columns) == ["loan id", "prediction", "probability_no", "probability_yes"]
    assert predicted["loan id"].tolist() == made()["loan id"].tolist()
    np.testing.assert_allclose(predicted["probability_no"] + predicted["probability_yes"], 1)


def test_columns_the_model_does_not_know_are_ignored_and_said(run, data: Path, fitted: Path) -> None:
    made().assign(rumour=1).to_csv(data.parent / "more.csv", index=False)
    said = run("predict", "run/model.plait", "more.csv", "-o", "p.csv")
    assert said.code == 0
    assert "rumour" in said.err
    assert "the target 'bad' is among the columns; it is not read" in said.err


def test_evaluate_judges_and_draws(run, data: Path, fitted: Path) -> None:
    said = run("evaluate", "run/model.plait", data, "--pictures", "drawn", "--json")
    assert said.json["n"] == 120
    assert (data.parent / "drawn" / "roc.png").is_file()
    assert "roc_auc" in run("evaluate", "run/model.plait", data).out


def test_inspect_writes_a_schema_that_fit_takes(run, data: Path) -> None:
    said = run(
        "inspect", data, "--target", "bad", "--ignore", "loss", "--sensitive", "kind", "--write-schema", "s.yaml"
    )
    assert said.code == 0
    assert "loan id" in said.out
    assert run("fit", data, "--schema", "s.yaml", "--target", "bad", *FAST, "-o", "run").code == 0
    assert run("inspect", data, "--write-schema", "s.yaml").code == 2
    assert "change it there" in run("fit", data, "--schema", "s.yaml", "--target", "x", "-o", "no").err


def test_list_names_every_part(run) -> None:
    parts = run("list", "--json").json
    assert set(parts["learners"]) >= {"lightgbm", "linear"}
    assert "options" in run("list", "fusions").out


def test_help_and_version(run) -> None:
    assert run("--version").out.strip() == plait.__version__
    for verb in ("inspect", "fit", "predict", "evaluate", "compare", "list", "demo"):
        said = run(verb, "--help")
        assert (said.code, "--json" in said.out) == (0, True)


# Mistakes


def broken(**columns: object) -> pd.DataFrame:
    return made().assign(**columns)


DATA_MISTAKES = {
    "one class": (broken(bad="yes"), ["--target", "bad"], "class"),
    "all-NaN target": (broken(bad=np.nan), ["--target", "bad"], "missing"),
    "infinite target": (broken(loss=[np.inf, *made()["loss"][1:]]), ["--target", "loss", "--test", "0"], "inf"),
    "infinite weight": (broken(w=[np.inf, *made()["w"][1:]]), ["--target", "bad", "--weight", "w"], "'w'"),
    "missing target": (made(), ["--target", "baad"], "'bad'"),
    "no target": (made(), [], "--target"),
    "a time that does not parse": (made(), ["--target", "bad", "--time", "kind"], "'kind'"),
    "target among the features": (made(), ["--target", "bad", "--time", "bad"], "one role"),
    "an unknown fusion": (made(), ["--target", "bad", "--fusion", "erly"], "did you mean 'early'"),
    "an unknown part": (made(), ["--target", "bad", "--option", "liner.strength=1"], "liner"),
    "an unknown option of a part": (made(), ["--target", "bad", *FAST, "--option", "linear.strenght=1"], "'strength'"),
    "an option without a part": (made(), ["--target", "bad", "--option", "strength=1"], "PART.OPTION"),
    "an option that is no YAML": (made(), ["--target", "bad", "--option", "linear.strength=["], "quote"),
    "an option twice": (made(), ["--target", "bad", "--option", "a.b=1", "--option", "a.b=2"], "twice"),
    "a share out of range": (made(), ["--target", "bad", "--test", "1"], "--test"),
    "no such task": (made(), ["--target", "bad", "--task", "guess"], "regression"),
    "classes as values": (made(), ["--target", "bad", "--task", "regression"], "numeric"),
    "no such plan": (made(), ["--target", "bad", "--plan", "none.json"], "--plan"),
    "no such schema": (made(), ["--target", "bad", "--schema", "none.yaml"], "none.yaml"),
    "no such time budget": (made(), ["--target", "bad", "--time-budget", "soon"], "soon"),
    "a long table without its key": (made(), ["--target", "bad", "--side", "a=b.csv"], "a=b.csv,key=COLUMN"),
    "a long table with a time alone": (made(), ["--target", "bad", "--side", "a=b.csv,time=t"], "no key"),
    "a long table that is not there": (made(), ["--target", "bad", "--side", "a=b.csv,key=x"], "no file"),
    "a part of a long table": (made(), ["--target", "bad", "--side", "a=b.csv,keys=x"], "'key'"),
    "no evidence left": (made()[["bad", "w"]], ["--target", "bad", "--weight", "w"], "no column"),
}


@pytest.mark.parametrize("mistake", DATA_MISTAKES)
def test_a_mistake_costs_one_line_and_nothing_is_written(run, tmp_path: Path, mistake: str) -> None:
    frame, arguments, said = DATA_MISTAKES[mistake]
    frame.to_csv(tmp_path / "loans.csv", index=False)
    refused(run("fit", "loans.csv", *arguments, "-o", "run"), said)
    assert [path.name for path in tmp_path.iterdir()] == ["loans.csv"]


FILE_MISTAKES = {
    "no file": (None, "no file"),
    "an empty file": (b"", "empty"),
    "duplicate columns": (b"a,a,bad\n1,2,yes\n1,2,no\n", "'a'"),
    "a ragged file": (b"a,bad\n1,yes\n1\n", "line 3"),
    "another encoding": ("a,bad\né,yes\n".encode("latin-1"), "utf-8"),
    "a header alone": (b"a,bad\n", ""),
}


@pytest.mark.parametrize("mistake", FILE_MISTAKES)
def test_a_bad_file_costs_one_line_and_nothing_is_written(run, tmp_path: Path, mistake: str) -> None:
    content, said = FILE_MISTAKES[mistake]
    if content is not None:
        (tmp_path / "loans.csv").write_bytes(content)
    refused(run("fit", "loans.csv", "--target", "bad", "-o", "run"), said)
    assert not (tmp_path / "run").exists()


def refused(said: Any, why: str) -> None:
    last = said.err.strip().splitlines()[-1]
    assert said.code == 2, said.err
    assert last.startswith("plait: error: ")
    assert why in last
    assert "Traceback" not in said.err


def test_prediction_data_that_lacks_columns_is_refused_by_name(run, data: Path, fitted: Path) -> None:
    made().drop(columns=["x", "kind"]).to_csv("less.csv", index=False)
    said = run("predict", "run/model.plait", "less.csv", "-o", "p.csv")
    refused(said, "'x'")
    refused(said, "'kind'")
    refused(run("predict", "run/model.plait", data, "-o", "p.docx"), ".docx")
    refused(run("predict", "nowhere.plait", data, "-o", "p.csv"), "nowhere.plait")
    made().drop(columns="bad").to_csv("unlabelled.csv", index=False)
    refused(run("evaluate", "run/model.plait", "unlabelled.csv"), "'bad'")
    assert not list(data.parent.glob("p.*"))


def test_a_wrong_command_line_says_what_was_meant(run, data: Path) -> None:
    refused(run("fti", data), "'fit'")
    refused(run("fit", data, "--tagret", "bad"), "did you mean '--target'?")
    refused(run("fit", data, "--target", "bad"), "-o DIR")
    refused(run("fit", data, "--target", "bad", "--seed", "one", "-o", "run"), "--seed")
    refused(run("fit"), "DATA")
    refused(run("fit", data, "--target", "bad", "-o", data / "run"), "folder")
    refused(run("list", "learner"), "'learners'")


def test_infinity_in_a_feature_is_a_fault_and_missing(run, data: Path) -> None:
    broken(x=[np.inf, *made()["x"][1:]]).to_csv(data, index=False)
    said = run("fit", data, "--target", "bad", "--test", "0", *FAST, "-o", "run", "--json")
    assert said.json["faults"][0]["column"] == "x"
    assert "'x'" in said.err


def test_a_mistake_of_ours_is_shown_as_one(run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_read(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("plait.data.read.read", broken_read)
    said = run("inspect", data)
    assert said.code == 1
    assert "Traceback" in said.err
    assert "internal error: ZeroDivisionError" in said.err


def test_what_a_terminal_cannot_show_stops_nothing(data: Path) -> None:
    made().rename(columns={"x": "收入 [red]"}).to_csv(data, index=False)
    done = subprocess.run(
        [sys.executable, "-c", "from plait.cli import main; main()", "inspect", str(data)],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert b"[red]" in done.stdout


def test_refusals_are_plait_errors() -> None:
    with pytest.raises(PlaitError, match="no column"):
        plait.Schema.infer(made(), target="nothing")


@pytest.mark.slow
def test_demo_tells_the_story(run, tmp_path: Path) -> None:
    said = run("demo", "--rows", "1500", "-o", "demo", "--json")
    assert said.code == 0, said.err
    auc = said.json["roc_auc"]
    alone = [value for name, value in auc.items() if name not in {"all", "oracle"}]
    assert len(alone) == 3
    assert max(alone) < auc["all"] < auc["oracle"] + 0.02
    assert plait.load(tmp_path / "demo" / "loans.plait").predict(plait.samples.loans(5)).shape == (5,)
