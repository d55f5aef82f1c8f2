"""Heads: labels in, scores between, predictions out."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from plait import registry
from plait.contracts import Head, State
from plait.errors import ArtifactError, InputError

TARGETS = {
    "binary": [np.array([True, False, True]), np.array(["b", "a", "b"]), np.array(["b", "a", "a"], object)],
    "multiclass": [np.array([7, -1, 3, 3]), np.array([0.5, 1.5, 2.5]), np.array(["x", "y", "好"], object)],
    "regression": [np.array([1.0, 2.0, 5.0]), np.array([3, 4, 9])],
}
CASES = [(name, targets) for name, several in TARGETS.items() for targets in several]


def fitted(name: str, targets: np.ndarray, weight: np.ndarray | None = None) -> Head:
    return registry.get("heads", name)().fit(targets, np.ones(len(targets)) if weight is None else weight)


def again(head: Head) -> Head:
    state = head.state()
    values = json.loads(json.dumps(state.values, allow_nan=False))
    return type(head).from_state(State(state.version, values, state.arrays))


@pytest.mark.parametrize(("name", "targets"), CASES)
def test_a_sure_score_decodes_to_the_target(name, targets):
    head = again(fitted(name, targets))
    encoded = head.encode(targets)
    if name == "regression":
        np.testing.assert_allclose(head.decode(encoded[:, None]).values, targets)
        return
    sure = np.where(encoded[:, None] == (np.arange(head.outputs) if head.outputs > 1 else [1]), 900.0, -900.0)
    prediction = head.decode(sure)
    assert prediction.classes is not None
    assert prediction.classes.dtype.kind == targets.dtype.kind
    found = prediction.classes[prediction.values.argmax(axis=1)]
    assert found.tolist() == targets.tolist()
    assert [type(label) for label in found.tolist()] == [type(label) for label in targets.tolist()]
    np.testing.assert_allclose(prediction.values.sum(axis=1), 1, atol=1e-15)


@pytest.mark.parametrize(("name", "targets"), CASES)
def test_state_round_trip_keeps_everything(name, targets):
    head, rng = fitted(name, targets), np.random.default_rng(0)
    other, scores = again(head), rng.normal(0, 3, (9, head.outputs))
    assert other.outputs == head.outputs
    np.testing.assert_array_equal(other.prior, head.prior)
    np.testing.assert_array_equal(other.decode(scores).values, head.decode(scores).values)
    np.testing.assert_array_equal(other.encode(targets), head.encode(targets))


def test_the_prior_is_the_weighted_share():
    head = fitted("binary", np.repeat([0, 1], 5000), np.repeat([1.5, 0.5], 5000))
    np.testing.assert_allclose(head.decode(head.prior[None]).values[0], [0.75, 0.25], atol=1e-4)
    head = fitted("multiclass", np.repeat([0, 1, 2], [10, 20, 70]))
    np.testing.assert_allclose(head.decode(head.prior[None]).values[0], [0.1, 0.2, 0.7], atol=0.01)
    head = fitted("regression", np.array([0.0, 10.0]), np.array([1.0, 3.0]))
    assert head.decode(head.prior[None]).values == pytest.approx(7.5)


def test_a_class_without_weight_has_a_finite_prior():
    weight = np.array([1.0, 1.0, 0.0])
    for name in ("binary", "multiclass"):
        assert np.isfinite(fitted(name, np.array([0, 0, 1]), weight).prior).all()


def test_a_constant_target_has_unit_scale():
    head = fitted("regression", np.full(7, 0.1))
    np.testing.assert_allclose(head.decode(np.array([[0.0], [1.0]])).values, [0.1, 1.1])


@pytest.mark.parametrize("name", list(TARGETS))
def test_error_and_loss_are_the_same_mean(name):
    rng = np.random.default_rng(1)
    raw = rng.normal(size=40) if name == "regression" else rng.integers(0, 2 if name == "binary" else 4, 40)
    head, weight = fitted(name, raw), rng.uniform(0.2, 2, 40)
    scores, targets = rng.normal(0, 2, (40, head.outputs)), head.encode(raw)
    rows = head.error(scores, targets, weight)
    loss = head.loss(*(torch.from_numpy(a) for a in (scores, targets, weight)))
    assert rows.shape == (40,)
    assert float(loss) == pytest.approx(rows.mean(), abs=1e-12)
    if name != "regression":
        chosen = head.decode(scores).values[np.arange(40), targets.astype(int)]
        np.testing.assert_allclose(rows, -weight * np.log(chosen), atol=1e-12)


@pytest.mark.parametrize("name", ["binary", "multiclass"])
def test_extreme_scores_stay_finite(name):
    head = fitted(name, np.array([0, 1]))
    scores = np.array([[1e4], [-1e4]]) if name == "binary" else np.array([[0.0, 1e4], [1e4, 0.0]])
    assert np.isfinite(head.decode(scores).values).all()
    np.testing.assert_allclose(head.error(scores, np.array([0.0, 1.0]), np.ones(2)), 1e4)


@pytest.mark.parametrize("name", list(TARGETS))
def test_an_untrained_module_answers_around_the_prior(name):
    head = fitted(name, TARGETS[name][0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, pooled = head.module(64), torch.randn(2000, 64)
    scores = module(torch.zeros(2000, 1, 64), torch.ones(2000, 1, dtype=torch.bool), pooled).detach().numpy()
    np.testing.assert_allclose(scores.mean(axis=0), head.prior, atol=0.1)
    assert (scores.std(axis=0) > 0.5).all()  # nothing below could learn from weights of zero


@pytest.mark.parametrize(
    ("name", "targets", "message"),
    [
        ("binary", np.array([1, 1]), "one class only"),
        ("binary", np.array([1, 2, 3]), "3 classes"),
        ("binary", np.array([]), "no rows"),
        ("multiclass", np.array([1.0, np.nan]), "NaN or infinite in 1 rows"),
        ("multiclass", np.array(["a", None, "b"], object), "missing in row 1"),
        ("multiclass", np.array(["a", 3], object), "mixes labels of types int, str"),
        ("multiclass", np.array(["2020-01-01"], "M8[ns]"), "not supported"),
        ("regression", np.array(["a"]), "not a number"),
        ("regression", np.array([1.0, np.inf]), "row 1"),
        ("regression", np.array([]), "no rows"),
    ],
)
def test_unusable_targets_are_named(name, targets, message):
    with pytest.raises(InputError, match=message):
        fitted(name, targets)


@pytest.mark.parametrize(("known", "label"), [([0, 1], 2), (["a", "b"], "c"), (["a", "b"], 1), ([0, 1], "1")])
def test_an_unknown_label_is_named(known, label):
    head = fitted("binary", np.array(known))
    with pytest.raises(InputError, match=f"the label {label!r} was not seen"):
        head.encode(np.array([label]))


@pytest.mark.parametrize("saved", [{}, {"dtype": "M8[ns]", "labels": [1, 2]}, {"dtype": "U999999999", "labels": ["a"]}])
def test_damaged_labels_are_an_error_not_an_accident(saved):
    with pytest.raises(ArtifactError, match="damaged"):
        registry.get("heads", "binary").from_state(State(1, {"labels": saved, "prior": 0.0}))


def test_labels_of_equal_value_are_the_same_label():
    head = fitted("binary", np.array([0, 1]))
    np.testing.assert_array_equal(head.encode(np.array([1.0, 0.0])), [1, 0])
    np.testing.assert_array_equal(head.encode(np.array([True, False], object)), [1, 0])


def test_heads_do_not_import_torch():
    code = (
        "import sys; from plait import registry; import numpy as np\n"
        "for name in registry.names('heads'): registry.get('heads', name)().fit(np.arange(2), np.ones(2))\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
