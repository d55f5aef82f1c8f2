"""The estimators as scikit-learn, its tools and frames of mixed columns meet them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import plait
from plait.contracts import FitContext
from plait.data.splits import inner_pairs

COPIES = "quantiles, penalties and inner folds come from rows: a weight of 2 is not a row that stands twice"
UNEQUAL = {"check_sample_weight_equivalence_on_dense_data": COPIES}
FEW_TREES = {"lightgbm": {"trees": 40, "leaves": 4, "members": 1}}
SMALL: dict[str, dict[str, Any]] = {
    "forest": {"trees": 40, "sizes": [2], "feature_share": 0.7},
    "svm": {},
    "mlp": {"hidden": [16], "members": 1, "max_epochs": 30, "learning_rate": 0.02},
}
SMALL_NETWORK = {
    "attention": {"width": 16, "layers": 1, "heads": 2, "epochs": 20, "batch_size": 16, "learning_rate": 0.02}
}


def early(kind: type[BaseEstimator] = plait.Classifier, learner: str = "linear", **more: Any) -> BaseEstimator:
    return kind(fusion="early", learner=learner, n_jobs=1, **more)


# scikit-learn's own checks


@parametrize_with_checks(
    [
        early(plait.Classifier, "linear"),
        early(plait.Regressor, "linear"),
        early(plait.Classifier, "lightgbm", options=FEW_TREES),
        early(plait.Regressor, "lightgbm", options=FEW_TREES),
    ],
    expected_failed_checks=lambda estimator: UNEQUAL,
)
def test_scikit_learn_checks(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        early(plait.Classifier, "lightgbm"),
        early(plait.Regressor, "lightgbm"),
        *(early(kind, name, options=SMALL) for name in SMALL for kind in (plait.Classifier, plait.Regressor)),
        early(plait.Classifier, "svm", options={"svm": {"kernel": "nystroem"}}),
        plait.Classifier(n_jobs=1),
        plait.Regressor(n_jobs=1),
        plait.Classifier(fusion="late", learner="linear", n_jobs=1),
        plait.Classifier(fusion="attention", n_jobs=1, options=SMALL_NETWORK),
        plait.Regressor(fusion="attention", n_jobs=1, options=SMALL_NETWORK),
    ],
    expected_failed_checks=lambda estimator: UNEQUAL,
)
def test_scikit_learn_checks_of_what_takes_longer(
    estimator: BaseEstimator, check: Callable[[BaseEstimator], None]
) -> None:
    check(estimator)


# scikit-learn's tools


@pytest.fixture(scope="module")
def loans() -> pd.DataFrame:
    return plait.samples.loans(400, seed=1)


@pytest.fixture(scope="module")
def rows(loans: pd.DataFrame) -> pd.DataFrame:
    return loans.drop(columns="default")


@pytest.fixture(scope="module")
def fitted(loans: pd.DataFrame, rows: pd.DataFrame) -> BaseEstimator:
    return early(time="issued_at").fit(rows, loans["default"])


@pytest.mark.slow
def test_grid_search_over_fusion_learner_and_options(loans: pd.DataFrame, rows: pd.DataFrame) -> None:
    grid = [
        {"fusion": ["early"], "learner": ["linear"], "options": [{"linear": {"strength": s}} for s in (1e-6, 0.1)]},
        {"fusion": ["early"], "learner": ["lightgbm"], "options": [FEW_TREES]},
        {"fusion": ["late"], "learner": ["linear"]},
    ]
    search = GridSearchCV(plait.Classifier(n_jobs=1), grid, scoring="neg_log_loss", cv=2, error_score="raise")
    search.fit(rows, loans["default"])
    assert search.best_params_["options"] != {"linear": {"strength": 1e-6}}
    assert search.best_estimator_.predict(rows[:5]).shape == (5,)


def test_cross_val_score_and_pipeline(loans: pd.DataFrame, rows: pd.DataFrame) -> None:
    scores = cross_val_score(early(), rows, loans["default"], cv=3, scoring="roc_auc", error_score="raise")
    assert scores.mean() > 0.6
    chosen = make_column_transformer(("passthrough", ["income", "letter"]), verbose_feature_names_out=False)
    pipe = make_pipeline(chosen.set_output(transform="pandas"), early(plait.Regressor)).fit(rows, loans["amount"])
    assert pipe[-1].feature_names_in_.tolist() == ["income", "letter"]
    assert pipe.predict(rows[:3]).shape == (3,)


def test_clone_and_pickle(fitted: BaseEstimator, rows: pd.DataFrame) -> None:
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(rows), fitted.predict_proba(rows))
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    assert not hasattr(fresh, "schema_")


# frames, and what else holds rows


class Arrow:
    """What polars, and whoever else speaks Arrow, looks like from here."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.table = pa.Table.from_pandas(frame, preserve_index=False)

    def to_arrow(self) -> pa.Table:
        return self.table


