"""What decisions cost: expected cost and profit by threshold, for costs of each outcome, perhaps different in each row.

A row is selected (declined, reviewed, called, ...) where the probability of the second class is above a threshold. What
a row costs depends on whether it is selected and on what it turns out to be; negative costs are gains. Source: Elkan
2001, "The foundations of cost-sensitive learning".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Prediction
from plait.errors import ConfigError, InputError
from plait.metrics.checked import positive
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span, aligned, between, number, plain
from plait.metrics.weights import as_weight, finite, ratio

__all__ = [
    "Costs",
    "ProfitCurve",
    "Threshold",
    "ThresholdTable",
    "cheapest",
    "expected_cost",
    "profit_curve",
    "threshold_table",
]

STEPS = 20  # thresholds shown
GRID = 100  # steps of a curve, and candidates when the best threshold is chosen again on each resample


@dataclass(frozen=True)
class Costs:
    """What each outcome of a decision costs: one number, or one for each row (float64 ``N``); gains are negative.

    Raises
    ------
    ConfigError
        If a cost is not finite, or a mistake does not cost more than being right.
    InputError
        If costs are by row, for different numbers of rows.
    """

    false_positive: float | Array
    false_negative: float | Array
    true_positive: float | Array = 0.0
    true_negative: float | Array = 0.0

    def __post_init__(self) -> None:
        each = (self.false_positive, self.false_negative, self.true_positive, self.true_negative)
        if len({np.shape(cost) for cost in each} - {()}) > 1:
            raise InputError("costs are given for different numbers of rows; give each one number, or one a row")
        if not all(np.isfinite(cost).all() for cost in each):
            raise ConfigError("costs must be finite numbers; a gain is a negative cost")
        wrong = np.any(np.less(self.false_positive, self.true_negative)) or np.any(
            np.less(self.false_negative, self.true_positive)
        )
        if wrong or not np.any(np.greater(self._stake, 0)):
            raise ConfigError(
                "costs of a false positive and a false negative must be at least those of a true negative and a true "
                "positive, and one of them more: a mistake must not pay"
            )

    @property
    def _stake(self) -> float | Array:
        """What is won by being right on a negative and a positive row together."""
        return self.false_positive - self.true_negative + self.false_negative - self.true_positive

    @property
    def implied(self) -> float | Array:
        """The probability above which selecting costs less than not, if probabilities are right; scalar or ``N``."""
        value = ratio(np.asarray(self.false_positive - self.true_negative), np.asarray(self._stake))
        return float(value) if value.ndim == 0 else value

    def of(self, hit: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
        """Cost of each row if it is not selected, and what selecting it adds: float64 ``N`` each.

        Raises
        ------
        InputError
            If costs are by row, for another number of rows.
        """
        shapes = {np.shape(cost) for cost in vars(self).values()} - {(), hit.shape}
        if shapes:
            raise InputError(f"costs have shape {shapes.pop()} for {len(hit)} rows; give one number, or one a row")
        left = np.where(hit, self.false_negative, self.true_negative)
        taken = np.where(hit, self.true_positive, self.false_positive)
        return left, taken - left


@dataclass(frozen=True)
class Threshold:
    """What selecting the rows above a threshold means.

    `selected` is their share of all rows; `cost` is the mean cost of a row with its interval. A precision without
    selected rows, or a rate without rows of its class, is NaN; so is a threshold that differs by row.
    """

    threshold: float
    selected: float
    precision: float
    recall: float
    fpr: float
    cost: Span


@dataclass(frozen=True)
class ThresholdTable:
    """Thresholds from high to low.

    Parameters
    ----------
    thresholds
        At most 20, evenly spaced by share selected.
    best
        The threshold of least cost on these rows, which its cost therefore flatters.
    best_range
        Where the best threshold lies on other samples (interval over resamples); NaN without resamples.
    implied
        Each row decided by its own probability and costs, as is best if probabilities are right; chosen on no rows.
    everyone, no_one
        Mean cost of a row if all rows, or none, are selected.
    saving
        The cheaper of these two minus the cost of `implied`, paired.
    """

    n: int
    label: str
    thresholds: tuple[Threshold, ...]
    best: Threshold
    best_range: tuple[float, float]
    implied: Threshold
    everyone: float
    no_one: float
    saving: Span
    level: float
    resamples: int
    notes: tuple[str, ...]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The table as strings, the header first; the best and the implied threshold come last, named."""
        header = ("threshold", "selected", "precision", "recall", "fpr", "cost", f"{self.level:.0%} interval")
        named = [*((f"{number(each.threshold)}", each) for each in self.thresholds)]
        named += [(f"best {number(self.best.threshold)}", self.best)]
        told = "by row" if np.isnan(self.implied.threshold) else number(self.implied.threshold)
        named += [(f"implied {told}", self.implied)]
        body = [
            (
                name,
                *(_share(value) for value in (each.selected, each.precision, each.recall, each.fpr)),
                number(each.cost.value),
                between(*each.cost[1:]),
            )
            for name, each in named
        ]
        return (header, *body)

    def __str__(self) -> str:
        told = [
            f"{self.n:,} rows; a row is selected where {self.label} is more probable than the threshold",
            "",
            *aligned(self.rows()),
            f"mean cost of a row: {number(self.everyone)} if all are selected, {number(self.no_one)} if none; "
            f"the implied decisions save {number(self.saving.value)} ({between(*self.saving[1:])}) against the cheaper",
            f"the best threshold of other samples: {between(*self.best_range)}",
        ]
        return "\n".join([*told, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


@dataclass(frozen=True)
class ProfitCurve:
    """Profit (cost with the sign turned) by share selected, the most probable rows first.

    Parameters
    ----------
    selected, thresholds
        float64 ``G``: share of rows selected, rising from 0 to 1, and the threshold that selects them.
    profit, low, high
        float64 ``G``: mean profit of a row, with its interval.
    random
        float64 ``G``: the same if as many rows were selected at random.
    """

    n: int
    label: str
    selected: Array
    thresholds: Array
    profit: Array
    low: Array
    high: Array
    random: Array
    level: float
    resamples: int

    @property
    def best(self) -> int:
        """The point of highest profit."""
        return int(self.profit.argmax())

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Tenths of the curve, and its highest point, as strings, the header first."""
        header = ("selected", "threshold", "profit", f"{self.level:.0%} interval", "at random")
        tenths = np.unique(np.searchsorted(self.selected, np.linspace(0, 1, 11) - 1e-9))
        shown = np.union1d(tenths, [self.best])
        body = [
            (
                f"{self.selected[i]:.1%}" + (" *" if i == self.best else ""),
                number(float(self.thresholds[i])),
                number(float(self.profit[i])),
                between(float(self.low[i]), float(self.high[i])),
                number(float(self.random[i])),
            )
            for i in shown
        ]
        return (header, *body)

    def __str__(self) -> str:
        told = f"{self.n:,} rows; mean profit of a row by share selected (* highest)"
        return "\n".join([told, "", *aligned(self.rows())])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts."""
        return plain(self)


def expected_cost(confusion: Array, costs: Array) -> Array:
    """Mean cost of a row: confusion float64 ``(R x) C x C``, costs ``C x C`` of each target (rows) and prediction."""
    return np.asarray((confusion * np.asarray(costs, np.float64)).sum((-2, -1)) / confusion.sum((-2, -1)))


def cheapest(probabilities: Array, costs: Array) -> npt.NDArray[np.int64]:
    """The class (int64 ``N``) of least expected cost, from probabilities ``N x C`` and costs ``C x C`` (Elkan 2001)."""
    return np.asarray((np.asarray(probabilities) @ np.asarray(costs, np.float64)).argmin(1), np.int64)


def threshold_table(
    prediction: Prediction,
    targets: Array,
    *,
    costs: Costs,
    weight: Array | None = None,
    amounts: Array | None = None,
    groups: Array | None = None,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> ThresholdTable:
    """What each threshold selects, gets right, and costs.

    Parameters
    ----------
    prediction, targets
        ``N`` rows of two classes, and their labels; the second class is what is looked for.
    costs
        Of each outcome.
    weight
        float64 ``N``, not negative.
    amounts
        float64 ``N``, not negative: costs are then those of one unit of amount.
    groups, resamples, level, seed
        Of the bootstrap (see `plait.metrics.intervals.bootstrap`).

    Raises
    ------
    InputError
        If the prediction is not of two classes, or an amount is negative or not finite.
    """
    hit, scores = _rows(prediction, targets, "a threshold table")
    weight = as_weight(weight, len(hit))
    left, step = _by_row(costs, hit, amounts)
    every = _candidates(scores)
    grid = every[_evenly(len(every), GRID)]
    best = float(every[_costs_at(every, scores, left, step, weight).argmin()])
    shown = np.append(_by_share(scores, STEPS)[::-1], best)
    ruled = scores > costs.implied

    def figures(hit: Array, scores: Array, weight: Array) -> Array:
        """Cost at what is shown, then by the rule, of no one, of everyone, and on the grid."""
        rules = np.stack([left + step * ruled, left, left + step], -1)
        fixed = (weight @ rules) / weight.sum(-1)[..., None]
        at = (_costs_at(marks, scores, left, step, weight) for marks in (shown, grid))
        return np.concatenate([next(at), fixed, next(at)], -1)

    found = bootstrap(
        figures, hit, {"": scores}, weight=weight, groups=groups, resamples=resamples, seed=seed, level=level
    )
    cost = found.interval("")
    made = [_threshold(float(mark), scores > mark, hit, weight, cost.at(i)) for i, mark in enumerate(shown)]
    rule, none, everyone = range(len(shown), len(shown) + 3)
    cheaper = none if cost.value[none] <= cost.value[everyone] else everyone
    again = grid[found.draws[""][:, everyone + 1 :].argmin(-1)]
    low, high = np.quantile(again, ((1 - level) / 2, (1 + level) / 2)) if len(again) else (np.nan, np.nan)
    one = float(costs.implied) if np.ndim(costs.implied) == 0 else np.nan
    return ThresholdTable(
        n=len(hit),
        label=str(np.asarray(prediction.classes)[1]),
        thresholds=tuple(made[:-1]),
        best=made[-1],
        best_range=(float(low), float(high)),
        implied=_threshold(one, ruled, hit, weight, cost.at(rule)),
        everyone=float(cost.value[everyone]),
        no_one=float(cost.value[none]),
        saving=found.derived("", lambda each: each[..., [cheaper]] - each[..., [rule]]).at(0),
        level=level,
        resamples=resamples,
        notes=tuple(_notes(prediction, hit, scores)),
    )


def profit_curve(
    prediction: Prediction,
    targets: Array,
    *,
    costs: Costs,
    weight: Array | None = None,
    amounts: Array | None = None,
    groups: Array | None = None,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> ProfitCurve:
    """Mean profit of a row by share selected, with its interval; arguments and errors as of `threshold_table`."""
    hit, scores = _rows(prediction, targets, "a profit curve")
    weight = as_weight(weight, len(hit))
    left, step = _by_row(costs, hit, amounts)
    marks = np.concatenate([[1.0], _by_share(scores, GRID)[::-1], [0.0]])

    def profit(hit: Array, scores: Array, weight: Array) -> Array:
        return 0.0 - _costs_at(marks, scores, left, step, weight)  # 0 and not -0

    found = bootstrap(
        profit, hit, {"": scores}, weight=weight, groups=groups, resamples=resamples, seed=seed, level=level
    )
    value, low, high = found.interval("")
    selected = (scores[:, None] > marks).T @ weight / weight.sum()
    none, everyone = -weight @ left / weight.sum(), -weight @ (left + step) / weight.sum()
    random = none + selected * (everyone - none)
    label = str(np.asarray(prediction.classes)[1])
    return ProfitCurve(len(hit), label, selected, marks, value, low, high, random, level, resamples)


def _rows(prediction: Prediction, targets: Array, what: str) -> tuple[npt.NDArray[np.bool_], Array]:
    """As `positive`, but no probability is 0 exactly, so that a threshold of 0 selects every row."""
    hit, scores = positive(prediction, targets, what)
    return hit, np.maximum(scores, np.finfo(np.float64).tiny)


def _by_row(costs: Costs, hit: Array, amounts: Array | None) -> tuple[Array, Array]:
    """Cost of each row if not selected, and what selecting it adds, in units of money."""
    left, step = costs.of(hit)
    if amounts is None:
        return left, step
    scale = finite(amounts, len(hit), "amounts")
    if scale.ndim != 1 or (scale < 0).any():
        raise InputError(f"amounts are negative in {int((scale < 0).sum())} rows or no column; give 0 or more a row")
    return left * scale, step * scale


def _candidates(scores: Array) -> Array:
    """Every threshold that makes a difference, rising: 0, the middles between different scores, and 1."""
    levels = np.unique(scores)
    return np.unique(np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [1.0]]))


def _by_share(scores: Array, steps: int) -> Array:
    """Thresholds, rising, between different scores, that select about 1/steps, 2/steps, ... of the rows."""
    inner = _candidates(scores)[1:-1]
    if not len(inner):
        return inner
    wanted = np.quantile(scores, np.arange(1, steps) / steps)
    return np.asarray(inner[np.unique(np.searchsorted(inner, wanted).clip(max=len(inner) - 1))])


def _evenly(count: int, most: int) -> Array:
    return np.asarray(np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)))


