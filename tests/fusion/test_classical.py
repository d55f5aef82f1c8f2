"""Early, late and auto on made loans: plans, budgets, replays, and what they leave unloaded."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import plait
from plait import registry
from plait.errors import ConfigError, InputError
from plait.evidence import View
from plait.fusion.auto import epochs, estimate, weighed
from plait.stacking import Part, Unseen

LIGHT = {"lightgbm": {"trees": 40, "leaves": 6, "members": 1}, "linear": {"strength": 0.03}}


@pytest.fixture(scope="module")
def loans() -> tuple[pd.DataFrame, pd.DataFrame]:
    return plait.split(plait.samples.loans(900, seed=4), time="issued_at", test=1 / 3)


def fit(train: pd.DataFrame, **how: Any) -> plait.Classifier:
    model = plait.Classifier(time="issued_at", n_jobs=1, **{"options": LIGHT, **how})
    return model.fit(train.drop(columns="default"), train["default"])


def auc(model: plait.Classifier, rows: pd.DataFrame) -> float:
    return float(roc_auc_score(rows["default"], model.predict_proba(rows)[:, 1]))


# early


def test_early_needs_no_tuning_where_all_is_said(loans: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, test = loans
    model = fit(train, fusion="early", learner="lightgbm")
    assert model.plan_ == {"fusion": "early", "learner": "lightgbm", "options": LIGHT}
    assert auc(model, test) > 0.6


def test_masked_copies_teach_trees_what_to_say_where_a_source_is_gone() -> None:
    rng = np.random.default_rng(0)
    letter = plait.samples.loans(600, seed=1)["letter"].fillna("none given")
    rows = pd.DataFrame({"price": 100 + rng.normal(size=600), "letter": letter})
    dear = rows["price"] + 0.5 * rng.normal(size=600) > 100
    means = []
    for masking in (0.0, 0.5):
        options = {**LIGHT, "early": {"masking": masking}}
        model = plait.Classifier(fusion="early", options=options, n_jobs=1).fit(rows, dear.to_numpy())
        means.append(model.predict_proba(rows.assign(price=np.nan))[:, 1].mean())
    assert means[0] < dear.mean() - 0.15  # trees that never saw a price missing take it for a low one
    assert means[1] == pytest.approx(dear.mean(), abs=0.1)


def test_learners_are_found_by_name(loans: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    with pytest.raises(ConfigError, match="did you mean 'linear'"):
        fit(loans[0], fusion="early", learner="liner")
    with pytest.raises(ConfigError, match="early: masking=2 is out of range"):
        fit(loans[0], fusion="early", options={"early": {"masking": 2}})


# late


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_late_has_one_learner_a_source(loans: tuple[pd.DataFrame, pd.DataFrame], task: str) -> None:
    train, _ = loans
    X = train.drop(columns=["default", "income"])
    y = {
        "binary": train["default"],
        "multiclass": pd.qcut(train["income"], 3, labels=False),
        "regression": np.log(train["income"]),
    }[task]
    kind = plait.Regressor if task == "regression" else plait.Classifier
    model = kind(fusion="late", time="issued_at", n_jobs=1, options=LIGHT).fit(X, y)
    stacked = model.model_.fitted
    sources = [part.source for part, _ in stacked.parts]
    assert len(set(sources)) == len(sources)
    assert set(sources) <= {source.name for source in model.schema_.sources}
    assert (stacked.stack.weights >= 0).all()
    assert np.isfinite(model.model_.fitted.predict(model.model_.batches(X)).values).all()


def test_late_takes_the_learner_that_judges_better_or_the_one_named(
    loans: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    train, test = loans
    named = fit(train, fusion="late", learner="linear")
    assert {part.learner for part, _ in named.model_.fitted.parts} == {"linear"}
    assert auc(named, test) > 0.65


@pytest.mark.parametrize("hidden", [["letter"], ["balance"], ["letter", "balance"]])
def test_late_fits_and_predicts_with_any_sources(loans: tuple[pd.DataFrame, pd.DataFrame], hidden: list[str]) -> None:
    train, test = loans
    model = fit(train.drop(columns=hidden), fusion="late", learner="linear")
    assert len(model.schema_.sources) == 3 - len(hidden)
    gone = test.assign(**dict.fromkeys(hidden), income=np.nan)
    assert np.isfinite(model.predict_proba(gone)).all()


# hybrid


def test_hybrid_has_a_learner_over_each_source_and_one_over_all(loans: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, test = loans
    model = fit(train, fusion="hybrid", options=LIGHT)
    parts = {part.name: part.source for part, _ in model.model_.fitted.parts}
    together = {"early/lightgbm": None, "table/lightgbm": "table"}
    apart = {f"{source.name}/linear": source.name for source in model.schema_.sources}
    assert set(parts.items()) <= set((together | apart).items())
    assert len(parts) > 2
    alone = max(auc(fit(train, fusion="early", learner="lightgbm", options=LIGHT), test), 0.65)
    assert auc(model, test) > alone - 0.02


def test_hybrid_of_one_source_asks_both_learners_once(loans: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    model = fit(loans[0].drop(columns=["letter", "balance"]), fusion="hybrid", options=LIGHT)
    assert {part.name for part, _ in model.model_.fitted.parts} <= {"early/lightgbm", "table/linear"}


def test_hybrid_takes_learners_by_name(loans: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    told = {**LIGHT, "hybrid": {"together": "linear", "apart": "linear"}}
    model = fit(loans[0], fusion="hybrid", options=told)
    assert {part.learner for part, _ in model.model_.fitted.parts} == {"linear"}
    with pytest.raises(ConfigError, match="did you mean 'linear'"):
        fit(loans[0], fusion="hybrid", options={"hybrid": {"apart": "liner"}})


# auto


def test_few_rows_get_one_linear_model(loans: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    model = fit(loans[0][:199])
    assert [(part["fusion"], part["learner"]) for part in model.plan_["parts"]] == [("early", "linear")]
    assert model.plan_["parts"][0]["weight"] == 1
    alone = fit(loans[0][:199], fusion="early", learner="linear")
    np.testing.assert_array_equal(model.predict_proba(loans[1]), alone.predict_proba(loans[1]))
    assert len(fit(loans[0][:200]).plan_["parts"]) == 2


class Shallow:
    """A room of which auto sees that it is there."""


class Deep:
    deep = True


def test_the_plan_depends_on_rows_and_rooms_alone() -> None:
    def names(rows: int, rooms: int, signals: int = 0, **how: Any) -> list[str]:
        told = [Shallow()] * rooms + [Deep()] * signals
        return [part.name for part in registry.get("fusions", "auto")(**how).parts(rows, told)]

    assert names(5_000, 2) == ["early/linear", "early/lightgbm"]
    assert "attention" in names(1_000_000, 2)
    assert "attention" not in names(1_000_000, 1)
    assert names(5_000, 2, learner="lightgbm") == ["early/lightgbm"]
    assert names(10**9, 3, time_budget=1.0) == ["early/linear"]  # the first part always runs
    asked = registry.get("fusions", "auto")(time_budget=1.0)
    assert asked.doors(10**9, [Shallow()] * 3) == {"features"}
    # raw signals bring a network at fewer rows, for one source alone, too
    assert names(5_000, 0, 1) == ["early/linear", "early/lightgbm", "parallel"]
    assert "parallel" in names(500, 2, 1)
    assert "parallel" not in names(499, 2, 1)
    assert names(5_000, 1, 1, learner="linear") == ["early/linear"]
    assert names(5_000, 1, 1, time_budget=10.0) == ["early/linear", "early/lightgbm"]
    assert registry.get("fusions", "auto")().doors(5_000, [Deep()]) == {"features", "tokens"}


def test_a_network_of_signals_has_the_epochs_that_are_paid_for() -> None:
    def cost(rows: int, rooms: int, signals: int) -> tuple[int, float]:
        told = [Shallow()] * rooms + [Deep()] * signals
        return epochs("parallel", rows, told), estimate(Part("parallel", "parallel"), rows, told)

    assert cost(1_000, 3, 0)[0] == 19
    assert cost(1_000, 2, 1)[0] == 19
    some, seconds = cost(1_000, 5, 4)
    assert 4 < some < 19
    assert 60 < seconds <= 90
    assert cost(40_000, 1, 1)[0] == 4  # many rows are worth their time


@pytest.mark.parametrize(("says", "stays"), [("noise", False), ("the other half", True)])
def test_a_network_must_lower_the_held_out_error(says: str, stays: bool) -> None:
    rng = np.random.default_rng(0)
    halves = rng.normal(size=(200, 2))
    y = (halves.sum(axis=1) + rng.logistic(size=200) > 0).astype(int)
    told = halves[:, 1] if stays else rng.normal(size=200)
    scores = np.stack([halves[:, 0], halves[:, 0], told], axis=1)[:, :, None]
    head = registry.get("heads", "binary")().fit(y, np.ones(200))
    seen = Unseen(np.arange(200), np.zeros(200, np.int64), scores, (), True)
    stack = weighed(head, seen, head.encode(y), np.ones(200), np.array([False, False, True]))
    assert bool(stack.weights[2] > 0.1) is stays
    assert (stack.weights[:2] > 0.1).all()


@pytest.fixture(scope="module")
def planned(loans: tuple[pd.DataFrame, pd.DataFrame]) -> plait.Classifier:
    return fit(loans[0])


def test_the_plan_is_recorded(planned: plait.Classifier) -> None:
    plan = json.loads(json.dumps(planned.plan_, allow_nan=False))
    assert plan["fusion"] == "auto"
    assert plan["options"] == LIGHT
    assert plan["skipped"] == []
    assert all({"name", "fusion", "learner", "weight", "unseen_error"} <= set(part) for part in plan["parts"])
    assert planned.record_["seed"] == 0
    assert planned.record_["threads"] == 1


def test_a_plan_replayed_predicts_the_same_bytes(
    planned: plait.Classifier, loans: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    train, test = loans
    plan = json.loads(json.dumps(planned.plan_))
    again = plait.Classifier(time="issued_at", n_jobs=1, plan=plan, time_budget=1e-9)  # the clock has no say
    again.fit(train.drop(columns="default"), train["default"])
    np.testing.assert_array_equal(again.predict_proba(test), planned.predict_proba(test))
    assert again.plan_ == planned.plan_


def test_auto_is_about_as_good_as_its_best_part(
    planned: plait.Classifier, loans: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    train, test = loans
    parts = [fit(train, fusion="early", learner=name) for name in ("linear", "lightgbm")]
    assert auc(planned, test) > max(auc(part, test) for part in parts) - 0.02


def test_a_time_budget_leaves_parts_out_and_says_so(
    planned: plait.Classifier, loans: tuple[pd.DataFrame, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = loans
    for budget in (1e-6, 3600.0):
        with monkeypatch.context() as late:
            if budget > 1:  # time enough by the cost model, but the clock runs ahead of it
                late.setattr("plait.stacking.monotonic", lambda: np.inf)
            model = fit(train, time_budget=budget)
        assert [part["name"] for part in model.plan_["parts"]] == ["early/linear"]
        assert model.plan_["skipped"] == ["early/lightgbm"]
        assert model.record_["time_budget"] == budget
        again = fit(train, plan=model.plan_)
        np.testing.assert_array_equal(again.predict_proba(test), model.predict_proba(test))
    assert fit(train, time_budget="1h").plan_ == planned.plan_


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"fusion": "auto"}, "lacks"),
        ({"fusion": "auto", "learner": None, "options": {}, "parts": []}, "not a list of parts"),
        ({"fusion": "auto", "learner": None, "options": {}, "parts": 3}, "not a list of parts"),
        ({"fusion": "auto", "learner": None, "options": {}, "parts": ["early"]}, "cannot be read"),
        ({"fusion": "auto", "learner": None, "options": {}, "parts": [{"name": "a"}]}, "cannot be read"),
        ({"fusion": "auto", "learner": None, "options": {}, "parts": [asdict(Part("a", "erly"))]}, "'early'"),
        ({"fusion": "auto", "learner": None, "options": {}, "parts": [{"name": 1, "fusion": ["early"]}]}, "'early'"),
        ({"fusion": ["auto"], "learner": {}, "options": None}, "unknown fusion"),
        ({"fusion": "early", "learner": {}, "options": None}, "unknown learner"),
        (
            {
                "fusion": "auto",
                "learner": None,
                "options": {},
                "cuts": "many",
                "parts": [asdict(Part("a", "early")), asdict(Part("b", "early", "linear"))],
            },
            "cuts='many'",
        ),
        (
            {"fusion": "auto", "learner": None, "options": {}, "parts": [asdict(Part("a", "early", source="leter"))]},
            "did you mean 'letter'",
        ),
    ],
)
def test_a_plan_that_cannot_be_replayed_is_one_line(
    loans: tuple[pd.DataFrame, pd.DataFrame], plan: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        fit(loans[0], plan=plan)


@pytest.mark.parametrize("budget", [0, -1, "soon", "3 weeks"])
def test_a_time_budget_is_a_duration(loans: tuple[pd.DataFrame, pd.DataFrame], budget: object) -> None:
    with pytest.raises(ConfigError, match="budget"):
        fit(loans[0], time_budget=budget)


UNLOADED = """
import sys, plait
rows = plait.samples.mixed(5_000, seed=1)
X, y = rows.drop(columns="outcome"), rows["outcome"]
model = plait.Classifier(n_jobs=1).fit(X, y)
model.predict_proba(X[:10])
assert len(model.schema_.sources) == 2 and len(model.plan_["parts"]) == 2, model.plan_
assert "torch" not in sys.modules
"""


def test_auto_needs_no_torch_for_numbers_categories_and_text() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", UNLOADED], check=True)


def test_rows_that_cannot_be_divided_get_one_linear_model() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"x": rng.normal(size=300), "bank": "the only one"})
    model = plait.Classifier(group="bank", n_jobs=1).fit(rows, rng.integers(0, 2, 300))
    assert [part["name"] for part in model.plan_["parts"]] == ["early/linear"]
    assert model.plan_["skipped"] == ["early/lightgbm"]


# the mean


def test_an_average_is_the_mean_of_its_parts(loans: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, test = loans
    parts = {"average": {"parts": ["lightgbm", "letter/linear"]}}
    model = fit(train, fusion="average", options={**LIGHT, **parts}).model_
    view = View(model.batches(test), model.rooms)
    trees, letters = (part.score(fitted, view) for part, fitted in model.fitted.parts)
    np.testing.assert_allclose(model.fitted.scores(view), (trees + letters) / 2)
    whole = fit(train, fusion="early", learner="lightgbm").model_
    np.testing.assert_allclose(trees, whole.fitted.score(View(whole.batches(test), whole.rooms)))
    silent = test["letter"].isna().to_numpy()
    np.testing.assert_allclose(letters[silent], np.tile(model.head.prior, (silent.sum(), 1)))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], "allowed: names of learners"),
        ("linear", "allowed: names of learners"),
        (["linear", "linear"], "names a part twice"),
        (["liner"], "did you mean 'linear'"),
        (["ledger/linear"], "unknown source in average's parts 'ledger'"),
    ],
)
def test_an_average_of_what_is_not_there_is_refused(
    parts: Any, said: str, loans: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(ConfigError, match=said):
        fit(loans[0], fusion="average", options={**LIGHT, "average": {"parts": parts}})
