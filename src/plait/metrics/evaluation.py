"""Judge a prediction: every figure with its interval, beside baselines judged on the same resamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plait.contracts import Array, Json, Prediction
from plait.errors import ConfigError
from plait.metrics import classification
from plait.metrics.checked import alike, labels_of, scores_of, truth_of
from plait.metrics.classification import PrCurve, Reliability, RocCurve
from plait.metrics.intervals import Bootstrap, bootstrap
from plait.metrics.kinds import OTHER_KINDS, bootstrap_of, kind_of
from plait.metrics.measures import chosen, measures_of
from plait.metrics.shown import aligned, between, count, number, plain
from plait.metrics.weights import as_weight

__all__ = ["MODEL", "Comparison", "Curves", "Evaluation", "Figure", "Scatter", "evaluate"]

MODEL = "model"  # what the judged prediction is called beside its baselines

_WORK = 200_000_000  # rows times resamples beyond which fewer resamples are drawn
_FEWEST = 200


@dataclass(frozen=True)
class Comparison:
    """A baseline's figure with its interval, and the model's minus the baseline's with its paired interval."""

    value: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float


@dataclass(frozen=True)
class Figure:
    """One metric of the model (NaN where undefined), its 95% interval and the same of every baseline."""

    metric: str
    value: float
    low: float
    high: float
    higher_is_better: bool
    baselines: Mapping[str, Comparison] = field(default_factory=dict)


@dataclass(frozen=True)
class Scatter:
    """Rows of a value prediction, evenly spaced by predicted value: at most 500."""

    predicted: Array
    actual: Array


@dataclass(frozen=True)
class Curves:
    """What is drawn of one model, each at most 200 points, None where it is undefined or of another kind.

    `histogram` counts rows by judged probability (see `reliability`) in 20 bins of equal width over 0..1.
    """

    roc: RocCurve | None = None
    pr: PrCurve | None = None
    reliability: Reliability | None = None
    histogram: Array | None = None
    scatter: Scatter | None = None


