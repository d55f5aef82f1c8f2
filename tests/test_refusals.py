"""Bad input through the estimators: one line that names what is wrong, and nothing fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait.data.read import read
from plait.errors import DataError, InputError

ROWS = 40


def made(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "when": pd.date_range("2020-01-01", periods=ROWS).strftime("%Y-%m-%d"),
            "x": rng.normal(size=ROWS),
            "kind": rng.choice(["a", "b"], ROWS),
            "who": rng.integers(0, 9, ROWS),
        }
    )
    return frame.assign(**columns)


LABELS = pd.Series(np.arange(ROWS) % 2, name="bad")
VALUES = pd.Series(np.linspace(-1, 1, ROWS), name="loss")


def with_one(values: pd.Series, cell: float) -> pd.Series:
    return pd.Series([cell, *values.astype(float)[1:]], name=values.name)


def classifier(**how: Any) -> plait.Classifier:
    return plait.Classifier(**{"fusion": "early", "learner": "linear", "n_jobs": 1, **how})


def regressor(**how: Any) -> plait.Regressor:
    return plait.Regressor(**{"fusion": "early", "learner": "linear", "n_jobs": 1, **how})


def refused(said: str, work: Any) -> None:
    with pytest.raises(InputError, match=said) as caught:
        work()
    assert "\n" not in str(caught.value)


FITS: dict[str, tuple[Any, pd.DataFrame, Any, str]] = {
    "no target": (classifier(), made(), None, "y is None"),
    "one class": (classifier(), made(), LABELS * 0, r"one class only \(0\)"),
    "target all missing": (classifier(), made(), LABELS * np.nan, "missing in all rows"),
    "target partly missing": (classifier(), made(), with_one(LABELS, np.nan), "missing .* in 1 of 40 rows"),
    "None for a label": (classifier(), made(), [None, *"ab" * 19, "a"], "missing .* in 1 of 40 rows"),
    "NaN among words": (classifier(), made(), [np.nan, *"ab" * 19, "a"], "missing .* in 1 of 40 rows"),
    "target of two kinds": (classifier(), made(), [1, *"ab" * 19, "a"], "types int, str"),
    "target infinite": (regressor(), made(), with_one(VALUES, np.inf), "infinite .* in 1 of 40 rows"),
    "labels infinite": (classifier(), made(), with_one(LABELS, np.inf), "infinite"),
    "value missing": (regressor(), made(), with_one(VALUES, np.nan), "missing .* in 1 of 40 rows"),
    "words as values": (regressor(), made(), ["a"] * ROWS, "not numeric; use Classifier"),
    "values as labels": (classifier(), made(), VALUES, "continuous"),
    "target of another length": (classifier(), made(), LABELS[1:], "40 rows but y has 39"),
    "target of two columns": (classifier(), made(), np.zeros((ROWS, 2)), "1d array"),
    "target among the features": (classifier(), made(bad=LABELS), LABELS, r"'bad' is among .*drop\(columns='bad'\)"),
    "duplicate columns": (
        classifier(),
        pd.concat([made(), made()[["x", "kind"]]], axis=1),
        LABELS,
        "duplicate columns 'kind', 'x'",
    ),
    "columns of several levels": (classifier(), pd.concat({"a": made()}, axis=1), LABELS, "several levels"),
    "no rows": (classifier(), made()[:0], LABELS[:0], "0 sample"),
    "no columns": (classifier(), made()[[]], LABELS, "0 feature"),
    "one row": (classifier(), made()[:1], LABELS[:1], "at least 2 rows"),
    "nothing to learn from": (classifier(), made()[["kind"]].assign(kind="a"), LABELS, "no column is left"),
    "a time that does not parse": (
        classifier(time="kind"),
        made(),
        LABELS,
        "'kind': '[ab]' does not parse",
    ),
    "a time that is empty": (
        classifier(time="when"),
        made(when=[None, *made()["when"][1:]]),
        LABELS,
        "'when' is empty in 1 row",
    ),
    "a time that may be two": (
        classifier(time="when"),
        made(when="03/04/2020"),
        LABELS,
        "day-month or month-day",
    ),
    "a time that is no column": (classifier(time="wehn"), made(), LABELS, "did you mean 'when'"),
    "a group that is no column": (classifier(group="woh"), made(), LABELS, "did you mean 'who'"),
    "one column, two roles": (classifier(time="when", group="when"), made(), LABELS, "one role"),
    "complex numbers": (classifier(), made(x=1j), LABELS, "'x' holds complex"),
    "unknown fusion": (classifier(fusion="earyl"), made(), LABELS, "did you mean 'early'"),
    "unknown learner": (classifier(learner="lightgm"), made(), LABELS, "did you mean 'lightgbm'"),
    "unknown part": (classifier(options={"lienar": {}}), made(), LABELS, "did you mean 'linear'"),
    "unknown option": (classifier(options={"linear": {"strenght": 1}}), made(), LABELS, "did you mean 'strength'"),
    "unknown option of a part that is not used": (
        classifier(options={"lightgbm": {"leafs": 1}}),
        made(),
        LABELS,
        "did you mean 'leaves'",
    ),
    "option out of range of a part that is not used": (
        classifier(options={"attention": {"width": 0}}),
        made(),
        LABELS,
        "attention: width=0 is out of range",
    ),
    "options of no part": (classifier(options={"linear": 1}), made(), LABELS, "map names to values"),
    "options in a list": (classifier(options=["linear"]), made(), LABELS, "by part"),
    "negative seed": (classifier(random_state=-1), made(), LABELS, "random_state=-1 is out of range"),
    "a label time without a time": (classifier(label_time="when"), made(), LABELS, "'when' says nothing without"),
    "seed of a wrong kind": (classifier(random_state="x"), made(), LABELS, "random_state='x' is out of range"),
    "no schema file": (classifier(schema="nowhere.yaml"), made(), LABELS, "nowhere.yaml"),
    "class weights by a wrong name": (classifier(class_weight="blanced"), made(), LABELS, "class_weight"),
    "class weight below 0": (classifier(class_weight={0: -1.0}), made(), LABELS, "class_weight=.* out of range"),
    "class weight that leaves one": (classifier(class_weight={0: 0.0}), made(), LABELS, "1 class"),
}


@pytest.mark.parametrize("mistake", FITS)
def test_a_fit_is_refused_in_one_line(mistake: str) -> None:
    estimator, X, y, said = FITS[mistake]
    refused(said, lambda: estimator.fit(X, y))
    assert not hasattr(estimator, "model_")


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        (np.r_[np.inf, np.ones(ROWS - 1)], "sample_weight contains infinity"),
        (np.r_[np.nan, np.ones(ROWS - 1)], "sample_weight contains NaN"),
        (np.r_[-1.0, np.ones(ROWS - 1)], "negative in 1 of 40 rows"),
        (np.zeros(ROWS), "zero in every row"),
        (np.ones(3), r"shape \(3,\), expected \(40,\)"),
        (LABELS.to_numpy(), "1 class"),
        (["a"] * ROWS, "could not convert"),
    ],
)
def test_weights_are_refused_in_one_line(weight: Any, said: str) -> None:
    refused(f"(?i){said}", lambda: classifier().fit(made(), LABELS, weight))


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (np.zeros(ROWS), "2D array"),
        (np.zeros((ROWS, 2, 2)), "dim 3|3D"),
        (np.full((ROWS, 1), 1j), "Complex"),
        ({"a": [1, 2], "b": [1]}, "lists of one length"),
        (7, "array"),
        ("loans.csv", "array|string"),
    ],
)
def test_rows_are_refused_in_one_line(X: Any, said: str) -> None:
    refused(f"(?i){said}", lambda: classifier().fit(X, LABELS))


@pytest.fixture(scope="module")
def fitted() -> plait.Classifier:
    return classifier(time="when", group="who").fit(made(), LABELS)


@pytest.mark.parametrize("work", ["predict", "predict_proba"])
def test_rows_to_predict_that_lack_columns_are_refused_by_name(fitted: plait.Classifier, work: str) -> None:
    predict = getattr(fitted, work)
    refused("lacks 2 column.* 'kind', 'x'", lambda: predict(made().drop(columns=["kind", "x"])))
    refused("lacks 1 column.* 'when'", lambda: predict(made().drop(columns="when")))
    refused("duplicate column 'x'", lambda: predict(pd.concat([made(), made()[["x"]]], axis=1)))
    assert predict(made().drop(columns="who")).shape[0] == ROWS  # a group is of no use to a prediction
    unnamed = getattr(classifier().fit(made()[["x", "who"]].to_numpy(), LABELS), work)
    refused("3 features, but Classifier is expecting 2", lambda: unnamed(np.zeros((5, 3))))
    refused("lacks 1 column.* 'x1'", lambda: unnamed(pd.DataFrame({"x0": [1.0]})))


def test_an_evaluation_is_refused_in_one_line(fitted: plait.Classifier) -> None:
    refused("no known class, first 7", lambda: fitted.evaluate(made(), with_one(LABELS, 7).astype(int)))
    refused("missing .* in 1 of 40", lambda: fitted.evaluate(made(), with_one(LABELS, np.nan)))
    refused("negative", lambda: fitted.evaluate(made(), LABELS, -np.ones(ROWS)))


@pytest.mark.parametrize("infinity", [np.inf, -np.inf, 1e300])
def test_infinity_in_a_feature_is_a_fault_and_missing(infinity: float) -> None:
    broken, gone = made(), made()
    broken.loc[[3, 8], "x"], gone.loc[[3, 8], "x"] = infinity, np.nan
    model, expected = classifier().fit(broken, LABELS), classifier().fit(gone, LABELS)
    assert model.faults_ == [{"column": "x", "reason": "infinite", "cells": 2, "rows": [3, 8]}]
    np.testing.assert_array_equal(model.predict_proba(broken), expected.predict_proba(gone))


def test_extra_columns_are_ignored_and_told(fitted: plait.Classifier) -> None:
    assert fitted.schema_.target == "bad"
    assert fitted.ignored_columns(made(bad=LABELS, rumour=1)) == ("rumour",)
    np.testing.assert_array_equal(fitted.predict_proba(made(bad=LABELS)), fitted.predict_proba(made()))


FILES = {
    "no file": (None, "no file"),
    "an empty file": (b"", "empty"),
    "blanks": (b" \n\n", "empty"),
    "duplicate columns": (b"a,b,a\n1,2,3\n", "duplicate column.*'a'"),
    "a ragged file": (b"a,b\n1,2\n3\n4,5\n", "line 3: expected 2 cells, found 1"),
    "an open quote": (b'a,b\n1,"2\n3,4\n', "line 2"),
    "another encoding": ("a,b\né,2\n".encode("latin-1"), "not utf-8: byte 4"),
}


@pytest.mark.parametrize("mistake", FILES)
def test_a_file_is_refused_in_one_line(tmp_path: Path, mistake: str) -> None:
    content, said = FILES[mistake]
    if content is not None:
        (tmp_path / "loans.csv").write_bytes(content)
    refused(said, lambda: read(tmp_path / "loans.csv"))


def test_a_refusal_leaves_an_earlier_fit_alone() -> None:
    model = classifier().fit(made(), LABELS)
    before = model.predict_proba(made())
    with pytest.raises(DataError):
        model.fit(made(), LABELS * 0)
    np.testing.assert_array_equal(model.predict_proba(made()), before)
