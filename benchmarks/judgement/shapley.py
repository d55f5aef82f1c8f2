"""Do shares sum to the prediction on every sample, how long does it take, and is chance found to be nothing?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import plait
from benchmarks.mixed import mean
from benchmarks.runner import Beside, Measured, Report, main
from plait import samples
from plait.contracts import Side
from plait.data.asof import side

ROWS, EXPLAINED = 80, 20  # of a sample that sums are asked of: fitted on, and explained
TIMED = 100  # rows whose explanation is timed
FIT, JUDGE = 1_500, 500  # rows of the models of chance
SHUFFLES = 5  # as many as the interval of `mean` is for
TARGETS = {
    "biased": "default",
    "charts": "kind",
    "dossiers": "default",
    "films": "event",
    "meshes": "damaged",
    "mixed": "outcome",
    "payments": "default",
    "statements": "default",
    "voices": "distress",
}
NETWORKS = ("attention", "bottleneck", "parallel", "sequence")
OPTIONS: dict[str, dict[str, Any]] = {"lightgbm": {"trees": 30, "leaves": 6}, **{n: {"epochs": 2} for n in NETWORKS}}
EARLY = {"fusion": "early", "learner": "lightgbm"}


class Case(NamedTuple):
    """Rows, what is predicted of them, and by which model."""

    name: str
    frame: pd.DataFrame
    target: str
    how: dict[str, Any]
    sides: dict[str, Side]


def cases(seed: int) -> Iterator[Case]:
    """Every sample; loans by every fusion, as a value, calibrated; and more sources than are asked in full."""
    for name, target in TARGETS.items():
        yield Case(name, getattr(samples, name)(ROWS + EXPLAINED, seed), target, EARLY, {})
    accounts, links = samples.transfers(200, seed)
    linked = {"transfers": side("transfers", links, "account", "time")}
    yield Case("transfers", accounts.drop(columns="outcome_known"), "ring", EARLY, linked)
    frame, tables = samples.everything(ROWS + EXPLAINED, seed)
    beside = {name: side(name, table, "account", "time") for name, table in tables.items()}
    yield Case("everything", frame, "default", EARLY, beside)
    loans = samples.loans(3 * ROWS, seed)
    for fusion in ("late", *NETWORKS):
        yield Case(f"loans, {fusion}", loans, "default", {"fusion": fusion}, {})
    yield Case("loans", loans, "default", EARLY, {})
    yield Case("loans, calibrated", loans, "default", EARLY, {})
    yield Case("loans, income", loans[loans["income"].notna()], "income", EARLY, {})
    yield Case("loans, 13 sources", _many(loans, seed), "default", {"fusion": "early", "learner": "linear"}, {})


def _many(loans: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Ten notes beside the loans, each of which tells a little."""
    rng = np.random.default_rng(seed)
    made = loans.copy()
    for i in range(10):
        told = np.where(made["default"] == 1, "the rent is late again and", "the shop is doing well and")
        days = rng.integers(0, 400, len(made))
        words = np.where(rng.random(len(made)) < 0.4, told, "we spoke of the weather for a while and")
        made[f"note {i}"] = [f"{text} it was day {day}" for text, day in zip(words, days, strict=True)]
    return made


class Sums(NamedTuple):
    """How far sums are from predictions at most, relative to them: of sources, and of all sources asked as one."""

    shares: float
    asked: float
    columns: float
    sources: int


def sums(case: Case, seed: int) -> Sums:
    """Fit, explain the last rows, and compare with what the model predicts by itself."""
    fit, told = case.frame.iloc[:-EXPLAINED], case.frame.iloc[-EXPLAINED:].drop(columns=case.target)
    kind = plait.Regressor if case.target == "income" else plait.Classifier
    model: Any = kind(options=OPTIONS, n_jobs=1, random_state=seed, **case.how)
    model.fit(fit.drop(columns=case.target), fit[case.target], sides=case.sides)
    if case.name.endswith("calibrated"):
        model.calibrate(method="platt")
    found = model.explain(told, sides=case.sides, depths=("sources", "columns"), seed=seed)
    predicted = model.prediction(told, sides=case.sides).values
    if predicted.ndim == 2:
        rows = np.arange(len(told))
        predicted = predicted[rows, np.searchsorted(model.classes_, found.output.astype(model.classes_.dtype))]
    subject = model.subject(told, sides=case.sides, outputs=found.output)
    whole = subject.coalitions(np.arange(len(told)), np.ones((len(told), len(subject.sources)), bool))
    parts = found.columns.base + found.columns.values.sum(axis=1)
    return Sums(
        _apart(found.sources.base + found.sources.values.sum(axis=1), predicted),
        _apart(whole, predicted),
        float(np.abs(parts - found.columns.score).max() / np.abs(found.columns.score).max()),
        len(subject.sources),
    )


