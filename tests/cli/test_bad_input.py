"""Files, plans, schemas and options that are wrong: exit code 2, one line, nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest


def made(rows: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = {
        "when": pd.date_range("2020-01-01", periods=rows).strftime("%Y-%m-%d"),
        "x": rng.normal(size=rows).round(3),
        "w": rng.integers(1, 4, rows),
        "bad": rng.choice(["yes", "no"], rows),
    }
    return pd.DataFrame(frame)


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> Path:
    made().to_csv(tmp_path / "loans.csv", index=False)
    return tmp_path / "loans.csv"


FAST = ("--target", "bad", "--fusion", "early", "--learner", "linear", "--jobs", "1")


def refused(run: Any, tmp_path: Path, said: str, *arguments: object) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    answer = run(*arguments)
    assert answer.code == 2, answer.err
    last = answer.err.strip().splitlines()[-1]
    assert last.startswith("plait: error: ")
    assert said in last
    assert "Traceback" not in answer.err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


FILES: dict[str, tuple[str, bytes | None, str]] = {
    "no file": ("loan.csv", None, "did you mean 'loans.csv'?"),
    "an empty file": ("a.csv", b"", "empty"),
    "a ragged file": ("a.csv", b"a,bad\n1,yes\n1\n", "line 3: expected 2 cells, found 1"),
    "an open quote": ("a.csv", b'a,bad\n1,"yes\n2,no\n', "line 2"),
    "two columns of a name": ("a.csv", b"a,bad,a\n1,yes,2\n", "'a'"),
    "another encoding": ("a.csv", made().to_csv().encode("utf-16"), "not utf-8: byte 0"),
    "no such kind": ("a.xlsx", b"PK", "'.xlsx'"),
    "no parquet": ("a.parquet", b"PAR1 and so on", "cannot read 'a.parquet'"),
    "no arrow": ("a.arrow", b"ARROW1 and so on", "cannot read 'a.arrow'"),
    "no gzip": ("a.csv.gz", b"\x1f\x8b and so on", "cannot read 'a.csv.gz'"),
    "no object a line": ("a.jsonl", b'{"bad": 1}\n[1]\n', "line 2: expected a JSON object"),
}


@pytest.mark.parametrize("mistake", FILES)
@pytest.mark.parametrize("verb", ["fit", "inspect"])
def test_files(run: Any, tmp_path: Path, verb: str, mistake: str) -> None:
    name, content, said = FILES[mistake]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(run, tmp_path, said, verb, name, *(FAST if verb == "fit" else ()), *(("-o", "run") * (verb == "fit")))


WHOLE = {"fusion": "auto", "learner": None, "options": {}}
PLANS = {
    "no JSON": ("{", "holds no plan"),
    "no plan in it": ("{}", "holds no plan"),
    "a plan of nothing": ({"plan": {}}, "lacks fusion, learner or options"),
    "no parts": ({"plan": {**WHOLE, "parts": []}}, "not a list of parts"),
    "an unknown source": ({"plan": {**WHOLE, "parts": [{"name": "a", "fusion": "early", "source": "b"}]}}, "'b'"),
    "an unknown fusion": ({"plan": {**WHOLE, "fusion": ["auto"]}}, "unknown fusion"),
    "wrong options": ({"plan": {**WHOLE, "options": {"linear": {"strength": "x"}}}}, "strength='x' is out of range"),
}


@pytest.mark.parametrize("mistake", PLANS)
def test_plans(run: Any, tmp_path: Path, mistake: str) -> None:
    content, said = PLANS[mistake]
    (tmp_path / "run.json").write_text(content if isinstance(content, str) else json.dumps(content))
    refused(run, tmp_path, said, "fit", "loans.csv", "--target", "bad", "--plan", "run.json", "-o", "run")


OPTIONS = {
    "a value of a wrong kind": (["--option", "linear.strength=much"], "strength='much' is out of range"),
    "an unknown option of a part not used": (["--option", "lightgbm.leafs=3"], "did you mean 'leaves'"),
    "an unknown part": (["--option", "liner.strength=3"], "did you mean 'linear'"),
    "a value out of range": (["--option", "early.masking=3"], "masking=3 is out of range (allowed: 0 to 1)"),
    "a learner where there is none": (["--fusion", "attention"], "takes no learner"),
    "an unknown learner": (["--learner", "lightgm"], "did you mean 'lightgbm'"),
    "a label time without a time": (["--label-time", "when"], "'when' says nothing without a time"),
    "no budget at all": (["--fusion", "auto", "--time-budget", "0"], "must be above 0"),
    "one column, two roles": (["--weight", "bad"], "one role"),
    "a weight that is no number": (["--weight", "when"], "'when'"),
    "an unknown option": (["--trget", "bad"], "did you mean '--target'?"),
    "no share": (["--test", "nan"], "--test nan is out of range"),
}


@pytest.mark.parametrize("mistake", OPTIONS)
def test_options(run: Any, tmp_path: Path, mistake: str) -> None:
    arguments, said = OPTIONS[mistake]
    refused(run, tmp_path, said, "fit", "loans.csv", *FAST, *arguments, "-o", "run")


SCHEMAS = {
    "no YAML": ("columns: [", "not YAML"),
    "an unknown column": ("version: 1\ncolumns: {x: table, y: table, bad: target}", "'y'"),
    "an unknown modality": ("version: 1\ncolumns: {x: tabel, bad: target}", "did you mean 'table'"),
    "nothing to learn from": ("version: 1\ncolumns: {bad: target}", "no column is left"),
    "an unknown value": (
        "version: 1\ncolumns: {x: {modality: table, options: {clean: zscoer}}, bad: target}",
        "did you mean 'zscore'",
    ),
}


@pytest.mark.parametrize("mistake", SCHEMAS)
def test_schemas(run: Any, tmp_path: Path, mistake: str) -> None:
    content, said = SCHEMAS[mistake]
    (tmp_path / "s.yaml").write_text(content)
    refused(run, tmp_path, said, "fit", "loans.csv", *FAST, "--schema", "s.yaml", "-o", "run")


def test_what_is_done_with_a_model(run: Any, tmp_path: Path) -> None:
    model = tmp_path / "run" / "model.plait"
    assert run("fit", "loans.csv", *FAST, "--time", "when", "--test", "0", "-o", "run").code == 0
    made().drop(columns=["x", "w"]).to_csv("less.csv", index=False)
    made().assign(bad="maybe").to_csv("other.csv", index=False)
    made().assign(when="soon").to_csv("unread.csv", index=False)
    for said, arguments in (
        ("lacks 2 column(s) that the model reads: 'w', 'x'", ("predict", model, "less.csv", "-o", "p.csv")),
        ("lacks 2 column(s)", ("evaluate", model, "less.csv")),
        ("'soon' does not parse", ("predict", model, "unread.csv", "-o", "p.csv")),
        ("no known class, first 'maybe'", ("evaluate", model, "other.csv")),
        ("nowhere", ("predict", model, "loans.csv", "-o", "nowhere/p.csv")),
        ("loans.csv", ("evaluate", model, "loans.csv", "--pictures", "loans.csv")),
        ("no folder", ("fit", "loans.csv", *FAST, "-o", "loans.csv/run")),
        ("loans.csv", ("predict", "loans.csv", "loans.csv", "-o", "p.csv")),
    ):
        refused(run, tmp_path, said, *arguments)
    (model / "state.json").write_text("{}")
    refused(run, tmp_path, "state.json", "predict", model, "loans.csv", "-o", "p.csv")
