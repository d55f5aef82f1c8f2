"""Do two processes with one seed agree to the last byte, and does a saved model say the same in a new process?"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.runner import Measured, Report, alone, main
from plait.data import samples

Scores = npt.NDArray[np.float64]
FUSIONS = {"early/linear": ("early", "linear"), "early/lightgbm": ("early", "lightgbm")}
FUSIONS |= {name: (name, None) for name in ("late", "attention", "auto")}
ROWS, TEST = 1_500, 500
THREADS = 2


def fit(name: str, seed: int, plan: Any = None, path: str | None = None) -> tuple[Scores, Any]:
    """Probabilities of the test rows and the plan of the fit; the model is saved where `path` says."""
    import plait

    frame = samples.loans(ROWS + TEST, seed)
    fusion, learner = FUSIONS[name]
    given: dict[str, Any] = {"plan": plan} if plan else {"fusion": fusion, "learner": learner}
    model = plait.Classifier(**given, time="issued_at", n_jobs=THREADS, random_state=seed)
    model.fit(frame.iloc[:ROWS].drop(columns="default"), frame["default"].iloc[:ROWS])
    if path is not None:
        model.save(path)
    return model.predict_proba(frame.iloc[ROWS:]), dict(model.plan_)


def read(path: str, seed: int) -> Scores:
    """Probabilities of the test rows by a saved model."""
    import plait

    return plait.load(path).predict_proba(samples.loans(ROWS + TEST, seed).iloc[ROWS:])


def same(one: Scores, other: Scores) -> int:
    """Rows whose bytes are equal."""
    return int((one.view(np.uint64) == other.view(np.uint64)).all(axis=1).sum())


def run(seed: int) -> Report:
    """Every fusion: fit, fit again, fit by the plan, and load what the first fit saved, each in its own process."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name in FUSIONS:
            path = str(Path(folder) / name.replace("/", "-"))
            (first, plan), _ = alone(fit, name, seed, None, path)
            (again, _), _ = alone(fit, name, seed)
            (replayed, _), _ = alone(fit, name, seed, plan)
            loaded, _ = alone(read, path, seed)
            for what, other in (("fitted again", again), ("its plan replayed", replayed), ("saved, loaded", loaded)):
                figures.append(Measured(f"{name}, {what}", same(first, other), unit="rows"))
    return Report(
        data=f"plait.samples.loans: made, {ROWS:,} rows to fit",
        split=f"{TEST} later rows to predict: rows of equal bytes are counted, {TEST} is all",
        figures=tuple(figures),
        notes=(f"{THREADS} threads; same machine, same versions",),
    )


if __name__ == "__main__":
    sys.exit(main(run))
