"""Whether the applicants are still those the score was made for: PSI by score, grade and variable, and by period."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.desks.credit.monitoring.days import Dates
from plait.metrics.classification import rankings
from plait.metrics.correction import holm
from plait.metrics.drift import psi, psi_floor
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span

__all__ = [
    "Binned",
    "Performance",
    "Population",
    "Reference",
    "Size",
    "Stability",
    "corrected",
    "performance",
    "stability",
]

Size: TypeAlias = Literal["small", "moderate", "large"]
MODERATE, LARGE = 0.10, 0.25  # the customary limits (Siddiqi 2017, chapter 13)
LEVEL = 0.05
KNOWN = 0.95  # share of a period's outcomes that must be known for it to be judged
RESAMPLES = 500
BINS = 10
FEWEST = 10  # of good and of bad ones that a period must have to be judged
NAN = float("nan")


@dataclass(frozen=True)
class Binned:
    """A variable of the scorecard in its own bins.

    Parameters
    ----------
    labels
        Of ``B`` bins.
    points
        float64 ``B``: what each is worth.
    code
        int64 ``N``: the bin of each row.
    """

    name: str
    labels: tuple[str, ...]
    points: Array
    code: npt.NDArray[np.int64]

    def counts(self) -> Array:
        return np.bincount(self.code, minlength=len(self.labels)).astype(np.float64)


@dataclass(frozen=True)
class Population:
    """What monitoring looks at of ``N`` rows.

    Parameters
    ----------
    points, pd
        float64 ``N``.
    grade, grades
        int64 ``N``, 0 the best, and the names of the grades.
    variables
        Of the scorecard.
    bad
        float64 ``N``: 1 default, 0 good, NaN not known yet; None: nothing is known.
    day
        datetime64[D] ``N``; None: rows have no time.
    """

    points: Array
    pd: Array
    grade: npt.NDArray[np.int64]
    grades: tuple[str, ...]
    variables: tuple[Binned, ...] = ()
    bad: Array | None = None
    day: Dates | None = None

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: Array) -> Population:
        """Some of the rows."""
        return replace(
            self,
            points=self.points[rows],
            pd=self.pd[rows],
            grade=self.grade[rows],
            variables=tuple(replace(each, code=each.code[rows]) for each in self.variables),
            bad=None if self.bad is None else self.bad[rows],
            day=None if self.day is None else self.day[rows],
        )


@dataclass(frozen=True)
class Stability:
    """How the shares of the bins of one thing moved.

    Parameters
    ----------
    name
        ``"score"``, ``"grade"``, or a variable.
    psi, floor
        Population stability index, and what chance alone stays under 95 times in 100 in as many rows.
    p, adjusted
        The chance of so large a PSI without any change (Yurdakul and Naranjo 2020), and that after Holm over all that
        was looked at.
    points
        By how many points the mean score moved because of it (characteristic stability index); NaN for the grade.
    bins
        Label, share then, share now, points; NaN points where a bin has none of its own.
    """

    name: str
    psi: float
    floor: float
    p: float
    points: float
    bins: tuple[tuple[str, float, float, float], ...]
    adjusted: float = NAN

    @property
    def sure(self) -> bool:
        """Whether the change is more than chance."""
        return self.adjusted <= LEVEL

    @property
    def size(self) -> Size:
        """By the customary limits, and small wherever chance alone may have done it."""
        if not self.sure or self.psi < MODERATE:
            return "small"
        return "large" if self.psi >= LARGE else "moderate"


@dataclass(frozen=True)
class Reference:
    """What the population was: counts, which are all that is needed of it.

    Parameters
    ----------
    rows, mean
        How many, and their mean score in points.
    edges, score
        Rising points between the bins of the score (float64 ``B - 1``), and how many fell into each (float64 ``B``).
    grade
        float64 ``G``: how many had each grade.
    variables
        Name to how many fell into each of its bins.
    """

    rows: int
    mean: float
    edges: Array
    score: Array
    grade: Array
    variables: Mapping[str, Array]

    @classmethod
    def of(cls, points: Array, grade: Array, grades: int, variables: Mapping[str, Array] | None = None) -> Reference:
        """Of rows: the score (float64 ``N``) in ten bins of equal mass, and grades (int64 ``N``)."""
        edges = np.unique(np.quantile(points, np.arange(1, BINS) / BINS))
        score = np.bincount(np.searchsorted(edges, points, "right"), minlength=len(edges) + 1)
        counts = np.bincount(grade, minlength=grades)
        mean = float(points.mean())
        return cls(len(points), mean, edges, score.astype(np.float64), counts.astype(np.float64), variables or {})

    @classmethod
    def of_rows(cls, rows: Population) -> Reference:
        """Of all that monitoring looks at."""
        counts = {each.name: each.counts() for each in rows.variables}
        return cls.of(rows.points, rows.grade, len(rows.grades), counts)

    def to_json(self) -> dict[str, Json]:
        """All but the variables, whose counts a scorecard keeps itself."""
        told = {"edges": self.edges, "score": self.score, "grade": self.grade}
        return {"rows": self.rows, "mean": self.mean} | {name: each.tolist() for name, each in told.items()}

    @classmethod
    def from_json(cls, told: Mapping[str, Json], variables: Mapping[str, Array]) -> Reference:
        """What `to_json` gave."""
        edges, score, grade = (np.array(told[name], np.float64) for name in ("edges", "score", "grade"))
        return cls(int(told["rows"]), float(told["mean"]), edges, score, grade, variables)

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the bins of the score."""
        ends = [f"{edge:.0f}" for edge in self.edges.tolist()]
        inner = [f"{low} to below {high}" for low, high in pairwise(ends)]
        return (f"below {ends[0]}", *inner, f"{ends[-1]} or more") if ends else ("any",)


