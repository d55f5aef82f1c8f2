"""Do options that were searched beat the defaults on later rows, and what does the search say of itself?"""

from __future__ import annotations

import sys
import time

import numpy as np

import plait
from benchmarks.runner import Measured, Report, areas, main
from plait.contracts import Array
from plait.data.public import lendingclub
from plait.tuning import Tuned, tune

TRIALS = 12
ROWS = 6_000  # of real loans, the latest of the training rows


def run(seed: int) -> Report:
    """LightGBM over made and over real loans, and the linear learner on made ones."""
    figures: list[Measured] = []
    notes: list[str] = []
    made = plait.samples.loans(n=3_000, seed=seed).drop(columns=["letter", "balance"])
    train, test = plait.split(made, time="issued_at")
    for learner in ("lightgbm", "linear"):
        _add(figures, notes, f"made loans, {learner}", learner, train, test, "issued_at", "default", seed)
    data = lendingclub()
    texts = ["desc", "title", "emp_title", "outcome_known"]
    real, later = (part.drop(columns=texts) for part in (data.train, data.test))
    _add(figures, notes, "LendingClub, lightgbm", "lightgbm", real.iloc[-ROWS:], later, data.time, data.target, seed)
    return Report(
        data="made loans (table alone); LendingClub 2007-2011, applications without texts",
        split=f"past to fit and to search on, future to judge; {TRIALS} trials each, chosen on inner rows alone; of "
        f"LendingClub the last {ROWS:,} training rows",
        figures=tuple(figures),
        notes=tuple(notes),
    )


def _add(
    figures: list[Measured],
    notes: list[str],
    what: str,
    learner: str,
    train: object,
    test: object,
    time_column: str,
    target: str,
    seed: int,
) -> None:
    X, y = train.drop(columns=target), train[target]  # type: ignore[attr-defined]
    model = plait.Classifier(fusion="early", learner=learner, time=time_column, n_jobs=1, random_state=seed)
    start = time.perf_counter()
    found: Tuned[plait.Classifier] = tune(model, X, y, trials=TRIALS)
    seconds = time.perf_counter() - start
    truth = (test[target] == found.estimator.classes_[1]).to_numpy(float)  # type: ignore[index]
    scores: dict[str, Array] = {
        f"{what}, tuned": found.estimator.predict_proba(test)[:, 1],
        f"{what}, not tuned": found.default.predict_proba(test)[:, 1],
    }
    told = areas(np.asarray(truth), scores, [f"{what}, not tuned"], seed=seed)
    figures.append(told[f"{what}, tuned"])
    notes.append(
        f"{what}: loss {found.loss:.4f} on {found.judged_rows:,} inner rows, {found.default_loss:.4f} not tuned; "
        f"{sum(trial.ended == 'pruned' for trial in found.trials)} of {len(found.trials)} trials given up; "
        f"{seconds:.0f} s; {dict(found.options)}"
    )


if __name__ == "__main__":
    sys.exit(main(run))
