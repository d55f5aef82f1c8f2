"""Heads: labels in, scores between, predictions out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plait import registry
from plait.contracts import Head, Reducible, State
from plait.errors import ArtifactError, ConfigError, InputError

TARGETS: dict[str, list[np.ndarray]] = {
    "binary": [np.array([True, False, True]), np.array(["b", "a", "b"]), np.array(["b", "a", "a"], object)],
    "multiclass": [np.array([7, -1, 3, 3]), np.array([0.5, 1.5, 2.5]), np.array(["x", "y", "好"], object)],
    "regression": [np.array([1.0, 2.0, 5.0]), np.array([3, 4, 9])],
}
CASES = [(name, targets) for name, several in TARGETS.items() for targets in several]


def cells(values: list[Any]) -> np.ndarray:
    made = np.empty(len(values), object)
    made[:] = values
    return made


def drawn(name: str, n: int, seed: int = 0) -> tuple[dict[str, Any], np.ndarray]:
    """Options and `n` targets of every registered head."""
    rng = np.random.default_rng(seed)
    numbers, grade = rng.gamma(2.0, 3.0, n), rng.integers(0, 4, n)
    grade[:4] = range(4)
    labels = cells([["a", "b", "c"][: int(g)] for g in grade])
    pairs = cells(list(zip(grade.tolist(), (np.arange(n) // 5).tolist(), strict=True)))
    matrix = np.where(rng.random((n, 3)) < 0.2, np.nan, rng.integers(0, 2, (n, 3)))
    several = np.stack([cells((grade % 2).tolist()), cells(numbers.tolist()), pairs, labels], axis=1)
    several[rng.random(several.shape) < 0.3] = None
    several[:8, 0], several[:8, 2] = [0, 1] * 4, pairs[:8]
    asked = {"default": "binary", "loss": "quantile", "order": "ranking", "flags": "multilabel"}
    made: dict[str, tuple[dict[str, Any], np.ndarray]] = {
        "binary": ({}, grade % 2),
        "multiclass": ({}, grade),
        "regression": ({}, numbers),
        "ordinal": ({"grades": ["low", "fair", "good", "best"]}, np.array(["low", "fair", "good", "best"])[grade]),
        "quantile": ({"levels": [0.1, 0.4, 0.8]}, numbers),
        "ranking": ({}, pairs),
        "multilabel": ({"labels": ["a", "b", "c"]}, matrix),
        "several": ({"asked": asked}, several),
    }
    return made[name]


def made(name: str, n: int = 40, seed: int = 0) -> tuple[Head, np.ndarray]:
    options, targets = drawn(name, n, seed)
    return registry.make("heads", name, options).fit(targets, np.ones(n)), targets


EVERY = registry.names("heads")


def fitted(name: str, targets: np.ndarray, weight: np.ndarray | None = None, **options: Any) -> Head:
    made = registry.make("heads", name, options)
    return made.fit(targets, np.ones(len(targets)) if weight is None else weight)


def again(head: Head) -> Head:
    state = head.state()
    values = json.loads(json.dumps(state.values, allow_nan=False))
    return type(head).from_state(State(state.version, values, state.arrays, parts=state.parts))


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


@pytest.mark.parametrize("name", EVERY)
def test_state_round_trip_keeps_everything(name):
    (head, targets), rng = made(name), np.random.default_rng(0)
    other, scores = again(head), rng.normal(0, 3, (9, head.outputs))
    assert other.outputs == head.outputs
    np.testing.assert_array_equal(other.prior, head.prior)
    np.testing.assert_array_equal(other.decode(scores).values, head.decode(scores).values)
    np.testing.assert_array_equal(other.encode(targets), head.encode(targets))
    assert len(head.decode(scores)) == 9
    if isinstance(head, Reducible):
        for one, same in zip(head.problems(), other.problems(), strict=True):
            assert type(one) is type(same)
            np.testing.assert_array_equal(one.prior, same.prior)


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


@pytest.mark.parametrize("name", EVERY)
def test_error_and_loss_are_the_same_mean(name):
    (head, raw), rng = made(name), np.random.default_rng(1)
    weight, scores, targets = rng.uniform(0.2, 2, 40), rng.normal(0, 2, (40, head.outputs)), head.encode(raw)
    rows = head.error(scores, targets, weight)
    loss = head.loss(*(torch.from_numpy(a) for a in (scores, targets, weight)))
    assert rows.shape == (40,)
    if name == "several":  # what stops a training gives targets with few labels less of a say than the loss does
        np.testing.assert_allclose(rows, head.errors(scores, targets, weight) @ np.sqrt(head.shares))
        rows = head.errors(scores, targets, weight) @ head.fixed
    assert float(loss) == pytest.approx(rows.mean(), abs=1e-12)
    if name in ("binary", "multiclass", "ordinal"):
        chosen = head.decode(scores).values[np.arange(40), targets.astype(int)]
        np.testing.assert_allclose(rows, -weight * np.log(chosen), atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_rows_without_weight_add_nothing(name):
    (head, raw), rng = made(name), np.random.default_rng(2)
    weight, targets = np.repeat([1.0, 0.0], 20), head.encode(raw)
    scores = torch.from_numpy(rng.normal(0, 2, (40, head.outputs))).requires_grad_()
    head.loss(scores, torch.from_numpy(targets), torch.from_numpy(weight)).backward()
    assert scores.grad is not None
    assert scores.grad[:20].abs().sum() > 0
    assert not scores.grad[20:].any()
    assert not head.error(scores.detach().numpy(), targets, weight)[20:].any()


@pytest.mark.parametrize("name", EVERY)
def test_a_prior_is_as_good_as_scores_that_do_not_look_at_rows_can_be(name):
    head, raw = made(name, 400)
    targets, weight, prior = head.encode(raw), np.ones(400), head.prior

    def error(scores):
        return head.error(np.tile(scores, (400, 1)), targets, weight).mean()

    for k in range(head.outputs):
        for step in (-0.5, 0.5):
            assert error(prior) <= error(prior + step * np.eye(head.outputs)[k]) + 2e-3


@pytest.mark.parametrize("name", EVERY)
def test_plain_problems_stand_for_a_head(name):
    head, raw = made(name, 400)
    if not isinstance(head, Reducible):
        assert name in ("binary", "multiclass", "regression")
        return
    encoded = head.encode(raw)
    problems, targets = head.problems(), head.split(encoded)
    assert len(problems) == len(targets)
    assert {problem.task for problem in problems} <= {"binary", "multiclass", "regression"}
    for problem, own in zip(problems, targets, strict=True):
        assert own.shape == (400,)
        known = own[~np.isnan(own)]
        assert len(known)
        if problem.task == "binary":
            assert set(known) <= {0.0, 1.0}
    np.testing.assert_allclose(head.joined([problem.prior[None] for problem in problems])[0], head.prior, atol=0.15)
    scores = [np.random.default_rng(i).normal(size=(7, problem.outputs)) for i, problem in enumerate(problems)]
    joined = head.joined(scores)
    assert joined.shape == (7, head.outputs)
    assert np.isfinite(head.decode(joined).values).all()
    for output in range(head.outputs):
        if (origin := head.origin(output)) is not None:
            np.testing.assert_array_equal(joined[:, output], scores[origin[0]][:, origin[1]])


@pytest.mark.parametrize("name", EVERY)
def test_extreme_scores_mean_something(name):
    head, raw = made(name)
    for scores in np.random.default_rng(3).choice([-900.0, 0.0, 900.0], (20, 1, head.outputs)):
        assert np.isfinite(head.decode(scores).values).all()
        assert np.isfinite(head.error(np.tile(scores, (40, 1)), head.encode(raw), np.ones(40))).all()


@pytest.mark.parametrize("name", ["binary", "multiclass"])
def test_extreme_scores_stay_finite(name):
    head = fitted(name, np.array([0, 1]))
    scores = np.array([[1e4], [-1e4]]) if name == "binary" else np.array([[0.0, 1e4], [1e4, 0.0]])
    assert np.isfinite(head.decode(scores).values).all()
    np.testing.assert_allclose(head.error(scores, np.array([0.0, 1.0]), np.ones(2)), 1e4)


@pytest.mark.parametrize("name", EVERY)
def test_an_untrained_module_answers_around_the_prior(name):
    head, _ = made(name)
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
        ("regression", np.array([1.0, 1e308]), r"too large to be scaled \(up to 1e\+308\)"),
        ("quantile", np.array([1.0, -1e200]), "too large to be scaled"),
        ("ordinal", np.array(["b", "a"], object), "text, whose order is not known; give grades"),
        ("ordinal", np.array([1.0, np.nan]), "NaN or infinite in 1 rows"),
        ("quantile", np.array(["a"]), "quantiles needs a numeric target"),
        ("quantile", np.array([]), "no rows"),
        ("ranking", np.array([1.0, 1.0]), "no group has two rows of different relevance"),
        ("ranking", cells([(1, 0), (2, 1)]), "no group has two rows of different relevance"),
        ("ranking", cells([(1, 0), (2, 1, 5)]), "target of row 1 is .*give pairs"),
        ("ranking", np.array([[1.0, 0.5], [2.0, np.nan]]), "group of 1 rows is missing .*row 1"),
        ("multilabel", cells([["a"], "b"]), "labels of row 1 are 'b'; give a list"),
        ("multilabel", np.array([[0.0, 2.0]]), "label '1' is 2 in row 0"),
        ("multilabel", np.full((3, 2), np.nan), "no label of any row is known"),
        ("multilabel", cells([None, None]), "no label of any row is known"),
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


# Grades, quantiles, rankings, labels


def test_grades_keep_their_order_and_their_types():
    head = again(fitted("ordinal", np.array(["CC", "A", "BBB", "A"], object), grades=["A", "BBB", "CC"]))
    assert head.encode(np.array(["CC", "A"], object)).tolist() == [2, 0]
    told = head.decode(np.array([[-900.0, 0.0], [900.0, 900.0], [900.0, -900.0]]))
    assert told.kind == "grade"
    assert told.classes is not None
    assert told.classes.tolist() == ["A", "BBB", "CC"]
    assert told.classes[told.values.argmax(axis=1)].tolist() == ["A", "CC", "BBB"]
    with pytest.raises(InputError, match="'D' was not seen"):
        head.encode(np.array(["D"], object))


def test_steps_up_a_ladder_start_as_one_direction():
    head = fitted("ordinal", np.arange(5))
    pooled = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    scores = head.module(8)(torch.zeros(6, 1, 8), torch.ones(6, 1, dtype=torch.bool), pooled)
    moved = scores - torch.from_numpy(head.prior).float()
    torch.testing.assert_close(moved, moved[:, :1].expand_as(moved), atol=1e-5, rtol=0)
    assert moved[:, 0].abs().min() > 0


def test_a_grade_without_rows_has_a_small_probability():
    head = fitted("ordinal", np.repeat([0, 2], 50), grades=[0, 1, 2, 3])
    np.testing.assert_allclose(head.decode(head.prior[None]).values[0], [0.495, 0.005, 0.495, 0.005], atol=1e-3)


@given(arrays(np.float64, (5, 7), elements=st.floats(-1e3, 1e3)))
@settings(deadline=None, max_examples=30)
def test_quantiles_never_cross_and_grades_sum_to_one(scores):
    rng = np.random.default_rng(0)
    levels = [0.01, 0.1, 0.3, 0.45, 0.6, 0.9, 0.99]
    told = fitted("quantile", rng.gamma(1.0, 1.0, 200), levels=levels).decode(scores)
    assert told.levels == tuple(levels)
    assert (np.diff(told.values, axis=1) >= 0).all()
    shares = fitted("ordinal", np.arange(8)).decode(scores).values
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)
    assert (shares >= 0).all()


def test_quantiles_are_read_off_the_probabilities_of_cuts():
    rng = np.random.default_rng(0)
    values = rng.gamma(2.0, 3.0, 20_000)
    head = fitted("quantile", values, levels=[0.05, 0.5, 0.93])
    # Of rows known to lie in the upper half, the quantiles are those of the upper half.
    encoded, upper = head.encode(values), values > np.median(values)
    shares = [np.clip(own[upper].mean(), 1e-9, 1 - 1e-9) for own in head.split(encoded)]
    told = head.decode(head.joined([np.log([[p / (1 - p)]]) for p in shares])).values[0]
    np.testing.assert_allclose(told, np.quantile(values[upper], [0.05, 0.5, 0.93]), rtol=0.03)


@pytest.mark.parametrize("values", [np.full(9, 3.0), np.repeat([0.0, 1.0], [50, 3]), np.array([2.0])])
def test_quantiles_of_a_target_of_few_values(values):
    head = again(fitted("quantile", values))
    (problems, targets), spread = (head.problems(), head.split(head.encode(values))), np.ptp(values)
    joined = head.joined([np.tile(problem.prior, (2, 1)) for problem in problems])
    assert len(problems) == len(targets) > 0
    for scores in (joined, head.prior[None]):
        told = head.decode(scores).values
        assert (told >= values.min() - 0.01 - 0.3 * spread).all()
        assert (told <= values.max() + 0.01 + 0.3 * spread).all()


def test_groups_may_be_a_second_column_pairs_or_text():
    relevance = [3, 1, 2, 1, 5, 2]
    forms = [
        np.column_stack([relevance, [7, 7, 7, 9, 9, 9]]),
        cells(list(zip(relevance, [7, 7, 7, 9, 9, 9], strict=True))),
        cells(list(zip(relevance, ["mon", "mon", "mon", "tue", "tue", "tue"], strict=True))),
    ]
    for form in forms:
        head = fitted("ranking", form)
        groups = head.together(head.encode(form))
        assert groups.tolist() == [0, 0, 0, 1, 1, 1]
    alone = fitted("ranking", np.array(relevance))
    assert alone.together(alone.encode(np.array(relevance))) is None


def test_a_ranking_is_judged_within_groups_and_by_order_alone():
    head = fitted("ranking", np.array([[1, 0], [2, 0], [1, 1], [9, 1]]))
    targets = head.encode(np.array([[1, 0], [2, 0], [1, 1], [9, 1]]))
    right = head.error(np.array([[0.0], [9.0], [100.0], [109.0]]), targets, np.ones(4))
    np.testing.assert_allclose(right, np.log1p(np.exp(-9.0)), rtol=1e-9)
    wrong = head.error(np.array([[9.0], [0.0], [109.0], [100.0]]), targets, np.ones(4))
    np.testing.assert_allclose(wrong, 9.0, atol=1e-3)
    (normal,) = head.split(targets)
    np.testing.assert_allclose(normal, [-0.6745, 0.6745] * 2, atol=1e-3)


def test_rows_that_no_other_row_is_compared_with_are_not_asked():
    targets = np.array([[1, 0], [2, 0], [4, 1], [3, 2], [3, 2]])
    head = fitted("ranking", targets)
    (normal,) = head.split(head.encode(targets))
    assert np.isnan(normal).tolist() == [False, False, True, True, True]


def test_large_groups_are_judged_on_a_part_of_their_pairs_that_stands_for_all():
    rng = np.random.default_rng(0)
    relevance, scores = rng.normal(size=2_000), rng.normal(size=(2_000, 1))
    head = fitted("ranking", relevance)
    told = head.error(scores, head.encode(relevance), np.ones(2_000)).mean()
    exact = head.loss(torch.from_numpy(scores), torch.from_numpy(head.encode(relevance)), torch.ones(2_000)).item()
    assert told == pytest.approx(exact, rel=0.02)


def test_labels_are_lists_of_names_or_a_matrix():
    named = cells([["a", "c"], {"b"}, (), None])
    head = again(fitted("multilabel", named))
    expected = [[1, 0, 1], [0, 1, 0], [0, 0, 0], [np.nan] * 3]
    np.testing.assert_array_equal(head.encode(named), expected)
    np.testing.assert_array_equal(head.encode(np.array(expected)), expected)
    told = head.decode(np.array([[900.0, 0.0, -900.0]]))
    assert told.kind == "labels"
    np.testing.assert_allclose(told.values, [[1, 0.5, 0]])
    with pytest.raises(InputError, match="label 'd' of row 1 was not seen"):
        head.encode(cells([["a"], ["d"]]))


def test_labels_may_be_mappings_that_leave_some_open():
    partly = cells([{"a": True, "b": False}, {"b": 1, "a": None}, {}, ["a"]])
    head = fitted("multilabel", partly)
    np.testing.assert_array_equal(head.encode(partly), [[1, 0], [np.nan, 1], [np.nan, np.nan], [1, 0]])
    with pytest.raises(InputError, match="label 'a' of row 0 is 'yes'; give true, false or None"):
        head.encode(cells([{"a": "yes"}]))


def test_an_unknown_label_teaches_nothing():
    head = fitted("multilabel", np.array([[1.0, np.nan], [0.0, 1.0], [0.0, 0.0]]))
    scores = torch.zeros(1, 2, requires_grad=True)
    head.loss(scores, torch.tensor([[1.0, torch.nan]]), torch.ones(1)).backward()
    assert scores.grad is not None
    assert scores.grad[0, 0] < 0 == scores.grad[0, 1]


def test_labels_of_equal_value_are_the_same_label():
    head = fitted("binary", np.array([0, 1]))
    np.testing.assert_array_equal(head.encode(np.array([1.0, 0.0])), [1, 0])
    np.testing.assert_array_equal(head.encode(np.array([True, False], object)), [1, 0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ordinal", {"grades": ["a"]}, "two or more different grades"),
        ("ordinal", {"grades": ["a", "b", "a"]}, "two or more different grades"),
        ("ordinal", {"grades": "ab"}, "two or more different grades"),
        ("ordinal", {"grades": 5}, "two or more different grades"),
        ("ordinal", {"grades": [["a"], ["b"]]}, "two or more different grades"),
        ("quantile", {"levels": [0.5, 0.1]}, "must rise"),
        ("quantile", {"levels": [0.0, 0.5]}, "between 0 and 1"),
        ("quantile", {"levels": []}, "must rise"),
        ("multilabel", {"labels": ["a", "a"]}, "different names"),
        ("multilabel", {"labels": 5}, "different names"),
        ("multilabel", {"labels": [["a"]]}, "different names"),
    ],
)
def test_options_out_of_range_are_named(name, options, message):
    with pytest.raises(ConfigError, match=f"{name}: .*{message}"):
        registry.make("heads", name, options)


def test_heads_do_not_import_torch():
    code = (
        "import sys; from plait import registry\n"
        "for name in registry.names('heads'): registry.get('heads', name)\n"
        "import numpy as np; two, one = np.arange(2), np.ones(2)\n"
        "for name in registry.names('heads'):\n"
        "    options = {'asked': {'a': 'quantile', 'b': 'ordinal'}} if name == 'several' else {}\n"
        "    targets = np.stack([two, two], axis=1) if name in ('several', 'multilabel') else two\n"
        "    registry.make('heads', name, options).fit(targets, one)\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
