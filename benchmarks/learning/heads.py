"""Grades, quantiles, rankings and labels: is a head of their own better than what one would do without?"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

import plait
from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Array, Prediction
from plait.metrics import multilabel, quantile, ranking
from plait.metrics.intervals import Metric, bootstrap
from plait.metrics.kinds import middle_grade
from plait.metrics.ordinal import ranked_probability_score

TRAIN, TEST = 2_000, 4_000
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
CUTS = (0.0, 1.5, 2.5, 3.2, 4.0)  # of grades: few rows in the upper ones
TREES: dict[str, Any] = {"trees": 300, "leaves": 8}  # of every booster here, ours and others
OPTIONS = {"lightgbm": TREES, "attention": {"width": 32, "epochs": 12}}
FUSIONS = {"network": "attention", "trees": "early"}
PICTURE = Path(__file__).parents[2] / "docs" / "learning" / "pictures" / "heads.png"


def run(seed: int) -> Report:
    """Each head by the network and by trees, beside its obvious baselines, on the same resamples."""
    data = Made(seed)
    figures = (*grades(data), *quantiles(data), *rankings(data), *labels(data))
    draw(data)
    return Report(
        data="made tables of 8 numbers; what counts is in part a square and a product of two",
        split=f"{TRAIN:,} rows to fit, {TEST:,} to judge",
        figures=figures,
        notes=(
            "network: fusion='attention' (width 32, 12 epochs); trees: fusion='early', learner='lightgbm' (300 trees "
            "of 8 leaves, as every other booster here); one seed, intervals over test rows (rankings: over groups)",
            f"drawn in {PICTURE.relative_to(PICTURE.parents[3])}",
        ),
    )


class Made:
    """Made rows: the numbers, and what outcomes hang on."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = self.noise("table")
        self.table = pd.DataFrame({f"x{i}": rng.normal(size=TRAIN + TEST) for i in range(8)})
        x = self.table.to_numpy().T
        self.signal = x[0] + 0.7 * (np.square(x[1]) - 1) + 0.6 * x[2] * x[3] + 0.5 * x[4]
        self.spread = 0.3 + 0.7 * np.abs(x[5])
        self.drawn: dict[str, Array] = {}

    def noise(self, purpose: str) -> np.random.Generator:
        """Draws of their own for each part, so that parts do not hang on each other."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])

    def told(self, target: Array, head: Mapping[str, Any], fusion: str) -> Prediction:
        """What a model with this head says of the test rows."""
        model = plait.MultiTask({"y": dict(head)}, fusion=FUSIONS[fusion], **self.settings(fusion))
        labels = pd.DataFrame({"y": pd.Series(list(target[:TRAIN]), dtype=object)})
        prediction: Prediction = model.fit(self.table[:TRAIN], labels).prediction(self.table[TRAIN:])
        return prediction.parts["y"]

    def plain(self, kind: type[plait.Classifier] | type[plait.Regressor], target: Array, fusion: str) -> Array:
        """Probabilities or values of the test rows by a model of classes or of values."""
        model = kind(fusion=FUSIONS[fusion], **self.settings(fusion)).fit(self.table[:TRAIN], target[:TRAIN])
        return np.asarray(model.prediction(self.table[TRAIN:]).values)

    def settings(self, fusion: str) -> dict[str, Any]:
        return {"options": OPTIONS, "n_jobs": 1, "random_state": self.seed}


def grades(data: Made) -> list[Measured]:
    """Six grades, by the head of grades, as classes without an order, and as a number that is rounded."""
    grade = np.digitize(1.2 * data.signal + data.noise("grades").logistic(size=len(data.signal)), CUTS)
    truth = grade[TRAIN:]
    shares: dict[str, Array] = {}
    for name in FUSIONS:
        shares[f"ordinal, {name}"] = data.told(grade, {"head": "ordinal"}, name).values
        shares[f"multiclass, {name}"] = data.plain(plait.Classifier, grade, name)
    data.drawn["grades"] = shares["ordinal, network"]
    beside = {f"ordinal, {name}": [f"multiclass, {name}"] for name in FUSIONS}
    found = figures("grades: ranked probability score", ranked_probability_score, truth, shares, beside, "RPS")
    chosen = {name: middle_grade(values).astype(float) for name, values in shares.items()}
    for name in FUSIONS:
        value = data.plain(plait.Regressor, grade.astype(float), name)
        chosen[f"rounded value, {name}"] = np.clip(np.rint(value), 0, len(CUTS))
        beside[f"ordinal, {name}"] = [f"multiclass, {name}", f"rounded value, {name}"]
    return found + figures("grades: mean error in grades", absolute, truth.astype(float), chosen, beside, "grades")


def quantiles(data: Made) -> list[Measured]:
    """Quantiles of a number whose spread depends on the row, and LightGBM's own objective, a model a level."""
    value = data.signal + data.spread * data.noise("quantiles").normal(size=len(data.signal))
    truth, apart = value[TRAIN:], "LightGBM, a model a level"
    told = {
        f"quantile, {name}": data.told(value, {"head": "quantile", "levels": list(LEVELS)}, name).values
        for name in FUSIONS
    }
    settings = {"learning_rate": 0.03, "num_leaves": TREES["leaves"], "feature_fraction": 0.5, "bagging_fraction": 0.7}
    settings |= {"bagging_freq": 1, "lambda_l2": 3.0, "min_data_in_leaf": 10, "num_threads": 1, "verbosity": -1}
    rows = lightgbm.Dataset(data.table[:TRAIN], value[:TRAIN], free_raw_data=False)
    levels = [
        lightgbm.train({**settings, "objective": "quantile", "alpha": level, "seed": data.seed}, rows, TREES["trees"])
        for level in LEVELS
    ]
    told[apart] = np.stack([np.asarray(booster.predict(data.table[TRAIN:])) for booster in levels], axis=1)
    told["quantiles of all rows"] = np.tile(np.quantile(value[:TRAIN], LEVELS), (TEST, 1))
    data.drawn |= {"values": truth, "quantiles": told["quantile, network"]}
    beside = {name: [apart, "quantiles of all rows"] for name in told if name.startswith("quantile,")}

    def pinball(targets: Array, scores: Array, weight: Array) -> Array:
        return quantile.pinball(targets, scores, LEVELS, weight)

    def held(targets: Array, scores: Array, weight: Array) -> Array:
        return quantile.coverage(targets, scores.min(axis=1), scores.max(axis=1), weight)

    def crossed(targets: Array, scores: Array, weight: Array) -> Array:
        return quantile.crossing_rate(scores, weight)

    return (
        figures("quantiles: pinball loss", pinball, truth, told, beside, "target")
        + figures("quantiles: share within 5% to 95% (should be .9)", held, truth, told, beside, "share")
        + figures("quantiles: rows in which they cross", crossed, truth, told, beside, "share")
    )


