"""Every recipe is made by name, learns more than the constant, and is described in the documents."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait import recipes, registry
from plait.errors import ConfigError, InputError

PAGE = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text("utf-8")
QUICK = {"epochs": 15, "batch_size": 32, "learning_rate": 0.005}
Made = tuple[pd.DataFrame, pd.Series, dict[str, Any]]


def pictures(rng: np.random.Generator, n: int) -> Made:
    """A bright bar, upright or lying; in three classes, a cross as well."""
    kind = rng.integers(0, 3, n)
    cells = np.empty(n, object)
    for i in range(n):
        cells[i] = rng.integers(0, 60, (28, 28)).astype(np.uint8)
        at = rng.integers(6, 20)
        if kind[i] != 1:
            cells[i][at : at + 3, 4:24] = 230
        if kind[i] != 0:
            cells[i][4:24, at : at + 3] = 230
    return pd.DataFrame({"drawing": cells}), pd.Series(kind), {"column": "drawing", **QUICK, "learning_rate": 0.002}


def two_pictures(rng: np.random.Generator, n: int) -> Made:
    frame, kind, told = pictures(rng, 2 * n)
    kept = np.flatnonzero(kind < 2)[:n]
    return (
        frame.iloc[kept].reset_index(drop=True),
        kind.iloc[kept].reset_index(drop=True),
        {**told, "size": 32, "learning_rate": 0.005},
    )


def letters(rng: np.random.Generator, n: int) -> Made:
    said = rng.integers(0, 2, n)
    words = np.array([["steady", "owner"], ["late", "debt"]])
    cells = [f"{words[y, rng.integers(2)]} {' '.join(f'w{w}' for w in rng.integers(0, 50, 6))}" for y in said]
    return pd.DataFrame({"letter": cells}), pd.Series(said), {"column": "letter"}


def maturities(rng: np.random.Generator, n: int) -> Made:
    """A curve of rates whose steepest step between neighbours is the target."""
    steps = rng.normal(size=(n, 12))
    names = [f"m{i}" for i in range(12)]
    curve = pd.DataFrame(np.cumsum(steps, axis=1), columns=names)
    return curve, pd.Series(curve["m5"] - curve["m2"] + 0.1 * rng.normal(size=n)), {"columns": names, **QUICK}


def balances(rng: np.random.Generator, n: int) -> Made:
    cells = np.empty(n, object)
    level = rng.integers(1, 6, n)
    for i in range(n):
        cells[i] = np.sin(np.arange(40) * level[i] / 5 + rng.random()) + 0.1 * rng.normal(size=40)
    return pd.DataFrame({"balance": cells}), pd.Series(level.astype(float)), {"column": "balance", **QUICK}


def numbers(rng: np.random.Generator, n: int) -> Made:
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    return X, (X["a"] * X["b"] + 0.2 * rng.normal(size=n) > 0), {}


def few_trees(rng: np.random.Generator, n: int) -> Made:
    return (*numbers(rng, n)[:2], {"trees": 60, "leaves": 8, "learning_rate": 0.1, "members": 1})


MADE = {
    "conv1d_columns": maturities,
    "conv1d_series": balances,
    "conv_classifier": pictures,
    "forest_signals": numbers,
    "gradient_boosting": few_trees,
    "image_conv_lstm": two_pictures,
    "svm": numbers,
    "tfidf_logistic": letters,
}


@pytest.mark.parametrize("name", MADE)
def test_a_recipe_beats_the_constant(name: str) -> None:
    X, y, told = MADE[name](np.random.default_rng(0), 400)
    model = recipes.make(name, n_jobs=1, **told).fit(X[:300], y[:300])
    said, true = model.predict(X[300:]), y[300:].to_numpy()
    if isinstance(model, plait.Regressor):
        assert np.mean((said - true) ** 2) < 0.6 * np.mean((y[:300].mean() - true) ** 2)
    else:
        assert np.mean(said == true) > 0.15 + y[300:].value_counts(normalize=True).max()


def test_a_checkpoint_is_fine_tuned(tmp_path: Path) -> None:
    folder = _tiny_bert(tmp_path)
    X, y, told = letters(np.random.default_rng(0), 300)
    told = {**told, **QUICK, "folder": str(folder), "max_words": 16, "learning_rate": 0.02}
    model = recipes.make("bert_classifier", n_jobs=1, **told).fit(X[:200], y[:200])
    assert (model.predict(X[200:]) == y[200:]).mean() > 0.7


def _tiny_bert(folder: Path) -> Path:
    """A BERT of random weights that knows the words of `letters`."""
    import torch

    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = ["[PAD]", "[UNK]", "steady", "owner", "late", "debt", *(f"w{i}" for i in range(50))]
    known = {word: i for i, word in enumerate(words)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(known, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]").save_pretrained(folder)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=512, **shape)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


# what is made


def test_every_recipe_is_tested_and_told() -> None:
    assert set(recipes.names()) == {*MADE, "bert_classifier"} == set(registry.KINDS["recipes"])
    for name in recipes.names():
        row = re.search(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
        assert row, name
        recipe = registry.get("recipes", name)
        told = inspect.getdoc(recipe) or ""
        for parameter in inspect.signature(recipe).parameters:
            assert f"`{parameter}`" in row[0], (name, parameter)
            assert re.search(rf"\b{parameter}\b", told), (name, parameter)


def test_arguments_of_the_estimator_go_through() -> None:
    model = recipes.make("svm", task="regression", random_state=3, time="day", n_jobs=1)
    assert isinstance(model, plait.Regressor)
    assert (model.random_state, model.time, model.learner) == (3, "day", "svm")
    assert recipes.make("tfidf_logistic", column="letter", class_weight="balanced").class_weight == "balanced"


def test_roles_join_the_schema_of_a_recipe() -> None:
    X, y, told = letters(np.random.default_rng(0), 120)
    model = recipes.make("tfidf_logistic", time="day", group="who", n_jobs=1, **told)
    frame = X.assign(day=pd.date_range("2020-01-01", periods=120), who=np.arange(120) // 4)
    fitted = model.fit(frame, y)
    assert (fitted.schema_.time, fitted.schema_.group) == ("day", "who")


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("smv", {}, "unknown recipe 'smv'; did you mean 'svm'"),
        ("svm", {"kernal": "linear"}, "did you mean 'kernel'"),
        ("svm", {"task": "ranking"}, "unknown task 'ranking'"),
        ("tfidf_logistic", {}, "needs column"),
        ("bert_classifier", {"column": "letter"}, "needs folder"),
    ],
)
def test_mistakes_are_told_in_one_line(name: str, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        recipes.make(name, **overrides)


def test_options_of_parts_are_checked_when_fitted() -> None:
    X, y, told = letters(np.random.default_rng(0), 50)
    with pytest.raises(InputError, match="ngrams"):
        recipes.make("tfidf_logistic", ngrams="letters", **told).fit(X, y)


# trading signals


@pytest.mark.slow
def test_a_random_split_makes_up_what_the_time_split_denies() -> None:
    """Prices without any memory: labels of the next 20 days overlap, which a random split takes for skill."""
    rng = np.random.default_rng(0)
    close = pd.Series(np.cumsum(rng.normal(size=1_000)))
    frame = pd.DataFrame(
        {
            "day": pd.date_range("2015-01-01", periods=1_000),
            **{f"change_{k}": close.diff(k) for k in (5, 20, 60)},
            "level": close,
            "up": (close.shift(-20) > close).astype(int),
        }
    )[60:-20]
    model = recipes.make("forest_signals", trees=60, leaf_rows=5, n_jobs=1)
    found = recipes.two_splits(model, frame, "up", "day")
    lucky, honest = found["random"]["roc_auc"], found["time"]["roc_auc"]
    assert lucky.low > 0.7
    assert honest.value < lucky.low
