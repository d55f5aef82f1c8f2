"""Permutation tests: could a figure, or the difference of two models, be an accident of these rows?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from plait.contracts import Array, Json, Prediction
from plait.errors import ConfigError, InputError
from plait.metrics.checked import alike, scores_of, truth_of
from plait.metrics.measures import measures_of
from plait.metrics.shown import aligned, between, chance, number, plain
from plait.metrics.weights import as_weight

__all__ = ["Permuted", "PermutedAll", "against_all", "against_chance", "against_other"]

ROUNDING = 1e-9  # equal values of sums in another order may differ by this, relatively
_RANKED = {"roc_auc", "pr_auc", "ks", "spearman"}  # figures of the order of the scores alone


class Options(TypedDict):
    """What all tests take alike."""

    weight: Array | None
    permutations: int
    seed: int


@dataclass(frozen=True)
class Permuted:
    """A figure, or a difference of two, among those of permuted rows.

    Parameters
    ----------
    metric
        Which figure.
    value
        What was observed; NaN where undefined.
    low, high
        The middle 95% of the permuted values.
    p
        How often permuted values are as extreme: (1 + count) / (1 + permutations); NaN where undefined.
    permutations
        How many were drawn.
    """

    metric: str
    value: float
    low: float
    high: float
    p: float
    permutations: int

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The test as a table of strings, the header first."""
        told = (self.metric, number(self.value), between(self.low, self.high), chance(self.p))
        return (("metric", "observed", "95% of permutations", "p"), told)

    def __str__(self) -> str:
        told = f"{self.metric} {number(self.value)}; {self.permutations:,} permutations: "
        return told + f"{between(self.low, self.high)} (p {chance(self.p)})"

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


@dataclass(frozen=True)
class PermutedAll:
    """One figure against chance (the targets shuffled), and its difference from each of several other models."""

    chance: Permuted
    others: Mapping[str, Permuted]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Tests as a table of strings, the header first."""
        header = ("against", "observed", "95% of permutations", "p")
        tests = {"chance": self.chance, **self.others}
        return (header, *((name, *test.rows()[1][1:]) for name, test in tests.items()))

    def __str__(self) -> str:
        told = f"{self.chance.metric}, targets shuffled; and its difference from other models, predictions swapped; "
        told += f"{self.chance.permutations:,} permutations"
        return "\n".join([told, "", *aligned(self.rows())])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


def against_all(
    prediction: Prediction,
    others: Mapping[str, Prediction],
    targets: Array,
    *,
    weight: Array | None = None,
    groups: Array | None = None,
    permutations: int = 1000,
    seed: int = 0,
) -> PermutedAll:
    """`against_chance`, and `against_other` for each of `others` (name to prediction), by the figure that leads."""
    options: Options = {"weight": weight, "permutations": permutations, "seed": seed}
    beside = {
        name: against_other(prediction, other, targets, groups=groups, **options) for name, other in others.items()
    }
    return PermutedAll(against_chance(prediction, targets, **options), beside)


def against_chance(
    prediction: Prediction,
    targets: Array,
    *,
    metric: str = "auto",
    weight: Array | None = None,
    permutations: int = 1000,
    seed: int = 0,
) -> Permuted:
    """Is a figure better than that of the same predictions handed to the wrong rows?

    Targets are shuffled against predictions, together with their weights; the p-value is one-sided. It assumes that
    rows are exchangeable, which rows of one customer, or of one day, are not. Source: Ojala and Garriga 2010,
    "Permutation tests for studying classifier performance" (test 1).

    Parameters
    ----------
    metric
        A figure of `evaluate`; ``"auto"``: ROC AUC of classes, RMSE of values.

    Raises
    ------
    InputError, ConfigError
        For the reasons of `plait.metrics.evaluation.evaluate`; if the metric is unknown or `permutations` below 1.
    """
    truth = truth_of(prediction, targets)
    scores = scores_of(prediction, len(truth))
    weight = as_weight(weight, len(truth))
    measures = measures_of(prediction)
    name = measures.name(metric)
    figure = measures.alone(name)
    value = float(figure(truth, scores, weight))
    rng = np.random.default_rng([seed, 0x5F1E])
    drawn = np.empty(_checked(permutations))
    for i in range(permutations if not np.isnan(value) else 0):
        order = rng.permutation(len(truth))
        drawn[i] = figure(truth[order], scores, weight[order])
    gain = drawn - value if measures.higher[name] else value - drawn
    return _permuted(name, value, drawn, gain >= -ROUNDING * abs(value))


def against_other(
    prediction: Prediction,
    other: Prediction,
    targets: Array,
    *,
    metric: str = "auto",
    weight: Array | None = None,
    groups: Array | None = None,
    permutations: int = 1000,
    seed: int = 0,
) -> Permuted:
    """Is the difference of two models' figures more than an accident?

    In each permutation the two models swap their predictions in a random half of the rows (of whole groups, where
    given), and the difference is taken again; the p-value is two-sided. Of figures of order alone, ranks are swapped,
    so that models on different scales compare. Sources: Fisher 1935; Bandos, Rockette and Gur 2005 (ranks).

    Raises
    ------
    InputError, ConfigError
        As `against_chance`; if the two differ in kind or classes, or there is not one group for each row.
    """
    truth = truth_of(prediction, targets)
    named = {"first": prediction, "second": other}
    both = [scores_of(alike(each, prediction, name), len(truth), name) for name, each in named.items()]
    weight = as_weight(weight, len(truth))
    measures = measures_of(prediction)
    name = measures.name(metric)
    if name in _RANKED:
        both = [_ranks(each) for each in both]
    unit = np.arange(len(truth))
    if groups is not None:
        if len(groups) != len(truth):
            raise InputError(f"there are {len(groups)} groups for {len(truth)} rows; give one for each row")
        _, unit = np.unique(groups, return_inverse=True)
    figure = measures.alone(name)
    value = float(figure(truth, both[0], weight) - figure(truth, both[1], weight))
    rng = np.random.default_rng([seed, 0x5A4B])
    drawn = np.empty(_checked(permutations))
    for i in range(permutations if not np.isnan(value) else 0):
        swapped = (rng.random(int(unit.max()) + 1) < 0.5)[unit]
        if both[0].ndim == 2:
            swapped = swapped[:, None]
        one, two = np.where(swapped, both[1], both[0]), np.where(swapped, both[0], both[1])
        drawn[i] = figure(truth, one, weight) - figure(truth, two, weight)
    return _permuted(name, value, drawn, np.abs(drawn) >= (1 - ROUNDING) * abs(value))


def _checked(permutations: int) -> int:
    if permutations < 1:
        raise ConfigError(f"permutations={permutations} is out of range; draw at least 1 (1000 is usual)")
    return permutations


def _permuted(name: str, value: float, drawn: Array, extreme: Array) -> Permuted:
    if np.isnan(value):
        return Permuted(name, value, np.nan, np.nan, np.nan, len(drawn))
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return Permuted(name, value, float(low), float(high), (1 + float(extreme.sum())) / (1 + len(drawn)), len(drawn))


def _ranks(scores: Array) -> Array:
    """Mean rank of each score among those of its column, ties sharing it: float64, the shape of `scores`."""
    if scores.ndim == 2:
        return np.stack([_ranks(column) for column in scores.T], 1)
    ordered = np.sort(scores)
    return np.asarray(np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / 2