def stability(old: Reference, new: Population) -> tuple[Stability, ...]:
    """Score, grade, and every variable in its own bins.

    Notes
    -----
    Under no change, PSI over ``B`` bins is about ``(1/n + 1/m)`` times chi-square with ``B - 1`` degrees of freedom
    (Yurdakul and Naranjo 2020, Journal of Risk Model Validation 14(4)): with few rows it is large by chance alone, so
    that the limits .10 and .25 say nothing by themselves. p-values are not corrected yet (`corrected`).
    """
    score = np.bincount(np.searchsorted(old.edges, new.points, "right"), minlength=len(old.score))
    found = [moved("score", old.labels, old.score, score.astype(np.float64), rise=float(new.points.mean()) - old.mean)]
    found.append(
        moved("grade", new.grades, old.grade, np.bincount(new.grade, minlength=len(old.grade)).astype(np.float64))
    )
    own = (
        moved(each.name, each.labels, old.variables[each.name], each.counts(), each.points) for each in new.variables
    )
    return (*found, *own)


def moved(
    name: str, labels: Sequence[str], old: Array, new: Array, points: Array | None = None, rise: float = NAN
) -> Stability:
    """Compare two rows of counts; bins that are empty in both are left out.

    Parameters
    ----------
    points
        float64 ``B``: what each bin is worth; the change of the mean score is then told from them, else it is `rise`.
    """
    from scipy.special import chdtrc

    seen = np.flatnonzero(old + new)
    old, new = old[seen], new[seen]
    worth = np.full(len(seen), NAN) if points is None else points[seen]
    index = psi(old, new)
    freedom = max(len(seen) - 1, 1)
    chance = float(chdtrc(freedom, index / (1 / max(old.sum(), 1) + 1 / max(new.sum(), 1))))
    shares = old / max(old.sum(), 1), new / max(new.sum(), 1)
    bins = tuple(
        (str(labels[i]), float(a), float(b), float(w)) for i, a, b, w in zip(seen.tolist(), *shares, worth, strict=True)
    )
    change = rise if points is None else float((shares[1] - shares[0]) @ worth)
    return Stability(name, index, psi_floor(float(old.sum()), float(new.sum()), len(seen)), chance, change, bins)


def corrected(found: Mapping[str, Sequence[Stability]], first: Collection[str]) -> dict[str, tuple[Stability, ...]]:
    """p-values after Holm: over all that is named by `first` together, and over all other periods together, so that any
    false alarm in either is as rare as said."""
    made: dict[str, tuple[Stability, ...]] = {}
    for family in ([name for name in found if name in first], [name for name in found if name not in first]):
        p = iter(holm(np.array([each.p for name in family for each in found[name]])).tolist())
        made |= {name: tuple(replace(each, adjusted=next(p)) for each in found[name]) for name in family}
    return {name: made[name] for name in found}


@dataclass(frozen=True)
class Performance:
    """How well the score told good from bad in one period.

    Parameters
    ----------
    rows, known, bad
        Rows, those whose outcome is known, and the defaults among these.
    auc, gini, ks
        With 95% intervals; NaN where the period was not judged.
    young
        Too few outcomes are known: what is known so early are the early defaults, and they would mislead.
    """

    period: str
    rows: int
    known: int
    bad: int
    auc: Span
    gini: Span
    ks: Span
    young: bool


def performance(period: str, rows: Population, seed: int = 0) -> Performance:
    """Judge the score on rows of one period; not where under 95% of the outcomes are known, or under ten of a kind."""
    bad = np.full(len(rows), NAN) if rows.bad is None else rows.bad
    known = ~np.isnan(bad)
    events = int(bad[known].sum())
    young = known.sum() < KNOWN * len(rows)
    none = Span(NAN)
    if young or not FEWEST <= events <= known.sum() - FEWEST:
        return Performance(period, len(rows), int(known.sum()), events, none, none, none, bool(young))
    centred = np.array([False, False, True])  # resampling inflates KS, a widest gap
    found = bootstrap(
        _figures, bad[known].astype(np.int64), {"": rows.pd[known]}, resamples=RESAMPLES, seed=seed, centred=centred
    ).interval("")
    return Performance(period, len(rows), int(known.sum()), events, found.at(0), found.at(1), found.at(2), False)


def _figures(targets: Array, scores: Array, weight: Array) -> Array:
    (ranking,) = rankings(targets, scores, weight)
    auc = ranking.roc_auc()
    return np.stack([auc, 2 * auc - 1, ranking.ks()], axis=-1)
