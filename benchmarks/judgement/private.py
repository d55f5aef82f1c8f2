"""Made loans: what does a promise of privacy cost, and what does it hide from one who asks who was learned from?"""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd

from benchmarks.runner import Measured, Report, judged, main
from plait import Classifier
from plait.data import samples
from plait.judgement.membership import membership

ROWS, TEST = 3_000, 2_000
EPOCHS, BATCH = 6, 300
RATE = 2e-2  # of learning under noise; of two tried on seed 1, the better
TARGET = "default"


def fitted(train: pd.DataFrame, epsilon: float | None, seed: int) -> Classifier:
    """A network over all of a loan's evidence, trained as long with a promise as without, on all rows."""
    option: dict[str, Any] = {"width": 16, "epochs": EPOCHS, "batch_size": BATCH, "holdout": 0.0, "epsilon": epsilon}
    option |= {"masking": 0.0, "dropout": 0.0, "learning_rate": RATE if epsilon is not None else RATE / 4}
    model = Classifier(fusion="parallel", options={"parallel": option}, time="issued_at", n_jobs=1, random_state=seed)
    return model.fit(train.drop(columns=TARGET), train[TARGET])


def run(seed: int) -> Report:
    """Networks with ever less privacy, judged on rows of the same population that they did not see."""
    frame = samples.loans(ROWS + TEST, seed).sample(frac=1.0, random_state=seed).reset_index(drop=True)
    train, test = frame.iloc[:ROWS], frame.iloc[ROWS:]
    figures, notes = [], []
    for epsilon in (2.0, 8.0, None):
        model = fitted(train, epsilon, seed)
        name = "no promise" if epsilon is None else f"epsilon {epsilon:g}"
        figures.append(judged(f"{name}: model", model.evaluate(test, test[TARGET]), "roc_auc"))
        attacked = membership(model, (train, train[TARGET]), (test, test[TARGET]), seed=seed)
        found = {attack: spans["auc"] for attack, spans in attacked.attacks.items()}
        figures += [
            Measured(f"{name}: attack by {attack}", span.value, span.low, span.high, "ROC AUC of membership")
            for attack, span in found.items()
        ]
        if epsilon is not None:
            spent = model.record_["training"]["parallel"]["privacy"]
            notes.append(f"{name}: noise {spent['noise']:.2f}, {spent['steps']} steps, spent {spent['epsilon']:.2f}")
    notes.append("An attack of .5 is a guess. Every row's gradient is clipped to norm 1; delta is 1 over the rows.")
    split = f"{ROWS:,} made loans to fit, {TEST:,} others of the same time to judge, drawn at random"
    return Report(f"samples.loans, seed {seed}", split, tuple(figures), tuple(notes))


if __name__ == "__main__":
    sys.exit(main(run))
