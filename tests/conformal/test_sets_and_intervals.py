"""Split conformal sets and intervals: coverage, sizes, groups, and mapie's word on the same scores."""

from __future__ import annotations

import numpy as np
import pytest

from plait.conformal.intervals import ConformalIntervals
from plait.conformal.sets import ConformalSets, class_scores
from plait.errors import ConfigError, DataError


def made(n: int, seed: int = 0, classes: int = 4, sharp: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sharp, (n, classes))
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (chance.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    wrong = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)  # overconfident: no method may mind
    return wrong, truth


def hits(sets: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return sets[np.arange(len(truth)), truth]


@pytest.mark.parametrize("method", ["lac", "aps", "raps"])
@pytest.mark.parametrize("by_class", [False, True])
def test_coverage_is_as_promised(method, by_class):
    p, truth = made(12_000, seed=1)
    held = ConformalSets.fit(p[:6000], truth[:6000], np.ones(6000), method=method, by_class=by_class, coverage=0.8)
    held = ConformalSets.from_state(held.state())
    sets = held(p[6000:])
    assert hits(sets, truth[6000:]).mean() == pytest.approx(0.8, abs=0.025)
    if by_class:
        for c in range(4):
            assert hits(sets, truth[6000:])[truth[6000:] == c].mean() == pytest.approx(0.8, abs=0.045)


def test_lac_is_what_mapie_says():
    mapie = pytest.importorskip("mapie.classification")
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    x = rng.normal(size=(900, 3))
    y = (x @ np.eye(3) + rng.gumbel(size=(900, 3))).argmax(axis=1)
    model = LogisticRegression().fit(x[:300], y[:300])
    theirs = mapie.SplitConformalClassifier(model, confidence_level=0.85, prefit=True).conformalize(
        x[300:600], y[300:600]
    )
    ours = ConformalSets.fit(model.predict_proba(x[300:600]), y[300:600], np.ones(300), coverage=0.85)
    np.testing.assert_array_equal(ours(model.predict_proba(x[600:])), theirs.predict_set(x[600:])[1][:, :, 0])


def test_intervals_are_what_mapie_says():
    mapie = pytest.importorskip("mapie.regression")
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(2)
    x = rng.normal(size=(600, 3))
    y = x.sum(axis=1) + rng.normal(size=600)
    model = LinearRegression().fit(x[:200], y[:200])
    theirs = mapie.SplitConformalRegressor(model, confidence_level=0.9, prefit=True).conformalize(
        x[200:400], y[200:400]
    )
    ours = ConformalIntervals.fit(y[200:400] - model.predict(x[200:400]), np.ones(200), coverage=0.9)
    np.testing.assert_allclose(ours(model.predict(x[400:]), None), theirs.predict_interval(x[400:])[1][:, :, 0])


def test_aps_adds_up_likelier_classes():
    p = np.array([[0.5, 0.2, 0.3]])
    scores = class_scores("aps", p)[0]
    assert scores.argsort().tolist() == [0, 2, 1]
    assert 0 <= scores[0] <= 0.5 <= scores[2] <= 0.8 <= scores[1] <= 1
    np.testing.assert_array_equal(class_scores("aps", np.repeat(p, 3, axis=0))[2], scores)  # equal rows, equal sets
    further = class_scores("raps", p, 0.1, 1)[0] - scores
    np.testing.assert_allclose(further[[0, 2, 1]], [0, 0.1, 0.2])


def test_the_random_part_of_aps_is_even():
    p, _ = made(20_000, classes=3)
    share = (p.max(axis=1) - class_scores("aps", p).min(axis=1)) / p.max(axis=1)
    assert np.histogram(share, bins=10, range=(0, 1))[0].min() > 1800


def test_a_rare_class_is_promised_everything_rather_than_too_little():
    p, truth = made(500)
    few = (truth != 3) | (np.cumsum(truth == 3) <= 4)
    held = ConformalSets.fit(p[few], truth[few], np.ones(few.sum()), by_class=True)
    assert held(p)[:, 3].all()
    assert held.to_json()["unbounded"] == 1


def test_groups_have_their_own_thresholds_and_strangers_the_widest():
    rng = np.random.default_rng(3)
    names = np.where(rng.random(4000) < 0.3, "wild", "calm").tolist()
    spread = np.where(np.array(names) == "wild", 5.0, 1.0)
    residuals = rng.normal(size=4000) * spread
    held = ConformalIntervals.fit(residuals[:2000], np.ones(2000), by="mood", values=names[:2000])
    held = ConformalIntervals.from_state(held.state())
    ends = held(np.zeros(2000), None, names[2000:])
    inside = (ends[:, 0] <= residuals[2000:]) & (residuals[2000:] <= ends[:, 1])
    for name in ("wild", "calm"):
        assert inside[np.array(names[2000:]) == name].mean() == pytest.approx(0.9, abs=0.04)
    np.testing.assert_array_equal(held(np.zeros(1), None, ["new"]), held(np.zeros(1), None, ["wild"]))


def test_sides_may_differ():
    rng = np.random.default_rng(4)
    residuals = rng.exponential(size=6000)
    held = ConformalIntervals.fit(residuals[:3000], np.ones(3000), symmetric=False)
    low, high = held(np.zeros(3000), None).T
    later = residuals[3000:]
    assert (later < low).mean() == pytest.approx(0.05, abs=0.015)
    assert (later > high).mean() == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"coverage": 1.0}, "above 0 and below 1"),
        ({"coverage": 0.99}, "too few for 99%"),
        ({"method": "lacs"}, "did you mean 'lac'"),
    ],
)
def test_mistakes_are_said(options, said):
    p, truth = made(40)
    with pytest.raises((ConfigError, DataError), match=said):
        ConformalSets.fit(p, truth, np.ones(40), **options)