def test_rows_may_come_as_arrow_dict_or_frame(fitted: BaseEstimator, rows: pd.DataFrame) -> None:
    expected = fitted.predict_proba(rows)
    for other in (pa.Table.from_pandas(rows), Arrow(rows), rows.to_dict("list"), rows.set_index(rows.index[::-1])):
        np.testing.assert_array_equal(fitted.predict_proba(other), expected)
    again = early(time="issued_at").fit(Arrow(rows), pa.chunked_array([plait.samples.loans(400, seed=1)["default"]]))
    np.testing.assert_array_equal(again.predict_proba(rows), expected)


def test_columns_may_come_in_another_order_and_with_strangers(fitted: BaseEstimator, rows: pd.DataFrame) -> None:
    other = rows[rows.columns[::-1]].assign(default=1, rumour="x")
    np.testing.assert_array_equal(fitted.predict_proba(other), fitted.predict_proba(rows))
    assert fitted.schema_.target == "default"  # known, and not read either
    assert fitted.ignored_columns(other) == ("rumour",)
    assert fitted.ignored_columns(rows) == ()


@pytest.mark.parametrize("kind", [plait.Classifier, plait.Regressor])
def test_one_row_and_none(kind: type[BaseEstimator], loans: pd.DataFrame, rows: pd.DataFrame) -> None:
    model = early(kind, time="issued_at").fit(rows, loans["default"])
    whole = model.predict(rows)
    for i in (0, 17, 399):
        assert model.predict(rows.iloc[[i]])[0] == pytest.approx(whole[i])
    assert model.predict(rows[:0]).shape == (0,)
    if kind is plait.Classifier:
        assert model.predict_proba(rows[:0]).shape == (0, 2)
        assert model.predict(rows[:0]).dtype == whole.dtype


@pytest.mark.parametrize("fusion", ["early", "late", "auto", "hybrid"])
@pytest.mark.parametrize("column", ["letter", "balance", "purpose", "income"])
def test_a_single_column_is_enough(loans: pd.DataFrame, fusion: str, column: str) -> None:
    learner = None if fusion in ("auto", "hybrid") else "linear"
    model = plait.Classifier(fusion=fusion, learner=learner, n_jobs=1, options=FEW_TREES)
    model.fit(loans[[column]], loans["default"])
    assert len(model.schema_.sources) == 1
    values = model.predict_proba(loans[[column]].assign(**{column: None}))
    np.testing.assert_allclose(values, values[:1].repeat(len(values), axis=0))
    shares = loans["default"].value_counts(normalize=True).to_numpy()
    np.testing.assert_allclose(values[0], shares, atol=0.01)


def test_arrays_and_frames_of_numbers_agree() -> None:
    X = np.random.default_rng(0).normal(size=(80, 3))
    y = np.where(X[:, 0] > 0, "up", "down")
    named = pd.DataFrame(X, columns=["x0", "x1", "x2"])
    np.testing.assert_array_equal(early().fit(X, y).predict_proba(X), early().fit(named, y).predict_proba(named))


# weights, classes, seeds, threads


