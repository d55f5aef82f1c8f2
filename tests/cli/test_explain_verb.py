"""``plait explain``: words, tables, JSON and pictures of some rows, and what a mistake costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import plait
from plait import samples

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of loans, one of values, and rows to explain."""
    made = tmp_path_factory.mktemp("explain")
    frame = samples.loans(140, seed=2).drop(columns="balance")
    frame.iloc[120:].to_csv(made / "new.csv", index=False)
    fit = frame.iloc[:120]
    options = {"linear": {"strength": 0.1}}
    for name, target, kind in (("model", "default", plait.Classifier), ("values", "income", plait.Regressor)):
        known = fit.drop(columns="default") if name == "values" else fit
        known = known[known[target].notna()]
        schema = plait.Schema.infer(known, target=target, time="issued_at")
        estimator = kind(schema=schema, fusion="early", learner="linear", options=options, n_jobs=1)
        estimator.fit(known.drop(columns=target), known[target]).save(made / f"{name}.plait")
    return made


@pytest.fixture
def run(run: Run) -> Run:
    """One verb, by its arguments."""
    return partial(run, "explain")


def test_rows_are_told_in_words_and_tables(run: Run) -> None:
    said = run("model.plait", "new.csv", "--rows", "3,7", "--depth", "sources,columns")
    assert said.code == 0, said.err
    assert "row 3: The probability of default is" in said.out
    assert "row 7: The probability of default is" in said.out
    assert "what each source adds" in said.out
    assert "what each column adds to the score" in said.out
    assert "what counts inside cells" not in said.out


def test_json_and_pictures_of_all_depths(run: Run, folder: Path) -> None:
    said = run("model.plait", "new.csv", "--first", "1", "--language", "zh", "-o", "why", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert len(told["rows"]) == 1
    assert told["rows"][0]["words"].startswith("default 的概率为")
    assert {"sources", "columns", "cells"} <= set(told["rows"][0])
    assert json.loads((folder / "why/explanation.json").read_text("utf-8")) == told
    assert {"row-0-sources.png", "row-0-columns.png"} <= {path.name for path in (folder / "why").iterdir()}


def test_another_class_and_values(run: Run) -> None:
    said = run("model.plait", "new.csv", "--first", "1", "--depth", "sources", "--output", "0")
    assert "row 0: The probability of default = 0 is" in said.out
    said = run("values.plait", "new.csv", "--first", "1", "--depth", "sources")
    assert "row 0: The prediction of income is" in said.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("model.plait", "new.csv", "--rows", "20"), "--rows 20 is no row of the data (allowed: 0 to 19)"),
        (("model.plait", "new.csv", "--rows", "-1"), "--rows -1 is no row of the data"),
        (("model.plait", "new.csv", "--depth", "cell"), "unknown depth 'cell'"),
        (("model.plait", "new.csv", "--scale", "odds"), "unknown scale 'odds'"),
        (("model.plait", "new.csv", "--language", "fr"), "unknown language 'fr'"),
        (("model.plait", "new.csv", "--output", "7"), "unknown class '7'"),
        (("values.plait", "new.csv", "--output", "7"), "this model predicts values"),
        (("nothing.plait", "new.csv"), "there is no such model"),
    ],
)
def test_mistakes_are_told_in_one_line(run: Run, arguments: tuple[str, ...], told: str) -> None:
    said = run(*arguments)
    assert said.code == 2
    assert told in said.err
    assert [line for line in said.err.splitlines() if not line.startswith("note: ")] == said.err.splitlines()[-1:]
