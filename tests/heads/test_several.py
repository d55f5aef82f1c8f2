"""The head of several targets: each member as if alone, and a missing label counts nowhere."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from plait import registry
from plait.contracts import Composite, Reducible, State
from plait.errors import ConfigError, InputError

ASKED = {
    "default": "binary",
    "loss": {"head": "quantile", "levels": [0.1, 0.5, 0.9]},
    "home": "multiclass",
    "grade": "ordinal",
    "flags": "multilabel",
    "value": "regression",
}
ROWS = 60


def labels(missing: float = 0.4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    cells = np.empty((ROWS, len(ASKED)), object)
    cells[:, 0] = rng.integers(0, 2, ROWS).tolist()
    cells[:, 1] = rng.normal(3, 2, ROWS).tolist()
    cells[:, 2] = rng.choice(["own", "rent", "other"], ROWS).tolist()
    cells[:, 3] = rng.integers(1, 5, ROWS).tolist()
    for row in range(ROWS):
        cells[row, 4] = [name for name in ("late", "fraud") if rng.random() < 0.5]
    cells[:, 5] = rng.normal(100, 5, ROWS).tolist()
    for row, column in np.argwhere(rng.random(cells.shape) < missing):
        cells[row, column] = None
    return cells


def fitted(cells: np.ndarray, weights: object = "equal", asked: dict = ASKED) -> Composite:
    return registry.get("heads", "several")(asked, weights).fit(cells, np.ones(len(cells)))


def known(cells: np.ndarray, column: int) -> np.ndarray:
    return np.flatnonzero([cell is not None for cell in cells[:, column]])


def test_each_member_is_what_it_would_be_alone():
    cells = labels()
    head, scores = fitted(cells), np.random.default_rng(1).normal(size=(ROWS, fitted(cells).outputs))
    encoded, weight = head.encode(cells), np.ones(ROWS)
    errors = head.errors(scores, encoded, weight)
    assert isinstance(head, Composite)
    assert isinstance(head, Reducible)
    for column, (target, member) in enumerate(head.members.items()):
        rows, options = known(cells, column), dict(head.asked[target])
        alone = registry.make("heads", options.pop("head"), options).fit(cells[rows, column], np.ones(len(rows)))
        np.testing.assert_array_equal(alone.prior, member.prior)
        own = scores[:, head.spans[target]]
        np.testing.assert_array_equal(head.decode(scores).parts[target].values, alone.decode(own).values)
        lost = alone.error(own[rows], alone.encode(cells[rows, column]), weight[rows]).mean()
        unit = alone.error(np.tile(alone.prior, (len(rows), 1)), alone.encode(cells[rows, column]), weight[rows]).mean()
        assert errors[:, column].mean() == pytest.approx(lost / unit)


def test_the_loss_is_the_mean_of_the_errors_whatever_the_mini_batch():
    head, rng = fitted(labels(), {"loss": 0.5, "grade": 2}), np.random.default_rng(2)
    encoded, scores, weight = head.encode(labels()), rng.normal(size=(ROWS, head.outputs)), rng.uniform(0.5, 2, ROWS)
    whole = float(head.loss(*map(torch.from_numpy, (scores, encoded, weight))))
    errors = head.errors(scores, encoded, weight)
    assert whole == pytest.approx((errors @ head.fixed).mean(), rel=1e-6)
    np.testing.assert_allclose(head.error(scores, encoded, weight), errors @ (head.fixed * np.sqrt(head.shares)))
    halves = [slice(0, 20), slice(20, ROWS)]
    parts = [float(head.loss(*(torch.from_numpy(a[rows]) for a in (scores, encoded, weight)))) for rows in halves]
    assert (20 * parts[0] + 40 * parts[1]) / ROWS == pytest.approx(whole, rel=1e-6)


def test_a_mini_batch_without_labels_has_no_loss_and_no_gradient():
    head = fitted(labels())
    scores = torch.zeros(4, head.outputs, dtype=torch.float64, requires_grad=True)
    loss = head.loss(scores, torch.full((4, head.encode(labels()).shape[1]), torch.nan), torch.ones(4))
    loss.backward()
    assert loss.item() == 0
    assert scores.grad is not None
    assert not scores.grad.any()


def test_missing_labels_are_not_asked_of_plain_problems():
    cells = labels()
    head = fitted(cells)
    split = head.split(head.encode(cells))
    assert len(split) == len(head.problems())
    np.testing.assert_array_equal(~np.isnan(split[0]), [cell is not None for cell in cells[:, 0]])
    told = head.joined([np.tile(problem.prior, (3, 1)) for problem in head.problems()])
    np.testing.assert_allclose(told[:, 0], head.prior[0])
    assert told.shape == (3, head.outputs)
    origins = [head.origin(output) for output in range(head.outputs)]
    assert origins[0] == (0, 0)
    assert origins[1:4] == [None] * 3  # quantiles are made of all bins
    before = 1 + len(head.members["loss"].problems())
    assert origins[4] == (before, 0)


def test_state_keeps_everything_and_the_order_of_targets():
    head = fitted(labels(), {"home": 0.25})
    state = head.state()
    values = json.loads(json.dumps(state.values, sort_keys=True))
    again = type(head).from_state(State(state.version, values, state.arrays, parts=state.parts))
    scores = np.random.default_rng(3).normal(size=(ROWS, head.outputs))
    assert list(again.members) == list(ASKED)
    np.testing.assert_array_equal(again.encode(labels()), head.encode(labels()))
    np.testing.assert_array_equal(
        again.error(scores, head.encode(labels()), np.ones(ROWS)),
        head.error(scores, head.encode(labels()), np.ones(ROWS)),
    )


def test_targets_without_labels_are_named():
    head = fitted(labels())
    cells = labels()
    cells[:, 2] = None
    assert head.unlabelled(head.encode(cells)) == ("home",)
    with pytest.raises(InputError, match="target 'home' has no labels in rows that count"):
        fitted(cells)
    cells[:, 2] = "rent"
    with pytest.raises(InputError, match="target 'home': the target has one class only"):
        fitted(cells)


@pytest.mark.parametrize(
    ("asked", "weights", "message"),
    [
        ({"a": "binry"}, "equal", "did you mean 'binary'"),
        ({"a": {"levels": [0.5]}}, "equal", "'a'.*names no head"),
        ({"a": 3}, "equal", "'a'.*names no head"),
        ({"a": {"head": "quantile", "level": 1}}, "equal", "did you mean 'levels'"),
        ({"a": "binary"}, "gradients", "did you mean 'gradient'"),
        ({"a": "binary"}, {"b": 1.0}, "target in weights 'b'"),
        ({"a": "binary"}, [1.0], "must be numbers by target, or one of equal"),
        ({"a": "binary"}, {"a": -1.0}, "out of range"),
        ({"a": "binary"}, {"a": 0}, "weights are 0 for every target"),
    ],
)
def test_what_cannot_be_asked_is_said(asked, weights, message):
    with pytest.raises(ConfigError, match=message):
        registry.get("heads", "several")(asked, weights)
