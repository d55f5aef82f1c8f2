"""The whole judgement: figures, baselines, notes, text, JSON and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from plait.contracts import Prediction
from plait.errors import ConfigError, InputError
from plait.metrics.classification import roc_auc
from plait.metrics.evaluation import evaluate
from plait.metrics.intervals import bootstrap

LABELS = np.array(["paid", "违约"])


def two(p: np.ndarray, classes: np.ndarray = LABELS) -> Prediction:
    return Prediction("class", np.stack([1 - p, p], axis=1), classes)


@pytest.fixture(scope="module")
def loans() -> tuple[np.ndarray, np.ndarray, dict[str, Prediction]]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=1500) - 1
    y = LABELS[(rng.random(1500) < 1 / (1 + np.exp(-2 * z))).astype(int)]
    baselines = {"constant": two(np.full(1500, 0.2)), "noisy": two(1 / (1 + np.exp(-z - rng.normal(size=1500))))}
    return y, 1 / (1 + np.exp(-2 * z)), baselines


def test_binary(loans) -> None:
    y, p, baselines = loans
    found = evaluate(two(p), y, baselines=baselines, resamples=200)
    names = [figure.metric for figure in found.figures]
    assert names == ["roc_auc", "pr_auc", "ks", "log_loss", "brier", "ece", "accuracy", "precision", "recall", "f1"]
    auc = found["roc_auc"]
    assert auc.value == pytest.approx(roc_auc((y == LABELS[1]).astype(int), p))
    assert auc.low < auc.value < auc.high
    beside = auc.baselines["noisy"]
    assert beside.difference == pytest.approx(auc.value - beside.value)
    assert 0 < beside.difference_low < beside.difference < beside.difference_high
    assert auc.baselines["constant"].value == 0.5
    assert found.confusion.sum() == 1500
    assert found["accuracy"].value == pytest.approx(np.mean(LABELS[(p > 0.5).astype(int)] == y))
    assert found.baselines == ("constant", "noisy")
    for figure in found.figures:
        assert figure.low <= figure.value <= figure.high


def test_intervals_are_those_of_the_bootstrap_alone(loans) -> None:
    y, p, _ = loans
    alone = bootstrap(roc_auc, (y == LABELS[1]).astype(int), {"model": p}, resamples=60, seed=5).interval("model")
    found = evaluate(two(p), y, resamples=60, seed=5)["roc_auc"]
    assert (found.low, found.high) == (pytest.approx(alone.low), pytest.approx(alone.high))


def test_curves_are_thin_and_keep_the_area(loans) -> None:
    y, p, baselines = loans
    found = evaluate(two(p), y, baselines=baselines, resamples=0)
    curves = found.curves["model"]
    assert len(curves.roc.fpr) <= 200
    assert len(curves.pr.recall) <= 200
    assert (curves.roc.fpr[0], curves.roc.tpr[0], curves.roc.fpr[-1], curves.roc.tpr[-1]) == (0, 0, 1, 1)
    area = np.trapezoid(curves.roc.tpr, curves.roc.fpr)
    assert area == pytest.approx(found["roc_auc"].value, abs=0.005)
    assert curves.reliability.rows.sum() == curves.histogram.sum() == 1500
    assert found.curves["constant"].roc.fpr.tolist() == [0, 1]


def test_threshold_and_weight(loans) -> None:
    y, p, _ = loans
    strict = evaluate(two(p), y, threshold=0.8, resamples=0)
    assert strict["recall"].value < evaluate(two(p), y, resamples=0)["recall"].value
    weight = np.where(y == LABELS[1], 3.0, 1.0)
    heavy = evaluate(two(p), y, weight=weight, resamples=0)
    np.testing.assert_allclose(heavy.confusion.sum(1), [np.sum(y == LABELS[0]), 3 * np.sum(y == LABELS[1])])


def test_multiclass_with_a_class_that_does_not_occur() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(300, 4))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = (logits + rng.gumbel(size=logits.shape))[:, :3].argmax(1)
    found = evaluate(Prediction("class", p, np.arange(4)), pd.Series(y), resamples=50)
    assert "ks" not in [figure.metric for figure in found.figures]
    assert 0.5 < found["roc_auc"].value < 1
    assert found.confusion.shape == (4, 4)
    assert any("no target is 3" in note for note in found.notes)
    assert found.curves["model"].roc is None


def test_regression() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=800) * 1000
    predicted = Prediction("value", y + rng.normal(size=800) * 300)
    found = evaluate(predicted, y, baselines={"constant": Prediction("value", np.zeros(800))}, resamples=100)
    assert [figure.metric for figure in found.figures] == ["rmse", "mae", "r2", "spearman"]
    assert found["rmse"].value == pytest.approx(300, rel=0.1)
    assert not found["rmse"].higher_is_better
    assert len(found.curves["model"].scatter.actual) == 500
    assert np.isnan(found["spearman"].baselines["constant"].value)
    assert found.notes == ("spearman of constant undefined: all its predictions are equal",)
    assert "rmse" in str(found)


def test_groups_widen_what_rows_of_one_customer_share() -> None:
    rng = np.random.default_rng(3)
    y, p = np.repeat(rng.normal(size=60), 10), np.repeat(rng.normal(size=60), 10)
    alone = evaluate(Prediction("value", p), y, resamples=200)["rmse"]
    whole = evaluate(Prediction("value", p), y, resamples=200, groups=np.repeat(np.arange(60), 10))["rmse"]
    assert whole.high - whole.low > 2 * (alone.high - alone.low)


def test_one_class_is_told_not_failed() -> None:
    found = evaluate(two(np.linspace(0, 0.4, 20)), np.full(20, "paid"), resamples=20)
    assert np.isnan(found["roc_auc"].value)
    assert found["log_loss"].value > 0
    assert found.notes[0] == "roc_auc, pr_auc, ks of model undefined: all targets are equal"
    assert found.notes[1].startswith("no target is 违约")
    assert found.notes[2].startswith("no row is predicted 违约")
    assert found.curves["model"].roc is None
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["figures"][0]["value"] is None


def test_text_is_aligned_and_marks_what_is_beyond_noise(loans) -> None:
    y, p, baselines = loans
    found = evaluate(two(p), y, baselines=baselines, resamples=200)
    header, *body = found.rows()
    assert header == ("metric", "model", "95% interval", "constant", "noisy")
    assert all(len(row) == len(header) for row in body)
    assert body[0][3] == "0.5000 *"
    text = str(found)
    assert text.startswith("1,500 rows; 2 classes: paid")
    assert "违约" in text
    swapped = evaluate(baselines["noisy"], y, baselines={"good": two(p)}, resamples=200)
    assert swapped.rows()[1][3].endswith("!")


def test_json_is_strict_and_whole(loans) -> None:
    y, p, baselines = loans
    told = json.loads(json.dumps(evaluate(two(p), y, baselines=baselines, resamples=20).to_json(), allow_nan=False))
    assert told["classes"] == ["paid", "违约"]
    assert set(told["curves"]) == {"model", "constant", "noisy"}
    assert told["curves"]["model"]["roc"]["thresholds"][0] is None  # infinity
    assert set(told["figures"][0]["baselines"]["noisy"]) >= {"difference", "difference_low", "difference_high"}
    assert len(told["confusion"]) == 2


def test_an_unknown_figure_is_named(loans) -> None:
    y, p, _ = loans
    with pytest.raises(KeyError, match="there are roc_auc"):
        evaluate(two(p), y, resamples=0)["gini"]


def test_labels_may_be_booleans_numbers_or_anything() -> None:
    p = np.array([0.1, 0.9, 0.8, 0.3])
    for labels in (np.array([False, True]), np.array([0, 1]), np.array([-1.5, 2.0]), np.array(["a", 3], dtype=object)):
        found = evaluate(two(p, labels), labels[[0, 1, 1, 0]], resamples=10)
        assert found["roc_auc"].value == 1
        json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("prediction", "targets", "message"),
    [
        (two(np.full(3, 0.5)), np.array(["paid", "lost", "lost"]), r"2 targets are of no known class, first 'lost'"),
        (two(np.full(3, 0.5)), np.array(["paid", None, np.nan], object), "2 of 3 targets are missing"),
        (two(np.full(2, 0.5)), pd.Series(["paid", pd.NA], dtype="string"), "1 of 2 targets are missing"),
        (two(np.full(2, 0.5), np.array([0, 1])), np.array([0, np.nan]), "1 of 2 targets are missing"),
        (two(np.full(3, 0.5)), np.array(["paid"]), "shape"),
        (two(np.array([0.5, np.nan])), np.array(["paid", "paid"]), r"NaN or infinite in 1 rows \(1\)"),
        (Prediction("class", np.full((2, 2), 0.7), LABELS), LABELS, "no probabilities in 2 rows"),
        (Prediction("class", np.full((2, 3), 1 / 3), LABELS), LABELS, "for 2 classes"),
        (two(np.empty(0)), np.array([]), "no rows"),
        (two(np.full(1, 0.5)), np.array([["paid"]]), "one column"),
        (Prediction("value", np.zeros(2)), np.array([1, np.nan]), "1 of 2 targets are missing"),
        (Prediction("value", np.zeros(2)), np.array([1, np.inf]), "infinite"),
        (Prediction("value", np.zeros(2)), np.array(["a", "b"]), "not numbers"),
    ],
)
def test_what_is_refused(prediction, targets, message) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(prediction, targets)


def test_baselines_must_match() -> None:
    model = two(np.full(2, 0.5))
    with pytest.raises(InputError, match="'other' predicts another kind"):
        evaluate(model, LABELS, baselines={"other": two(np.full(2, 0.5), np.array(["a", "b"]))})
    with pytest.raises(InputError, match="predictions of 'other' have shape"):
        evaluate(model, LABELS, baselines={"other": two(np.full(3, 0.5))})
    with pytest.raises(ConfigError, match="rename it"):
        evaluate(model, LABELS, baselines={"model": model})
    with pytest.raises(ConfigError, match="threshold"):
        evaluate(model, LABELS, threshold=2)


def test_many_rows_draw_fewer_resamples(monkeypatch) -> None:
    monkeypatch.setattr("plait.metrics.evaluation._WORK", 100)
    found = evaluate(Prediction("value", np.arange(9.0)), np.arange(9.0) ** 2, resamples=300)
    assert found.resamples == 200
    assert "200 resamples, not 300" in found.notes[0]
