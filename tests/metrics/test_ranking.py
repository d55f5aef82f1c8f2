"""Order within groups: against scikit-learn, and against every order of tied items."""

from __future__ import annotations

from functools import partial
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from plait.errors import ConfigError, InputError
from plait.metrics import ranking
from plait.metrics.intervals import bootstrap

SEEDS = st.integers(0, 10_000)


def made(seed: int, ties: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gains, scores and groups of a few short lists, shuffled."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, 4)
    groups = np.repeat(np.array(["a", "b", "c", "d"]), sizes)
    n = len(groups)
    gains = rng.integers(0, 3, n).astype(float)
    gains[0] = 1
    scores = rng.integers(0, 3, n).astype(float) if ties else rng.permutation(n).astype(float)
    order = rng.permutation(n)
    return gains[order], scores[order], groups[order]


def by_hand(metric: str, gains: np.ndarray, k: int) -> float:
    """The figure of one list in a known order."""
    hits = gains > 0
    if metric == "precision_at":
        return hits[:k].sum() / min(k, len(hits))
    if metric == "recall_at":
        return hits[:k].sum() / hits.sum()
    if metric == "reciprocal_rank":
        return 1 / (1 + hits.argmax())
    if metric == "ndcg":
        discount = 1 / np.log2(np.arange(len(gains)) + 2)
        return (gains * discount)[:k].sum() / (np.sort(gains)[::-1] * discount)[:k].sum()
    return np.mean([hits[: i + 1].mean() for i in np.flatnonzero(hits)])


def expected(metric: str, gains: np.ndarray, scores: np.ndarray, groups: np.ndarray, k: int) -> float:
    """The mean over all orders that the scores allow, then over groups with a hit."""
    found = []
    for group in np.unique(groups):
        own, told = gains[groups == group], scores[groups == group]
        if not (own > 0).any():
            continue
        orders = [o for o in map(list, permutations(range(len(own)))) if (np.diff(told[o]) <= 0).all()]
        found.append(np.mean([by_hand(metric, own[o], k) for o in orders]))
    return float(np.mean(found))


def ours(metric: str, k: int):
    if metric in ("precision_at", "recall_at"):
        return partial(getattr(ranking, metric), k)
    return partial(ranking.ndcg, k=k) if metric == "ndcg" else getattr(ranking, metric)


METRICS = ("ndcg", "average_precision", "precision_at", "recall_at", "reciprocal_rank")


@pytest.mark.parametrize("metric", METRICS)
@given(SEEDS, st.integers(1, 6))
@settings(deadline=None, max_examples=25)
def test_figures_are_expected_values_over_tied_orders(metric: str, seed: int, k: int) -> None:
    gains, scores, groups = made(seed)
    assert ours(metric, k)(gains, scores, groups) == pytest.approx(expected(metric, gains, scores, groups, k))


@given(SEEDS, st.integers(1, 8))
@settings(deadline=None, max_examples=25)
def test_ndcg_and_map_agree_with_scikit_learn(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    gains, scores = rng.integers(0, 4, (3, 8)).astype(float), rng.integers(0, 4, (3, 8)).astype(float)
    gains[:, 0] = 2
    groups = np.repeat([0, 1, 2], 8)
    found = ranking.ndcg(gains.ravel(), scores.ravel(), groups, k=k)
    assert found == pytest.approx(reference.ndcg_score(gains, scores, k=k))
    scores = rng.permuted(np.tile(np.arange(8.0), (3, 1)), axis=1)  # scikit-learn has no orders of ties
    wanted = np.mean([reference.average_precision_score(g > 0, s) for g, s in zip(gains, scores, strict=True)])
    assert ranking.average_precision(gains.ravel(), scores.ravel(), groups) == pytest.approx(wanted)


@pytest.mark.parametrize("metric", METRICS)
@given(SEEDS)
@settings(deadline=None, max_examples=10)
def test_weights_of_groups_are_counts_of_groups(metric: str, seed: int) -> None:
    gains, scores, groups = made(seed)
    labels, code = np.unique(groups, return_inverse=True)
    counts = np.random.default_rng(seed).integers(1, 4, len(labels))
    again = [np.tile(np.flatnonzero(code == i), count) for i, count in enumerate(counts)]
    copies = [np.repeat([f"{i} {j}" for j in range(count)], (code == i).sum()) for i, count in enumerate(counts)]
    rows = np.concatenate(again)
    wanted = ours(metric, 2)(gains[rows], scores[rows], np.concatenate(copies))
    both = ours(metric, 2)(gains, scores, groups, np.stack([np.ones(len(gains)), counts[code]]))
    assert both[0] == pytest.approx(ours(metric, 2)(gains, scores, groups))
    assert both[1] == pytest.approx(wanted)


def test_groups_are_drawn_whole_in_a_bootstrap() -> None:
    gains, scores, groups = made(3)
    found = bootstrap(partial_of(groups), gains, {"model": scores}, groups=groups, resamples=50).interval("model")
    assert 0 <= found.low <= found.value <= found.high <= 1


def partial_of(groups: np.ndarray):
    return lambda gains, scores, weight: ranking.ndcg(gains, scores, groups, weight)


@pytest.mark.parametrize(
    ("gains", "scores", "groups", "message"),
    [
        ([0.0, 0.0], [1.0, 2.0], [0, 0], "no group has a target above 0"),
        ([1.0, -1.0], [1.0, 2.0], [0, 0], "negative in 1 rows"),
        ([1.0, 1.0], [1.0, np.nan], [0, 0], "NaN or infinite"),
        ([1.0, 1.0], [1.0, 2.0], [0], "same length"),
    ],
)
def test_bad_input(gains, scores, groups, message) -> None:
    with pytest.raises(InputError, match=message):
        ranking.average_precision(np.array(gains), np.array(scores), np.array(groups))


def test_at_least_one_item_is_looked_at() -> None:
    with pytest.raises(ConfigError, match="k=0"):
        ranking.precision_at(0, *made(0))