def _apart(found: Any, predicted: Any) -> float:
    return float((np.abs(found - predicted) / np.abs(predicted)).max())


def seconds(fusion: str, seed: int) -> Iterator[Measured]:
    """Seconds for a hundred rows of a model of five sources, by depth; what is decoded once stays in the cache."""
    frame = samples.dossiers(300 + TIMED, seed)
    fit, told = frame.iloc[:-TIMED], frame.iloc[-TIMED:].drop(columns="default")
    options = {} if fusion == "early" else {fusion: {"epochs": 2}}
    model = plait.Classifier(fusion=fusion, options=options, n_jobs=1, random_state=seed)
    model.fit(fit.drop(columns="default"), fit["default"])
    model.predict(told)
    for depths in (("sources",), ("columns",), ("sources", "columns", "cells")):
        start = perf_counter()
        model.explain(told, depths=depths, seed=seed)
        name = depths[0] if len(depths) == 1 else "all three depths"
        yield Measured(f"{fusion}, five sources: {TIMED} rows, {name}", perf_counter() - start, unit="s")


def chance(seed: int) -> list[Measured]:
    """What sources are worth to models of shuffled labels, beside the model of the true ones."""
    frame = samples.loans(FIT + JUDGE, seed)
    X, y = frame.drop(columns="default"), frame["default"]
    rng = np.random.default_rng(seed)
    labels = [y.iloc[:FIT], *(pd.Series(rng.permutation(y.iloc[:FIT]), name="default") for _ in range(SHUFFLES))]
    moved, worth = [], []
    for known in labels:
        model = plait.Classifier(fusion="early", learner="linear", n_jobs=1, random_state=seed).fit(X.iloc[:FIT], known)
        found = model.explain(X.iloc[FIT:], depths="sources").sources
        assert found is not None
        moved.append(np.abs(found.values).mean(axis=0))
        losses = {w.name: w.value for w in model.importance(X.iloc[FIT:], y.iloc[FIT:]).worths if w.kind == "source"}
        worth.append([losses[source] for source in found.sources])
    figures = []
    for told, unit, values in (("loss without", "log loss", worth), ("mean share of", "probability", moved)):
        true, *shuffled = np.array(values)
        for i, source in enumerate(found.sources):
            beside = {"true labels": Beside(float(true[i]))}
            figures.append(Measured(f"{told} {source}, shuffled labels", *mean(np.array(shuffled)[:, i]), unit, beside))
    return figures


def run(seed: int) -> Report:
    """Sums, seconds and chance."""
    apart = {case.name: sums(case, seed) for case in cases(seed)}
    worst = max(apart, key=lambda name: apart[name].shares)
    whole = max(apart, key=lambda name: apart[name].asked)
    left = max(apart, key=lambda name: apart[name].columns)
    return Report(
        data=f"{len(apart)} models of made data: {', '.join(apart)}",
        split=f"{EXPLAINED} rows of each that were not fitted on; {TIMED} rows for seconds; {JUDGE} for chance",
        figures=(
            Measured("shares of sources and base, from the prediction at most", apart[worst].shares, unit="relative"),
            Measured("all sources asked as one coalition, likewise", apart[whole].asked, unit="relative"),
            Measured("shares of columns and base, from the score at most", apart[left].columns, unit="of the largest"),
            *(figure for fusion in ("early", "attention") for figure in seconds(fusion, seed)),
            *chance(seed),
        ),
        notes=(
            f"largest: {worst} (sources), {whole} (asked as one), {left} (columns: what integrated gradients leave)",
            "the whole coalition is given the prediction itself, so that sums differ by rounding alone",
            "seconds on one thread, rows predicted once before",
            f"shuffled labels: mean of {SHUFFLES} shuffles, intervals of that mean (Student's t)",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
