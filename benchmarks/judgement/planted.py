"""Does explanation inside cells point at what counts: a phrase, a step, an event, a region, a second, a ring?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import plait
from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Exhibit, Place
from plait.data.asof import side
from plait.data.samples.planted import PLANTED, Planted, planted
from plait.explain.cells import explain_cells, without
from plait.explain.explanation import CellShares
from plait.explain.subject import Subject
from plait.metrics.classification import roc_auc

Floats = npt.NDArray[np.float64]
FIT = {
    "event": 1_200,
    "moment": 150,
    "part": 300,
    "phrase": 4_000,
    "region": 400,
    "ring": 800,
    "second": 400,
    "step": 1_200,
}
JUDGE = 80  # rows
EXPLAINED = 30  # of the rows that move, at most
MOVED = 0.1  # of probability
ORDERS = 8  # random ones, that places are also removed in
DRAWS = 2_000
MODELS: Mapping[str, dict[str, Any]] = {
    "early": {"fusion": "early"},
    "attention": {"fusion": "attention"},
    "linear": {"fusion": "early", "learner": "linear"},
}
NETWORKED = ("phrase", "step", "event")  # a network of the others takes too long for a benchmark


def tables(made: Planted) -> dict[str, Any]:
    """The long tables, keyed by the column of the frame that they share."""
    return {
        name: side(name, table, str(next(c for c in made.frame if c in table)), "time")
        for name, table in (made.sides or {}).items()
    }


def fit(made: Planted, how: dict[str, Any], seed: int, *, shuffled: bool = False) -> Any:
    """A model of the outcome, or of outcomes that were shuffled."""
    outcome = made.frame["outcome"].to_numpy()
    if shuffled:
        outcome = np.random.default_rng(seed).permutation(outcome)
    model = plait.Classifier(n_jobs=1, random_state=seed, **how)
    return model.fit(made.frame.drop(columns="outcome"), outcome, sides=tables(made))


def evidence(exhibit: Exhibit, form: Place, truth: tuple[Any, ...]) -> tuple[Place, ...]:
    """The planted evidence as places like `form`; a truth of names stands for the links to them."""
    if form.kind != "link":
        return (Place(form.kind, truth, "planted"),)
    neighbours = [link["neighbour"] for link in exhibit.values]  # type: ignore[index]
    return tuple(Place("link", (float(neighbours.index(name)),), name) for name in truth if name in neighbours)


def overlap(one: Place, other: Place) -> bool:
    """Whether two places of a kind share something."""
    a, b = one.where, other.where
    match one.kind:
        case "link":
            return a == b
        case "points":
            return float(np.linalg.norm(np.subtract(a[:3], b[:3]))) < a[3] + b[3]
    half = len(a) // 2 if one.kind == "box" else 1
    return all(max(a[i], b[i]) < min(a[i + half], b[i + half]) for i in range(half))


def moved(subject: Subject, source: str, truth: pd.Series) -> dict[int, tuple[Place, ...]]:
    """Rows whose prediction moves when the evidence is taken away, and where it lies."""
    found = {}
    room: Any = subject.rooms[source]
    for row in np.flatnonzero(truth.notna()).tolist():
        some = room.places(subject.columns[source], row, 2)
        if some:
            places = evidence(room.exhibit(subject.columns[source], row), some[0], truth.iloc[row])
            gone = without(subject, source, row, places, np.zeros((1, len(places)), bool))
            if abs(subject.prediction[row] - gone[0]) >= MOVED:
                found[row] = places
    return dict(list(found.items())[:EXPLAINED])


def fallen(subject: Subject, shares: CellShares, row: int, order: npt.NDArray[np.int64]) -> float:
    """Mean fall of the prediction as places are taken away in this order, one after the other."""
    kept = np.ones((len(order), len(order)), bool)
    for step, place in enumerate(order):
        kept[step:, place] = False
    return float((subject.prediction[row] - without(subject, shares.source, row, shares.places, kept)).mean())


def interval(values: Floats, seed: int) -> tuple[float | None, float | None, float | None]:
    """Mean of rows with its percentile interval over resampled rows."""
    if not len(values):
        return None, None, None
    draws = np.random.default_rng(seed).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def figures(kind: str, name: str, seed: int) -> list[Measured]:
    """What one model's explanations of one kind of evidence are worth."""
    made, judged = planted(kind, FIT[kind], seed + 1_000), planted(kind, JUDGE, seed + 2_000)
    source = str(made.truth.name)
    model, rng = fit(made, MODELS[name], seed), np.random.default_rng([seed, 7])
    subject = model.subject(judged.frame.drop(columns="outcome"), sides=tables(judged))
    auc = float(roc_auc(judged.frame["outcome"].to_numpy(), subject.prediction))
    telling = moved(subject, source, judged.truth)
    rows = list(telling)
    shares = explain_cells(subject.take(np.array(rows, np.int64)), sources=[source], seed=seed) if rows else ()
    hits, chance, ordered, random = [], [], [], []
    for row, found in zip(rows, shares, strict=True):
        inside = [any(overlap(place, other) for other in telling[row]) for place in found.places]
        hits.append(float(inside[int(np.abs(found.values).argmax())]))
        chance.append(float(np.mean(inside)))
        sign = np.sign(found.values[int(np.abs(found.values).argmax())])
        ordered.append(sign * fallen(subject, found, row, np.argsort(-sign * found.values, kind="stable")))
        draws = [fallen(subject, found, row, rng.permutation(len(inside))) for _ in range(ORDERS)]
        random.append(sign * float(np.mean(draws)))
    top, any_place = interval(np.array(hits), seed), interval(np.array(chance), seed)
    gain = interval(np.array(ordered) - np.array(random), seed)
    mean = interval(np.array(ordered), seed)
    return [
        Measured(f"{kind}, {name}: model", auc, unit="ROC AUC"),
        Measured(f"{kind}, {name}: rows that move", len(rows), unit="rows"),
        Measured(f"{kind}, {name}: top place is the planted one", *top, "share", {"any place": Beside(*any_place)}),
        Measured(
            f"{kind}, {name}: fall as places go",
            *mean,
            "probability",
            {"random order": Beside(*interval(np.array(random), seed), *gain)},
        ),
    ]


