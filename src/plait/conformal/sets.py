"""Sets of classes that hold the true one as often as promised: split conformal prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.conformal.quantile import Groups, check_coverage, conformal_quantile, for_strangers
from plait.contracts import Array, Json, State
from plait.errors import unknown

__all__ = ["SET_METHODS", "ConformalSets"]

SET_METHODS = ("lac", "aps", "raps")
TUNING = 5  # one row in so many chooses the penalty of "raps"
PENALTIES = (0.001, 0.01, 0.1, 0.2, 0.5)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ConformalSets:
    """A class is in the set where its score is at most the threshold of its group and class.

    Parameters
    ----------
    method
        ``"lac"``: score ``1 - p``, the smallest sets on average (Sadinle, Lei and Wasserman, JASA 2019). ``"aps"``: the
        probability of all likelier classes and a random part of its own, sets that grow with difficulty (Romano, Sesia
        and Candes, NeurIPS 2020). ``"raps"``: that, and a penalty on classes far down, for many classes (Angelopoulos
        et al., ICLR 2021). The random part comes from the row's own probabilities: equal rows, equal sets.
    coverage
        What was promised: the share of sets that hold the true class, on rows exchangeable with those given.
    by_class
        Whether the promise holds within each class (Mondrian; Vovk 2012).
    groups
        Groups of rows within which it holds.
    thresholds
        float64 ``G + 1 x C``; the last row is the widest of all, for groups that were not seen.
    penalty, free
        Of ``"raps"``: what each rank beyond the first `free` adds to the score.
    """

    version: ClassVar[int] = 1
    kind: ClassVar[str] = "sets"

    method: str
    coverage: float
    by_class: bool
    groups: Groups
    thresholds: Floats
    penalty: float = 0.0
    free: int = 0

    @classmethod
    def fit(
        cls,
        probabilities: Floats,
        targets: Array,
        weight: Array,
        *,
        method: str = "lac",
        coverage: float = 0.9,
        by_class: bool = False,
        by: str | None = None,
        values: Sequence[str] | None = None,
    ) -> Self:
        """Learn the thresholds.

        Parameters
        ----------
        probabilities
            float64 ``N x C`` of rows that the model was not fitted on.
        targets, weight
            Class index and weight of each row, ``N``.
        by, values
            Name of a column, and what each row has in it (``N`` str).

        Raises
        ------
        ConfigError
            If the method is unknown or `coverage` out of range.
        DataError
            If there are too few rows for any finite threshold, or too many groups.
        """
        if method not in SET_METHODS:
            raise unknown("conformal method for classes", method, SET_METHODS)
        coverage = check_coverage(coverage)
        targets = np.asarray(targets, np.int64)
        groups = Groups.learn(by, values)
        penalty, free = 0.0, 0
        rows = np.arange(len(targets))
        tuning = rows[rows % TUNING == 0] if method == "raps" else rows[:0]
        kept = np.setdiff1d(rows, tuning)
        if len(tuning):
            penalty, free = _penalty(probabilities[tuning], targets[tuning], coverage)
        classes = probabilities.shape[1]
        scores = class_scores(method, probabilities[kept], penalty, free)[np.arange(len(kept)), targets[kept]]
        group = groups.codes(values, len(targets))[kept]
        found = np.full((len(groups.labels) + 1, classes), np.inf)
        for g in range(len(groups.labels)):
            for c in range(classes) if by_class else (slice(None),):
                own = group == g if isinstance(c, slice) else (group == g) & (targets[kept] == c)
                found[g, c] = conformal_quantile(scores[own], coverage, weight[kept][own])
        for_strangers(found, bool(np.isfinite(found[:-1]).any()), len(kept), coverage)
        return cls(method, coverage, by_class, groups, found, penalty, free)

    def __call__(self, probabilities: Floats, values: Sequence[str] | None = None) -> npt.NDArray[np.bool_]:
        """Which classes are in the set of each row: bool ``N x C``."""
        scores = class_scores(self.method, probabilities, self.penalty, self.free)
        return np.asarray(scores <= self.thresholds[self.groups.codes(values, len(scores))])

    def to_json(self) -> dict[str, Json]:
        """The promise in short; `unbounded` counts the thresholds that too few rows left infinite."""
        return {
            "kind": self.kind,
            "method": self.method,
            "coverage": self.coverage,
            "by_class": self.by_class,
            "by": self.groups.by,
            "unbounded": int(np.isinf(self.thresholds[:-1]).sum()),
        }

    def state(self) -> State:
        values = {
            "kind": self.kind,
            "method": self.method,
            "coverage": self.coverage,
            "by_class": self.by_class,
            "groups": self.groups.to_json(),
            "penalty": self.penalty,
            "free": self.free,
        }
        return State(self.version, values, {"thresholds": self.thresholds})

    @classmethod
    def from_state(cls, state: State) -> Self:
        values = state.values
        groups = Groups.from_json(values["groups"])
        thresholds = np.asarray(state.arrays["thresholds"], np.float64)
        own = values["method"], values["coverage"], values["by_class"]
        return cls(*own, groups, thresholds, values["penalty"], values["free"])


def class_scores(method: str, probabilities: Floats, penalty: float = 0.0, free: int = 0) -> Floats:
    """How ill each class fits each row, float64 ``N x C``: the less, the better."""
    p = np.asarray(probabilities, np.float64)
    if method == "lac":
        return 1 - p
    order = np.argsort(-p, axis=1, kind="stable")
    ordered = np.take_along_axis(p, order, axis=1)
    upto = np.cumsum(ordered, axis=1) - _uniform(p)[:, None] * ordered
    if method == "raps":
        upto += penalty * np.maximum(0, np.arange(1, p.shape[1] + 1) - free)
    scores = np.empty_like(p)
    np.put_along_axis(scores, order, upto, axis=1)
    return scores


def _uniform(p: Floats) -> Floats:
    """A number in 0..1 of each row that nothing but its probabilities decide (splitmix64 over their bits)."""
    state = np.full(len(p), 0x9E3779B97F4A7C15, np.uint64)
    for column in np.ascontiguousarray(p.T + 0.0).view(np.uint64):
        state = (state ^ column) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(29)
    return np.asarray((state >> np.uint64(11)).astype(np.float64) / 2.0**53)


def _penalty(p: Floats, targets: Array, coverage: float) -> tuple[float, int]:
    """The penalty of the smallest sets, and the rank up to which there is none (Angelopoulos et al., appendix E)."""
    own = p[np.arange(len(p)), targets][:, None]
    rank = (p > own).sum(axis=1) + 1.0
    quantile = conformal_quantile(rank, coverage)
    free = int(min(quantile, p.shape[1]))
    sizes = []
    for penalty in PENALTIES:
        scores = class_scores("raps", p, penalty, free)
        threshold = conformal_quantile(scores[np.arange(len(p)), targets], coverage)
        sizes.append((scores <= threshold).sum())
    return PENALTIES[int(np.argmin(sizes))], free
