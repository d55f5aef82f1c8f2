"""Does an exported model say what the model says, on 10,000 rows, and what do weights in eight bits cost?"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.runner import Measured, Report, areas, main
from plait.data.public import lendingclub
from plait.edge import load
from plait.export import export
from plait.export.records import records_of

LOANS = ["issued_at", "income", "amount", "term", "purpose", "region", "employment_years", "home", "letter"]
FITTED, ASKED = 1_500, 10_000
SMALL = {"lightgbm": {"trees": 60, "leaves": 8}, "linear": {"strength": 0.1}}
NETWORK = {"epochs": 4, "width": 32}
FUSIONS: dict[str, dict[str, Any]] = {
    "early": {},
    "late": {"options": SMALL},
    "average": {"options": SMALL},
    "hybrid": {"options": SMALL},
    "auto": {"options": {**SMALL, "attention": NETWORK}},
    "attention": {"options": {"attention": NETWORK}},
    "bottleneck": {"options": {"bottleneck": NETWORK}},
    "parallel": {"options": {"parallel": NETWORK}},
    "sequence": {"options": {"sequence": NETWORK}},
}


def run(seed: int) -> Report:
    """Fit on the earlier rows, compare on later ones."""
    import plait

    loans = plait.samples.loans(n=FITTED + ASKED, seed=seed)
    train, test = loans.iloc[:FITTED], loans.iloc[FITTED:]
    figures: list[Measured] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        for fusion, how in FUSIONS.items():
            model = plait.Classifier(fusion=fusion, time="issued_at", random_state=seed, n_jobs=1, **how)
            model.fit(train[LOANS], train["default"])
            figures.append(_difference(f"made loans, {fusion}", model, train[LOANS], test[LOANS], folder / fusion))
            if fusion == "attention":
                figures += _rounded(model, train, test, folder / "int8", seed)
        if os.environ.get("PLAIT_DATA"):
            figures.append(_lendingclub(plait, seed, folder))
    return Report(
        data=f"made loans ({FITTED:,} to fit, {ASKED:,} to compare), a table and a letter; LendingClub where "
        "PLAIT_DATA has it, with its texts",
        split="compared on rows after those fitted on",
        figures=tuple(figures),
        notes=("the largest absolute difference of a probability; at most 1e-4 is allowed",),
    )


def _difference(what: str, model: Any, train: pd.DataFrame, test: pd.DataFrame, path: Path) -> Measured:
    export(model, path, rows=train.head(200))
    theirs = model.predict_proba(test)
    return Measured(
        f"{what}: largest difference over {len(test):,} rows", float(np.abs(_said(path, model, test) - theirs).max())
    )


def _said(path: Path, model: Any, frame: pd.DataFrame) -> Any:
    answers = load(path).predict(records_of(frame, model.schema_))
    return np.array([list(answer["probabilities"].values()) for answer in answers])


def _rounded(model: Any, train: pd.DataFrame, test: pd.DataFrame, path: Path, seed: int) -> list[Measured]:
    """ROC AUC with weights in int8, beside those of float32, on the same rows."""
    export(model, path, rows=train[LOANS].head(200), int8=True)
    scores = {"int8": _said(path, model, test[LOANS])[:, 1], "float32": model.predict_proba(test[LOANS])[:, 1]}
    return [areas(test["default"].to_numpy(), scores, ("float32",), seed=seed)["int8"]]


def _lendingclub(plait: Any, seed: int, folder: Path) -> Measured:
    data = lendingclub()
    train, test = data.train.tail(FITTED), data.test.head(ASKED)
    columns = [name for name in train.columns if name not in (data.target, "outcome_known")]
    model = plait.Classifier(fusion="early", time=data.time, random_state=seed, n_jobs=1)
    model.fit(train[columns], train[data.target])
    return _difference("LendingClub, early", model, train[columns], test[columns], folder / "lendingclub")


if __name__ == "__main__":
    sys.exit(main(run))
