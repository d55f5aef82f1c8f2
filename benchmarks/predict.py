"""How fast are predictions of table and text: rows a second beside scikit-learn's, and one row at a time?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import baselines
from benchmarks.runner import Beside, Measured, Report, main, ratio
from plait.data import samples
from plait.data.schema import ColumnSpec, Schema

ROWS, TEST, CALLS = 5_000, 20_000, 500
NGRAMS = {"words": "words", "words and characters": "words+chars"}
LEARNERS = ("lightgbm", "linear")
THREADS = 2


def schema(frame: pd.DataFrame, ngrams: str) -> Schema:
    """The inferred schema, with n-grams of the text as told."""
    found = Schema.infer(frame)
    note = next(spec for spec in found.columns if spec.name == "note")
    told = ColumnSpec(note.name, note.role, note.modality, {"ngrams": ngrams})
    return Schema(tuple(told if spec is note else spec for spec in found.columns))


def ours(train: pd.DataFrame, learner: str, ngrams: str, seed: int) -> Any:
    """A fitted early fusion."""
    import plait

    X = train.drop(columns="outcome")
    model = plait.Classifier(
        schema=schema(X, ngrams), fusion="early", learner=learner, n_jobs=THREADS, random_state=seed
    )
    return model.fit(X, train["outcome"])


def theirs(train: pd.DataFrame, learner: str, ngrams: str, trees: int, seed: int) -> Any:
    """scikit-learn's vectorisers of the same n-grams, encoders, and the same kind of learner."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

    X = train.drop(columns="outcome")
    numbers, others = baselines.column_kinds(X)
    categories = [name for name in others if name != "note"]
    text = [baselines.tfidf(min_df=2)]
    if ngrams != "words":
        text.append(baselines.tfidf(min_df=2, analyzer="char_wb", ngram_range=(2, 4)))
    columns = make_column_transformer(
        (QuantileTransformer(output_distribution="normal"), numbers),
        (OneHotEncoder(handle_unknown="ignore"), categories),
        (make_union(*text), "note"),
    )
    linear = learner == "linear"
    last = LogisticRegression(max_iter=500) if linear else baselines.boosted_model(seed, THREADS, trees)
    return make_pipeline(columns, last).fit(X, train["outcome"])


def many(name: str, model: Any, other: Any, frame: pd.DataFrame) -> Measured:
    """Rows a second of both, measured in turn."""
    found = ratio(lambda: other.predict_proba(frame), lambda: model.predict_proba(frame), repeats=5)
    beside = {"scikit-learn": Beside(round(len(frame) / found.baseline))}
    beside["times as fast"] = Beside(found.times)
    return Measured(name, round(len(frame) / found.ours), unit="rows/s", baselines=beside)


def one(name: str, predict: Callable[[pd.DataFrame], object], frame: pd.DataFrame) -> list[Measured]:
    """Milliseconds of single rows, each another one, after ten to warm up."""
    taken = []
    for row in range(CALLS + 10):
        cells = frame.iloc[row : row + 1]
        start = perf_counter()
        predict(cells)
        taken.append(1000 * (perf_counter() - start))
    kept = taken[10:]
    return [
        Measured(f"one row, {name}, median", median(kept), unit="ms"),
        Measured(f"one row, {name}, 99 in 100 are faster than", float(np.quantile(kept, 0.99)), unit="ms"),
    ]


def run(seed: int) -> Report:
    """Fit both kinds of learner on both kinds of n-grams, and predict other rows."""
    frame = samples.mixed(ROWS + TEST, seed)
    train, test = frame.iloc[:ROWS], frame.iloc[ROWS:].drop(columns="outcome")
    figures, single = [], []
    for learner in LEARNERS:
        for words, ngrams in NGRAMS.items():
            model = ours(train, learner, ngrams, seed)
            fitted = model.model_.fitted.learner
            trees = fitted.members * fitted.trees if learner == "lightgbm" else 0
            other = theirs(train, learner, ngrams, trees, seed)
            told = f"{words}, {trees:,} trees" if trees else words
            figures.append(many(f"{TEST:,} rows, early/{learner}, {told}", model, other, test))
            single += one(f"early/{learner}, {words}", model.predict_proba, test)
    return Report(
        data=f"plait.samples.mixed: made, {ROWS:,} rows to fit; 10 numbers, 5 categories, a text of 30 words",
        split=f"{TEST:,} further rows to predict, or {CALLS} of them one by one, from data frame to probabilities",
        figures=(*figures, *single),
        notes=(
            "scikit-learn: TfidfVectorizer of the same n-grams, OneHotEncoder, QuantileTransformer, then LightGBM of "
            "as many trees, of 8 leaves, as Plait has, or LogisticRegression; measured in turn with ours",
            f"{THREADS} threads to fit; LightGBM predicts many rows on all cores, on both sides",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
