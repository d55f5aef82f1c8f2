"""The quantile behind every conformal promise, and the groups that each have one of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.errors import ConfigError, DataError

__all__ = ["Groups", "check_coverage", "conformal_quantile", "for_strangers"]

MOST_GROUPS = 100
SLACK = 1e-9  # for rounding in coverage * (n + 1)


def check_coverage(coverage: float) -> float:
    """A share above 0 and below 1; else ConfigError."""
    if not 0 < coverage < 1:
        raise ConfigError(f"coverage={coverage!r} is out of range (allowed: above 0 and below 1, as in 0.9)")
    return float(coverage)


def conformal_quantile(scores: Array, coverage: float, weight: Array | None = None) -> float:
    """The ``ceil((n + 1) coverage)``-th least of ``n`` scores; infinite where there are too few.

    A further score from the same distribution is at most this with a probability of at least `coverage`, and of less
    than ``coverage + 1 / (n + 1)`` where scores are distinct (Vovk et al. 2005; Lei et al., JASA 2018). With weights,
    the further score counts as much as the heaviest (Barber et al., Annals of Statistics 2023).
    """
    order = np.argsort(scores, kind="stable")
    mass = np.ones(len(order)) if weight is None else np.asarray(weight, np.float64)[order]
    if not mass.any():
        return float("inf")
    reached = np.cumsum(mass) >= coverage * (mass.sum() + mass.max()) - SLACK * mass.max()
    return float(np.asarray(scores, np.float64)[order[reached.argmax()]]) if reached.any() else float("inf")


def for_strangers(thresholds: npt.NDArray[np.float64], usable: bool, rows: int, coverage: float) -> None:
    """Fill the last row, for values that no group has, with the widest of each column (thresholds ``G + 1 x C``).

    Raises
    ------
    DataError
        If not `usable`: `rows` were too few for any finite threshold.
    """
    if not usable:
        raise DataError(f"{rows} rows are too few for {coverage:.0%} coverage; give more, or ask for less")
    thresholds[-1] = thresholds[:-1].max(axis=0)


@dataclass(frozen=True)
class Groups:
    """Which groups of rows have a promise of their own: the values of column `by`, or all rows as one (None)."""

    by: str | None = None
    labels: tuple[str, ...] = ("",)

    @classmethod
    def learn(cls, by: str | None, values: Sequence[str] | None) -> Self:
        if by is None or values is None:
            return cls()
        labels = tuple(sorted(set(values)))
        if len(labels) > MOST_GROUPS:
            raise DataError(
                f"by={by!r} has {len(labels)} groups, at most {MOST_GROUPS} are allowed; give a coarser column"
            )
        return cls(by, labels)

    def codes(self, values: Sequence[str] | None, rows: int) -> npt.NDArray[np.int64]:
        """Group of each row (int64 ``N``); one that was not seen is numbered after the last."""
        if self.by is None or values is None:
            return np.zeros(rows, np.int64)
        known = {label: i for i, label in enumerate(self.labels)}
        return np.array([known.get(value, len(known)) for value in values], np.int64)

    def to_json(self) -> Json:
        return {"by": self.by, "labels": list(self.labels)}

    @classmethod
    def from_json(cls, saved: Json) -> Self:
        return cls(saved["by"], tuple(saved["labels"]))
