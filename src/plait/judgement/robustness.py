"""How much of a model's quality is left as its evidence gets worse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from plait.contracts import Array, Head, Json, Progress
from plait.contracts.crossing import unheard
from plait.data.frame import as_frame, source_columns
from plait.errors import DataError, unknown
from plait.estimators.base import as_target
from plait.judgement.stress import STRESSES, Case, Trial
from plait.metrics import classification, regression
from plait.metrics.intervals import Metric, bootstrap
from plait.metrics.shown import Span, aligned, number, plain

if TYPE_CHECKING:
    from plait.estimators import Classifier, Regressor
    from plait.estimators.base import Sides

__all__ = ["RobustnessReport", "StressCurve", "robustness"]

RESAMPLES = 400

Report: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True)
class StressCurve:
    """One way to make rows worse.

    Parameters
    ----------
    stress
        Which of `plait.judgement.stress.STRESSES` it is of.
    name, unit, levels
        What was done, and how much of it: ``P`` levels in `unit`, the first of which is 0 (cells as they are, written
        anew where the others are, too).
    values, losses
        The metric at each level, and what it lost since the first (paired): 95% intervals.
    moved
        Mean change of the prediction, without its sign: of a probability (of several classes, half the sum), or of the
        value.
    """

    stress: str
    name: str
    unit: str
    levels: tuple[float, ...]
    values: tuple[Span, ...]
    losses: tuple[Span, ...]
    moved: tuple[float, ...]


@dataclass(frozen=True)
class RobustnessReport:
    """What is left of a metric as rows get worse.

    Parameters
    ----------
    n
        Rows judged.
    metric
        ``"roc_auc"`` (two classes), ``"accuracy"`` or ``"r2"``.
    clean
        On the rows as they are.
    curves
        In the order of the stresses.
    """

    n: int
    metric: str
    clean: Span
    curves: tuple[StressCurve, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> StressCurve:
        for curve in self.curves:
            if curve.name == name:
                return curve
        raise KeyError(name)

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table: the header, then a line for each level above 0."""
        header = ("what", "level", "unit", self.metric, "lost", "prediction moved")
        body = [
            (curve.name, f"{level:g}", curve.unit, str(value), str(loss), number(moved))
            for curve in self.curves
            for level, value, loss, moved in list(
                zip(curve.levels, curve.values, curve.losses, curve.moved, strict=True)
            )[1:]
        ]
        return (header, *body)

    def __str__(self) -> str:
        lines = [f"{self.n:,} rows, {self.metric} {self.clean}", "", *aligned(self.rows())]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


def robustness(
    model: Classifier | Regressor,
    X: object,
    y: object,
    *,
    stresses: Sequence[str] | None = None,
    rows: int = 300,
    sides: Sides | None = None,
    seed: int = 0,
    progress: Report = unheard,
) -> RobustnessReport:
    """Make rows that the model was not fitted on worse, step by step, and judge it each time.

    Parameters
    ----------
    model
        A fitted estimator.
    X, y
        Rows and their targets.
    stresses
        Some of ``"sources"`` (hidden, one by one and more and more), ``"numbers"`` (noise), ``"typing"`` (slips of the
        hand, words left out), ``"places"`` (taken out of cells, by rooms that can), ``"pictures"`` (cropped, blurred,
        noisy), ``"sounds"`` (coarser, noisy), ``"adversarial"`` (tokens of networks pushed along the gradient);
        None: all that there is something to try on.
    rows
        At most so many, drawn at random.

    Raises
    ------
    ConfigError
        If a stress is unknown.
    DataError, InputError
        If rows and targets do not fit, or the metric is undefined on them.
    """
    for name in stresses or ():
        if name not in STRESSES:
            raise unknown("stress", name, STRESSES)
    frame, labels = as_frame(X), as_target(y)
    if len(labels) != len(frame):
        raise DataError(f"X has {len(frame)} rows but y has {len(labels)}")
    drawn = np.sort(np.random.default_rng([seed, 0x0B57]).permutation(len(frame))[:rows])
    inner = model.model_
    part = frame.iloc[drawn]
    columns = source_columns(part, model.schema_, sides)
    targets = inner.head.encode(labels[drawn])
    case = Case(inner.fitted, columns, inner.batches(part, sides), targets, seed)
    judge = _Judge.of(inner.head, targets, seed)
    curves = []
    wanted = [name for name in STRESSES if stresses is None or name in stresses]
    for step, name in enumerate(wanted):
        progress(Progress(name, step, len(wanted)))
        curves += [judge.curve(name, trial) for trial in STRESSES[name](case)]
    clean = Span.of(bootstrap(judge.metric, judge.targets, {"": judge.seen(case.scores())}, resamples=RESAMPLES,
                              seed=seed).interval(""))  # fmt: skip
    notes = []
    if "adversarial" in wanted and not any(curve.stress == "adversarial" for curve in curves):
        notes.append("no part is a network: nothing has a gradient to attack along")
    tried = {curve.stress for curve in curves} | {"adversarial"}
    if idle := [name for name in stresses or () if name not in tried]:
        notes.append(f"the model reads nothing that {', '.join(idle)} could make worse")
    if len(drawn) < len(frame):
        notes.append(f"{len(drawn):,} of {len(frame):,} rows, drawn at random")
    return RobustnessReport(len(drawn), judge.name, clean, tuple(curves), tuple(notes))


@dataclass(frozen=True)
class _Judge:
    """A metric, and what it takes."""

    name: str
    metric: Metric
    head: Head
    targets: Array
    seed: int

    @classmethod
    def of(cls, head: Head, targets: Array, seed: int) -> _Judge:
        if head.task == "regression":
            return cls("r2", regression.r2, head, targets, seed)
        truth = np.asarray(targets, np.int64)
        if head.task == "binary":
            return cls("roc_auc", classification.roc_auc, head, truth, seed)
        return cls("accuracy", _accuracy, head, truth, seed)

    def seen(self, scores: Array) -> Array:
        """What the metric reads of scores: values, probabilities of the second class, or of all."""
        if self.head.task == "regression":
            return np.asarray(scores[:, 0])
        values = self.head.decode(scores).values
        return values[:, 1] if values.shape[1] == 2 else values

    def curve(self, stress: str, trial: Trial) -> StressCurve:
        read = {str(i): self.seen(scores) for i, scores in enumerate(trial.scores)}
        found = bootstrap(self.metric, self.targets, read, resamples=RESAMPLES, seed=self.seed)
        values = [self.head.decode(scores).values for scores in trial.scores]
        moved = [np.abs(value - values[0]) for value in values]
        return StressCurve(
            stress,
            trial.name,
            trial.unit,
            trial.levels,
            tuple(Span.of(found.interval(name)) for name in read),
            tuple(Span.of(found.difference("0", name)) for name in read),
            tuple(float(each.mean() if each.ndim == 1 else each.sum(1).mean() / 2) for each in moved),
        )


def _accuracy(targets: Array, scores: Array, weight: Array) -> Array:
    matrix = classification.confusion_matrix(targets, scores.argmax(1), scores.shape[1], weight)
    return classification.accuracy(matrix)
