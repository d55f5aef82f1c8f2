"""``plait calibrate``, ``plait fit --calibrate``, and predictions that carry a promise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import plait


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of classes, one of values, and rows that they have not seen."""
    folder = tmp_path_factory.mktemp("calibrate")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2))
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(
        when=pd.date_range("2020-01-01", periods=500).strftime("%Y-%m-%d"),
        home=rng.choice(["own", "rent"], 500),
        bad=np.where(x.sum(axis=1) + rng.normal(size=500) > 0.5, "yes", "no"),
        loss=x.sum(axis=1) + rng.normal(size=500),
    )
    frame[250:].to_csv(folder / "later.csv", index=False)
    for target, kind in (("bad", plait.Classifier), ("loss", plait.Regressor)):
        schema = plait.Schema.infer(
            frame, target=target, time="when", ignore=["home", "loss" if target == "bad" else "bad"]
        )
        model = kind(schema=schema, fusion="early", learner="linear", n_jobs=1)
        model.fit(frame[:250].drop(columns=target), frame[target][:250]).save(folder / f"{target}.plait")
    return folder


def test_it_calibrates_and_says_how(run, folder):
    code, out, _ = run("calibrate", "bad.plait", "later.csv", "-o", "right.plait", "--method", "platt", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["calibration"]["method"] == "platt"
    assert told["calibration"]["rows"] == 250
    assert "conformal" not in told
    assert plait.load(folder / "right.plait").record_["calibration"]["source"] == "given rows"
    _, out, _ = run("calibrate", "bad.plait", "later.csv", "-o", "auto.plait")
    assert "better than none by" in out


def test_half_of_the_rows_calibrate_and_half_promise(run, folder):
    options = ["--method", "beta", "--coverage", 0.8, "--by-class", "--by", "home"]
    code, out, _ = run("calibrate", "bad.plait", "later.csv", "-o", "both.plait", *options, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["calibration"]["rows"] == told["conformal"]["rows"] == 125
    assert (told["conformal"]["by"], told["conformal"]["by_class"]) == ("home", True)
    run("predict", "both.plait", "later.csv", "-o", "said.csv")
    said = pd.read_csv(folder / "said.csv")
    sets = plait.load(folder / "both.plait").predict_set(pd.read_csv(folder / "later.csv"))
    np.testing.assert_array_equal(said[["may_be_no", "may_be_yes"]].to_numpy(), sets)


def test_a_promise_leaves_the_calibrator_as_it_is(run, folder):
    run("calibrate", "bad.plait", "later.csv", "-o", "one.plait", "--method", "temperature")
    run("calibrate", "one.plait", "later.csv", "-o", "two.plait", "--coverage", 0.9)
    one, two = (plait.load(folder / f"{name}.plait") for name in ("one", "two"))
    later = pd.read_csv(folder / "later.csv")
    np.testing.assert_array_equal(one.predict_proba(later), two.predict_proba(later))
    assert two.record_["conformal"]["rows"] == 250


def test_values_get_intervals(run, folder):
    code, out, _ = run("calibrate", "loss.plait", "later.csv", "-o", "wide.plait", "--coverage", 0.8)
    assert code == 0
    assert "intervals (absolute) promised to hold 80%" in out
    run("predict", "wide.plait", "later.csv", "-o", "ends.csv")
    ends = pd.read_csv(folder / "ends.csv")
    assert (ends["low"] < ends["prediction"]).all()
    assert (ends["prediction"] < ends["high"]).all()


def test_fit_calibrates(run, folder):
    options = ["--target", "bad", "--ignore", "loss,home", "--fusion", "early", "--learner", "linear", "--test", 0]
    code, _, _ = run("fit", "later.csv", "-o", "run", *options, "--calibrate", "platt")
    assert code == 0
    assert json.loads((folder / "run" / "run.json").read_text())["calibration"]["method"] == "platt"
    assert plait.load(folder / "run" / "model.plait").record_["calibration"]["source"] == "training rows"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["calibrate", "bad.plait", "later.csv", "-o", "x", "--method", "plat"], "did you mean 'platt'"),
        (["calibrate", "bad.plait", "later.csv", "-o", "x", "--by-class"], "give --coverage"),
        (["calibrate", "bad.plait", "later.csv", "-o", "x", "--coverage", "2"], "above 0 and below 1"),
        (["calibrate", "bad.plait", "later.csv", "-o", "x", "--coverage", ".9", "--by", "b"], "at most 100"),
        (["calibrate", "loss.plait", "later.csv", "-o", "x"], "intervals instead"),
        (["calibrate", "loss.plait", "later.csv", "-o", "x", "--method", "platt"], "intervals instead"),
        (["fit", "later.csv", "-o", "x", "--target", "bad", "--calibrate", "plat"], "did you mean 'platt'"),
        (["fit", "later.csv", "-o", "x", "--target", "loss", "--calibrate", "platt"], "values have intervals"),
    ],
)
def test_mistakes_are_one_line(run, folder, arguments, said):
    code, _, err = run(*arguments)
    assert code == 2
    assert said in err
    assert len([line for line in err.splitlines() if line.startswith("plait: error:")]) == 1
    assert not (folder / "x").exists()