def rankings(data: Made) -> list[Measured]:
    """Five grades of relevance in groups of ten, where a group's level says nothing of the order within it."""
    rng, group = data.noise("rankings"), np.arange(len(data.signal)) // 10
    level = 3.0 * rng.normal(size=group.max() + 1)[group]
    latent = data.signal + level + rng.normal(size=len(group))
    relevance = np.digitize(latent, np.quantile(latent, [0.2, 0.4, 0.6, 0.8]))
    pairs = np.empty(len(group), object)
    pairs[:] = list(zip(relevance.tolist(), group.tolist(), strict=True))
    told, beside = {}, {}
    for name in FUSIONS:
        told[f"ranking, {name}"] = data.told(pairs, {"head": "ranking"}, name).values
        told[f"regression, {name}"] = data.plain(plait.Regressor, relevance.astype(float), name)
        beside[f"ranking, {name}"] = [f"regression, {name}"]
    truth, groups = relevance[TRAIN:].astype(float), group[TRAIN:]

    def ndcg(targets: Array, scores: Array, weight: Array) -> Array:
        return ranking.ndcg(targets, scores, groups, weight)

    return figures("rankings: NDCG within groups", ndcg, truth, told, beside, "NDCG", groups)


def labels(data: Made) -> list[Measured]:
    """Four labels that share what they hang on, a quarter of them unknown in training."""
    rng, x = data.noise("labels"), data.table.to_numpy().T
    odds = np.stack([1.5 * data.signal - 1, x[5] - data.signal, 2 * x[6] - 2, data.signal + x[7] - 3], axis=1)
    truth = (rng.logistic(size=odds.shape) < odds).astype(float)
    known = np.where(rng.random(truth.shape) < 0.25, np.nan, truth)
    told = {f"multilabel, {name}": _labels(data, known, name) for name in FUSIONS}
    usual = "shares of all rows"
    told[usual] = np.tile(np.nanmean(known[:TRAIN], axis=0), (TEST, 1))
    beside = {name: [usual] for name in told if name != usual}
    found = figures("labels: macro ROC AUC", multilabel.macro_roc_auc, truth[TRAIN:], told, beside, "ROC AUC")
    found += figures("labels: log loss", multilabel.log_loss, truth[TRAIN:], told, beside, "nats")
    return found + figures("labels: all right in a row", multilabel.exact, truth[TRAIN:], told, beside, "share")


