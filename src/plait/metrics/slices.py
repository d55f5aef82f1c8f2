"""Where a model is worse: one figure on parts of the rows, each against the rest, with care for how many are looked at.

All parts are judged on the same bootstrap draws of the rows, so that groups stay whole and weights count. The p-value
of a difference takes its standard error from the draws and is corrected by Holm's method for all slices of all columns.
A difference tells where to look, not why: a slice in which the classes are harder to tell apart has a lower AUC with
any model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Prediction
from plait.errors import ConfigError, InputError
from plait.metrics.checked import scores_of, truth_of
from plait.metrics.correction import holm, normal_p
from plait.metrics.cuts import cut
from plait.metrics.intervals import Bootstrap, Metric, bootstrap
from plait.metrics.measures import measures_of
from plait.metrics.shown import Span, aligned, between, chance, number, plain
from plait.metrics.weights import as_weight

__all__ = ["Slice", "Slices", "slices"]

_WORK = 200_000_000  # rows times slices times resamples beyond which fewer resamples are drawn
_FEWEST = 200


@dataclass(frozen=True)
class Slice:
    """A figure on part of the rows, and against the rest of them.

    Parameters
    ----------
    column, value
        What the rows have in common.
    rows, share
        How many they are, and their share of the weight.
    observed, predicted
        Mean of targets and of predictions (two classes: of the second class); NaN for more classes.
    figure
        The figure on these rows with its interval; NaN where undefined.
    rest
        The figure on all other rows.
    difference
        `figure` minus `rest`, with its interval.
    p
        Two-sided p-value of that difference, corrected for the number of slices; NaN where it was not tested.
    verdict
        ``"worse"`` or ``"better"`` than the rest where the corrected p-value is below 1 - level, else ``""``.
    """

    column: str
    value: str
    rows: int
    share: float
    observed: float
    predicted: float
    figure: Span
    rest: float
    difference: Span
    p: float
    verdict: str


@dataclass(frozen=True)
class Slices:
    """A figure on the whole, and on every slice of it, as columns were given; `notes` say what was left out."""

    n: int
    metric: str
    higher_is_better: bool
    figure: Span
    slices: tuple[Slice, ...]
    notes: tuple[str, ...]
    level: float
    resamples: int
    smallest: int

    @property
    def worse(self) -> tuple[Slice, ...]:
        """Slices that are worse than the rest beyond chance, the worst first."""
        found = [each for each in self.slices if each.verdict == "worse"]
        return tuple(sorted(found, key=lambda each: -abs(each.difference.value)))

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Slices as a table of strings, the header first."""
        header = ("slice", "rows", self.metric, f"{self.level:.0%} interval", "rest", "difference", "p", "")
        body = [
            (
                f"{each.column} = {each.value}",
                f"{each.rows:,}",
                number(each.figure.value),
                between(*each.figure[1:]),
                number(each.rest),
                number(each.difference.value),
                chance(each.p),
                each.verdict,
            )
            for each in self.slices
        ]
        whole = ("all", f"{self.n:,}", number(self.figure.value), between(*self.figure[1:]), "-", "-", "-", "")
        return (header, whole, *body)

    def __str__(self) -> str:
        told = f"{len(self.slices)} slices; p-values of the difference from the rest, corrected by Holm's method"
        return "\n".join([told, "", *aligned(self.rows()), *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


def slices(
    prediction: Prediction,
    targets: Array,
    columns: Mapping[str, Array],
    *,
    weight: Array | None = None,
    groups: Array | None = None,
    present: npt.NDArray[np.bool_] | None = None,
    sources: Sequence[str] = (),
    metric: str = "auto",
    smallest: int = 50,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Slices:
    """Judge a prediction on parts of its rows.

    Parameters
    ----------
    prediction, targets
        ``N`` rows of probabilities or values, and their labels or numbers.
    columns
        Column name to ``N`` cells: words and booleans are slices by value (the 20 most common), numbers and dates by
        fifths of the rows, and missing cells are a slice of their own.
    weight
        float64 ``N``, not negative.
    groups
        ``N`` labels; whole groups are resampled.
    present, sources
        Bool ``N x S`` with the names of the ``S`` sources: rows without a source are a slice.
    metric
        A figure of `evaluate`; ``"auto"``: ROC AUC of classes, RMSE of values.
    smallest
        Rows that a slice, and the rest, must have; smaller ones are left out and counted in a note.
    resamples, seed
        Of the bootstrap; fewer are drawn beyond 200 million rows times slices times resamples, never under 200.
    level
        Of the intervals, and of the verdicts.

    Raises
    ------
    InputError
        If lengths differ, a column cannot be cut, or for the reasons of `plait.metrics.evaluation.evaluate`.
    ConfigError
        If the metric is unknown, `smallest` is below 2, or `resamples` or `level` are out of range.
    """
    if smallest < 2:
        raise ConfigError(f"smallest={smallest} is out of range; a slice has at least 2 rows")
    truth = truth_of(prediction, targets)
    scores = scores_of(prediction, len(truth))
    weight = as_weight(weight, len(truth))
    measures = measures_of(prediction)
    name = measures.name(metric)
    parts, notes = _parts(columns, present, sources, len(truth), smallest)
    drawn = max(min(resamples, _FEWEST), min(resamples, _WORK // (len(truth) * max(1, len(parts)))))
    figure = _of_parts(measures.alone(name), np.array([rows for _, _, rows in parts], bool).reshape(-1, len(truth)))
    centred = bool(measures.centred[list(measures.higher).index(name)])
    found = bootstrap(
        figure,
        truth,
        {"": scores},
        weight=weight,
        groups=groups,
        resamples=drawn,
        seed=seed,
        level=level,
        centred=centred,
    )
    judged = _judged(parts, found, truth, scores, weight, measures.higher[name])
    undefined = [f"{each.column} = {each.value}" for each in judged if np.isnan(each.figure.value)]
    if undefined:
        listed = ", ".join(undefined[:5]) + (", ..." if len(undefined) > 5 else "")
        notes.append(
            f"{name} is undefined in {len(undefined)} slice(s), whose targets, or predictions, are all equal: {listed}"
        )
    if drawn < resamples:
        notes.append(f"intervals are of {drawn} resamples, not {resamples}, because there are {len(truth):,} rows")
    return Slices(
        n=len(truth),
        metric=name,
        higher_is_better=measures.higher[name],
        figure=found.interval("").at(0),
        slices=judged,
        notes=tuple(notes),
        level=level,
        resamples=drawn,
        smallest=smallest,
    )


def _parts(
    columns: Mapping[str, Array], present: Array | None, sources: Sequence[str], rows: int, smallest: int
) -> tuple[list[tuple[str, str, Array]], list[str]]:
    """(column, value, bool ``N``) of every slice that is large enough, and notes on the others."""
    found: list[tuple[str, str, Array]] = []
    notes = []
    for name, values in columns.items():
        if len(values) != rows:
            raise InputError(f"column {name!r} has {len(values)} cells for {rows} rows; give one for each row")
        labels, code, others = cut(name, values)
        sizes = np.bincount(code[code >= 0], minlength=len(labels))
        kept = [i for i, size in enumerate(sizes) if smallest <= size <= rows - smallest]
        found += [(name, labels[i], code == i) for i in kept]
        if out := len(labels) - len(kept) + others:
            left = rows - int(sizes[kept].sum())
            why = f"of fewer than {smallest} rows, or beside fewer" if not others else "small or beyond the 20 largest"
            notes.append(f"{name}: {out:,} slice(s) left out ({left:,} row(s)), {why}")
    if present is not None:
        if np.shape(present) != (rows, len(sources)):
            raise InputError(f"present has shape {np.shape(present)} for {rows} rows and {len(sources)} sources")
        for i, name in enumerate(sources):
            absent = ~np.asarray(present[:, i], bool)
            if smallest <= absent.sum() <= rows - smallest:
                found.append((name, "absent", absent))
            elif absent.any() and not absent.all():
                notes.append(
                    f"{name} is absent in {int(absent.sum()):,} of {rows:,} rows: too few on one side to judge"
                )
    return found, notes


def _of_parts(figure: Metric, inside: Array) -> Metric:
    """The figure on the whole, on ``P`` parts, and on the rest of each: ``(R x) 1 + 2P``."""

    def of(targets: Array, scores: Array, samples: Array, rows: Array) -> Array:
        drawn = samples[:, rows]
        value = np.full(len(samples), np.nan)
        some = drawn.any(-1)  # a resample may hold no row of a slice
        if some.any():
            value[some] = figure(targets[rows], scores[rows], drawn[some])
        return value

    def figures(targets: Array, scores: Array, weight: Array) -> Array:
        samples = np.atleast_2d(weight)
        whole = of(targets, scores, samples, np.ones(len(targets), bool))
        own = [of(targets, scores, samples, rows) for rows in inside]
        rest = [of(targets, scores, samples, ~rows) for rows in inside]
        return np.stack([whole, *own, *rest], -1).reshape(*weight.shape[:-1], -1)

    return figures


def _judged(
    parts: Sequence[tuple[str, str, Array]],
    found: Bootstrap,
    truth: Array,
    scores: Array,
    weight: Array,
    higher: bool,
) -> tuple[Slice, ...]:
    count = len(parts)
    if not count:
        return ()
    values, draws = found.values[""], found.draws[""]
    own = found.interval("")

    def against_rest(figures: Array) -> Array:
        return figures[..., 1 : count + 1] - figures[..., count + 1 :]

    difference = found.derived("", against_rest)
    errors = [float(np.nanstd(each)) if np.isfinite(each).any() else np.nan for each in against_rest(draws).T]
    corrected = holm(np.array([normal_p(float(d), e) for d, e in zip(difference.value, errors, strict=True)]))
    made = []
    for i, (column, value, rows) in enumerate(parts):
        mass = weight[rows].sum()
        single = scores.ndim == 1 and mass > 0
        beyond = corrected[i] < 1 - found.level
        made.append(
            Slice(
                column=column,
                value=value,
                rows=int(rows.sum()),
                share=float(mass / weight.sum()),
                observed=float(weight[rows] @ truth[rows] / mass) if single else np.nan,
                predicted=float(weight[rows] @ scores[rows] / mass) if single else np.nan,
                figure=own.at(i + 1),
                rest=float(values[count + 1 + i]),
                difference=difference.at(i),
                p=float(corrected[i]),
                verdict="" if not beyond else "better" if (difference.value[i] > 0) == higher else "worse",
            )
        )
    return tuple(made)
