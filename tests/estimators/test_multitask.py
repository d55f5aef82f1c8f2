"""Several targets by one model, through the public door."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import plait
from plait.errors import ConfigError, DataError, InputError, SchemaError
from plait.estimators import load_one

TINY = {"attention": {"epochs": 2, "width": 8, "heads": 2, "layers": 1, "batch_size": 64}}
TARGETS = {"bad": None, "loss": {"head": "quantile", "levels": [0.1, 0.5, 0.9]}, "grade": "ordinal", "value": None}


def rows(n: int = 160, seed: int = 0) -> pd.DataFrame:
    """A table and short letters, with four outcomes of which many are missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    risk = x[:, 0] - 0.5 * x[:, 1]
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    words = rng.choice(["again", "now", "soon", "rent", "work", "bank"], (n, 4))
    frame["note"] = [f"{'sorry' if r > 0 else 'paid'} {' '.join(own)}" for r, own in zip(risk, words, strict=True)]
    frame.loc[rng.random(n) < 0.2, "note"] = None
    frame["bad"] = pd.Series(risk + rng.normal(size=n) > 0.5).astype(int)
    frame["loss"] = risk + rng.normal(size=n)
    frame["grade"] = np.digitize(risk, [-1, 0, 1]) + 1
    frame["value"] = 100 + 5 * risk + rng.normal(size=n)
    for target in TARGETS:
        frame[target] = frame[target].where(rng.random(n) < 0.6)
    return frame


@pytest.fixture(scope="module")
def model() -> plait.MultiTask:
    return plait.MultiTask(TARGETS, options=TINY, weights="gradient", n_jobs=1).fit(rows())


@pytest.fixture(scope="module")
def evidence() -> pd.DataFrame:
    return rows(40, seed=1).drop(columns=list(TARGETS))


def test_constructors_store_arguments_and_clones_forget():
    model = plait.MultiTask(TARGETS, weights={"bad": 2.0}, fusion="bottleneck", options=TINY, random_state=3)
    assert model.targets is TARGETS
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "model_")


def test_every_target_has_its_columns_and_kinds(model, evidence):
    told = model.predict(evidence.set_index(evidence.index + 7))
    assert list(told.columns) == ["bad", "loss_0.1", "loss_0.5", "loss_0.9", "grade", "value"]
    assert told.index.tolist() == (evidence.index + 7).tolist()
    assert set(told["bad"]) <= {0, 1}
    assert told["bad"].dtype.kind == "i"
    assert set(told["grade"]) <= {1, 2, 3, 4}
    assert (told["loss_0.1"] < told["loss_0.9"]).all()
    shares = model.predict_proba(evidence)
    assert {name: found.shape for name, found in shares.items()} == {"bad": (40, 2), "grade": (40, 4)}
    assert {name: part.kind for name, part in model.prediction(evidence).parts.items()} == {
        "bad": "class",
        "loss": "quantiles",
        "grade": "grade",
        "value": "value",
    }


def test_a_saved_model_says_the_same_bit_by_bit(model, evidence, tmp_path):
    model.save(tmp_path / "m.plait")
    again = plait.load(tmp_path / "m.plait")
    assert isinstance(again, plait.MultiTask)
    assert again.targets_ == tuple(TARGETS)
    assert again.weights == "gradient"
    pd.testing.assert_frame_equal(again.predict(evidence), model.predict(evidence), check_exact=True)
    assert again.weights_ == model.weights_
    with pytest.raises(ConfigError, match=r"predicts several targets \(bad, loss, grade, value\)"):
        load_one(tmp_path / "m.plait")


def test_each_target_is_judged_where_it_has_labels(model):
    frame = rows(80, seed=2)
    frame["value"] = np.nan
    found = model.evaluate(frame)
    assert list(found.targets) == ["bad", "loss", "grade"]
    assert found.silent == ("value",)
    assert [each.n for each in found.targets.values()] == frame[["bad", "loss", "grade"]].notna().sum().tolist()
    assert all(each.baselines == ("constant", "linear") for each in found.targets.values())
    assert "no row has a label of value" in str(found)
    json.dumps(found.to_json(), allow_nan=False)
    with pytest.raises(KeyError, match="no row had its label"):
        found["value"]
    with pytest.raises(DataError, match="no row has the label of any target"):
        model.evaluate(frame.assign(bad=None, loss=None, grade=None))