@dataclass(frozen=True)
class Evaluation:
    """How good a prediction is.

    Parameters
    ----------
    n
        Rows judged.
    kind
        Of the prediction (`plait.contracts.Prediction`).
    classes
        The labels of a class prediction; of two, the second is the positive class.
    figures
        Every metric, in the order in which it is shown.
    confusion
        float64 ``C x C``, weight of rows by target (rows) and predicted class (columns); None for values.
    curves
        ``"model"`` and every baseline to what is drawn of it.
    notes
        What is undefined or was left out, and why.
    threshold
        A row is predicted positive where the positive class is more probable than this (two classes only).
    resamples
        Bootstrap draws behind the 95% intervals.
    faults
        Cells of the rows that could not be read, counted by column and reason.
    """

    n: int
    kind: str
    classes: tuple[Json, ...] | None
    figures: tuple[Figure, ...]
    confusion: Array | None
    curves: Mapping[str, Curves]
    notes: tuple[str, ...]
    threshold: float
    resamples: int
    faults: tuple[Json, ...] = ()

    def __getitem__(self, metric: str) -> Figure:
        """The figure of a metric by name."""
        for figure in self.figures:
            if figure.metric == metric:
                return figure
        raise KeyError(f"no metric {metric!r} here; there are {', '.join(f.metric for f in self.figures)}")

    @property
    def baselines(self) -> tuple[str, ...]:
        return tuple(name for name in self.curves if name != MODEL)

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Figures as a table of strings, the header first.

        A baseline's value is followed by `*` where the model is better and `!` where it is worse beyond the paired
        95% interval.
        """
        header = ("metric", MODEL, "95% interval", *self.baselines)
        body = []
        for figure in self.figures:
            interval = between(figure.low, figure.high)
            others = [f"{number(c.value)} {_mark(c, figure.higher_is_better)}" for c in figure.baselines.values()]
            body.append((figure.metric, number(figure.value), interval, *others))
        return (header, *body)

    def __str__(self) -> str:
        lines = [self._headline(), "", *aligned(self.rows())]
        if self.baselines:
            lines.append("* the model is better, ! it is worse: the paired 95% interval of the difference leaves out 0")
        if self.confusion is not None and self.classes is not None and len(self.classes) <= 8:
            table = [("true \\ predicted", *map(str, self.classes))]
            table += [(str(c), *map(count, row)) for c, row in zip(self.classes, self.confusion, strict=True)]
            lines += ["", *aligned(table)]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)

    def _headline(self) -> str:
        told = f"{self.n:,} rows"
        if self.classes is not None and self.confusion is not None:
            share = self.confusion.sum(1) / self.confusion.sum()
            shown = [f"{c} {s:.1%}" for c, s in zip(self.classes[:8], share, strict=False)]
            told += f"; {len(self.classes)} classes: " + ", ".join(shown) + (", ..." if len(share) > 8 else "")
            if len(self.classes) == 2:
                told += f"; {self.classes[1]} is predicted above {self.threshold:g}"
        return told


def evaluate(
    prediction: Prediction,
    targets: Array,
    *,
    weight: Array | None = None,
    baselines: Mapping[str, Prediction] | None = None,
    groups: Array | None = None,
    seed: int = 0,
    resamples: int = 1000,
    threshold: float = 0.5,
) -> Evaluation:
    """Judge a prediction beside baselines.

    Parameters
    ----------
    prediction
        ``N`` rows of any kind but ``"several"``.
    targets
        ``N`` labels among ``prediction.classes``, or numbers; of other kinds as their head takes them.
    weight
        float64 ``N``, not negative.
    baselines
        Name to another prediction of the same rows and classes.
    groups
        ``N`` labels; whole groups are resampled (rows of one customer stay together).
    seed, resamples
        Of the paired bootstrap (0: no intervals). Beyond 200 million rows times resamples fewer are drawn, never under
        200, and a note says so.
    threshold
        Two classes: a row is predicted positive where the positive class is more probable than this.

    Raises
    ------
    InputError
        If lengths, kinds or classes differ, targets are missing or unknown, or predictions are not numbers
        (probabilities: within 0..1 and summing to 1).
    ConfigError
        If the threshold is not within 0..1, `resamples` is negative, or a baseline is called ``"model"``.
    """
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold={threshold} is out of range; it is a probability, 0..1")
    others = dict(baselines or {})
    if MODEL in others:
        raise ConfigError(f"a baseline is called {MODEL!r}, which is the judged prediction's name; rename it")
    named = {MODEL: prediction, **others}
    if prediction.kind in OTHER_KINDS:
        return _of_kind(named, targets, weight, groups, resamples, seed)
    truth = truth_of(prediction, targets)
    scores = {name: scores_of(alike(each, prediction, name), len(truth), name) for name, each in named.items()}
    weight = as_weight(weight, len(truth))
    drawn = min(resamples, max(_FEWEST, _WORK // len(truth)))
    measures = measures_of(prediction, threshold)
    found = bootstrap(
        measures.all,
        truth,
        scores,
        weight=weight,
        groups=groups,
        resamples=drawn,
        seed=seed,
        centred=measures.centred,
    )
    notes = _notes(list(measures.higher), truth, found, prediction)
    confusion = None
    if prediction.classes is not None:
        guess = chosen(scores[MODEL], threshold)
        confusion = classification.confusion_matrix(truth, guess, len(prediction.classes), weight)
        if len(confusion) == 2 and not guess.any():
            notes.append(f"no row is predicted {prediction.classes[1]}: precision, recall and f1 are 0")
    if resamples and not len(found.draws[MODEL]):
        notes.append("there is one row, or one group: no interval can be told")
    if drawn < resamples:
        notes.append(f"intervals are of {drawn} resamples, not {resamples}, because there are {len(truth):,} rows")
    return Evaluation(
        n=len(truth),
        kind=prediction.kind,
        classes=None if prediction.classes is None else tuple(np.asarray(prediction.classes).tolist()),
        figures=_figures(measures.higher, found, tuple(others)),
        confusion=confusion,
        curves={name: _curves(truth, each, weight, prediction.kind) for name, each in scores.items()},
        notes=tuple(notes),
        threshold=threshold,
        resamples=drawn,
    )


def _of_kind(
    named: Mapping[str, Prediction],
    targets: Array,
    weight: Array | None,
    groups: Array | None,
    resamples: int,
    seed: int,
) -> Evaluation:
    """Grades, quantiles, rankings and sets of labels (`plait.metrics.kinds`)."""
    prediction = named[MODEL]
    others = {name: alike(each, prediction, name) for name, each in named.items()}
    kind = kind_of(prediction, targets)
    found = bootstrap_of(kind, others, as_weight(weight, len(targets)), groups, resamples, seed)
    undefined = [(name, m) for name, v in found.values.items() for m, x in zip(kind.higher, v, strict=True) if x != x]
    return Evaluation(
        n=len(targets),
        kind=prediction.kind,
        classes=None if prediction.classes is None else tuple(np.asarray(prediction.classes).tolist()),
        figures=_figures(kind.higher, found, tuple(name for name in named if name != MODEL)),
        confusion=None,
        curves={name: Curves() for name in named},
        notes=tuple(f"{metric} of {name} undefined: all are alike" for name, metric in undefined),
        threshold=0.5,
        resamples=resamples,
    )


# Figures


def _figures(metrics: Mapping[str, bool], found: Bootstrap, others: Sequence[str]) -> tuple[Figure, ...]:
    own = np.stack(found.interval(MODEL))  # (value, low, high) x M
    beside = {name: np.stack([*found.interval(name), *found.difference(MODEL, name)]) for name in others}
    made = []
    for i, (metric, higher) in enumerate(metrics.items()):
        value, low, high = map(float, own[:, i])
        compared = {name: Comparison(*map(float, each[:, i])) for name, each in beside.items()}
        made.append(Figure(metric, value, low, high, higher, compared))
    return tuple(made)


def _notes(metrics: Sequence[str], targets: Array, found: Bootstrap, prediction: Prediction) -> list[str]:
    notes = []
    for name, values in found.values.items():
        undefined = [metric for metric, value in zip(metrics, values, strict=True) if np.isnan(value)]
        if undefined:
            one = prediction.kind == "class" or "r2" in undefined
            reason = "all targets are equal" if one else "all its predictions are equal"
            notes.append(f"{', '.join(undefined)} of {name} undefined: {reason}")
    if len(targets) > 1 and np.all(prediction.values == prediction.values[0]):
        notes.append("all predictions of model are equal: it tells no row from another")
    labels = labels_of(prediction)
    absent = [str(label) for label in labels[np.setdiff1d(np.arange(len(labels)), targets)]]
    if absent:
        effect = "recall and f1 count it as 0" if absent == [str(labels[-1])] and len(labels) == 2 else ""
        effect = "ranking figures leave it out" if len(labels) > 2 else effect
        listed = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
        notes.append(f"no target is {listed}" + (f"; {effect}" if effect else ""))
    return notes


# What is drawn


def _curves(targets: Array, scores: Array, weight: Array, kind: str) -> Curves:
    if kind == "value":
        rows = np.argsort(scores, kind="stable")[_evenly(len(scores), 500)]
        return Curves(scatter=Scatter(scores[rows], targets[rows]))
    bins = classification.reliability(targets, scores, weight)
    judged = scores if scores.ndim == 1 else scores.max(1)
    histogram, _ = np.histogram(np.clip(judged, 0, 1), 20, (0, 1))
    mass = np.bincount(targets, weight, minlength=2)
    if scores.ndim == 2 or not mass[:2].all():
        return Curves(reliability=bins, histogram=histogram)
    roc = classification.roc_curve(targets, scores, weight)
    pr = classification.pr_curve(targets, scores, weight)
    kept, seen = _along(roc.fpr + roc.tpr), _along(pr.recall - pr.precision)
    return Curves(RocCurve(*(x[kept] for x in roc)), PrCurve(*(x[seen] for x in pr)), bins, histogram)


def _along(steps: Array) -> Array:
    """At most 200 points of a curve, evenly spaced along it (`steps`: a coordinate of every point), ends included."""
    length = np.concatenate([[0], np.cumsum(np.abs(np.diff(steps)))])
    rows = np.searchsorted(length, np.linspace(0, length[-1], 199)[:-1])
    return np.union1d(rows, [0, len(length) - 1])


def _evenly(rows: int, most: int) -> Array:
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(np.int64))


# What is shown


def _mark(other: Comparison, higher_is_better: bool) -> str:
    low, high = other.difference_low, other.difference_high
    if np.isnan(low) or low <= 0 <= high:
        return " "
    return "*" if (low > 0) == higher_is_better else "!"
