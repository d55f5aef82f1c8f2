"""Stacks: weights from made scores, and models of several parts with any of their sources gone."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import plait
from plait import registry
from plait.contracts import Batches, FitContext
from plait.errors import ConfigError, DataError
from plait.evidence import Evidence
from plait.stacking import Part, Stack, Unseen, make_fusion, unseen


def stack(scores: Any, y: np.ndarray, weight: np.ndarray | None = None, cuts: np.ndarray | None = None) -> Stack:
    """A stack of parts that said `scores` (``N x P``) about rows that turned out `y`."""
    weight = np.ones(len(y)) if weight is None else weight
    cuts = np.zeros(len(y), np.int64) if cuts is None else cuts
    kind = "regression" if y.dtype.kind == "f" else "binary"
    head = registry.get("heads", kind)().fit(y, weight)
    seen = Unseen(np.arange(len(y)), cuts, np.asarray(scores)[:, :, None], (), True)
    return Stack.fit(head, seen, head.encode(y), weight)


def outcomes(n: int, seed: int = 0) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    odds = 1.5 * rng.normal(size=n)
    return rng, odds, (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(int)


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_never_negative(seed: int) -> None:
    rng, odds, y = outcomes(300, seed)
    made = stack(np.stack([odds, -odds, rng.normal(size=300), 5 * odds], 1), y)
    assert (made.weights >= 0).all()
    assert np.isfinite(made.bias).all()


@pytest.mark.parametrize("n", [40, 5_000])
def test_interchangeable_parts_weigh_the_same(n: int) -> None:
    rng, odds, y = outcomes(n)
    made = stack(np.stack([odds, odds, odds], 1), y)
    np.testing.assert_allclose(made.weights, made.weights[0], rtol=1e-3)
    assert made.weights.sum() == pytest.approx(1, abs=0.4 if n < 100 else 0.1)
    near = stack(odds[:, None] + 0.3 * rng.normal(size=(n, 2)), y)  # as good, but not the same
    assert abs(near.weights[0] - near.weights[1]) < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_a_useless_part_gets_next_to_nothing_on_enough_rows(seed: int) -> None:
    rng, odds, y = outcomes(10_000, seed)
    made = stack(np.stack([odds, rng.normal(size=10_000)], 1), y)
    assert made.weights[1] < 0.1 * made.weights[0]
    assert made.weights[0] == pytest.approx(1, abs=0.1)


def test_values_are_stacked_too() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=5_000)
    made = stack(np.stack([truth + rng.normal(size=5_000), rng.normal(size=5_000)], 1), 10 + 3 * truth)
    assert made.weights[0] == pytest.approx(0.5, abs=0.1)  # half of what it says is noise
    assert made.weights[1] < 0.05


def test_rows_without_weight_say_nothing() -> None:
    rng, odds, y = outcomes(4_000)
    trusted = rng.random(4_000) < 0.5
    scores = np.stack([np.where(trusted, odds, -odds), np.where(trusted, -odds, odds)], 1)
    made = stack(scores, y, np.where(trusted, 1.0, 0.0))
    assert made.weights[0] > 0.8 > 0.1 > made.weights[1]


def test_a_base_rate_that_moved_is_no_fault_of_the_parts() -> None:
    rng = np.random.default_rng(0)
    odds, cuts = rng.normal(size=12_000), np.repeat([0, 1, 2], 4_000)
    y = (rng.random(12_000) < 1 / (1 + np.exp(-(odds + np.array([0.0, 1.0, 2.0])[cuts])))).astype(int)
    made = stack(np.stack([odds, odds], 1), y, cuts=cuts)
    np.testing.assert_allclose(made.weights.sum(), 1, atol=0.1)
    late = cuts == 2
    said = made.head.decode(made(np.stack([odds, odds], 1)[:, :, None])).values[:, 1]
    assert said[late].mean() == pytest.approx(y[late].mean(), abs=0.02)  # the last cut's rate is kept


def test_a_part_that_answers_the_prior_adds_nothing() -> None:
    _, odds, y = outcomes(500)
    made = stack(np.stack([odds, odds], 1), y)
    silent = np.full((500, 2, 1), made.head.prior[0])
    np.testing.assert_allclose(made(silent), np.tile(made.head.prior + made.bias, (500, 1)))


# made loans, sources gone


LIGHT = {"lightgbm": {"trees": 60, "leaves": 6, "members": 1}, "linear": {"strength": 0.03}}
KINDS = {
    "early linear": {"fusion": "early", "learner": "linear"},
    "early lightgbm": {"fusion": "early", "learner": "lightgbm"},
    "late": {"fusion": "late"},
    "average": {"fusion": "average"},
    "hybrid": {"fusion": "hybrid"},
    "auto": {"fusion": "auto"},
}


@pytest.fixture(scope="module")
def loans() -> tuple[pd.DataFrame, pd.DataFrame]:
    return plait.split(plait.samples.loans(1_600, seed=3), time="issued_at", test=0.4)


@pytest.mark.parametrize("kind", KINDS)
def test_any_sources_may_be_gone(kind: str, loans: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, test = loans
    model = plait.Classifier(time="issued_at", options=LIGHT, n_jobs=1, **KINDS[kind])
    model.fit(train.drop(columns="default"), train["default"])
    batches, inner = model.model_.batches(test), model.model_
    rate = train["default"].mean()
    auc: dict[tuple[bool, ...], float] = {}
    for seen in product([False, True], repeat=3):
        values = inner.fitted.predict(batches, np.array(seen)).values
        assert np.isfinite(values).all()
        np.testing.assert_allclose(values.sum(axis=1), 1)
        assert values[:, 1].mean() == pytest.approx(rate, abs=0.12)
        np.testing.assert_array_equal(values, inner.fitted.predict(batches.mask(np.array(seen))).values)
        auc[seen] = roc_auc_score(test["default"], values[:, 1])
    prior = inner.head.decode(inner.head.prior[None]).values
    np.testing.assert_array_equal(
        inner.fitted.predict(batches, np.zeros(3, bool)).values, prior.repeat(len(test), axis=0)
    )
    assert min(value for seen, value in auc.items() if any(seen)) > 0.55
    alone = [auc[seen] for seen in auc if sum(seen) == 1]
    assert auc[True, True, True] > max(alone)


# the parts


def evidence(n: int, **context: Any) -> Evidence:
    head = registry.get("heads", "binary")().fit(np.arange(max(n, 2)) % 2, np.ones(max(n, 2)))
    base = FitContext((np.arange(n) % 2).astype(float), "binary", 1, np.ones(n))
    return Evidence(Batches({}, n), {}, head, replace(base, **context))


def test_rows_that_cannot_be_divided_are_an_error() -> None:
    with pytest.raises(DataError, match=r"cannot be divided.*early"):
        unseen(evidence(1), [Part("a", "early", "linear")], {})
    with pytest.raises(DataError, match="cannot be divided"):
        unseen(evidence(50, groups=np.zeros(50, int)), [Part("a", "early", "linear")], {})


def test_fusions_take_their_own_options_and_a_learner_only_where_they_have_one() -> None:
    assert make_fusion("early", "linear", {"early": {"masking": 0.5}}).masking == 0.5
    with pytest.raises(ConfigError, match="takes no learner"):
        make_fusion("attention", "linear", {})
    with pytest.raises(ConfigError, match="did you mean 'masking'"):
        make_fusion("early", None, {"early": {"maskin": 0.5}})
    with pytest.raises(ConfigError, match="did you mean 'late'"):
        make_fusion("lat", None, {})
    with pytest.raises(ConfigError, match="did you mean 'linear'"):
        make_fusion("early", "liner", {})