@pytest.mark.parametrize("learner", ["linear", "lightgbm"])
def test_rows_without_weight_teach_nothing(learner: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y, lied = X[:, 0] > 0, rng.random(400) < 0.5
    model = early(learner=learner, options=FEW_TREES).fit(X, y ^ lied, np.where(lied, 0.0, 1.0))
    assert (model.predict(X) == y).mean() > 0.9


@pytest.mark.parametrize("learner", ["linear", "lightgbm"])
def test_balanced_classes_raise_the_rare_one(learner: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = X[:, 0] + rng.normal(size=600) > 2
    plain, balanced, told = (
        early(learner=learner, options=FEW_TREES, class_weight=w).fit(X, y).predict_proba(X)[:, 1].mean()
        for w in (None, "balanced", {True: 3.0})
    )
    assert plain == pytest.approx(y.mean(), abs=0.03)
    assert balanced > told > plain
    assert balanced > 2 * plain


def test_the_unit_of_weights_says_nothing() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=60)})
    weight = rng.uniform(0.5, 2.0, 60) * (np.arange(60) % 5 > 0)
    rare, grade = (X["a"].to_numpy() > 1).astype(int), np.digitize(X["a"], [-0.5, 0.5])
    nothing = pd.DataFrame({"a": [np.nan]})
    told = []
    for unit in (1.0, 1e-6, 1e6):
        one = plait.Classifier(fusion="early", learner="linear", n_jobs=1).fit(X, rare, unit * weight)
        some = plait.MultiTask({"rare": "binary", "grade": "ordinal"}, fusion="early", learner="linear", n_jobs=1)
        some.fit(X, pd.DataFrame({"rare": rare, "grade": grade}), unit * weight)
        told.append(np.hstack([one.predict_proba(nothing), *some.predict_proba(nothing).values()]))
    np.testing.assert_allclose(told[1:], [told[0]] * 2, rtol=1e-9)


def test_seeds_count_and_threads_do_not() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = X[:, 0] + rng.normal(size=300) > 0

    def fit(**how: Any) -> np.ndarray:
        return plait.Classifier(fusion="early", options=FEW_TREES, **how).fit(X, y).predict_proba(X)

    assert (fit(random_state=1) != fit(random_state=2)).any()
    np.testing.assert_array_equal(fit(), fit(random_state=0))
    np.testing.assert_array_equal(fit(random_state=3, n_jobs=1), fit(random_state=np.int64(3), n_jobs=2))
    np.testing.assert_array_equal(*(fit(random_state=np.random.RandomState(5)) for _ in range(2)))
    assert fit(random_state=2**32 - 1).shape == (300, 2)


def test_groups_stand_on_one_side_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300), "who": rng.integers(0, 12, 300)})
    seen: list[FitContext] = []

    def spy(context: FitContext, **how: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        seen.append(context)
        return inner_pairs(context, **how)

    for place in ("plait.learners.linear", "plait.learners.lightgbm", "plait.stacking"):
        monkeypatch.setattr(f"{place}.inner_pairs", spy)
    model = plait.Classifier(group="who", n_jobs=1, options=FEW_TREES).fit(frame, rng.random(300) < 0.5)
    assert "who" not in {name for source in model.schema_.sources for name in source.columns}
    assert len(seen) > 2
    for context in seen:
        for fit, judge in inner_pairs(context):
            assert not set(context.groups[fit]) & set(context.groups[judge])


def test_classes_of_any_type_come_back() -> None:
    X = np.random.default_rng(0).normal(size=(90, 2))
    for classes in (["good", "late", "lost"], [3, 5, 9], [1.0, 2.0], [False, True], ["坏", "好"]):
        y = np.array(classes)[np.digitize(X[:, 0], np.linspace(-0.5, 0.5, len(classes) - 1))]
        model = early().fit(X, y)
        assert model.classes_.tolist() == sorted(classes)
        assert (model.predict(X) == y).mean() > 0.8
        assert model.predict(X).dtype == y.dtype
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_the_name_of_the_target_is_kept(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(30.0), "b": np.arange(30.0)[::-1], "bad": np.arange(30) % 2})
    model = plait.Classifier(fusion="early", learner="linear", n_jobs=1).fit(frame[["a", "b"]], frame["bad"])
    model.save(tmp_path / "model.plait")
    assert plait.load(tmp_path / "model.plait").schema_.target == "bad"
    nameless = plait.Classifier(fusion="early", learner="linear", n_jobs=1).fit(frame[["a", "b"]], list(frame["bad"]))
    assert nameless.schema_.target is None
