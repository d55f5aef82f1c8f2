"""Odd but legal, and wrong: options that do not fit the model, places that cannot be written, rows that tell little."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of two classes, of three and of values, in one folder with their rows."""
    made = tmp_path_factory.mktemp("odd")
    rows = plait.samples.biased(120, 0)[["origin", "age", "income", "late_payments", "default"]]
    rows.to_csv(made / "two.csv", index=False)
    kinds = np.where(rows["income"] > rows["income"].median(), "rich", rows["default"].map({0: "good", 1: "bad"}))
    rows.assign(default=kinds).to_csv(made / "three.csv", index=False)
    rows.assign(default=rows["income"] / 1000).to_csv(made / "values.csv", index=False)
    for name in ("two", "three", "values"):
        frame = pd.read_csv(made / f"{name}.csv")
        estimator = plait.Regressor if name == "values" else plait.Classifier
        schema = plait.Schema.infer(frame, target="default")
        model = estimator(schema=schema, fusion="early", learner="linear", n_jobs=1)
        model.fit(frame.drop(columns="default"), frame["default"]).save(made / f"{name}.plait")
    return made


@pytest.fixture
def run(run: Callable[..., Any]) -> Run:
    """Commands as they are typed."""
    return lambda line: run(*line.split())


def main_of(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("evaluate three.plait three.csv --threshold 0.3", "--threshold is about two classes"),
        ("evaluate three.plait three.csv --cost FP=1,FN=2", "--cost is about two classes"),
        ("evaluate values.plait values.csv --lift", "--lift is about two classes, but this model predicts values"),
        ("evaluate two.plait two.csv --favourable 0", "give that, too"),
        ("fair three.plait three.csv --sensitive origin --favourable good --threshold 0.3", "about two classes"),
        ("fair two.plait two.csv --sensitive age --bins income=3", "unknown sensitive column in bins 'income'"),
        ("fair two.plait two.csv --sensitive age --bins age=30,nan", "give finite numbers to cut at"),
        ("fit two.csv --target default -o run --favourable 0", "--favourable needs columns to judge by"),
        ("fit two.csv --target default -o run --threshold 0.4", "--threshold needs columns to judge by"),
        ("fit two.csv --target default -o run --sensitive origin --favourable yes", "unknown class 'yes'"),
        ("overview two.plait two.csv --rows -5", "--rows"),
        ("predict two.plait two.csv -o .", "it is a folder; name a file"),
        ("predict two.plait two.csv -o nowhere/out.csv", "'nowhere' is no folder that can be written to"),
        ("fair two.plait two.csv --sensitive origin -o two.csv", "cannot make the folder 'two.csv'"),
        ("stress two.plait two.csv --only numbers -o two.csv", "cannot make the folder 'two.csv'"),
        ("drift two.csv two.csv --model two.plait --ignore age", "--ignore says what columns are, but the model knows"),
        ("drift two.csv two.csv -o two.csv", "cannot make the folder 'two.csv'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run: Run, folder: Path, line: str, said: str) -> None:
    code, out, err = run(f"{line} --json")
    assert (code, out) == (2, "")
    assert err.count("plait: error:") == 1
    assert said in err.splitlines()[-1]
    assert not (folder / "run").exists()


@pytest.mark.parametrize("verb", ["evaluate", "fair", "stress", "overview"])
def test_a_file_without_rows_is_called_that(run: Run, folder: Path, verb: str) -> None:
    pd.read_csv(folder / "two.csv").head(0).to_csv(folder / "none.csv", index=False)
    code, _, err = run(f"{verb} two.plait none.csv")
    assert (code, err) == (2, "plait: error: the data has no rows\n")


@pytest.mark.parametrize(
    "line",
    [
        "evaluate two.plait gb.csv",
        "predict two.plait gb.csv -o out.csv",
        "calibrate two.plait gb.csv -o new.plait --method platt",
        "compare two.plait two.plait gb.csv",
        "explain two.plait gb.csv --first 1",
        "overview two.plait gb.csv",
        "fair two.plait gb.csv --sensitive origin",
        "stress two.plait gb.csv --only numbers",
        "drift gb.csv gb.csv --model two.plait",
    ],
)
def test_every_verb_reads_other_encodings_and_masks(run: Run, folder: Path, line: str) -> None:
    rows = pd.read_csv(folder / "two.csv").assign(note="客户 13812345678")
    rows.to_csv(folder / "gb.csv", index=False, encoding="gb18030")
    code, _, err = run(f"{line} --encoding gb18030 --mask-personal")
    assert code == 0, err


def test_a_stress_that_nothing_can_suffer_is_told(run: Run) -> None:
    code, out, _ = run("stress two.plait two.csv --only pictures,numbers")
    assert code == 0
    assert "note: the model reads nothing that pictures could make worse" in out


def test_a_report_reads_no_other_long_table(run: Run, folder: Path) -> None:
    rows, table = plait.samples.payments_side(60, 0)
    rows.to_parquet(folder / "rows.parquet")
    table.to_parquet(folder / "payments.parquet")
    table.head(5).to_parquet(folder / "few.parquet")
    side = "--side payments=payments.parquet,key=customer,time=time"
    code, _, err = run(f"fit rows.parquet --target default --fusion early --learner linear --jobs 1 -o events {side}")
    assert code == 0, err
    code, _, err = run("report events -o page.html --side payments=few.parquet")
    assert code == 2
    assert "the long table 'payments' at few.parquet is not what the run was fitted on" in err
    assert not (folder / "page.html").exists()


def test_a_report_without_the_files_that_cells_name_is_refused(run: Run, folder: Path) -> None:
    (folder / "files").mkdir()
    fast = "--fusion early --learner linear --jobs 1"
    code, _, err = run(f"fit two.csv --target default {fast} --data-folder files -o filed")
    assert code == 0, err
    (folder / "files").rmdir()
    code, _, err = run("report filed -o filed.html")
    assert code == 2
    assert "the files that cells name lay in files, which is no folder now" in err


@pytest.mark.slow
def test_too_few_rows_held_out_leave_sections_out_and_no_markup_gets_in(run: Run, folder: Path) -> None:
    rows = pd.read_csv(folder / "two.csv").rename(columns={"age": "<b>age</b>", "default": "<img src=x>"})
    rows.to_csv(folder / "marked.csv", index=False)
    fast = "--fusion early --learner linear --jobs 1 --test 0.1"
    code = main_of(["fit", "marked.csv", "--target", "<img src=x>", *fast.split(), "-o", "marked"])
    assert code == 0
    code, out, err = run("report marked -o marked.html --rows 0 --json")
    assert code == 0, err
    drift = next(section for section in json.loads(out)["sections"] if section["key"] == "drift")
    assert drift["applies"] is False
    code, _, err = run("card marked -o marked.md --rules us")
    assert code == 0, err
    for name in ("marked.html", "marked.md"):
        text = (folder / name).read_text("utf-8")
        text = "".join(text.split("```")[::2]) if name.endswith("md") else text
        assert "<img src=x" not in text
        assert "<b>age" not in text


def test_an_overview_of_rows_that_lack_a_column_tells_the_others(run: Run, folder: Path) -> None:
    pd.read_csv(folder / "two.csv").assign(age=np.nan).to_csv(folder / "ageless.csv", index=False)
    code, out, err = run("overview two.plait ageless.csv --json")
    assert code == 0, err
    followed = [each["column"] for each in json.loads(out)["dependence"]]
    assert len(followed) == 3
    assert "age" not in followed


def test_hardly_a_row_a_class_is_no_reason_for_a_warning(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 2))
    labels = [f"class {i // 2}" for i in range(40)]
    model = plait.Classifier(fusion="early", learner="linear", n_jobs=1).fit(rows, labels)
    assert model.predict_proba(rows).shape == (40, 20)
