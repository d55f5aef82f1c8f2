"""Several targets at once: does a target with few labels profit from others, and is it found which helps which?"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

import plait
from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Array
from plait.data.samples.risks import OUTCOMES
from plait.estimators.affinity import Affinity
from plait.report.affinity import draw_affinity

TRAIN, TEST, KNOWN, SEEDS = 2_000, 2_000, 0.04, 4
HEADS = {"default": "binary", "days_late": "regression", "loss": "regression", "grade": "ordinal", "renewed": "binary"}
SHARED = ("default", "days_late", "loss", "grade")  # outcomes of one hidden risk; renewed has a cause of its own
METRICS = {"loss": "r2", "renewed": "roc_auc"}
OPTIONS = {"attention": {"width": 32, "heads": 4, "layers": 1}}
RULES = ("equal", "uncertainty", "gradient")
PICTURE = Path(__file__).parents[2] / "docs" / "learning" / "pictures" / "multitask.png"


def run(seed: int) -> Report:
    """Outcomes learned alone and together on several draws; who helps whom on the first."""
    draws = [seed + i for i in range(SEEDS)]
    told = [one_draw(draw) for draw in draws]
    figures = []
    for target, metric in METRICS.items():
        values = {name: np.array([each[target][name] for each in told]) for name in told[0][target]}
        for name, own in values.items():
            if name not in ("alone", "truth"):
                beside = {other: paired(own, values[other]) for other in ("alone", "truth")}
                figures.append(Measured(f"{target}: {name}", *mean_of(own), metric, beside))
    train = made(seed)[0]
    model = plait.MultiTask(HEADS, options=OPTIONS, n_jobs=1, random_state=seed)
    exact, ahead = (model.task_affinity(train, method=how) for how in ("exact", "lookahead"))
    draw_affinity(exact, PICTURE)
    figures += [*structure("without it", exact), *structure("looking ahead", ahead)]
    return Report(
        data=f"made loan applications without letters, of five outcomes; loss is known of {KNOWN:.0%} of the rows",
        split=f"{TRAIN:,} earlier rows to fit, {TEST:,} later ones of known loss to judge; {SEEDS} draws",
        figures=tuple(figures),
        notes=(
            f"attention of one layer of width 32 throughout; means over {SEEDS} draws, intervals of them and of paired "
            "differences by Student's t; truth: what the simulator expects of a row",
            "who helps whom, of one draw: means over ordered pairs among the four outcomes of one risk, and over those "
            "with renewed; above 0: it helps",
            f"drawn in {PICTURE.relative_to(PICTURE.parents[3])}",
        ),
    )


def made(draw: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Rows to fit with few labels of loss, later rows with all labels, and the truth behind the latter."""
    rows = TRAIN + TEST
    few, all_known = (plait.samples.risks(rows, draw, known=share).drop(columns="letter") for share in (KNOWN, 1.0))
    return few[:TRAIN], all_known[TRAIN:], plait.samples.risks_oracle(rows, draw)[TRAIN:]


def one_draw(draw: int) -> dict[str, dict[str, float]]:
    """The metric of each target by how it was learned."""
    train, test, truth = made(draw)
    found: dict[str, dict[str, float]] = {target: {} for target in METRICS}

    def told(name: str, targets: Mapping[str, str], **options: Any) -> None:
        model = plait.MultiTask(targets, options=OPTIONS, n_jobs=1, random_state=draw, **options)
        rows = train[train[list(targets)].notna().any(axis=1)]
        model.fit(rows.drop(columns=[name for name in OUTCOMES if name not in targets]))
        parts = model.prediction(test.drop(columns=list(OUTCOMES))).parts
        for target in METRICS:
            if target in parts:
                values = parts[target].values
                found[target][name] = judged(target, test, values if values.ndim == 1 else values[:, 1])

    for target in METRICS:
        told("alone", {target: HEADS[target]})
        found[target]["truth"] = judged(target, test, truth[target].to_numpy())
    for rule in RULES:
        told(f"together, {rule}", HEADS, weights=rule)
    told("linear on shared features", HEADS, fusion="early", learner="linear")
    return found


def judged(target: str, test: pd.DataFrame, said: Any) -> float:
    """The target's metric on the rows that have its label."""
    from plait.metrics.classification import roc_auc
    from plait.metrics.regression import r2

    known = test[target].notna().to_numpy()
    labels = test[target].to_numpy()[known]
    if METRICS[target] == "r2":
        return float(r2(labels, said[known]))
    return float(roc_auc(labels.astype(np.int64), said[known]))


def structure(how: str, found: Affinity) -> list[Measured]:
    """Mean affinity of pairs that share a cause and of pairs that do not."""
    pairs = [(a, b) for a in HEADS for b in HEADS if a != b]
    kinds = {
        "among outcomes of one risk": [pair for pair in pairs if set(pair) <= set(SHARED)],
        "between them and renewed": [pair for pair in pairs if "renewed" in pair],
    }
    return [
        Measured(f"who helps whom, {how}: {kind}", *mean_of([found[pair] for pair in own]), "share of the loss")
        for kind, own in kinds.items()
    ] + [Measured(f"who helps whom, {how}: what it took", found.seconds, unit="s")]


def mean_of(values: Sequence[float] | Array) -> tuple[float, float, float]:
    """The mean and its 95% interval."""
    own = np.asarray(values, np.float64)
    half = student.ppf(0.975, len(own) - 1) * own.std(ddof=1) / np.sqrt(len(own))
    return float(own.mean()), float(own.mean() - half), float(own.mean() + half)


def paired(ours: Array, others: Array) -> Beside:
    """Another's mean, and ours minus it, draw by draw."""
    return Beside(*mean_of(others), *mean_of(ours - others))


if __name__ == "__main__":
    sys.exit(main(run))
