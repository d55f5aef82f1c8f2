"""Shares of sources in models that are games with known values: exact, sampled, missing, and by output."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from plait import registry
from plait.contracts import Batch, Batches, Head, State
from plait.evidence import Fitted, View
from plait.explain.shapley import explain_sources
from plait.explain.subject import Subject

PRIOR = 0.25


class Game(Fitted):
    """Scores are a function of which sources are there."""

    def __init__(self, sources: int, head: Head, worth: Callable[[np.ndarray], np.ndarray]) -> None:
        rooms: Any = {f"s{i}": SimpleNamespace(source=SimpleNamespace(modality=f"m{i % 2}")) for i in range(sources)}
        super().__init__(rooms, head)
        self.worth = worth
        self.asked = 0

    def scores(self, view: View) -> np.ndarray:
        self.asked += len(view)
        return self.worth(view.batches.present)

    def state(self) -> State:
        return State(1)


def subject(
    worth: Callable[[np.ndarray], np.ndarray], present: np.ndarray, *, scale: Any = "score", classes: int = 2
) -> Subject:
    targets = np.repeat(np.arange(classes), [3] + [1] * (classes - 1))
    head = registry.get("heads", "binary" if classes == 2 else "multiclass")().fit(targets, np.ones(len(targets)))
    rows, sources = present.shape
    game = Game(sources, head, worth)
    batches = Batches({f"s{i}": Batch({}, present[:, i]) for i in range(sources)}, rows)
    return Subject(game, {}, batches, np.full(rows, classes - 1), scale)


def pairs(sources: int, seed: int) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """A game in which sources and pairs of them count, and its Shapley values: half of a pair goes to each."""
    rng = np.random.default_rng(seed)
    alone, both = rng.normal(size=sources), np.triu(rng.normal(size=(sources, sources)), 1)

    def worth(present: np.ndarray) -> np.ndarray:
        there = present.astype(float)
        return (there @ alone + np.einsum("ni,ij,nj->n", there, both, there))[:, None]

    return worth, alone + (both + both.T).sum(axis=1) / 2


def prior(given: Subject) -> float:
    return float(given.head.prior[0])


def test_exact_values_of_a_game_of_pairs() -> None:
    worth, values = pairs(6, 0)
    given = subject(worth, np.ones((3, 6), bool))
    found = explain_sources(given)
    # Nothing is worth the prior, and not 0: what is between them is shared equally.
    np.testing.assert_allclose(found.values, np.tile(values - prior(given) / 6, (3, 1)), atol=1e-9)
    assert (found.error == 0).all()
    assert given.fitted.asked <= 3 * 2**6  # type: ignore[attr-defined]


@pytest.mark.parametrize("scale", ["score", "output"])
@pytest.mark.parametrize("sources", [1, 4, 10, 13])
def test_values_sum_to_prediction_less_base(sources: int, scale: str) -> None:
    worth, _ = pairs(sources, sources)
    present = np.random.default_rng(1).random((5, sources)) < 0.8
    present[0], present[1] = True, False
    given = subject(worth, present, scale=scale)
    found = explain_sources(given)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), given.prediction, rtol=0, atol=1e-12)
    assert (found.values[~present] == 0).all()
    np.testing.assert_array_equal(found.present, present)


def test_sampled_values_are_near_the_exact_ones_by_their_own_error() -> None:
    worth, values = pairs(12, 3)

    def bent(present: np.ndarray) -> np.ndarray:
        return worth(present) + 0.5 * (present.sum(axis=1, keepdims=True) > 5)

    given = subject(bent, np.ones((1, 12), bool))
    found = explain_sources(given, seed=4)
    exact = explain_sources(given, exact=12)
    assert (found.error > 0).all()
    assert (exact.error == 0).all()
    apart = np.abs(found.values - exact.values) / found.error
    assert apart.max() < 4.5
    again = explain_sources(given, seed=4)
    np.testing.assert_array_equal(found.values, again.values)
    assert (explain_sources(given, seed=5).values != found.values).any()
    assert np.abs(exact.values - values).max() < 1


def test_orders_in_pairs_make_additive_games_exact() -> None:
    weights = np.arange(12.0)
    given = subject(lambda present: (present @ weights)[:, None], np.ones((1, 12), bool))
    found = explain_sources(given)
    apart = found.values[0] - weights
    np.testing.assert_allclose(apart[1:] - apart[:-1], 0, atol=0.2)  # all but the prior, which goes to who comes first
    assert abs(apart.sum() + prior(given)) < 1e-9


def test_equal_coalitions_are_asked_once() -> None:
    present = np.zeros((2, 5), bool)
    present[:, :2] = True
    given = subject(lambda seen: seen[:, :1].astype(float), present)
    rows = np.repeat([0, 1], 32)
    member = np.tile((np.arange(32)[:, None] >> np.arange(5)) % 2 == 1, (2, 1))
    scores = given.fitted.coalitions(given.view, rows, member)
    assert given.fitted.asked == 2 * 3  # type: ignore[attr-defined]  # of two sources that are there, without the empty one
    np.testing.assert_allclose(scores[:, 0], np.where(member[:, :2].any(axis=1), member[:, 0], prior(given)))


def test_each_class_is_explained_as_the_row_asks() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(4, 3))
    given = subject(lambda present: present @ weights, np.ones((3, 4), bool), scale="output", classes=3)
    for label in range(3):
        asked = Subject(given.fitted, {}, given.batches, np.full(3, label), "output")
        found = explain_sources(asked)
        whole = np.exp(weights.sum(axis=0))
        np.testing.assert_allclose(found.base + found.values.sum(axis=1), (whole / whole.sum())[label], atol=1e-12)


def test_the_first_of_two_classes_mirrors_the_second() -> None:
    worth, _ = pairs(4, 0)
    for scale in ("score", "output"):
        given = subject(worth, np.ones((2, 4), bool), scale=scale)
        other = Subject(given.fitted, {}, given.batches, np.zeros(2, np.int64), scale)
        np.testing.assert_allclose(explain_sources(other).values, -explain_sources(given).values, atol=1e-12)


def test_modalities_are_summed() -> None:
    worth, _ = pairs(4, 0)
    found = explain_sources(subject(worth, np.ones((2, 4), bool)))
    np.testing.assert_allclose(found.by_modality["m0"], found.values[:, [0, 2]].sum(axis=1))
    np.testing.assert_allclose(found.by_modality["m1"], found.values[:, [1, 3]].sum(axis=1))
