"""Made films: is what happens told where single frames, and the mean of all, say little?"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import plait
from benchmarks.runner import Measured, Report, areas, main
from plait.contracts import Array
from plait.data import samples

FIT, JUDGE = 600, 300
EPOCHS = 15
Scores = npt.NDArray[np.float64]


def pictures(frame: pd.DataFrame) -> dict[str, Scores]:
    """What a practitioner would take without a model of time: the first frame and the mean frame, 16 x 16 x 3."""
    import io

    import av
    from PIL import Image

    first, mean = [], []
    for data in frame["film"]:
        with av.open(io.BytesIO(data)) as container:
            shown = np.stack([each.to_ndarray(format="rgb24") for each in container.decode(video=0)])
        for told, picture in ((first, shown[0]), (mean, shown.mean(axis=0).astype(np.uint8))):
            told.append(np.asarray(Image.fromarray(picture).resize((16, 16))).ravel() / 255)
    return {"first frame": np.stack(first), "mean frame": np.stack(mean)}


def simple(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> dict[str, Scores]:
    """Probabilities of a logistic regression and of LightGBM on each of these pictures."""
    from lightgbm import LGBMClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    shown, asked = pictures(train), pictures(test)
    made = {}
    for picture in shown:
        models: dict[str, Any] = {
            "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)),
            "LightGBM": LGBMClassifier(n_estimators=80, num_leaves=8, random_state=seed, n_jobs=1, verbose=-1),
        }
        for name, model in models.items():
            fitted = model.fit(shown[picture], train["event"])
            made[f"{name}, {picture}"] = np.asarray(fitted.predict_proba(asked[picture]))
    return made


def ours(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> dict[str, Scores]:
    """Probabilities by both doors: frames, motion and sound in a network; features in a linear model and LightGBM."""
    ways: dict[str, dict[str, Any]] = {
        "network": {"fusion": "attention", "options": {"attention": {"epochs": EPOCHS}}},
        "linear on features": {"fusion": "early", "learner": "linear"},
        "LightGBM on features": {"fusion": "early", "learner": "lightgbm"},
    }
    made = {}
    for name, how in ways.items():
        model = plait.Classifier(**how, n_jobs=1, random_state=seed).fit(train[["film"]], train["event"])
        made[name] = np.asarray(model.predict_proba(test[["film"]]))
    return made


def right(truth: Array, chosen: Array, weight: Array) -> Array:
    """Accuracy of chosen classes; `weight` is ``N`` or one row a resample."""
    return np.asarray((weight * (truth == chosen)).sum(axis=-1) / weight.sum(axis=-1))


def judged(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[Measured, ...]:
    """Each of ours beside all baselines, on the same resamples."""
    baselines = simple(train, test, seed)
    scores = {**baselines, **ours(train, test, seed)}
    chosen = {name: each.argmax(axis=1) for name, each in scores.items()}
    truth = np.searchsorted(np.unique(train["event"]), test["event"])
    found = areas(truth, chosen, list(baselines), metric=right, unit="accuracy", seed=seed)
    return tuple(replace(found[name], what=f"event: {name}") for name in scores if name not in baselines)


def run(seed: int) -> Report:
    """Six events, told by motion."""
    frame = samples.films(FIT + JUDGE, seed)
    return Report(
        data=f"plait.samples.films: made, {FIT} films to fit, 1.5 seconds each; six events, half with a sound track",
        split=f"{JUDGE} further films to judge",
        figures=judged(frame.iloc[:FIT], frame.iloc[FIT:], seed),
        notes=(
            "the baselines see the first frame, or the mean of all, at 16 x 16 pixels",
            f"the network is trained for {EPOCHS} epochs, the best of them chosen on a tenth of the training rows",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
