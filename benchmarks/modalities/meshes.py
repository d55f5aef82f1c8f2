"""Made 3-D models: is a thing told, and its damage, where its size, volume and counts say little?"""

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

FIT, JUDGE = 800, 600
EPOCHS = 25
Scores = npt.NDArray[np.float64]


def sizes(frame: pd.DataFrame) -> Scores:
    """What a practitioner would take without a 3-D library: extents, volume, area, counts, and their logarithms."""
    told = []
    for model in frame["model"]:
        vertices, faces = model["vertices"].astype(float), model["faces"]
        a, b, c = (vertices[faces[:, i]] for i in range(3))
        normal = np.cross(b - a, c - a)
        volume = abs((a * normal).sum() / 6)
        area = np.sqrt((normal**2).sum(axis=1)).sum() / 2
        told.append(
            [*np.sort(np.ptp(vertices, axis=0)), np.ptp(vertices[:, 2]), volume, area, len(vertices), len(faces)]
        )
    numbers = np.array(told)
    return np.concatenate([numbers, np.log(numbers + 1e-9)], axis=1)


def simple(train: pd.DataFrame, test: pd.DataFrame, target: str, seed: int) -> dict[str, Scores]:
    """Probabilities of a logistic regression and of LightGBM on `sizes`."""
    from lightgbm import LGBMClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models: dict[str, Any] = {
        "logistic on sizes": make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
        "LightGBM on sizes": LGBMClassifier(n_estimators=150, num_leaves=8, random_state=seed, n_jobs=1, verbose=-1),
    }
    shown, asked = sizes(train), sizes(test)
    return {name: model.fit(shown, train[target]).predict_proba(asked) for name, model in models.items()}


def ours(train: pd.DataFrame, test: pd.DataFrame, target: str, seed: int) -> dict[str, Scores]:
    """Probabilities by both doors: the points in a network, the features in a linear model and in LightGBM."""
    ways = {
        "network on points": {"fusion": "attention", "options": {"attention": {"epochs": EPOCHS}}},
        "linear on features": {"fusion": "early", "learner": "linear"},
        "LightGBM on features": {"fusion": "early", "learner": "lightgbm"},
    }
    made = {}
    for name, how in ways.items():
        model = plait.Classifier(**how, n_jobs=1, random_state=seed).fit(train[["model"]], train[target])
        made[name] = np.asarray(model.predict_proba(test[["model"]]))
    return made


def right(truth: Array, chosen: Array, weight: Array) -> Array:
    """Accuracy of chosen classes; `weight` is ``N`` or one row a resample."""
    return np.asarray((weight * (truth == chosen)).sum(axis=-1) / weight.sum(axis=-1))


def judged(train: pd.DataFrame, test: pd.DataFrame, target: str, seed: int) -> list[Measured]:
    """Each of ours beside both baselines, on the same resamples."""
    baselines = simple(train, test, target, seed)
    scores = {**baselines, **ours(train, test, target, seed)}
    chosen = {name: each.argmax(axis=1) for name, each in scores.items()}
    truth = np.searchsorted(np.unique(train[target]), test[target])
    found = areas(truth, chosen, list(baselines), metric=right, unit="accuracy", seed=seed)
    return [replace(found[name], what=f"{target}: {name}") for name in scores if name not in baselines]


def run(seed: int) -> Report:
    """Kind and damage, each judged on further models."""
    frame = samples.meshes(FIT + JUDGE, seed)
    train, test = frame.iloc[:FIT], frame.iloc[FIT:]
    return Report(
        data=f"plait.samples.meshes: made, {FIT:,} models to fit; houses, vehicles, vessels and machines, half damaged",
        split=f"{JUDGE:,} further models to judge",
        figures=tuple(figure for target in ("kind", "damaged") for figure in judged(train, test, target, seed)),
        notes=(
            "the baselines see extents, volume, area and counts of each model, and their logarithms",
            f"networks are trained for {EPOCHS} epochs, the best of them chosen on a tenth of the training rows",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
