"""``model.explain`` through every fusion and learner: what adds up, whose columns they are, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait import registry, samples
from plait.contracts import FitContext, Source
from plait.errors import ConfigError, DataError, InputError
from plait.evidence import View

ROWS = 160
NETWORKS = ("attention", "bottleneck", "parallel", "sequence")
QUICK: dict[str, dict[str, Any]] = {
    "lightgbm": {"trees": 20, "leaves": 6},
    "linear": {"strength": 0.1},
    "forest": {"trees": 15, "leaf_rows": 5, "scaling": [1.0, 0.0]},
    "svm": {"strength": 0.1, "scaling": [1.5, 0.0]},
    "mlp": {"epochs": 2, "members": 1, "hidden": [16]},
    **{name: {"epochs": 2, "width": 16} for name in NETWORKS},
    "bottleneck": {"epochs": 2, "width": 16, "layers": 1, "bottlenecks": 2},
}
MODELS = {
    **{f"early-{learner}": {"fusion": "early", "learner": learner} for learner in registry.names("learners")},
    "late": {"fusion": "late", "learner": "linear"},
    "average": {"fusion": "average"},
    "hybrid": {"fusion": "hybrid"},
    **{name: {"fusion": name} for name in NETWORKS},
}


@pytest.fixture(scope="module")
def loans() -> pd.DataFrame:
    return samples.loans(ROWS, seed=3)


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, loans: pd.DataFrame) -> plait.Classifier:
    schema = plait.Schema.infer(loans, target="default", time="issued_at")
    made = plait.Classifier(schema=schema, options=QUICK, n_jobs=1, **MODELS[request.param])
    return made.fit(loans.drop(columns="default"), loans["default"])


def rows(loans: pd.DataFrame, n: int = 8) -> pd.DataFrame:
    """Some rows, of which one has no letter, one nothing but a letter, and one nothing at all."""
    frame = loans.drop(columns="default").iloc[:n].copy()
    frame.loc[0, "letter"] = None
    frame.loc[1, [name for name in frame if name not in ("letter", "issued_at")]] = None
    frame.loc[2, [name for name in frame if name != "issued_at"]] = None
    return frame


def test_sources_sum_to_the_prediction(model: plait.Classifier, loans: pd.DataFrame) -> None:
    frame = rows(loans)
    found = model.explain(frame, depths="sources")
    assert found.sources is not None
    probability = model.predict_proba(frame)[:, 1]
    np.testing.assert_allclose(found.prediction, probability, rtol=1e-6)
    sums = found.sources.base + found.sources.values.sum(axis=1)
    np.testing.assert_allclose(sums, found.prediction, rtol=1e-6)
    assert found.sources.values[0, found.sources.sources.index("letter")] == 0
    assert (found.sources.values[2] == 0).all()
    assert found.prediction[2] == pytest.approx(loans["default"].mean(), abs=0.01)
    assert found.columns is None
    assert found.cells == ()


def test_coalitions_are_scored_as_masked_rows_are(model: plait.Classifier, loans: pd.DataFrame) -> None:
    subject = model.subject(rows(loans))
    rng = np.random.default_rng(0)
    chosen, present = rng.integers(0, len(subject), 60), rng.random((60, 3)) < 0.5
    plain = subject.fitted.score(View(subject.batches.take(chosen), subject.rooms, present))
    np.testing.assert_allclose(subject.fitted.coalitions(subject.view, chosen, present), plain, atol=2e-6)


def test_columns_sum_to_the_score(model: plait.Classifier, loans: pd.DataFrame) -> None:
    frame = rows(loans)
    found = model.explain(frame, depths=["columns"]).columns
    assert found is not None
    probability = model.predict_proba(frame)[:, 1]
    np.testing.assert_allclose(found.score, np.log(probability / (1 - probability)), atol=1e-5)
    sums = found.base + found.values.sum(axis=1) + found.residual
    np.testing.assert_allclose(sums, found.score, atol=1e-9)
    gap = np.abs(found.score - found.base)
    assert np.abs(found.residual).max() < 0.02 * gap.max() + 1e-5  # what integrals over networks leave
    assert (found.values[2] == 0).all()
    assert set(found.columns) <= {*frame.columns, "table"}
    assert {"income", "amount", "letter", "balance"} <= set(found.columns)
    assert len(set(zip(found.sources, found.columns, strict=True))) == len(found.columns)
    assert found.methods
    assert found.features is not None
    names, values = found.features
    assert len(set(names)) == len(names)
    np.testing.assert_allclose(values.sum(axis=1), found.values.sum(axis=1), atol=1e-9)


def test_attention_is_told_where_there_is_one(model: plait.Classifier, loans: pd.DataFrame) -> None:
    found = model.explain(rows(loans), depths="columns").columns
    assert found is not None
    if model.fusion not in ("attention", "bottleneck", "sequence"):
        assert found.attention is None
        return
    assert found.attention is not None
    weights = np.stack(list(found.attention.values()))
    assert tuple(found.attention) == ("table", "letter", "balance")
    assert (weights >= 0).all()
    assert (weights.sum(axis=0) <= 1 + 1e-6).all()
    assert found.attention["letter"][0] == 0
    assert weights[:, 3:].max() > 0


def test_the_other_class_is_explained_by_the_opposite(model: plait.Classifier, loans: pd.DataFrame) -> None:
    frame = rows(loans, 4)
    one = model.explain(frame, depths=("sources", "columns"))
    other = model.explain(frame, depths=("sources", "columns"), outputs=0)
    assert one.sources is not None
    assert one.columns is not None
    assert other.sources is not None
    assert other.columns is not None
    np.testing.assert_allclose(other.sources.values, -one.sources.values, atol=1e-9)
    np.testing.assert_allclose(other.columns.values, -one.columns.values, atol=1e-9)
    np.testing.assert_allclose(other.columns.score, -one.columns.score)
    assert list(other.output) == [0] * 4


def test_the_score_scale_adds_log_odds(model: plait.Classifier, loans: pd.DataFrame) -> None:
    frame = rows(loans, 5)
    found = model.explain(frame, depths="sources", scale="score")
    assert found.sources is not None
    probability = model.predict_proba(frame)[:, 1]
    np.testing.assert_allclose(found.prediction, np.log(probability / (1 - probability)), atol=1e-5)
    np.testing.assert_allclose(found.sources.base + found.sources.values.sum(axis=1), found.prediction, atol=1e-9)


@pytest.fixture(scope="module")
def mixed() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    words = rng.choice(["good", "bad", "plain"], 150)
    frame = pd.DataFrame({"x": rng.normal(size=150), "kind": rng.choice(["a", "b"], 150)})
    frame["note"] = [
        f"the report said it was {word} news for all of us today, number {i}" for i, word in enumerate(words)
    ]
    frame["grade"] = np.where(words == "bad", "C", np.where(frame["x"] > 0, "A", "B"))
    return frame


@pytest.mark.parametrize("fusion", ["early", "late", "attention"])
def test_of_several_classes_the_predicted_one_is_explained(mixed: pd.DataFrame, fusion: str) -> None:
    options = {"attention": QUICK["attention"], "lightgbm": QUICK["lightgbm"], "linear": {"strength": 1.0}}
    learner = {"early": "linear", "late": "lightgbm", "attention": None}[fusion]
    X = mixed.drop(columns="grade")
    made = plait.Classifier(fusion=fusion, learner=learner, options=options, n_jobs=1).fit(X, mixed["grade"])
    frame = X.iloc[:9]
    found = made.explain(frame, depths=("sources", "columns"))
    np.testing.assert_array_equal(found.output, made.predict(frame))
    np.testing.assert_allclose(found.prediction, made.predict_proba(frame).max(axis=1), atol=1e-9)
    assert found.sources is not None
    assert found.columns is not None
    np.testing.assert_allclose(found.sources.base + found.sources.values.sum(axis=1), found.prediction, atol=1e-9)
    residual = found.columns.score - found.columns.base - found.columns.values.sum(axis=1)
    np.testing.assert_allclose(residual, found.columns.residual, atol=1e-9)
    labels = np.array(["A", "B", "C"] * 3)
    asked = made.explain(frame, depths="sources", outputs=labels)
    np.testing.assert_allclose(asked.prediction, made.predict_proba(frame)[np.arange(9), [0, 1, 2] * 3], atol=1e-9)


def test_words_are_named_and_the_telling_ones_tell(mixed: pd.DataFrame) -> None:
    X = mixed.drop(columns="grade")
    made = plait.Classifier(fusion="early", learner="linear", n_jobs=1).fit(X, mixed["grade"])
    bad = X[mixed["grade"] == "C"].iloc[:10]
    found = made.explain(bad, depths="columns", outputs="C").columns
    assert found is not None
    assert found.features is not None
    names, values = found.features
    words = [i for i, name in enumerate(names) if name.startswith("note.'")]
    assert "bad" in names[words[int(values[:, words].mean(axis=0).argmax())]]
    assert found.columns[int(found.values.mean(axis=0).argmax())] == "note"


def test_values_are_explained_in_their_own_unit(mixed: pd.DataFrame) -> None:
    X, y = mixed.drop(columns="grade"), (100 + 20 * mixed["x"]).rename("loss")
    made = plait.Regressor(fusion="early", learner="linear", n_jobs=1).fit(X, y)
    frame = X.iloc[:8]
    found = made.explain(frame, depths=("sources", "columns"))
    assert found.output is None
    assert found.sources is not None
    np.testing.assert_allclose(found.prediction, made.predict(frame), rtol=1e-9)
    np.testing.assert_allclose(found.sources.base, y.mean(), rtol=0.02)
    np.testing.assert_allclose(found.sources.base + found.sources.values.sum(axis=1), found.prediction, rtol=1e-9)
    assert found.columns is not None
    assert found.columns.columns[int(np.abs(found.columns.values).mean(axis=0).argmax())] == "x"
    with pytest.raises(ConfigError, match="predicts values"):
        made.explain(frame, outputs="A")


def test_no_rows_and_one_row(mixed: pd.DataFrame) -> None:
    X = mixed.drop(columns="grade")
    made = plait.Classifier(fusion="early", learner="linear", n_jobs=1).fit(X, mixed["grade"])
    for n in (0, 1):
        found = made.explain(X.iloc[:n])
        assert len(found) == n
        assert found.index == tuple(range(n))
        assert len(found.to_text()) == n
        assert str(found)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"depths": "cell"}, ConfigError, "unknown depth 'cell'"),
        ({"scale": "logit"}, ConfigError, "unknown scale 'logit'"),
        ({"outputs": "D"}, InputError, "not seen in training"),
        ({"outputs": ["A", "B"]}, DataError, "expected one label"),
    ],
)
def test_mistakes_are_told_in_one_line(
    mixed: pd.DataFrame, given: dict[str, Any], error: type[Exception], said: str
) -> None:
    X = mixed.drop(columns="grade")
    made = plait.Classifier(fusion="early", learner="linear", n_jobs=1).fit(X, mixed["grade"])
    with pytest.raises(error, match=said):
        made.explain(X.iloc[:3], **given)


def test_rooms_say_whose_every_feature_is() -> None:
    rng = np.random.default_rng(2)
    for name in registry.names("modalities"):
        made = registry.get("modalities", name)
        columns = made.example(rng, 60)
        room = made(Source("s", name, tuple(column.name for column in columns)))
        if not hasattr(room, "origins"):
            continue
        labels = rng.integers(0, 2, 60).astype(float)
        context = FitContext(labels, "binary", 1, np.ones(60))
        batch = room.fit([columns], context).transform(columns)
        features, told = room.fit_features(batch, replace(context, folds=np.arange(60) % 3)), room.origins()
        assert len(told.features) in (0, len(features.names))
        assert {*told.features, *told.columns, *told.inputs} <= {column.name for column in columns}
        width = 0 if features.wide is None else features.wide.width
        assert len(told.terms) in (0, width)
        assert len(told.columns) in (0, width)