def test_the_view_of_one_target_is_a_model_of_its_own(model, evidence):
    view = model.task("bad")
    assert isinstance(view, plait.Classifier)
    np.testing.assert_array_equal(view.predict_proba(evidence), model.predict_proba(evidence)["bad"])
    told = view.explain(evidence[:3], depths=["sources"])
    np.testing.assert_allclose(told.prediction, view.predict_proba(evidence[:3])[:, 1])
    value = model.task("value")
    assert isinstance(value, plait.Regressor)
    np.testing.assert_array_equal(value.predict(evidence), model.predict(evidence)["value"])
    frame = rows(80, seed=2).dropna(subset=["bad"])
    own = view.evaluate(frame, frame["bad"].astype(int))["roc_auc"]
    assert own.value == model.evaluate(frame)["bad"]["roc_auc"].value
    assert own.baselines["linear"].value > 0.5
    with pytest.raises(ConfigError, match="only classes and values have a view"):
        model.task("loss")
    with pytest.raises(ConfigError, match="did you mean 'grade'"):
        model.task("grad")
    with pytest.raises(ConfigError, match="save that model"):
        view.save("nowhere")


def test_absent_sources_leave_the_prior(model, evidence):
    nothing = evidence.assign(a=np.nan, b=np.nan, c=np.nan, note=None)
    shares = model.predict_proba(nothing)["bad"]
    known = rows()["bad"].dropna()
    np.testing.assert_allclose(shares[:, 1], (known.sum() + 0.5) / (len(known) + 1))


@pytest.mark.parametrize("fusion", ["early", "late"])
def test_classical_fusions_learn_each_target_alone(fusion, evidence, tmp_path):
    model = plait.MultiTask(TARGETS, fusion=fusion, learner="linear" if fusion == "early" else None, n_jobs=1)
    if fusion == "late":
        model.set_params(targets=["bad"], options={"late": {"learner": "linear"}})
    model.fit(rows(100)[["a", "b", "c", "note", *model.targets]])
    assert set(model.weights_.values()) == {1.0}
    model.save(tmp_path / "m.plait")
    pd.testing.assert_frame_equal(plait.load(tmp_path / "m.plait").predict(evidence), model.predict(evidence))
    if fusion == "early":
        alone = rows(100).dropna(subset=["value"])
        single = plait.Regressor(fusion="early", learner="linear", n_jobs=1)
        single.fit(alone[["a", "b", "c"]], alone["value"])
        both = plait.MultiTask(["value", "bad"], fusion="early", learner="linear", n_jobs=1)
        both.fit(alone[["a", "b", "c", "value", "bad"]])
        np.testing.assert_allclose(both.predict(evidence)["value"], single.predict(evidence[["a", "b", "c"]]))


def test_frames_that_share_sources_are_one(evidence):
    first, second = rows(100), rows(90, seed=5)
    one = first[["a", "b", "c", "bad"]]
    other = second[["a", "note", "value"]]
    model = plait.MultiTask(["bad", "value"], options=TINY, n_jobs=1)
    model.fit([one.drop(columns="bad"), other.drop(columns="value")], [one[["bad"]], other[["value"]]])
    assert [source.columns for source in model.schema_.sources] == [("a", "b", "c"), ("note",)]
    assert model.record_["rows"] == 190
    assert model.record_["targets"]["value"]["labels"] == second["value"].notna().sum()
    assert len(model.evaluate([one, other]).targets) == 2
    by_columns = clone(model).fit([one, other])
    pd.testing.assert_frame_equal(by_columns.predict(evidence), model.predict(evidence))
    with pytest.raises(SchemaError, match="column 'a' holds numbers in frame 1 and words in frame 2"):
        clone(model).fit([one, other.assign(a="x")])
    with pytest.raises(DataError, match="2 frames of evidence, but 1 of labels"):
        clone(model).fit([one, other], [one[["bad"]]])


def test_a_target_that_is_known_only_late_is_still_learned():
    frame = rows(200).assign(when=pd.date_range("2020-01-01", periods=200))
    frame.loc[:195, "value"] = np.nan
    frame.loc[196:, "value"] = [90.0, 95.0, 105.0, 110.0]
    frame["bad"] = rows(200)["bad"].where(frame.index < 150)
    model = plait.MultiTask(["bad", "value"], time="when", options=TINY, n_jobs=1).fit(frame)
    assert model.record_["training"]["attention"]["stopped"] == "finished"  # no row was held back to judge epochs
    frame["value"] = rows(200)["value"]
    model.fit(frame)
    assert model.record_["training"]["attention"]["unjudged"] == ["bad"]


