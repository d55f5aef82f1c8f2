"""Crowd workers linked by tasks in common: what do a worker's links tell of a ban beyond the worker's own record?"""

from __future__ import annotations

import sys
from dataclasses import replace
from time import perf_counter

import numpy as np
import numpy.typing as npt

import plait
from benchmarks import baselines
from benchmarks.runner import Beside, Measured, Report, main, timed
from plait.contracts import Side
from plait.data import public
from plait.data.asof import side
from plait.data.schema import Schema
from plait.metrics.classification import roc_auc

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_]

T9 = 2.262  # 97.5% quantile of Student's t with nine degrees of freedom
FOLDS = 5
OWN, MADE = "LightGBM on own features", "LightGBM with graph features by hand"


def schema(data: public.Dataset, links: Side) -> Schema:
    """What would be inferred, and that links have no direction, which no table can tell."""
    found = Schema.infer(data.frame, target=data.target, sides={"links": links})
    columns = (replace(c, options={"directed": False}) if c.side == "links" else c for c in found.columns)
    return replace(found, columns=tuple(columns))


def ours(data: public.Dataset, links: Side, known: Schema, fit: Rows, test: Rows, seed: int) -> tuple[Numbers, float]:
    """Probabilities of early fusion on the test rows, and the seconds of the fit."""
    start = perf_counter()
    model = plait.Classifier(schema=known, fusion="early", n_jobs=1, random_state=seed)
    model.fit(data.frame[fit].drop(columns=data.target), data.frame.loc[fit, data.target], sides={"links": links})
    seconds = perf_counter() - start
    return model.predict_proba(data.frame[test], sides={"links": links})[:, 1], seconds


def by_hand(data: public.Dataset, fit: Rows, seed: int) -> tuple[Numbers, Numbers]:
    """A worker's own features; and with degree, neighbours' means, and the mean label of neighbours to fit.

    The label of a worker to fit is never among those that its own fold's means are made of.
    """
    from scipy.sparse import coo_matrix

    names = [name for name in data.frame if name not in (data.target, *data.ignore)]
    own, labels = data.frame[names].to_numpy(np.float64), data.frame[data.target].to_numpy(np.float64)
    a, b = data.tables["links"][["worker", "peer"]].to_numpy().T
    size = len(own)
    edges = coo_matrix((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), (size, size)).tocsr()
    degree = np.asarray(edges.sum(axis=1))
    fold = np.where(fit, np.random.default_rng(seed).integers(0, FOLDS, size), -1)
    told = np.empty((size, 2))
    for each in range(-1, FOLDS):
        known = (fit & (fold != each)).astype(np.float64)
        count, total = edges @ known, edges @ (known * labels)
        base = known @ labels / known.sum()
        told[fold == each] = np.stack([(total + 5.0 * base) / (count + 5.0), count], axis=1)[fold == each]
    return own, np.concatenate([own, degree, edges @ own / degree, told], axis=1)


def over(values: Numbers) -> tuple[float, float, float]:
    """Mean over the divisions with its 95% interval (Student's t)."""
    middle, half = values.mean(), T9 * values.std(ddof=1) / np.sqrt(len(values))
    return float(middle), float(middle - half), float(middle + half)


def run(seed: int) -> Report:
    """Ten divisions; on each, all models are fitted on the same half and judged on the same quarter."""
    data = public.tolokers()
    links = side("links", data.tables["links"], "worker")
    both = schema(data, links)
    alone = replace(both, columns=tuple(c for c in both.columns if c.side == "links" or c.role != "source"))
    assert data.divisions is not None
    scores: dict[str, list[float]] = {"plait": [], "plait, links alone": [], OWN: [], MADE: []}
    seconds = []
    labels = data.frame[data.target].to_numpy()
    for division in data.divisions.T:
        fit, test = division == 0, division == 2

        def judge(name: str, proba: Numbers, test: Rows = test) -> None:
            scores[name].append(float(roc_auc(labels[test], proba)))

        proba, taken = ours(data, links, both, fit, test, seed)
        seconds.append(taken)
        judge("plait", proba)
        judge("plait, links alone", ours(data, links, alone, fit, test, seed)[0])
        for name, features in zip((OWN, MADE), by_hand(data, fit, seed), strict=True):
            model = baselines.boosted_model(seed, n_jobs=1)
            judge(name, model.fit(features[fit], labels[fit]).predict_proba(features[test])[:, 1])
    found = {name: np.array(each) for name, each in scores.items()}
    figures = []
    for name in ("plait", "plait, links alone"):
        beside = {other: Beside(*over(found[other]), *over(found[name] - found[other])) for other in (OWN, MADE)}
        figures.append(Measured(f"{name}, mean of the divisions", *over(found[name]), "ROC AUC", beside))
    return Report(
        data="tolokers (Platonov et al., 2023): 11,758 workers, 519,000 untimed links, 21.8% banned",
        split="its ten divisions: half to fit, a quarter to judge; the remaining quarter is used by no model",
        figures=(*figures, timed("whole fit of a division", seconds)),
        notes=(
            "intervals are of the mean over divisions (Student's t), which share workers: they tell of the division, "
            "not of other workers",
            "what is told of links was chosen on the quarters to choose of divisions 0 to 3; on those to judge nothing",
            "one thread; published graph networks: .83 to .84 (remembered)",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
