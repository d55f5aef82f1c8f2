"""Made rows of numbers, categories and a text: is auto quick, without torch, and as good as the obvious pipeline?"""

from __future__ import annotations

import sys
from time import perf_counter

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import baselines
from benchmarks.runner import Beside, Measured, Report, alone, main, timed
from plait.data import samples
from plait.errors import PlaitError
from plait.metrics.classification import roc_auc

Scores = npt.NDArray[np.float64]
ROWS = 5_000
SEEDS = 5
T4 = 2.776  # 97.5% quantile of Student's t with four degrees of freedom
THREADS = 2


def divided(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As many rows to judge as to fit, made by the same truth."""
    frame = samples.mixed(2 * ROWS, seed)
    return frame.iloc[:ROWS], frame.iloc[ROWS:]


def fit(seed: int) -> tuple[Scores, float]:
    """Probabilities of auto, and the seconds of its whole fit.

    Raises
    ------
    PlaitError
        If torch was imported on the way.
    """
    train, test = divided(seed)
    start = perf_counter()
    import plait

    model = plait.Classifier(fusion="auto", n_jobs=THREADS, random_state=seed)
    model.fit(train.drop(columns="outcome"), train["outcome"])
    seconds = perf_counter() - start
    proba = model.predict_proba(test)[:, 1]
    if "torch" in sys.modules:
        raise PlaitError("torch was imported by a fit that needs none")
    return proba, seconds


def plain(seed: int) -> Scores:
    """Probabilities of one logistic regression on scaled numbers, one-hot categories and TF-IDF."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    train, test = divided(seed)
    numbers, others = baselines.column_kinds(train.drop(columns="outcome"))
    categories = [name for name in others if name != "note"]
    columns = make_column_transformer(
        (StandardScaler(), numbers),
        (OneHotEncoder(handle_unknown="ignore"), categories),
        (baselines.tfidf(), "note"),
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000))
    return np.asarray(model.fit(train, train["outcome"]).predict_proba(test)[:, 1])


def mean(values: Scores) -> tuple[float, float, float]:
    """Mean over seeds with its 95% interval (Student's t)."""
    middle, half = values.mean(), T4 * values.std(ddof=1) / np.sqrt(len(values))
    return float(middle), float(middle - half), float(middle + half)


def run(seed: int) -> Report:
    """Five made sets; the interval is of the mean over them."""
    ours, theirs, taken, peaks = [], [], [], []
    for each in range(seed, seed + SEEDS):
        (proba, seconds), peak = alone(fit, each)
        truth = divided(each)[1]["outcome"].to_numpy()
        ours.append(float(roc_auc(truth, proba)))
        theirs.append(float(roc_auc(truth, plain(each))))
        taken.append(seconds)
        peaks.append(peak)
    auto, logistic = np.array(ours), np.array(theirs)
    beside = Beside(*mean(logistic), *mean(auto - logistic))
    return Report(
        data=f"plait.samples.mixed: made, {ROWS:,} rows to fit; 10 numbers, 5 categories of 3 to 200 levels, 30 words",
        split=f"{ROWS:,} further rows to judge; {SEEDS} seeds, each with effects of its own",
        figures=(
            Measured("auto, mean of the seeds", *mean(auto), "ROC AUC", {"TF-IDF + one-hot + logistic": beside}),
            timed("whole fit of auto", taken),
            Measured("peak memory of the fit", max(peaks), unit="MB"),
        ),
        notes=(
            "intervals are of the mean over seeds (Student's t)",
            f"seconds include the import of plait, in a process of its own that never imports torch; {THREADS} threads",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
