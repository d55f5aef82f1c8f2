"""What a model rests on over all rows: how much worse it gets without a source, or with a column's cells shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Progress
from plait.contracts.crossing import unheard
from plait.explain.changed import cells_of, changed, joint_columns
from plait.explain.subject import Subject
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import aligned, between, number, plain

__all__ = ["Importance", "Worth", "importance"]


@dataclass(frozen=True)
class Worth:
    """How much the mean loss rises without a source (``"source"``) or with a column shuffled (``"column"``), and the
    95% interval over rows; at or below 0 the model does not need it."""

    name: str
    kind: str
    source: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance:
    """What every source and column is worth, sources first, each kind by worth.

    `loss` is the mean loss of ``rows`` rows as they are, log loss for classes and squared error (in standard
    deviations of the target) for values.
    """

    rows: int
    loss: float
    worths: tuple[Worth, ...]

    def rows_shown(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings, the header first."""
        body = [(w.name, w.kind, number(w.value), between(w.low, w.high)) for w in self.worths]
        return (("part", "kind", "loss without it", "95% interval"), *body)

    def __str__(self) -> str:
        head = f"{self.rows:,} rows, loss {number(self.loss)}; how much it rises without"
        return "\n".join([head, "", *aligned(self.rows_shown())])

    def to_json(self) -> Json:
        return plain(self)


def importance(
    subject: Subject,
    targets: Array,
    *,
    weight: npt.NDArray[np.float64] | None = None,
    repeats: int = 3,
    resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[Progress], None] = unheard,
) -> Importance:
    """How much the model's loss rises when a source is hidden or a column of a joint source is shuffled.

    Sources are hidden as they are hidden in training, so nothing unlikely is fed to the model. Columns are permuted
    among rows (permutation importance; Breiman, "Random Forests", 2001, section 10); shuffled cells may make unlikely
    rows, and columns that say the same share their worth.

    Parameters
    ----------
    targets
        float64 ``N`` as the head encodes them.
    weight
        float64 ``N``.
    repeats
        Permutations of each column.
    resamples
        Bootstrap draws of rows behind the intervals.
    """
    weight = np.ones(len(subject)) if weight is None else np.asarray(weight, np.float64)
    one = np.ones(len(subject))
    before = subject.head.error(subject.fitted.score(subject.view), targets, one)
    rises: dict[tuple[str, str, str], Array] = {}
    total = len(subject.sources) + len(joint_columns(subject))
    for kind, name, source, scores in _asked(subject, repeats, seed):
        progress(Progress("importance", len(rises), total))
        errors = [subject.head.error(each, targets, one) for each in scores]
        rises[kind, name, source] = np.mean(errors, axis=0) - before
    found = bootstrap(_mean, targets, {"/".join(key): rise for key, rise in rises.items()}, weight=weight,
                      resamples=resamples, seed=seed)  # fmt: skip
    worths = []
    for kind, name, source in rises:
        value, low, high = map(float, found.interval("/".join((kind, name, source))))
        worths.append(Worth(name, kind, source, value, low, high))
    worths.sort(key=lambda worth: (worth.kind != "source", -worth.value))
    return Importance(len(subject), float(np.average(before, weights=weight)), tuple(worths))


def _asked(subject: Subject, repeats: int, seed: int) -> Iterator[tuple[str, str, str, list[Array]]]:
    """Scores of all rows without each source, and with each column shuffled."""
    names, rows = subject.sources, np.arange(len(subject))
    for i, name in enumerate(names):
        present = np.tile(np.arange(len(names)) != i, (len(rows), 1))
        yield "source", name, name, [subject.fitted.coalitions(subject.view, rows, present)]
    for place, (name, source) in enumerate(joint_columns(subject).items()):
        own = cells_of(subject, name)
        rng = np.random.default_rng([seed, place])
        scores = []
        for _ in range(repeats):
            order = rng.permutation(rows)
            others = changed(subject, rows, {name: (own.values[order], own.present[order])})
            scores.append(subject.fitted.score(subject.view.replaced(rows, others)))
        yield "column", name, source, scores


def _mean(targets: Array, values: Array, weight: Array) -> Array:
    return np.asarray((weight @ values) / weight.sum(axis=-1))
