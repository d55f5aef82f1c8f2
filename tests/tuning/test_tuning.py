"""Searches of options: the same after a stop, never judged on what is tried on, held to spaces that parts declare."""

from __future__ import annotations

from inspect import signature
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import plait
from plait import registry
from plait.contracts import Between, OneOf
from plait.errors import ConfigError, DataError, PlaitError
from plait.tuning import read_space, space_of, tune

PARTS = [(kind, name) for kind in ("fusions", "learners") for name in registry.names(kind)]


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.Series]:
    """Numbers of which two tell, by time."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(240, 4)), columns=list("abcd"))
    y = (X["a"] + X["b"] + rng.normal(size=240) > 0).astype(int)
    return X.assign(at=pd.date_range("2024-01-01", periods=240, freq="D")), y


def linear(**options: object) -> plait.Classifier:
    return plait.Classifier(fusion="early", learner="linear", time="at", n_jobs=1, options={"linear": options})


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_declared_spaces_are_of_options_that_the_part_takes_with_the_default_inside(kind, name):
    part = registry.get(kind, name)
    takes = signature(part).parameters
    for option, where in getattr(part, "space", {}).items():
        default = takes[option].default
        inside = list(default) in where if isinstance(default, tuple) else default in where
        assert default is None or default == "auto" or inside, f"{name}.{option}={default!r} is not in {where}"
        ends = where.values if isinstance(where, OneOf) else (where.low, where.high)
        for value in ends:
            registry.make(kind, name, {option: value})  # every end can be tried


def test_a_search_that_goes_on_after_a_stop_is_the_one_that_never_stopped(rows, tmp_path):
    X, y = rows
    folders = [tmp_path / name for name in "ab"]
    whole = tune(linear(), X, y, trials=11, folder=folders[0])
    tune(linear(), X, y, trials=4, folder=folders[1])
    again = tune(linear(), X, y, trials=11, folder=folders[1], resume=True)
    assert again.trials == whole.trials
    assert again.options == whole.options
    np.testing.assert_array_equal(again.estimator.predict_proba(X), whole.estimator.predict_proba(X))
    with pytest.raises(DataError, match="holds trials already"):
        tune(linear(), X, y, trials=11, folder=folders[0])
    for other in ((X.assign(a=0.0), y), (X, 1 - y), (X, y, np.ones(len(X)))):
        with pytest.raises(DataError, match="other data, options or space"):
            tune(linear(), *other, trials=11, folder=folders[0], resume=True)


def test_the_best_trial_is_fitted_on_all_rows_beside_the_default(rows):
    X, y = rows
    poor = linear(strength=1e-6)
    found = tune(poor, X, y, trials=6, space={"linear.strength": Between(0.01, 1.0, log=True)})
    assert found.loss < found.default_loss - 0.05
    assert 0.01 <= found.options["linear"]["strength"] <= 1
    assert found.estimator.options["linear"]["strength"] == found.options["linear"]["strength"]
    assert poor.options == {"linear": {"strength": 1e-6}}
    assert found.default.options == poor.options
    assert found.judged_rows < len(X)
    assert min(trial.loss for trial in found.trials if trial.ended == "finished") == found.loss


def test_rows_that_trials_are_judged_by_come_after_those_they_are_fitted_on(rows):
    from plait.tuning.splits import Splits

    X, y = rows
    model = linear(strength=0.1).fit(X, y).model_
    splits = Splits(model.training_rows(), "early", "linear")
    assert len(splits.inner) > 1
    for inner, judged in zip(splits.inner, splits.judged, strict=True):
        assert inner.context.time.max() < judged.time.min()


def test_where_no_trial_is_better_the_default_stays(rows):
    X, y = rows
    found = tune(linear(strength=0.03), X, y, trials=2, space={"linear.strength": OneOf((1e-6, 1e-7))})
    assert found.estimator is found.default
    assert found.options == {}
    assert found.loss == found.default_loss


def test_a_budget_ends_the_search(rows):
    X, y = rows
    found = tune(linear(), X, y, trials=50, budget=1e-6)
    assert (found.stopped, len(found.trials)) == ("budget", 1)


def test_trials_that_fail_are_told_of(rows):
    X, y = rows
    space = {"linear.iterations": OneOf((-1, 100))}
    found = tune(linear(strength=1e-5), X, y, trials=6, space=space)
    failed = [trial for trial in found.trials if trial.ended == "failed"]
    assert failed
    assert all("iterations=-1" in trial.why for trial in failed)
    with pytest.raises(PlaitError, match="all 2 trials failed, the first because: linear: iterations=-1"):
        tune(linear(), X, y, trials=2, space={"linear.iterations": OneOf((-1,))})


def test_spaces_are_written_by_people(tmp_path: Path):
    file = tmp_path / "space.yaml"
    file.write_text("lightgbm:\n  leaves: {between: [4, 64], log: true}\n  members: {one_of: [1, 3]}\n")
    assert read_space(file) == {"lightgbm.leaves": Between(4, 64, log=True), "lightgbm.members": OneOf((1, 3))}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("lightgbm:\n  leafs: {between: [4, 64]}\n", "did you mean 'leaves'"),
        ("lightbgm:\n  leaves: {between: [4, 64]}\n", "did you mean 'lightgbm'"),
        ("lightgbm:\n  leaves: {between: [64, 4]}\n", "space of lightgbm.leaves"),
        ("lightgbm:\n  leaves: {between: [0, 4], log: true}\n", "space of lightgbm.leaves"),
        ("lightgbm:\n  leaves: [4, 8]\n", "space of lightgbm.leaves"),
        ("lightgbm: 3\n", "is no space"),
        ("", "is no space"),
    ],
)
def test_mistakes_in_spaces_are_named(tmp_path: Path, written: str, said: str):
    file = tmp_path / "space.yaml"
    file.write_text(written)
    with pytest.raises(ConfigError, match=said):
        read_space(file)


def test_a_fusion_that_chooses_on_its_own_has_no_space():
    with pytest.raises(ConfigError, match="declares nothing to search"):
        space_of("auto", None)


def test_the_command_writes_a_run_with_its_trials(rows, run, folder):
    X, y = rows
    X.assign(y=y).to_csv(folder / "rows.csv", index=False)
    told = ("tune", "rows.csv", "--target", "y", "--time", "at", "--learner", "linear", "--jobs", 1, "--json")
    space = run(*told, "--dry-run").json["space"]
    assert set(space) == {"early.masking", "linear.strength"}
    said = run(*told, "--trials", 3, "-o", "tuned")
    assert said.code == 0, said.err
    assert said.json["tuning"]["held_out"]["n"] == 60
    assert len(said.json["tuning"]["trials"]) == 3
    assert (folder / "tuned" / "trials.png").is_file()
    plait.load(folder / "tuned" / "model.plait").predict(X)
    refused = run(*told, "--workers", 2, "-o", "other")
    assert refused.code == 2
    assert "--on ray" in refused.err


def test_options_of_a_model_of_several_targets_are_searched(rows):
    X, y = rows
    Y = pd.DataFrame({"sure": y, "much": X["a"] - X["b"]})
    Y.loc[::3, "much"] = np.nan
    poor = plait.MultiTask(["sure", "much"], fusion="early", learner="linear", time="at", n_jobs=1)
    poor.set_params(options={"linear": {"strength": 1e-6}})
    space = {"linear.strength": Between(0.01, 1.0, log=True)}
    found = tune(poor, X, Y, trials=3, space=space)
    assert found.loss < found.default_loss - 0.05
    assert found.estimator.predict(X).columns.tolist() == ["sure", "much"]
    among = tune(poor, X.assign(**Y), trials=3, space=space)
    assert among.trials == found.trials
