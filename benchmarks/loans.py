"""Made loans: how much of what could be known does each source give alone, and what do they give together?"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from benchmarks.runner import Measured, Report, alone, areas, main
from plait.data import samples

Scores = npt.NDArray[np.float64]
FUSIONS = {"early/linear": ("early", "linear"), "early/lightgbm": ("early", "lightgbm")}
FUSIONS |= {name: (name, None) for name in ("late", "attention", "auto")}
SIZES = (4_000, 20_000)
TEST = 10_000
THREADS = 2


def fit(rows: int, seed: int, name: str, source: str | None) -> Scores:
    """Probabilities of the later loans by one fusion, of all sources or of one alone."""
    import plait

    frame = samples.loans(rows + TEST, seed)
    told = list(frame.columns.drop(["issued_at", "default"]))
    if source is not None:
        nested = {"letter", "balance"}
        told = [column for column in told if (column == source if source in nested else column not in nested)]
    train, test = frame.iloc[:rows], frame.iloc[rows:]
    fusion, learner = FUSIONS[name]
    model = plait.Classifier(fusion=fusion, learner=learner, time="issued_at", n_jobs=THREADS, random_state=seed)
    model.fit(train[["issued_at", *told]], train["default"])
    return model.predict_proba(test)[:, 1]


def judged(rows: int, seed: int) -> list[Measured]:
    """Each source, each fusion and the truth on the same later loans."""
    wanted = {f"auto, {source} alone": ("auto", source) for source in ("columns", "letter", "balance")}
    wanted |= {f"{name}, all sources": (name, None) for name in FUSIONS}
    scores = {what: alone(fit, rows, seed, *which)[0] for what, which in wanted.items()}
    truth = samples.loans(rows + TEST, seed)["default"].to_numpy()[rows:]
    scores["oracle"] = samples.loans_oracle(rows + TEST, seed)["probability"].to_numpy()[rows:]
    found = areas(truth, scores, ["oracle"], seed=seed)
    return [replace(found[what], what=f"{rows:,} rows: {what}") for what in wanted]


def run(seed: int) -> Report:
    """Two sizes; every fit in a process of its own."""
    figures = [figure for rows in SIZES for figure in judged(rows, seed)]
    return Report(
        data="plait.samples.loans: made; columns, a letter, monthly balances, the signal divided among the three",
        split=f"by time: the first rows to fit, {TEST:,} later ones to judge",
        figures=tuple(figures),
        notes=("the oracle knows every row's true probability: nothing ranks better but by luck", f"{THREADS} threads"),
    )


if __name__ == "__main__":
    sys.exit(main(run))