def _labels(data: Made, known: Array, fusion: str) -> Array:
    rows = np.array([{f"label {i}": cell for i, cell in enumerate(row)} for row in known], object)
    return data.told(rows, {"head": "multilabel"}, fusion).values


def absolute(targets: Array, scores: Array, weight: Array) -> Array:
    return np.asarray(weight @ np.abs(targets - scores) / weight.sum(-1))


def figures(
    what: str,
    metric: Metric,
    targets: Array,
    scores: Mapping[str, Array],
    beside: Mapping[str, list[str]],
    unit: str,
    groups: Array | None = None,
) -> list[Measured]:
    """The models of `beside`, each next to its baselines on the same resamples."""
    found = bootstrap(metric, targets, scores, groups=groups, resamples=400)
    made = []
    for name, others in beside.items():
        compared = {
            other.partition(",")[0]: Beside(*map(float, (*found.interval(other), *found.difference(name, other))))
            for other in others
        }
        value, low, high = map(float, found.interval(name))
        made.append(Measured(f"{what}: {name}", value, low, high, unit, compared))
    return made


def draw(data: Made) -> None:
    """What the network says of a value and of a grade, over test rows in the order of what it expects of them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    quantiles, values = data.drawn["quantiles"], data.drawn["values"]
    order = np.argsort(quantiles[:, 2])[::16]
    rank = np.arange(len(order))
    for low, shade in ((0, "#cfe3f5"), (1, "#8fbfe6")):
        label = f"{LEVELS[low]:.0%} to {LEVELS[-1 - low]:.0%}"
        left.fill_between(rank, quantiles[order, low], quantiles[order, -1 - low], color=shade, label=label, lw=0)
    left.plot(rank, quantiles[order, 2], color="#0072B2", label="50%")
    left.scatter(rank, values[order], s=5, color="#333333", zorder=3, label="what came")
    left.set(xlabel="rows, by the quantile at 50%", ylabel="value", xticks=[], title="quantiles")
    left.legend(frameon=False, fontsize=8)
    shares = data.drawn["grades"]
    order = np.argsort(shares @ np.arange(shares.shape[1]))[::16]
    colours = ("#2166ac", "#67a9cf", "#d1e5f0", "#fddbc7", "#ef8a62", "#b2182b")
    right.stackplot(rank, shares[order].T, colors=colours, labels=[f"grade {k}" for k in range(len(colours))])
    right.set(xlabel="rows, by the grade expected", ylabel="probability", xticks=[], ylim=(0, 1), title="grades")
    right.legend(loc="lower left", fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    sys.exit(main(run))