def _costs_at(thresholds: Array, scores: Array, left: Array, step: Array, weight: Array) -> Array:
    """Mean cost of a row where those above each threshold are selected: ``(R x) G``."""
    rising = np.argsort(thresholds, kind="stable")
    above = np.searchsorted(thresholds[rising], scores)  # how many thresholds a row is above
    order = np.argsort(above, kind="stable")
    used, starts = np.unique(above[order], return_index=True)
    added = np.zeros((*weight.shape[:-1], len(thresholds) + 1))
    added[..., used] = np.add.reduceat((weight * step)[..., order], starts, axis=-1)
    selected = np.cumsum(added[..., ::-1], -1)[..., -2::-1]  # by the i-th rising threshold: rows above more than i
    cost = np.empty_like(selected)
    cost[..., rising] = ((weight @ left)[..., None] + selected) / weight.sum(-1)[..., None]
    return cost


def _threshold(mark: float, chosen: Array, hit: Array, weight: Array, cost: Span) -> Threshold:
    mass, true = weight @ chosen, weight @ (chosen & hit)
    false = mass - true
    share = ratio(
        np.array([mass, true, true, false]),
        np.array([weight.sum(), mass, weight @ hit, weight @ ~hit]),
    )
    selected, precision, recall, fpr = map(float, share)
    return Threshold(mark, selected, precision, recall, fpr, cost)


def _notes(prediction: Prediction, hit: Array, scores: Array) -> list[str]:
    notes = ["the best threshold was chosen on these rows, so its cost is a little too good; judge it on others"]
    labels = np.asarray(prediction.classes)
    if hit.all() or not hit.any():
        notes.append(f"no target is {labels[0 if hit.all() else 1]}: rates of that class are undefined")
    if len(np.unique(scores)) == 1:
        notes.append("all predictions are equal: a threshold selects all rows or none")
    return notes


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1%}"
