"""What changed between two frames, column by column and source by source, with p-values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Column, FitContext, Progress, Source, Sparse
from plait.judgement.telling import Halves, read, scored
from plait.metrics.drift import (
    Bins,
    Tested,
    chi_square,
    commonest_change,
    equal_mass,
    kolmogorov_smirnov,
    levels,
    mann_whitney,
    psi,
    psi_floor,
)

__all__ = ["Shift", "column_shift", "shifts", "source_shift"]

MOST = 1_000  # rows of each frame that a source's difference is learned from and tested on
NUMERIC = 0.95  # share of a column's texts that must be numbers for it to be one


@dataclass(frozen=True)
class Shift:
    """How one column, or one source as a whole, changed.

    Parameters
    ----------
    name, source
        The column, and the source that it belongs to; the same for a source as a whole.
    test
        ``"Kolmogorov-Smirnov"`` (numbers and moments), ``"chi-square"`` (labels). Of whole sources the surest of
        ``"classifier"`` (can rows of the two frames be told apart? Lopez-Paz and Oquab 2017), ``"feature"`` (the one
        that moved most surely, by Kolmogorov-Smirnov) and ``"term"`` (of the wide form, by Fisher's exact test).
    statistic
        The widest gap of distributions; Cramer's V; ROC AUC on rows that the classifier was not fitted on; the change
        of a term's share.
    p, adjusted
        Chance of such a statistic without any change, and after Benjamini and Hochberg over all tests of the report.
    missing
        Share of missing cells, old and new.
    psi, floor, csi
        Population stability index over `bins`, what chance alone stays under 95 times in 100, and the shift in mean
        score through this column (with a model); NaN where there is none.
    bins
        Label, old share, new share; of a term, those that changed most surely.
    by
        The feature or term that tells most, if it does.
    """

    name: str
    source: str
    test: str
    statistic: float
    p: float
    missing: tuple[float, float]
    psi: float = float("nan")
    floor: float = float("nan")
    csi: float = float("nan")
    bins: tuple[tuple[str, float, float], ...] = ()
    adjusted: float = float("nan")
    by: str = ""

    @property
    def size(self) -> str:
        """The customary words for a PSI."""
        if np.isnan(self.psi):
            return ""
        return "large" if self.psi > 0.25 else "moderate" if self.psi > 0.1 else "small"


def shifts(
    sources: Mapping[str, tuple[Source, tuple[Column, ...], tuple[Column, ...]]],
    points: npt.NDArray[np.float64] | None,
    seed: int,
    threads: int,
    report: Callable[[Progress], None],
) -> list[Shift]:
    """Every column of joint sources by itself, and every source as a whole.

    Parameters
    ----------
    sources
        Name to the source, its old and its new cells.
    points
        float64 ``N``: the model's score of every old row, for the CSI.
    """
    found: list[Shift] = []
    for step, (name, (source, old, new)) in enumerate(sources.items()):
        report(Progress(f"comparing {name}", step, len(sources)))
        if registry.room(source).joint:
            found += [column_shift(a, b, name, points) for a, b in zip(old, new, strict=True)]
        found.append(source_shift(source, old, new, seed, threads))
    return found


def column_shift(old: Column, new: Column, source: str, points: npt.NDArray[np.float64] | None = None) -> Shift:
    """Compare two columns of numbers, moments or labels.

    Values and gaps are tested apart; where cells are missing at all, the smaller p-value counts twice (Bonferroni).
    """
    missing = (_gone(old), _gone(new))
    numbers = _numbers(old), _numbers(new)
    if numbers[0] is not None and numbers[1] is not None:
        a, b = numbers[0], numbers[1]
        bins, test = equal_mass(a, b, shown=_writer(old)), "Kolmogorov-Smirnov"
        found = kolmogorov_smirnov(a[~np.isnan(a)], b[~np.isnan(b)])
    else:
        bins, test = levels(_labels(old), _labels(new)), "chi-square"
        kept = np.array([label != "(missing)" for label in bins.labels])
        found = chi_square(bins.old[kept], bins.new[kept])
    return Shift(
        name=old.name,
        source=source,
        test=test,
        statistic=found.statistic,
        p=_with_gaps(found, old, new),
        missing=missing,
        psi=psi(bins.old, bins.new),
        floor=psi_floor(len(old), len(new), len(bins.labels)),
        csi=float("nan") if points is None else _csi(bins, points),
        bins=tuple(zip(bins.labels, _shares(bins.old), _shares(bins.new), strict=True)),
    )


def source_shift(
    source: Source, old: tuple[Column, ...], new: tuple[Column, ...], seed: int, threads: int = 1
) -> Shift:
    """Whether a source as a whole changed: three tests, of which the surest counts as often as there are tests.

    A classifier learns to tell old rows from new ones on half of them, by a room that saw these alone, and is tested on
    the others: exact whatever the room does. Then each feature and each term by itself, by a room that saw all rows
    without knowing which are new: exact, too, and strong where a change is plain or rare. Columns of joint sources are
    tested by themselves, so that these have the classifier alone.
    """
    both = tuple(_one_after_the_other(a, b) for a, b in zip(old, new, strict=True))
    labels = np.repeat(np.arange(2), (len(old[0]), len(new[0])))
    halves = Halves.of(labels, 2, most=MOST, seed=seed, threads=threads)
    scores = scored({source.name: read(source, both, halves)}, halves)
    auc = mann_whitney(scores[halves.truth == 0], scores[halves.truth == 1])
    found = [Shift(source.name, source.name, "classifier", auc.statistic, auc.p, (0.0, 0.0))]
    if not registry.room(source).joint:
        found += _inside(source, both, halves)
    best = min(found, key=lambda shift: shift.p)
    missing = [float(np.mean([_gone(column) for column in side])) for side in (old, new)]
    p = min(1.0, best.p * len(found))
    if len(old) == 1:
        p = _with_gaps(Tested(best.statistic, p), old[0], new[0])
    return replace(best, p=p, missing=(missing[0], missing[1]))


def _inside(source: Source, both: tuple[Column, ...], halves: Halves) -> list[Shift]:
    """The feature and the term that changed most surely; p-values are for all features, and all terms."""
    rows = np.sort(np.concatenate([halves.fit, halves.held]))
    some = tuple(column.take(rows) for column in both)
    fresh = halves.labels[rows] == 1
    blind = FitContext(np.zeros(len(rows)), "binary", 1, np.ones(len(rows)), seed=halves.seed, threads=halves.threads)
    room = registry.room(source)(source).fit([some], blind)
    batch = room.transform(some)
    features = room.features(batch)
    found = []
    tested = []
    for i in range(features.values.shape[1]):
        own = features.present[:, i]
        tested.append(kolmogorov_smirnov(features.values[own & ~fresh, i], features.values[own & fresh, i]))
    if tested:
        at = int(np.argmin([each.p for each in tested]))
        gap = Shift(source.name, source.name, "feature", tested[at].statistic, 1.0, (0.0, 0.0), by=features.names[at])
        found.append(replace(gap, p=min(1.0, tested[at].p * len(tested))))
    if features.wide is not None and features.wide.width:
        found.append(_terms(source.name, features.wide, batch.present, fresh, getattr(room, "terms", ())))
    return found


def _terms(name: str, wide: Sparse, present: Array, fresh: Array, terms: Sequence[str]) -> Shift:
    """The terms whose share of the rows that are there changed most surely."""
    owner = np.repeat(np.arange(len(wide)), np.diff(wide.indptr))
    counts = [np.bincount(wide.indices[fresh[owner] == side], minlength=wide.width) for side in (False, True)]
    rows = int((present & ~fresh).sum()), int((present & fresh).sum())
    if not all(rows):
        return Shift(name, name, "term", 0.0, 1.0, (0.0, 0.0))
    p, first = commonest_change(counts[0], counts[1], rows)
    shown = tuple(
        (terms[i] if len(terms) else f"term {i}", float(counts[0][i] / rows[0]), float(counts[1][i] / rows[1]))
        for i in first[:8].tolist()
    )
    change = abs(shown[0][2] - shown[0][1])
    return Shift(name, name, "term", change, min(1.0, float(p[0]) * wide.width), (0.0, 0.0), bins=shown, by=shown[0][0])


def _one_after_the_other(old: Column, new: Column) -> Column:
    times = [column.row_time for column in (old, new)]
    row_time = None if times[0] is None or times[1] is None else np.concatenate([times[0], times[1]])
    values = [column.values for column in (old, new)]
    if values[0].dtype != values[1].dtype:
        values = [cells.astype(object) for cells in values]
    present = np.concatenate([old.present, new.present])
    return Column(old.name, np.concatenate(values), present, row_time, new.side, new.folder)


def _with_gaps(found: Tested, old: Column, new: Column) -> float:
    if old.present.all() and new.present.all():
        return found.p
    counts = [np.array([column.present.sum(), (~column.present).sum()], np.float64) for column in (old, new)]
    return min(1.0, 2 * min(found.p, chi_square(*counts).p))


def _gone(column: Column) -> float:
    return float(np.mean(~column.present)) if len(column) else 0.0


def _shares(counts: Array) -> list[float]:
    return [float(share) for share in counts / max(counts.sum(), 1)]


def _csi(bins: Bins, points: npt.NDArray[np.float64]) -> float:
    """Characteristic stability index: the change of each bin's share times the mean score of its old rows."""
    worth = np.bincount(bins.code_old, points, minlength=len(bins.labels)) / np.maximum(bins.old, 1)
    worth = np.where(bins.old > 0, worth, points.mean())  # of a bin that is new, nothing is known
    return float(np.sum((bins.new / bins.new.sum() - bins.old / bins.old.sum()) * worth))


def _numbers(column: Column) -> npt.NDArray[np.float64] | None:
    """Cells as numbers, NaN missing; None where they are labels. Moments count back from the row's own."""
    values, kind = column.values, column.values.dtype.kind
    if kind in "mM":
        found = values.astype("int64") / 1e9
        if kind == "M" and column.row_time is not None:
            found = column.row_time - found
    elif kind == "f":
        found = values
    elif kind == "b":
        return None
    else:
        read = [_number(cell) for cell in values[column.present]]
        if not read or np.mean([cell is None for cell in read]) > 1 - NUMERIC:
            return None
        found = np.full(len(values), np.nan)
        found[column.present] = [np.nan if cell is None else cell for cell in read]
    return np.where(column.present & np.isfinite(found), found, np.nan)


def _writer(column: Column) -> Callable[[float], str]:
    """How a number of `_numbers` is written: moments as dates, or as days before the row's own."""
    if column.values.dtype.kind == "M" and column.row_time is None:
        return lambda number: str(np.datetime64(int(number), "s").astype("datetime64[D]"))
    if column.values.dtype.kind in "mM":
        return lambda number: f"{number / 86_400:.4g} days"
    return "{:.4g}".format


def _number(cell: object) -> float | None:
    try:
        return float(cell) if isinstance(cell, str | int | float) else None
    except ValueError:
        return None


def _labels(column: Column) -> Array:
    """Cells as labels, None missing."""
    made = np.full(len(column), None, object)
    made[column.present] = [str(cell) for cell in column.values[column.present]]
    return made
