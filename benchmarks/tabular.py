"""Tables alone: does Plait keep up with LightGBM in cross-validation, and does auto find what survives drift?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import baselines
from benchmarks.runner import Measured, Report, areas, main
from plait.contracts import Array
from plait.data.public import Dataset, bank_marketing, german_credit, taiwan_credit
from plait.metrics.classification import roc_auc
from plait.metrics.intervals import Metric

Scores = npt.NDArray[np.float64]
Folds = npt.NDArray[np.int64]
FUSIONS = {"auto": ("auto", None), "early/lightgbm": ("early", "lightgbm"), "early/linear": ("early", "linear")}
PLAIN = ("LightGBM", "logistic")
THREADS = 2


def scores(train: pd.DataFrame, y: Scores, test: pd.DataFrame, time: str | None, seed: int) -> dict[str, Scores]:
    """Every model's probabilities of the test rows."""
    import plait

    def ours(fusion: str, learner: str | None) -> Scores:
        model = plait.Classifier(fusion=fusion, learner=learner, time=time, n_jobs=THREADS, random_state=seed)
        return model.fit(train, y).predict_proba(test)[:, 1]

    bare = [frame.drop(columns=[time] if time else []) for frame in (train, test)]
    return {
        **{name: ours(*fusion) for name, fusion in FUSIONS.items()},
        "LightGBM": baselines.boosted(bare[0], y, bare[1], seed=seed, n_jobs=THREADS),
        "logistic": baselines.logistic(bare[0], y, bare[1]),
    }


def mean_of_folds(fold: Folds) -> Metric:
    """The mean over folds of the AUC within each: scores of different fits are not compared."""

    def metric(targets: Array, scores: Array, weight: Array) -> Array:
        parts = [fold == k for k in range(int(fold.max()) + 1)]
        return np.mean([roc_auc(targets[rows], scores[rows], weight[..., rows]) for rows in parts], axis=0)

    return metric


def cross_validated(load: Callable[[], Dataset], seed: int) -> dict[str, Measured]:
    """Mean AUC of five stratified folds, paired over all rows, each judged by the models that did not see it."""
    from sklearn.model_selection import StratifiedKFold

    data = load()
    X = data.frame.drop(columns=[data.target, *data.ignore])
    y = data.frame[data.target].to_numpy(np.float64)
    fold = np.zeros(len(X), np.int64)
    out: dict[str, Scores] = {}
    pairs = StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y)
    for k, (train, test) in enumerate(pairs):
        fold[test] = k
        for name, found in scores(X.iloc[train], y[train], X.iloc[test], None, seed).items():
            out.setdefault(name, np.zeros(len(X)))[test] = found
    return areas(y, out, PLAIN, metric=mean_of_folds(fold), seed=seed)


def by_time(load: Callable[[], Dataset], seed: int) -> dict[str, Measured]:
    """AUC of the later rows."""
    data = load()
    train, test = data.train, data.test
    y = train[data.target].to_numpy(np.float64)
    found = scores(train.drop(columns=data.target), y, test.drop(columns=data.target), data.time, seed)
    return areas(test[data.target].to_numpy(), found, PLAIN, seed=seed)


def run(seed: int) -> Report:
    """Judge every set; the same options throughout."""
    sets = {
        "German credit": cross_validated(german_credit, seed),
        "Taiwan credit": cross_validated(taiwan_credit, seed),
        "bank marketing by time": by_time(bank_marketing, seed),
    }
    figures = (replace(found[name], what=f"{what}, {name}") for what, found in sets.items() for name in FUSIONS)
    return Report(
        data="german_credit (1,000 rows), taiwan_credit (30,000), bank_marketing (45,211, without duration)",
        split="German, Taiwan: 5 stratified folds, mean AUC of the folds; bank marketing: the first 80% of the calls "
        "to fit, the others to judge",
        figures=tuple(figures),
        notes=(
            "the baselines are plain scikit-learn and LightGBM (benchmarks/baselines.py); test rows were looked at "
            "in development, see decision 6",
            f"{THREADS} threads",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