@pytest.mark.parametrize(
    ("targets", "change", "error", "message"),
    [
        (["bad", "lost"], {}, DataError, "unknown column 'lost'; did you mean 'loss'"),
        ("bad", {}, ConfigError, "targets='bad' must be different column names"),
        (["bad", "bad"], {}, ConfigError, "must be different column names"),
        (["value"], {"value": np.inf}, DataError, "'value' is infinite in 160 row"),
        (["value"], {"value": np.nan}, InputError, "target 'value' has no labels"),
        (["note", "bad"], {"note": "x"}, InputError, "target 'note': .* one class only"),
        ({"grade": "quantil"}, {}, ConfigError, "did you mean 'quantile'"),
    ],
)
def test_mistakes_are_named(targets, change, error, message):
    with pytest.raises(error, match=message) as caught:
        plait.MultiTask(targets, options=TINY, n_jobs=1).fit(rows().assign(**change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("head", "wrong", "message"),
    [
        ("regression", np.inf, r"the target is missing or infinite in 1 rows \(the first is row 7\)"),
        ("multilabel", "a", "the labels of row 7 are 'a'"),
        ("multilabel", {"a": 2}, "label 'a' of row 7 is 2"),
        ("ranking", (1, 2, 3), r"the target of row 7 is \(1, 2, 3\)"),
    ],
)
def test_a_label_that_cannot_be_used_is_named_by_its_place_among_all_rows(head, wrong, message):
    right = {"regression": 0.5, "multilabel": ["a"], "ranking": (1, 0)}[head]
    cells = np.empty(160, object)
    cells[4:] = [right] * 156  # the first four are not known
    cells[7] = wrong
    with pytest.raises(InputError, match=f"target 'told': {message}"):
        plait.MultiTask({"told": head}, fusion="early", n_jobs=1).fit(rows().assign(told=pd.Series(cells)))


def test_labels_beside_the_evidence_are_not_among_it_too():
    frame = rows()
    with pytest.raises(SchemaError, match="the target 'bad' is among the features"):
        plait.MultiTask(["bad"], options=TINY).fit(frame, frame[["bad"]])
    with pytest.raises(DataError, match="X has 160 rows but Y has 2"):
        plait.MultiTask(["bad"], options=TINY).fit(frame.drop(columns="bad"), {"bad": [0, 1]})
    schema = plait.Schema.infer(frame.drop(columns="bad"), target=["loss", "value"])
    with pytest.raises(SchemaError, match="columns 'loss', 'value' are all targets"):
        _ = schema.target
    assert schema.aimed("loss").target == "loss"
    with pytest.raises(SchemaError, match="has 'loss' as a target, of which the model knows nothing"):
        plait.MultiTask(["value"], schema=schema, options=TINY).fit(frame.drop(columns="bad"))


def test_a_lookahead_leaves_the_training_as_it_is():
    looking = {"attention": {**TINY["attention"], "balance": {"name": "lookahead", "every": 2}}}
    plain = plait.MultiTask(["bad", "value"], options=TINY, n_jobs=1).fit(rows())
    told = plait.MultiTask(["bad", "value"], options=looking, n_jobs=1).fit(rows())
    evidence = rows(20, seed=1)
    pd.testing.assert_frame_equal(told.predict(evidence), plain.predict(evidence), check_exact=True)
    found = plain.task_affinity(rows())
    assert found.helps.shape == (2, 2)
    assert np.isfinite(found.helps).all()
    assert found["bad", "value"] == found.helps[0, 1]
    json.dumps(found.to_json(), allow_nan=False)
    assert "learning" in str(found)
    planned = plain.task_affinity(rows(), method="exact", repeats=2, dry_run=True)
    assert (planned.fits, np.isnan(planned.helps).all()) == (6, True)
    assert planned.seconds == pytest.approx(4.5 * sum(plain.record_["seconds"].values()))
    with pytest.raises(ConfigError, match="learns each target alone, so that weights='equal' say nothing"):
        plait.MultiTask(["bad", "value"], fusion="early", weights="equal").fit(rows())
    with pytest.raises(ConfigError, match="learns each target alone"):
        plait.MultiTask(["bad", "value"], fusion="early").task_affinity(rows())
    with pytest.raises(ConfigError, match="there is one target"):
        plait.MultiTask(["bad"]).task_affinity(rows())
    with pytest.raises(ConfigError, match="did you mean 'lookahead'"):
        plain.task_affinity(rows(), method="look")


@pytest.mark.slow
def test_what_helps_what_is_found_by_learning_without(tmp_path):
    from plait.report.affinity import draw_affinity

    found = plait.MultiTask(["bad", "value", "grade"], options=TINY, n_jobs=1).task_affinity(rows(), method="exact")
    assert found.fits == 4
    assert np.isnan(np.diag(found.helps)).all()
    off = ~np.eye(3, dtype=bool)
    assert (found.low[off] <= found.helps[off]).all()
    assert (found.helps[off] <= found.high[off]).all()
    assert draw_affinity(found, tmp_path / "a.png").stat().st_size > 5000
