"""Estimators that are calibrated and that promise sets and intervals: what they say, keep, refuse, and explain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait.errors import ConfigError, DataError

PEOPLE = ("own", "rent")


def made(n: int = 900, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    odds = x @ [1.5, -1.0, 0.5] - 1
    home = rng.choice(PEOPLE, n)
    return pd.DataFrame(x, columns=["a", "b", "c"]).assign(
        home=home,
        when=pd.date_range("2020-01-01", periods=n),
        bad=np.where(rng.random(n) < 1 / (1 + np.exp(-odds)), "yes", "no"),
        kind=(x + rng.gumbel(size=(n, 3))).argmax(axis=1),
        loss=x @ [2.0, 1.0, 0.0] + rng.normal(size=n) * np.where(home == "own", 0.5, 2.0),
    )


FRAME = made()
TRAIN, GIVEN, LATER = FRAME[:300], FRAME[300:600], FRAME[600:]
EVIDENCE = ["a", "b", "c", "home"]


def fitted(target: str = "bad", **options: Any) -> Any:
    kind = plait.Regressor if target == "loss" else plait.Classifier
    options = {"fusion": "early", "learner": "linear", "n_jobs": 1, **options}
    named = [*EVIDENCE, "when"] if options.get("time") else EVIDENCE
    return kind(**options).fit(TRAIN[named], TRAIN[target])


def truth(model: Any, frame: pd.DataFrame, target: str = "bad") -> np.ndarray:
    return model.model_.head.encode(frame[target].to_numpy()).astype(int)


@pytest.mark.parametrize(("target", "method"), [("bad", "isotonic"), ("kind", "beta")])
def test_a_calibrated_model_is_saved_and_loaded(target, method, tmp_path: Path):
    model = fitted(target)
    before = model.predict_proba(LATER[EVIDENCE])
    model.calibrate(GIVEN[EVIDENCE], GIVEN[target], method=method)
    after = model.predict_proba(LATER[EVIDENCE])
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert model.record_["calibration"]["method"] == method
    model.save(tmp_path / "model.plait")
    again = plait.load(tmp_path / "model.plait")
    np.testing.assert_array_equal(again.predict_proba(LATER[EVIDENCE]), after)
    assert again.record_["calibration"] == model.record_["calibration"]
    assert set(again.evaluate(LATER[EVIDENCE], LATER[target]).baselines) == {"constant", "linear", "lightgbm"}
    model.calibrate(GIVEN[EVIDENCE], GIVEN[target], method="none")
    np.testing.assert_array_equal(model.predict_proba(LATER[EVIDENCE]), before)


def test_rows_keep_their_order_and_rows_of_nothing_their_prior():
    model = fitted()
    before = model.predict_proba(LATER[EVIDENCE])[:, 1]
    nothing = pd.DataFrame({name: [None, None] for name in EVIDENCE})
    prior = model.predict_proba(nothing)
    model.calibrate(GIVEN[EVIDENCE], GIVEN["bad"], method="isotonic")
    after = model.predict_proba(LATER[EVIDENCE])[:, 1]
    np.testing.assert_array_equal(after.argsort(kind="stable"), before.argsort(kind="stable"))
    np.testing.assert_array_equal(model.predict_proba(nothing), prior)


def test_balanced_classes_are_put_back_to_what_comes_true():
    model = fitted(class_weight="balanced")
    off = model.calibration_report(LATER[EVIDENCE], LATER["bad"])
    model.calibrate(GIVEN[EVIDENCE], GIVEN["bad"])
    right = model.calibration_report(LATER[EVIDENCE], LATER["bad"])
    assert model.record_["calibration"]["method"] != "none"
    assert off.predicted > off.observed.high
    assert right.observed.low < right.predicted < right.observed.high
    assert right.ece < off.ece


@pytest.mark.parametrize(("fusion", "time"), [("early", None), ("early", "when"), ("late", "when"), ("auto", "when")])
def test_training_rows_serve_without_others(fusion, time):
    learner = "linear" if fusion == "early" else None
    model = fitted(fusion=fusion, learner=learner, time=time)
    frame = LATER[[*EVIDENCE, "when"]]
    before = model.predict_proba(frame)
    model.calibrate(method="platt")
    told = model.record_["calibration"]
    assert told["source"] == "training rows"
    assert 0 < told["rows"] <= 300
    assert np.abs(model.predict_proba(frame) - before).max() < 0.25
    one = model.predict_proba(frame)
    model.calibrate(method="platt")  # from the fit's own scores again, not from calibrated ones
    np.testing.assert_array_equal(model.predict_proba(frame), one)


@pytest.mark.slow
def test_a_network_is_calibrated_on_one_more_fit():
    options = {"attention": {"width": 8, "layers": 1, "heads": 2, "epochs": 3, "batch_size": 64}}
    model = fitted(fusion="attention", learner=None, options=options)
    model.calibrate(method="temperature")
    assert model.record_["calibration"]["rows"] == 60
    model.conformalize(GIVEN[EVIDENCE], GIVEN["bad"])
    assert model.predict_set(LATER[EVIDENCE]).any(axis=1).mean() > 0.9


def test_sets_hold_the_truth_and_go_with_the_model(tmp_path: Path):
    model = fitted("kind").conformalize(GIVEN[EVIDENCE], GIVEN["kind"], coverage=0.8, by_class=True)
    sets = model.predict_set(LATER[EVIDENCE])
    assert sets.shape == (300, 3)
    report = model.coverage_report(LATER[EVIDENCE], LATER["kind"])
    hits = sets[np.arange(300), truth(model, LATER, "kind")]
    assert report.whole.share.value == pytest.approx(hits.mean())
    assert report.whole.share.value == pytest.approx(0.8, abs=0.08)
    assert [part.name for part in report.parts] == ["class 0", "class 1", "class 2"]
    model.save(tmp_path / "model.plait")
    np.testing.assert_array_equal(plait.load(tmp_path / "model.plait").predict_set(LATER[EVIDENCE]), sets)
    model.calibrate(GIVEN[EVIDENCE], GIVEN["kind"], method="platt")
    assert "conformal" not in model.record_
    with pytest.raises(ConfigError, match="no sets of classes yet"):
        model.predict_set(LATER[EVIDENCE])


@pytest.mark.parametrize("options", [{}, {"by": "home"}, {"method": "scaled"}, {"symmetric": False}])
def test_intervals_hold_the_truth_and_go_with_the_model(options, tmp_path: Path):
    model = fitted("loss").conformalize(GIVEN[EVIDENCE], GIVEN["loss"], coverage=0.8, **options)
    ends = model.predict_interval(LATER[EVIDENCE])
    assert ends.shape == (300, 2)
    report = model.coverage_report(LATER[EVIDENCE], LATER["loss"])
    assert report.whole.share.value == pytest.approx(0.8, abs=0.08)
    width = np.diff(ends)[:, 0]
    rent = (LATER["home"] == "rent").to_numpy()
    if options.get("by") or options.get("method"):  # who is hard to predict has the wider intervals
        assert width[rent].mean() > 1.5 * width[~rent].mean()
    else:
        assert np.ptp(width) < 1e-9
    if options.get("method"):
        model.save(tmp_path / "model.plait")
        np.testing.assert_array_equal(plait.load(tmp_path / "model.plait").predict_interval(LATER[EVIDENCE]), ends)


def test_groups_need_not_be_evidence():
    model = fitted("loss")
    given = GIVEN.assign(branch=np.where(GIVEN["home"] == "own", "x", None))
    model.conformalize(given[[*EVIDENCE, "branch"]], given["loss"], by="branch")
    later = LATER.assign(branch="x")
    narrow = model.predict_interval(later[[*EVIDENCE, "branch"]])
    wide = model.predict_interval(later.assign(branch=None)[[*EVIDENCE, "branch"]])
    assert (np.diff(wide) > np.diff(narrow)).all()
    with pytest.raises(ConfigError, match="unknown column 'branch'"):
        model.predict_interval(LATER[EVIDENCE])


def test_explanations_add_up_to_what_is_said_after_calibration():
    model = fitted(learner="lightgbm", options={"lightgbm": {"trees": 30, "leaves": 4, "members": 1}})
    model.calibrate(GIVEN[EVIDENCE], GIVEN["bad"], method="beta")
    for scale in ("output", "score"):
        found = model.explain(LATER[EVIDENCE][:5], depths=["sources"], scale=scale)
        shares = found.sources
        added = shares.base + shares.values.sum(axis=1)
        said = model.predict_proba(LATER[EVIDENCE][:5])[:, 1]
        np.testing.assert_allclose(added, said if scale == "output" else np.log(said / (1 - said)), atol=1e-9)


def test_columns_add_up_to_the_calibrated_score():
    from plait.evidence import View

    model = fitted(learner="lightgbm", options={"lightgbm": {"trees": 30, "leaves": 4, "members": 1}})
    inner = model.model_
    view, output = View(inner.batches(LATER[EVIDENCE]), inner.rooms), np.zeros(300, int)
    raw = inner.fitted.contributions(view, output)
    for method in ("temperature", "isotonic"):
        model.calibrate(GIVEN[EVIDENCE], GIVEN["bad"], method=method)
        told = inner.fitted.contributions(view, output)
        np.testing.assert_allclose(told.score, inner.fitted.score(view)[:, 0])
        np.testing.assert_allclose(told.base + told.values.sum(axis=1), told.score, atol=1e-6)
        assert (np.sign(told.values) == np.sign(raw.values)).mean() > 0.99


def test_mistakes_are_said():
    model, values = fitted(), fitted("loss")
    given, target = GIVEN[EVIDENCE], GIVEN["bad"]
    with pytest.raises(AttributeError, match="not fitted yet"):
        plait.Classifier().calibrate(given, target)
    with pytest.raises(ConfigError, match="did you mean 'platt'"):
        model.calibrate(given, target, method="plat")
    with pytest.raises(ConfigError, match="conformalize gives intervals"):
        values.calibrate(given, GIVEN["loss"])
    with pytest.raises(ConfigError, match="coverage_report"):
        values.calibration_report(given, GIVEN["loss"])
    with pytest.raises(DataError, match="together"):
        model.calibrate(given)
    with pytest.raises(DataError, match="300 rows but y has 20"):
        model.calibrate(given, target[:20])
    with pytest.raises(DataError, match="one class"):
        model.calibrate(given[target == "no"], target[target == "no"])
    for verb in (model.calibrate, model.conformalize, model.calibration_report):
        with pytest.raises(DataError, match="no rows"):
            verb(given[:0], target[:0])
    with pytest.raises(ConfigError, match="promises nothing yet"):
        model.coverage_report(given, target)
    with pytest.raises(ConfigError, match="symmetric=False"):
        model.conformalize(given, target, symmetric=False)
    with pytest.raises(ConfigError, match="by_class"):
        values.conformalize(given, GIVEN["loss"], by_class=True)
    with pytest.raises(ConfigError, match="did you mean 'scaled'"):
        values.conformalize(given, GIVEN["loss"], method="scale")
    with pytest.raises(DataError, match="too few"):
        values.conformalize(given[:5], GIVEN["loss"][:5])
    with pytest.raises(ConfigError, match="call predict_interval"):
        values.conformalize(given, GIVEN["loss"]).predict_set(given)
    with pytest.raises(ConfigError, match="call predict_set"):
        model.conformalize(given, target).predict_interval(given)


def test_one_row_of_one_class_is_judged():
    model = fitted().conformalize(GIVEN[EVIDENCE], GIVEN["bad"])
    one = LATER[:1]
    report = model.calibration_report(one[EVIDENCE], one["bad"])
    assert report.n == 1
    assert np.isnan(report.cox.slope.value)
    assert "-" in str(report)
    assert model.coverage_report(one[EVIDENCE], one["bad"]).whole.rows == 1


def test_a_loaded_model_needs_rows(tmp_path: Path):
    fitted().save(tmp_path / "model.plait")
    model = plait.load(tmp_path / "model.plait")
    with pytest.raises(DataError, match="give rows to calibrate on"):
        model.calibrate()
    model.calibrate(GIVEN[EVIDENCE], GIVEN["bad"], method="platt")
