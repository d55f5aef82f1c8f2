"""What every registered learner must do, and what each of ours chooses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import registry
from plait.contracts import Features, FitContext, Job, Learner, Progress, Sparse, State
from plait.errors import ArtifactError, ConfigError

QUICK: dict[str, dict[str, Any]] = {
    "lightgbm": {"sizes": [3, 6], "max_trees": 40, "members": 2},
    "forest": {"sizes": [5, 20], "trees": 30, "feature_share": 0.7},
    "mlp": {"hidden": [16], "members": 2, "max_epochs": 15},
}
TASKS = {"binary": 1, "multiclass": 3, "regression": 1}
WORDS = 8
KERNELS = ("linear", "nystroem")


def made(n: int = 500, task: str = "binary", seed: int = 0, **context: Any) -> tuple[Features, FitContext]:
    """Two numbers (one with gaps), a category, and words; all but the second number tell of the target."""
    rng = np.random.default_rng(seed)
    numbers, level = rng.normal(size=(n, 2)), rng.integers(0, 4, n)
    words = rng.random((n, WORDS)) < 0.3
    truth = 1.5 * numbers[:, 0] + (level == 2) + words[:, 0] - words[:, 1]
    present = np.ones((n, 3), bool)
    present[:, 1] = rng.random(n) < 0.8
    values = np.where(present, np.column_stack([numbers, level]), np.nan).astype(np.float32)
    rows, columns = np.nonzero(words)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int64)
    wide = Sparse(indptr, columns.astype(np.int32), np.ones(len(rows), np.float32), WORDS)
    only_level = np.array([False, False, True])
    features = Features(values, ("a", "b", "level"), present, only_level, only_level, wide)
    noisy = truth + 0.5 * rng.logistic(size=n)
    targets = {
        "binary": (noisy > 0).astype(float),
        "multiclass": np.digitize(noisy, [-1, 1]).astype(float),
        "regression": (noisy - 0.25) / 2,
    }[task]
    base = FitContext(targets, task, TASKS[task], np.ones(n), seed=5)  # type: ignore[arg-type]
    return features, replace(base, **context)


def learner(name: str, **options: Any) -> Learner:
    return registry.make("learners", name, {**QUICK.get(name, {}), **options})


def agreement(scores: np.ndarray, context: FitContext) -> float:
    """Share of rows whose class is right, or the correlation with the value."""
    if context.task == "regression":
        return float(np.corrcoef(scores[:, 0], context.targets)[0, 1])
    said = scores.argmax(axis=1) if context.task == "multiclass" else scores[:, 0] > 0
    return float((said == context.targets).mean())


CASES: list[tuple[str, str, dict[str, Any]]] = [
    *((name, task, {}) for name in registry.names("learners") for task in TASKS),
    *(("svm", task, {"kernel": "nystroem", "components": 60}) for task in TASKS),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join([*case[:2], *map(str, case[2].values())]))
def case(request: pytest.FixtureRequest) -> tuple[Learner, Features, FitContext, dict[str, Any]]:
    name, task, options = request.param
    features, context = made(task=task)
    return learner(name, **options).tune(features, context).fit(features, context), features, context, options


Case = tuple[Learner, Features, FitContext, dict[str, Any]]


def test_it_learns(case: Case) -> None:
    fitted, _, context, _ = case
    features, later = made(task=context.task, seed=1)
    scores = fitted.scores(features)
    assert scores.dtype == np.float64
    assert scores.shape == (500, context.outputs)
    assert agreement(scores, later) > 0.6


def test_state_round_trip_gives_the_same_bytes(case: Case) -> None:
    fitted, features, _, _ = case
    state = _through_json(fitted.state())
    again = type(fitted).from_state(state)
    np.testing.assert_array_equal(again.scores(features), fitted.scores(features))


def _through_json(state: State) -> State:
    values = json.loads(json.dumps(state.values, allow_nan=False))
    return replace(state, values=values, parts={name: _through_json(part) for name, part in state.parts.items()})


def test_contributions_sum_to_the_score(case: Case) -> None:
    fitted, _, context, _ = case
    features, _ = made(task=context.task, seed=1)
    features.present[:60] = False
    features.values[:60] = np.nan
    output = np.arange(500) % context.outputs
    told = fitted.contributions(features, output)
    assert told.dense.shape == features.values.shape
    assert told.method
    sums = told.base + told.dense.sum(axis=1)
    if told.wide is not None:
        assert features.wide is not None
        sums += np.bincount(np.repeat(np.arange(500), np.diff(features.wide.indptr)), told.wide, 500)
    score = fitted.scores(features)[np.arange(500), output]
    np.testing.assert_allclose(sums, score, atol=5e-6)


def test_contributions_of_several_hidden_layers_nearly_sum_to_the_score() -> None:
    features, context = made(200)
    fitted = learner("mlp", hidden=[16, 8], epochs=10).fit(features, context)
    told = fitted.contributions(features, np.zeros(200, np.int64))
    assert features.wide is not None
    owner = np.repeat(np.arange(200), np.diff(features.wide.indptr))
    sums = told.base + told.dense.sum(axis=1) + np.bincount(owner, told.wide, 200)
    np.testing.assert_allclose(sums, fitted.scores(features)[:, 0], atol=0.02)


def test_contributions_find_what_counts(case: Case) -> None:
    fitted, features, context, _ = case
    told = fitted.contributions(features, np.full(500, context.outputs - 1))
    moved = told.dense.std(axis=0)
    assert moved[0] > 3 * moved[1]
    np.testing.assert_array_less(0.5, np.corrcoef(told.dense[:, 0], features.values[:, 0])[0, 1])
    if fitted.accepts_wide:
        assert told.wide is not None
        assert features.wide is not None
        words = np.array([told.wide[features.wide.indices == word].mean() for word in range(WORDS)])
        assert words.argmax() == 0
        assert words.argmin() == 1


def test_settings_repeat_the_fit_without_choosing_again(case: Case) -> None:
    fitted, features, context, options = case
    told = json.loads(json.dumps(fitted.settings))
    assert told
    again = learner(fitted.name, **options, **told)
    assert again.tune(features, context).settings == told
    np.testing.assert_array_equal(again.fit(features, context).scores(features), fitted.scores(features))


def test_the_same_seed_gives_the_same_bytes(case: Case) -> None:
    fitted, features, context, options = case
    again = learner(fitted.name, **options).tune(features, context).fit(features, context)
    np.testing.assert_array_equal(again.scores(features), fitted.scores(features))


def test_a_row_has_the_same_score_in_any_company(case: Case) -> None:
    fitted, features, context, _ = case
    whole = fitted.scores(features)
    rows = np.array([3, 499, 3, 77])
    np.testing.assert_allclose(fitted.scores(features.take(rows)), whole[rows], atol=1e-12)
    assert fitted.scores(features.take(np.zeros(0, int))).shape == (0, context.outputs)


def test_what_is_absent_leaves_scores_finite(case: Case) -> None:
    fitted, features, _, _ = case
    gone = np.zeros(features.present.shape, bool)
    assert features.wide is not None
    blank = replace(
        features,
        values=np.full_like(features.values, np.nan),
        present=gone,
        wide=features.wide.keep(gone[:, 0]),
    )
    scores = fitted.scores(blank)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores, scores[:1].repeat(len(scores), axis=0))


@pytest.mark.parametrize("name", registry.names("learners"))
@pytest.mark.parametrize("task", TASKS)
def test_weights_matter(name: str, task: str) -> None:
    features, context = made(task=task)
    lied = np.random.default_rng(2).random(500) < 0.5
    wrong = {"binary": 1 - context.targets, "multiclass": 2 - context.targets, "regression": -context.targets}[task]
    told = replace(context, targets=np.where(lied, wrong, context.targets), weight=np.where(lied, 0.0, 2.0))
    fitted = learner(name).tune(features, told).fit(features, told)
    later, true = made(task=task, seed=1)
    assert agreement(fitted.scores(later), true) > 0.55


@pytest.mark.parametrize("name", registry.names("learners"))
@pytest.mark.parametrize("left", [(0, 2), (1, 2), (0, 1)])
def test_rows_that_lack_a_class_say_it_is_unlikely(name: str, left: tuple[int, int]) -> None:
    features, context = made(task="multiclass")
    rows = np.flatnonzero(np.isin(context.targets, left))
    part, some = features.take(rows), context.take(rows)
    fitted = learner(name).tune(part, some).fit(part, some)
    scores = fitted.scores(part)
    assert scores.shape == (len(rows), 3)
    assert np.isfinite(scores).all()
    chance = np.exp(scores - scores.max(axis=1, keepdims=True))
    lost = ({0, 1, 2} - set(left)).pop()
    assert (chance[:, lost] < 0.05).all()
    assert agreement(scores, some) > 0.7


@pytest.mark.parametrize("name", registry.names("learners"))
@pytest.mark.parametrize("n", [1, 2, 3, 12])
def test_few_rows(name: str, n: int) -> None:
    for task in TASKS:
        features, context = made(n, task)
        if task != "regression" and len(set(context.targets)) < 2:
            continue
        assert np.isfinite(learner(name).tune(features, context).fit(features, context).scores(features)).all()


@pytest.mark.parametrize("name", registry.names("learners"))
def test_progress_is_reported(name: str) -> None:
    told: list[Progress] = []
    features, context = made(job=Job(told.append))
    learner(name).tune(features, context).fit(features, context)
    assert told
    assert all(0 < report.done <= report.total for report in told)


# the linear learner


def test_the_penalty_is_chosen_by_what_rows_can_tell() -> None:
    def strength(n: int, noise: float) -> float:
        rng = np.random.default_rng(0)
        values = rng.normal(size=(n, 30)).astype(np.float32)
        targets = (values[:, :15].sum(axis=1) + noise * rng.normal(size=n) > 0).astype(float)
        flags = np.zeros(30, bool)
        features = Features(values, tuple(map(str, range(30))), np.ones(values.shape, bool), flags, flags)
        context = FitContext(targets, "binary", 1, np.ones(n))
        return float(learner("linear").tune(features, context).settings["strength"])

    assert strength(300, 100.0) < 0.03 < strength(2_000, 0.1)
    assert learner("linear", strength=0.5).tune(*made()).settings == {"strength": 0.5}


def test_words_count_and_covered_columns_do_not() -> None:
    features, context = made()
    fitted = learner("linear").tune(features, context).fit(features, context)
    swapped = features.values.copy()
    swapped[:, 2] = 3 - swapped[:, 2]
    np.testing.assert_array_equal(fitted.scores(replace(features, values=swapped)), fitted.scores(features))
    assert features.wide is not None
    silent = fitted.scores(replace(features, wide=features.wide.keep(np.zeros(500, bool))))
    assert np.abs(silent - fitted.scores(features)).max() > 0.1


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-3e38, 3e38), min_size=4, max_size=12), st.floats(-3e38, 3e38))
def test_no_finite_number_breaks_the_scale(cells: list[float], new: float) -> None:
    def features(numbers: list[float]) -> Features:
        values = np.array(numbers, np.float32)[:, None]
        flags = np.zeros(1, bool)
        return Features(values, ("x",), np.ones(values.shape, bool), flags, flags)

    context = FitContext((np.arange(len(cells)) % 2).astype(float), "binary", 1, np.ones(len(cells)))
    fitted = learner("linear", strength=1.0).fit(features(cells), context)
    assert np.isfinite(fitted.scores(features([*cells, new]))).all()


# the forest


def test_a_forest_means_the_shares_of_its_leaves() -> None:
    values = np.array([[0.0], [1.0]], np.float32).repeat(500, axis=0)
    flags = np.zeros(1, bool)
    features = Features(values, ("x",), np.ones(values.shape, bool), flags, flags)
    targets = np.concatenate([np.arange(500) % 5 == 0, np.arange(500) % 5 != 0]).astype(float)
    context = FitContext(targets, "binary", 1, np.ones(1_000))
    said = learner("forest", leaf_rows=5, scaling=[1.0, 0.0]).fit(features, context).scores(features)
    np.testing.assert_allclose(1 / (1 + np.exp(-said[[0, -1], 0])), [0.2, 0.8], atol=0.02)


def test_leaves_are_larger_where_rows_tell_little() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2_000, 4)).astype(np.float32)
    flags = np.zeros(4, bool)
    features = Features(values, tuple("abcd"), np.ones(values.shape, bool), flags, flags)

    def size(noise: float) -> int:
        targets = np.sin(4 * values[:, 0]) + noise * np.random.default_rng(1).normal(size=2_000)
        context = FitContext(targets, "regression", 1, np.ones(2_000))
        return int(learner("forest", sizes=[2, 80]).tune(features, context).settings["leaf_rows"])

    assert (size(0.1), size(20.0)) == (2, 80)


# the support vector machine


@pytest.mark.parametrize("kernel", ["linear", "nystroem"])
def test_decisions_become_log_odds(kernel: str) -> None:
    features, context = made(2_000)
    fitted = learner("svm", kernel=kernel).tune(features, context).fit(features, context)
    later, true = made(2_000, seed=1)
    odds = fitted.scores(later)[:, 0]
    chance = 1 / (1 + np.exp(-odds))
    for low in (0.0, 0.25, 0.5, 0.75):
        some = (chance >= low) & (chance < low + 0.25)
        assert true.targets[some].mean() == pytest.approx(chance[some].mean(), abs=0.08)


def test_a_kernel_sees_what_a_line_cannot() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1_000, 2)).astype(np.float32)
    flags = np.zeros(2, bool)
    features = Features(values, ("a", "b"), np.ones(values.shape, bool), flags, flags)
    context = FitContext((values.prod(axis=1) > 0).astype(float), "binary", 1, np.ones(1_000))
    right = {k: agreement(learner("svm", kernel=k).fit(features, context).scores(features), context) for k in KERNELS}
    assert right["linear"] < 0.65
    assert right["nystroem"] > 0.9


def test_with_all_rows_as_landmarks_the_kernel_is_exact() -> None:
    features, context = made(80)
    state = (
        learner("svm", kernel="nystroem", gamma=0.2, strength=1.0, scaling=[1.0, 0.0]).fit(features, context).state()
    )
    arrays = state.parts["map"].arrays
    points = np.concatenate([arrays["dense"], arrays["wide"].T], axis=1)
    kernel = np.exp(-0.2 * ((points[:, None] - points[None]) ** 2).sum(axis=2))
    near = kernel @ arrays["normaliser"]
    np.testing.assert_allclose(near @ near.T, kernel, atol=1e-4)


# the perceptron


def test_numpy_applies_what_torch_trained() -> None:
    import torch

    features, context = made()
    fitted = learner("mlp", epochs=3, members=1, hidden=[8, 4]).fit(features, context)
    weights = {name: torch.from_numpy(array) for name, array in fitted.state().parts["0"].arrays.items()}
    inputs = fitted.state().parts["inputs"]
    scaled = np.column_stack(
        [np.interp(features.values[:, i], q[:n], v[:n]) for i, (q, v, n) in enumerate(_knots(inputs.parts["scale"]))]
    )
    gaps = ~features.present[:, :2]
    x = torch.from_numpy(np.concatenate([np.where(gaps, 0.0, scaled), gaps[:, [1]]], axis=1).astype(np.float32))
    assert features.wide is not None
    words = torch.from_numpy(features.wide.dot(np.eye(WORDS, dtype=np.float32)))
    x = torch.addmm(weights["0.bias"], x, weights["0.weight"].T) + words @ weights["embedding"]
    for layer in ("3", "6"):
        x = torch.addmm(weights[f"{layer}.bias"], x.relu(), weights[f"{layer}.weight"].T)
    np.testing.assert_allclose(fitted.scores(features), x.numpy(), atol=1e-5)


def _knots(scale: State) -> Any:
    return zip(scale.arrays["quantiles"], scale.arrays["levels"], scale.arrays["counts"], strict=True)


def test_epochs_end_when_held_out_rows_gain_nothing() -> None:
    told: list[Progress] = []
    features, context = made(300, job=Job(told.append))
    fitted = learner("mlp", max_epochs=200, patience=2, learning_rate=0.05).tune(features, context)
    assert 1 <= fitted.settings["epochs"] < 200
    assert len(told) == fitted.settings["epochs"] + 2


# the trees


def test_trees_are_chosen_between_the_sizes_offered() -> None:
    told = learner("lightgbm").tune(*made()).settings
    assert told["leaves"] in (3, 6)
    assert told["trees"] >= 1
    kept = learner("lightgbm", leaves=5, trees=7).tune(*made()).settings
    assert kept == {"leaves": 5, "trees": 7}
    assert learner("lightgbm", leaves=5).tune(*made()).settings["leaves"] == 5


def test_an_interaction_gets_larger_trees_where_it_pays() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4_000, 5)).astype(np.float32)
    flags = np.zeros(5, bool)
    features = Features(values, tuple("abcde"), np.ones(values.shape, bool), flags, flags)
    targets = (np.prod(values[:, :4], axis=1) > 0).astype(float)
    context = FitContext(targets, "binary", 1, np.ones(4_000))
    options = {"sizes": [2, 24], "max_trees": 30, "learning_rate": 0.2}
    assert learner("lightgbm", **options).tune(features, context).settings["leaves"] == 24


def test_a_damaged_model_text_is_an_error() -> None:
    features, context = made()
    state = learner("lightgbm", trees=3, leaves=3).fit(features, context).state()
    with pytest.raises(ArtifactError, match="LightGBM model cannot be read"):
        registry.get("learners", "lightgbm").from_state(replace(state, texts={"0": "tree\nnonsense"}))


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("linear", "strength", 0),
        ("linear", "strength", "much"),
        ("linear", "iterations", 0),
        ("forest", "sizes", []),
        ("forest", "leaf_rows", 0),
        ("forest", "row_share", 1),
        ("forest", "scaling", [1]),
        ("mlp", "hidden", []),
        ("mlp", "dropout", 1.0),
        ("mlp", "epochs", 0),
        ("svm", "kernel", "cubic"),
        ("svm", "strength", 0),
        ("svm", "gamma", -1),
        ("svm", "components", 0),
        ("lightgbm", "leaves", 1),
        ("lightgbm", "leaves", "many"),
        ("lightgbm", "trees", 2.5),
        ("lightgbm", "sizes", []),
        ("lightgbm", "l2", -1),
        ("lightgbm", "learning_rate", 0),
        ("lightgbm", "row_share", 1.5),
        ("lightgbm", "members", True),
    ],
)
def test_options_out_of_range_are_named(name: str, option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{name}: {option}=.* out of range"):
        registry.make("learners", name, {option: value})