def flat(name: str, seed: int) -> Measured:
    """The strongest place of each letter where the labels were shuffled, beside that of the model that learned."""
    made, judged = planted("phrase", FIT["phrase"], seed + 1_000), planted("phrase", EXPLAINED, seed + 2_000)
    strongest = []
    for shuffled in (True, False):
        model = fit(made, MODELS[name], seed, shuffled=shuffled)
        subject = model.subject(judged.frame.drop(columns="outcome"))
        shares = explain_cells(subject, sources=["letter"], seed=seed)
        strongest.append(np.array([np.abs(found.values).max() for found in shares]))
    beside = Beside(*interval(strongest[1], seed), *interval(strongest[0] - strongest[1], seed))
    what = f"phrase, {name}: strongest place, shuffled labels"
    return Measured(what, *interval(strongest[0], seed), "probability", {"true labels": beside})


def run(seed: int) -> Report:
    """Every kind, by early fusion and by a network."""
    asked = [(kind, name) for kind in PLANTED for name in ("early", *(("attention",) if kind in NETWORKED else ()))]
    made = [figure for kind, name in asked for figure in figures(kind, name, seed)]
    sizes = ", ".join(f"{rows:,} ({kind})" for kind, rows in FIT.items())
    return Report(
        data="plait.samples.planted: made, evidence in half of the rows, which tells 95% of outcomes",
        split=f"{sizes} rows to fit, {JUDGE} others to judge; of those that move by {MOVED}, at most {EXPLAINED}",
        figures=(*made, *(flat(name, seed) for name in ("linear", "early"))),
        notes=(
            "early: LightGBM on the features of all sources; linear: a linear model on them; attention: a Transformer",
            "intervals are over rows (percentile bootstrap), differences paired",
            f"random order: the same places in {ORDERS} random orders; any place: how many of the places lie there",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
