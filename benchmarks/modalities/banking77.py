"""BANKING77: which of 77 things does a bank's customer want, told by words alone, without any pretrained weights?"""

from __future__ import annotations

import sys
from time import perf_counter

import numpy as np
import pandas as pd

import plait
from benchmarks.runner import Measured, Report, areas, main, timed
from plait.contracts import Array
from plait.data import public

OURS, THEIRS = "early fusion, mlp", "TF-IDF + linear SVM"


def plain(train: pd.DataFrame, test: pd.DataFrame) -> Array:
    """Intents by the obvious pipeline: words 1-2 and characters 2-5 of words, TF-IDF, one linear SVM."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    model = make_pipeline(make_union(words, characters), LinearSVC(random_state=0))
    return np.asarray(model.fit(train["message"], train["category"]).predict(test["message"]))


def right(targets: Array, said: Array, weight: Array) -> Array:
    """Share of the weight whose intent is right."""
    return np.asarray(weight @ (said == targets) / weight.sum(axis=-1))


def run(seed: int) -> Report:
    """Fit on the training file, look at the test file once."""
    data = public.banking77()
    start = perf_counter()
    model = plait.Classifier(fusion="early", learner="mlp", n_jobs=1, random_state=seed)
    model.fit(data.train[["message"]], data.train["category"])
    fitted = perf_counter()
    said = {OURS: model.predict(data.test[["message"]]), THEIRS: plain(data.train, data.test)}
    intents = {intent: i for i, intent in enumerate(model.classes_)}
    targets, *codes = (np.array([intents[name] for name in names]) for names in (data.test["category"], *said.values()))
    found = areas(targets, dict(zip(said, codes, strict=True)), [THEIRS], metric=right, unit="accuracy", seed=seed)
    epochs = model.model_.fitted.settings["mlp"]["epochs"]
    return Report(
        data="BANKING77 (Casanueva et al., 2020): messages of customers, 77 intents",
        split=f"as given: {len(data.train):,} messages to fit, {len(data.test):,} to judge",
        figures=(*found.values(), timed("whole fit", [fitted - start]), Measured("epochs chosen", epochs)),
        notes=(
            "the learner was chosen by folds of the training file; the test file was looked at once",
            "one thread",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
