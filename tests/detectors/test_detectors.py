"""What every registered detector must do, and what each of ours finds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from plait import registry
from plait.classical.tails import Tails
from plait.contracts import Detector, Features, FitContext, State
from plait.errors import ConfigError

QUICK: dict[str, dict[str, Any]] = {"isolation": {"trees": 60}}


def made(n: int = 600, seed: int = 0, holes: bool = True) -> Features:
    """Two numbers that go together, one that goes alone, and a category, some cells missing."""
    rng = np.random.default_rng(seed)
    both = rng.normal(size=n)
    columns = [both + 0.1 * rng.normal(size=n), both + 0.1 * rng.normal(size=n), np.exp(rng.normal(size=n))]
    values = np.column_stack([*columns, rng.integers(0, 3, n)]).astype(np.float32)
    present = rng.random(values.shape) > (0.1 if holes else 0.0)
    values[~present] = np.nan
    categorical = np.array([False, False, False, True])
    return Features(values, ("a", "b", "c", "kind"), present, categorical, categorical)


GROUPS = np.array([0, 1, 1, 1])


def with_cell(features: Features, row: int, column: int, value: float) -> Features:
    values, present = features.values.copy(), features.present.copy()
    values[row, column] = value
    present[row, column] = not np.isnan(value)
    return replace(features, values=values, present=present)


@pytest.fixture(scope="module", params=registry.names("detectors"))
def fitted(request: pytest.FixtureRequest) -> Detector:
    detector: Detector = registry.make("detectors", request.param, QUICK.get(request.param, {}))
    return detector.fit(made(), GROUPS, FitContext.unlabelled(600, seed=3))


def test_scores_tell_rows_that_are_far_out(fitted: Detector) -> None:
    odd = made(seed=1, holes=False)
    for column in range(3):
        odd = with_cell(odd, 5, column, 40.0)
    scores = fitted.scores(odd)
    assert scores.dtype == np.float64
    assert scores.shape == (600,)
    assert (scores >= scores[5]).mean() < 0.02


@pytest.mark.parametrize("column", [0, 1, 2])
def test_shares_tell_the_cell_that_is_far_out(fitted: Detector, column: int) -> None:
    odd = with_cell(made(seed=1, holes=False), 5, column, 40.0)
    assert fitted.shares(odd)[5].argmax() in ({0, 1} if column < 2 else {2})


def test_missing_cells_make_no_row_odd(fitted: Detector) -> None:
    later = made(seed=1, holes=False)
    values = np.full_like(later.values[:1], np.nan)
    nothing = replace(later.take(np.array([0])), values=values, present=np.isfinite(values))
    scores = fitted.scores(later)
    assert fitted.scores(nothing)[0] <= np.quantile(scores, 0.5)
    for column in range(4):
        holes = fitted.scores(with_cell(later, 5, column, np.nan))
        assert np.isfinite(holes).all()
        assert holes[5] <= max(scores[5], np.quantile(scores, 0.9))


def test_shares_are_finite_and_of_features(fitted: Detector) -> None:
    shares = fitted.shares(made(seed=2))
    assert shares.shape == (600, 4)
    assert np.isfinite(shares).all()


def test_state_round_trip_gives_the_same_bytes(fitted: Detector) -> None:
    state = _through_json(fitted.state())
    again = type(fitted).from_state(state)
    later = made(seed=1)
    np.testing.assert_array_equal(again.scores(later), fitted.scores(later))
    np.testing.assert_array_equal(again.shares(later), fitted.shares(later))


def _through_json(state: State) -> State:
    values = json.loads(json.dumps(state.values, allow_nan=False))
    return replace(state, values=values, parts={name: _through_json(part) for name, part in state.parts.items()})


def test_the_same_seed_gives_the_same_scores_and_rows_do_not_hang_together(fitted: Detector) -> None:
    again: Detector = registry.make("detectors", fitted.name, QUICK.get(fitted.name, {}))
    again.fit(made(), GROUPS, FitContext.unlabelled(600, seed=3))
    later = made(seed=1)
    np.testing.assert_array_equal(again.scores(later), fitted.scores(later))
    np.testing.assert_allclose(fitted.scores(later.take(np.arange(7))), fitted.scores(later)[:7], rtol=1e-9)
    assert fitted.scores(later.take(np.arange(0))).shape == (0,)


@pytest.mark.parametrize("name", registry.names("detectors"))
def test_columns_that_tell_nothing_are_no_mistake(name: str) -> None:
    values = np.full((30, 3), 5.0, np.float32)
    values[:, 1] = np.nan
    no = np.zeros(3, bool)
    features = Features(values, ("same", "empty", "same too"), np.isfinite(values), no, no)
    detector: Detector = registry.make("detectors", name, {})
    scores = detector.fit(features, np.zeros(3, np.int64), FitContext.unlabelled(30)).scores(features)
    assert np.ptp(scores) < 1e-12
    none = Features(values[:, :0], (), np.isfinite(values[:, :0]), no[:0], no[:0])
    assert detector.fit(none, np.zeros(0, np.int64), FitContext.unlabelled(30)).scores(none).shape == (30,)


@pytest.mark.parametrize(
    ("name", "options"),
    [("isolation", {"trees": 0}), ("isolation", {"sample": 1}), ("reconstruction", {"trimmed": 0.5})],
)
def test_options_out_of_range(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="out of range"):
        registry.make("detectors", name, options)


# isolation


@pytest.mark.parametrize("rows", [2, 3, 40, 1000])
def test_isolation_is_that_of_scikit_learn(rows: int) -> None:
    features = made(rows, holes=False)
    ours = registry.make("detectors", "isolation", {"trees": 30}).fit(features, GROUPS, FitContext.unlabelled(rows))
    theirs = IsolationForest(n_estimators=30, max_samples=min(256, rows), random_state=0).fit(features.values)
    later = made(500, seed=4, holes=False)
    np.testing.assert_allclose(ours.scores(later), -theirs.score_samples(later.values), rtol=0, atol=1e-12)


def test_shares_of_isolation_add_up_to_the_path() -> None:
    features = made(holes=False)
    ours = registry.make("detectors", "isolation", {"trees": 30}).fit(features, GROUPS, FitContext.unlabelled(600))
    length = -np.log2(ours.scores(features))
    total = length + ours.shares(features).sum(axis=1)
    np.testing.assert_allclose(total, total[0], atol=1e-12)  # what is expected at the roots


# reconstruction


def test_reconstruction_sees_what_isolation_does_not() -> None:
    later = made(seed=1, holes=False)
    broken = with_cell(with_cell(later, 5, 0, 1.2), 5, 1, -1.2)  # each usual, but not together
    ranks = {}
    for name in ("isolation", "reconstruction"):
        detector = registry.make("detectors", name, QUICK.get(name, {}))
        scores = detector.fit(made(), GROUPS, FitContext.unlabelled(600)).scores(broken)
        ranks[name] = float((scores >= scores[5]).mean())
    assert ranks["reconstruction"] < 0.005
    assert ranks["isolation"] > 0.05


def test_odd_rows_do_not_excuse_themselves() -> None:
    features = made(holes=False)
    for row in range(20):  # 3% with the sign of one of the two turned round, far out
        features = with_cell(with_cell(features, row, 0, 3.0), row, 1, -3.0)
    detector = registry.make("detectors", "reconstruction", {})
    scores = detector.fit(features, GROUPS, FitContext.unlabelled(600)).scores(features)
    assert scores[:20].min() > np.quantile(scores[20:], 0.97)


# tails


def test_tails_put_scores_on_one_scale() -> None:
    rng = np.random.default_rng(0)
    scores = np.column_stack([rng.exponential(size=4000), 50 + 3 * rng.normal(size=4000)])
    tails = Tails().fit(scores)
    new = np.column_stack([rng.exponential(size=4000), 50 + 3 * rng.normal(size=4000)])
    found = tails(new)
    for level in (1.0, 2.0, 4.0):
        np.testing.assert_allclose((found > level).mean(axis=0), np.exp(-level), rtol=0.35)
    far = tails(np.array([[20.0, 100.0], [21.0, 101.0], [np.nan, np.nan]]))
    assert (far[1] > far[0]).all()
    assert (far[0] > found.max(axis=0)).all()
    assert (far[2] == 0).all()
