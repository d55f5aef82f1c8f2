"""``plait fair`` and the gate of ``plait fit`` and ``plait evaluate``: a planted bias is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plait

Run = Callable[..., Any]
FAST = ("--target", "default", "--sensitive", "origin", "--fusion", "early", "--learner", "linear", "--jobs", "1")


@pytest.fixture
def run(run: Run) -> Run:
    """Commands beside biased rows and their fair counterpart."""
    for name, fair in (("biased", False), ("fair", True)):
        plait.samples.biased(1600, 0, fair=fair).drop(columns=["letter", "age"]).to_csv(f"{name}.csv", index=False)
    return run


def test_a_gate_refuses_and_leaves_nothing_that_looks_accepted(run: Run, tmp_path: Path) -> None:
    good = run("fit", "fair.csv", *FAST, "--require-fair", "0.8", "-o", "run")
    assert good.code == 0, good.err
    assert (tmp_path / "run/model.plait").exists()
    assert json.loads((tmp_path / "run/run.json").read_text())["accepted"] is True
    bad = run("fit", "biased.csv", *FAST, "--require-fair", "0.8", "-o", "run")
    assert bad.code == 3
    assert "note: refused: unfair below 0.8: origin: four-fifths ratio 0." in bad.err
    assert not (tmp_path / "run/model.plait").exists()
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["accepted"] is False
    assert record["refused"].startswith("unfair below 0.8")
    assert json.loads((tmp_path / "run/fairness.json").read_text())["attributes"][0]["name"] == "origin"
    judged = run("evaluate", "run/refused.plait", "biased.csv", "--require-fair", "0.8", "--json")
    assert judged.code == 3
    assert json.loads(judged.out)["fairness"]["n"] == 1600
    shown = run("fair", "run/refused.plait", "biased.csv", "-o", "pictures", "--require-fair", "0.2")
    assert shown.code == 0, shown.err
    assert "told by" in shown.out
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["fairness_1.png", "fairness_curve_1.png"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--require-fair", "0.8"), "needs columns to judge by"),
        (("--require-fair", "0.8", "--sensitive", "origin", "--test", "0"), "needs rows held out"),
        (
            ("--require-fair", "0.8", "--sensitive", "origin", "--task", "regression"),
            "judges decisions between classes",
        ),
        (("--require-fair", "8", "--sensitive", "origin"), "out of range"),
    ],
)
def test_a_gate_that_cannot_be_asked_is_told_before_fitting(run: Run, more: tuple[str, ...], said: str) -> None:
    refused = run("fit", "fair.csv", "--target", "default", "--fusion", "early", *more, "-o", "run")
    assert refused.code == 2
    assert said in refused.err
