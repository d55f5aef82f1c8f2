"""Whether new rows are still like the old ones, and how good a model can be expected to be on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Column, Json, Progress, Side
from plait.contracts.crossing import unheard
from plait.data.frame import as_frame, column, source_columns
from plait.data.schema import Schema
from plait.errors import ConfigError, DataError, unknown
from plait.evidence import View
from plait.judgement.estimate import Known, estimated, observed
from plait.judgement.shifts import Shift, column_shift, shifts
from plait.metrics.drift import adjusted
from plait.metrics.shown import Span, aligned, number, plain

if TYPE_CHECKING:
    import pandas as pd

    from plait.estimators import Classifier, Regressor

__all__ = ["DriftReport", "Performance", "drift"]

FEW = 30  # rows a frame must have for the tests to say anything

Report: TypeAlias = Callable[[Progress], None]
Sides: TypeAlias = Mapping[str, Side]


@dataclass(frozen=True)
class Performance:
    """How good the model is: on old rows (where their outcomes are given), and on new ones, expected and (where
    given) seen; each by figure with its 95% interval."""

    old: Mapping[str, Span]
    expected: Mapping[str, Span]
    seen: Mapping[str, Span]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        told = {"old rows": self.old, "new rows, expected": self.expected, "new rows, seen": self.seen}
        shown = {name: figures for name, figures in told.items() if figures}
        body = [(metric, *(str(figures[metric]) for figures in shown.values())) for metric in self.expected]
        return (("figure", *shown), *body)


@dataclass(frozen=True)
class DriftReport:
    """What changed from old rows to new ones.

    Parameters
    ----------
    rows_old, rows_new
        How many were compared.
    shifts
        Every column and source, the surest change first.
    score
        The model's score, if there is one. It takes no part in the verdict: a model is surer of rows that it was fitted
        on, so that old rows of a training set differ from any others.
    performance
        Classifiers only.
    level
        The chance of seeing drift anywhere in the report where there is none.
    """

    rows_old: int
    rows_new: int
    shifts: tuple[Shift, ...]
    score: Shift | None
    performance: Performance | None
    level: float
    notes: tuple[str, ...] = ()

    @property
    def drifted(self) -> tuple[Shift, ...]:
        """What surely changed: p-values up to the level, after Benjamini and Hochberg over all tests."""
        return tuple(shift for shift in self.shifts if shift.adjusted <= self.level)

    def __getitem__(self, name: str) -> Shift:
        for shift in self.shifts:
            if shift.name == name:
                return shift
        raise KeyError(name)

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table: the header, then every column and source; ``*`` marks drift."""
        header = ("column", "test", "statistic", "p adjusted", "PSI", "by chance to", "", "CSI", "missing")
        body = []
        for each in (*self.shifts, *([self.score] if self.score else [])):
            mark = " *" if each in self.drifted else ""
            gone = f"{each.missing[0]:.1%} to {each.missing[1]:.1%}" if any(each.missing) else ""
            shown = [number(each.psi), number(each.floor), each.size, number(each.csi)]
            body.append((each.name + mark, each.test, number(each.statistic), number(each.adjusted), *shown, gone))
        return (header, *body)

    def __str__(self) -> str:
        names = ", ".join(shift.name for shift in self.drifted)
        verdict = f"drift in {names}" if names else f"no drift (chance of a false alarm: {self.level:g})"
        lines = [f"{self.rows_old:,} old rows, {self.rows_new:,} new: {verdict}", "", *aligned(self.rows())]
        for each in self.drifted:
            moved = sorted(each.bins, key=lambda bin: -abs(bin[2] - bin[1]))[:3]
            if moved:
                told = ", ".join(f"{label} {old:.1%} to {new:.1%}" for label, old, new in moved)
                lines.append(f"{each.name}: {told}")
            elif each.by:
                lines.append(f"{each.name}: most in {each.by}")
        if self.performance is not None:
            lines += ["", *aligned(self.performance.rows())]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts, with ``drifted`` (names); undefined numbers are null."""
        return {**plain(self), "drifted": [shift.name for shift in self.drifted]}


def drift(
    old: object,
    new: object,
    *,
    model: Classifier | Regressor | None = None,
    schema: Schema | None = None,
    target: str | None = None,
    sides: Sides | None = None,
    new_sides: Sides | None = None,
    level: float = 0.05,
    seed: int = 0,
    threads: int = 1,
    progress: Report = unheard,
) -> DriftReport:
    """Compare two frames of the same columns.

    Parameters
    ----------
    old, new
        Rows of then and now. With a model, old rows that it was not fitted on tell most.
    model
        Gives the schema, the score, its stability by column (CSI), and the performance to be expected.
    schema
        Otherwise; None infers it from the old rows. Roles other than source, sensitive and target are not compared.
    target
        Column of outcomes, if the schema does not name it. It is compared where both frames have it; old outcomes set
        the expected performance right, and new ones are shown beside it.
    sides, new_sides
        Long tables behind columns, of the old rows and (by default the same) of the new.
    level
        The chance of an alarm without drift, over the whole report.

    Raises
    ------
    DataError
        If a frame has under 30 rows or lacks columns.
    ConfigError
        If `level` is not between 0 and 1.

    Notes
    -----
    Columns are tested by Kolmogorov-Smirnov or chi-square, sources as a whole by whether a classifier can tell old
    rows from new (`plait.judgement.shifts`), and p-values are adjusted over all tests (Benjamini and Hochberg 1995).
    Performance without labels: `plait.judgement.estimate`.
    """
    if not 0 < level < 1:
        raise ConfigError(f"level={level} is out of range; it is a chance between 0 and 1")
    frames = as_frame(old), as_frame(new)
    for frame, which in zip(frames, ("old", "new"), strict=True):
        if len(frame) < FEW:
            raise DataError(f"there are {len(frame)} {which} rows; drift needs at least {FEW}")
    known = model.schema_ if model is not None else schema or Schema.infer(frames[0], target=target, sides=sides)
    target = target or known.target
    later = sides if new_sides is None else new_sides
    cells = tuple(source_columns(frame, known, own) for frame, own in zip(frames, (sides, later), strict=True))
    scores = (
        None if model is None else tuple(_scores(model, *each) for each in zip(frames, (sides, later), strict=True))
    )
    points = None if scores is None or scores[0].shape[1] > 1 else scores[0][:, 0]
    sources = {source.name: (source, cells[0][source.name], cells[1][source.name]) for source in known.sources}
    found = shifts(sources, points, seed, threads, progress)
    for name in (*known.names("sensitive"), *([target] if target else [])):
        if all(name in frame.columns for frame in frames):
            found.append(column_shift(column(frames[0][name]), column(frames[1][name]), name))
    chances = adjusted(np.array([shift.p for shift in found]))
    found = [replace(shift, adjusted=float(p)) for shift, p in zip(found, chances, strict=True)]
    found.sort(key=lambda shift: (shift.adjusted, shift.p))
    score: Shift | None = None
    performance: Performance | None = None
    notes: tuple[str, ...] = ()
    if model is not None and scores is not None:
        if points is not None:
            score = _score_shift(points, scores[1][:, 0])
        performance, notes = _performance(model, frames, scores, target, seed)
    return DriftReport(len(frames[0]), len(frames[1]), tuple(found), score, performance, level, notes)


def _scores(model: Classifier | Regressor, frame: pd.DataFrame, sides: Sides | None) -> npt.NDArray[np.float64]:
    """Log-odds, logits or standardised values: float64 ``N x K``."""
    inner = model.model_
    return inner.fitted.score(View(inner.batches(frame, sides), inner.rooms))


def _score_shift(old: npt.NDArray[np.float64], new: npt.NDArray[np.float64]) -> Shift:
    there = np.ones(len(old), bool), np.ones(len(new), bool)
    found = column_shift(Column("score", old, there[0]), Column("score", new, there[1]), "score", old)
    return replace(found, adjusted=found.p)


def _performance(
    model: Classifier | Regressor,
    frames: tuple[pd.DataFrame, pd.DataFrame],
    scores: tuple[npt.NDArray[np.float64], ...],
    target: str | None,
    seed: int,
) -> tuple[Performance | None, tuple[str, ...]]:
    head = model.model_.head
    if head.task == "regression":
        return None, ("performance without labels is estimated for classes only",)
    targets = [_targets(model, frame, target) for frame in frames]
    known: Known | None = None
    notes: tuple[str, ...] = ()
    if targets[0] is None:
        notes = ("no old outcomes: the expected performance takes the model's probabilities as they are",)
    else:
        rows = np.flatnonzero(targets[0] >= 0)
        known = Known(scores[0][rows], targets[0][rows])
    seen: Mapping[str, Span] = {}
    if targets[1] is not None:
        rows = np.flatnonzero(targets[1] >= 0)
        seen = observed(scores[1][rows], head, targets[1][rows], seed) if len(rows) else {}
    old = {} if known is None else observed(known.scores, head, known.targets, seed)
    return Performance(old, estimated(scores[1], head, known, seed), seen), notes


def _targets(model: Classifier | Regressor, frame: pd.DataFrame, target: str | None) -> npt.NDArray[np.int64] | None:
    """Class index of each row, -1 unknown; None where there is no column, or no outcome in it."""
    if target is None or target not in frame.columns or frame[target].isna().all():
        return None
    place = {label: i for i, label in enumerate(np.asarray(model.classes_).tolist())}
    values = frame[target].to_numpy()
    missing = frame[target].isna().to_numpy()
    for label in values[~missing].tolist():
        if label not in place:
            raise unknown(f"class in {target!r}:", label, map(str, place))
    return np.array(
        [-1 if gone else place[label] for label, gone in zip(values.tolist(), missing, strict=True)], np.int64
    )
