"""Several targets on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import plait
from plait.cli import main
from plait.cli.multitask import draw_each

FAST = ("--fusion", "early", "--learner", "linear", "--jobs", "1")
SEVERAL = ("--target", "bad", "--target", "loss")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over two targets, with some labels missing."""
    folder = tmp_path_factory.mktemp("several")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(240, 3)), columns=["a", "b", "c"])
    frame["bad"] = (frame["a"] + rng.normal(size=240) > 0).astype(int)
    frame["loss"] = (frame["a"] + rng.normal(size=240)).where(rng.random(240) < 0.5)
    frame.to_csv(folder / "rows.csv", index=False)
    options = ("--task", "loss={head: quantile, levels: [0.05, 0.5, 0.95]}", *FAST, "-o", str(folder / "run"), "--json")
    with pytest.raises(SystemExit) as ended:
        main(["fit", str(folder / "rows.csv"), *SEVERAL, *options])
    assert ended.value.code == 0
    return folder


def test_a_run_tells_of_every_target(folder: Path):
    record = json.loads((folder / "run" / "run.json").read_text())
    assert record["task"] == "several"
    assert record["targets"]["loss"]["head"] == "quantile"
    assert record["configuration"]["fusion"] == "early"
    assert set(record["metrics"]) == {"bad", "loss"}
    told = json.loads((folder / "run" / "evaluation.json").read_text())
    assert told["targets"]["bad"]["n"] == 60
    assert (folder / "run" / "bad" / "roc.png").is_file()
    assert not (folder / "run" / "loss").exists()


def test_it_predicts_and_judges_other_rows(run, folder: Path):
    model, rows = folder / "run" / "model.plait", folder / "rows.csv"
    assert run("predict", model, rows, "-o", "p.csv").code == 0
    found = pd.read_csv("p.csv")
    assert list(found.columns)[:4] == ["bad", "bad_probability_0", "bad_probability_1", "loss_0.05"]
    assert set(run("evaluate", model, rows, "--json").json["targets"]) == {"bad", "loss"}
    assert "--lift is about one target" in run("evaluate", model, rows, "--lift").err


def test_pictures_stand_apart_and_below_the_folder_whatever_targets_are_called(folder: Path, tmp_path: Path):
    frame = pd.read_csv(folder / "rows.csv").rename(columns={"bad": "..", "loss": "a/b"}).assign(a_b=1.5)
    frame.loc[0, "a_b"] = 2.5
    model = plait.MultiTask(["..", "a/b", "a_b"], fusion="early", learner="linear", n_jobs=1).fit(frame)
    drawn = draw_each(model.evaluate(frame), tmp_path / "run")
    assert {path.parent.parent for path in drawn} == {tmp_path / "run"}
    assert len({path.parent for path in drawn}) == 3


@pytest.mark.slow
def test_targets_that_do_not_tell_when_to_stop_are_named(run, folder: Path):
    frame = pd.read_csv(folder / "rows.csv").assign(day=pd.date_range("2024-01-01", periods=240))
    frame.assign(loss=frame["loss"].where(frame.index < 120)).to_csv("late.csv", index=False)
    network = ("--fusion", "parallel", "--option", "parallel.epochs=1", "--option", "parallel.width=4")
    said = run("fit", "late.csv", *SEVERAL, "--time", "day", *network, "--jobs", "1", "-o", "late")
    assert said.code == 0, said.err
    assert "note: parallel: no row that tells when to stop has a label of loss\n" in said.err


def test_a_dry_run_tells_the_time(run, folder: Path):
    assert run("fit", folder / "rows.csv", *SEVERAL, *FAST, "--dry-run", "--json").json["estimated_seconds"] > 0


MISTAKES = {
    "weights of one target": (["--target", "bad", "--weights", "equal"], "name more than one --target"),
    "one target with two tasks": (["--target", "bad", "--task", "regression", "--task", "x"], "more than once"),
    "calibration of several": ([*SEVERAL, "--calibrate", "auto"], "--calibrate is about one target"),
    "fairness of several": ([*SEVERAL, "--require-fair", "0.8"], "--require-fair is about one target"),
    "a budget of several": ([*SEVERAL, "--time-budget", "1min"], "--time-budget is about one target"),
    "a head of no target": ([*SEVERAL, "--task", "los=quantile"], "did you mean 'loss'"),
    "a head that cannot be read": ([*SEVERAL, "--task", "loss={head"], "--task loss: the value '{head' cannot be read"),
    "a head with wrong options": ([*SEVERAL, "--task", "loss={head: quantile, levels: [1]}"], "must rise"),
    "an unknown head": ([*SEVERAL, "--task", "loss=quantil"], "did you mean 'quantile'"),
    "weights that say nothing": ([*SEVERAL, "--weights", "bad=1,loss=0.5"], "learns each target alone"),
    "weights that are none": ([*SEVERAL, "--weights", "bad=much"], "give numbers"),
    "no such column": (["--target", "bad", "--target", "lost"], "lost"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_cost_one_line(case: str, run, folder: Path):
    arguments, message = MISTAKES[case]
    said = run("fit", folder / "rows.csv", *arguments, *FAST, "-o", "new")
    assert said.code not in (0, None)
    assert message in said.err
    assert "Traceback" not in said.err
    assert not Path("new/model.plait").exists()


def test_verbs_of_one_target_say_so(run, folder: Path):
    for arguments in (
        ["explain", folder / "run" / "model.plait", folder / "rows.csv"],
        ["report", folder / "run", "-o", "r.html"],
    ):
        assert "predicts several targets (bad, loss)" in run(*arguments).err
