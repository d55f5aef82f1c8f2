"""Whether sets and intervals hold the truth as often as promised, and how large they are for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from plait.contracts import Array, Json
from plait.errors import InputError
from plait.metrics.classification import wilson
from plait.metrics.shown import Span, aligned, between, number, plain
from plait.metrics.weights import as_weight

__all__ = ["CoverageReport", "Covered", "coverage_of_intervals", "coverage_of_sets"]


class Covered(NamedTuple):
    """Some of the rows: the share that holds the truth with its 95% Wilson interval, mean size, and share empty.

    `size` is classes in the set, or the width of the interval.
    """

    name: str
    rows: int
    share: Span
    size: float
    empty: float


@dataclass(frozen=True)
class CoverageReport:
    """What a promise of sets or intervals was worth on rows that nothing was learned from.

    Parameters
    ----------
    kind
        ``"sets"`` or ``"intervals"``.
    promised
        The share that was to hold the truth.
    whole
        All rows.
    parts
        Rows of each class (sets), and of each group where the promise was made by group.
    """

    kind: str
    promised: float
    whole: Covered
    parts: tuple[Covered, ...] = ()

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Figures as a table of strings, the header first."""
        size = "classes" if self.kind == "sets" else "width"
        header = ("rows of", "rows", "covered", "95% interval", size, "empty")
        lines = (
            (
                part.name,
                f"{part.rows:,}",
                number(part.share.value),
                between(part.share.low, part.share.high),
                number(part.size),
                number(part.empty),
            )
            for part in (self.whole, *self.parts)
        )
        return header, *lines

    def to_json(self) -> dict[str, Json]:
        return dict(plain(self))

    def __str__(self) -> str:
        return "\n".join([f"{self.kind} promised to hold {self.promised:.0%}", *aligned(self.rows())])


def coverage_of_sets(
    sets: Array,
    targets: Array,
    labels: Sequence[object],
    promised: float,
    *,
    weight: Array | None = None,
    groups: Sequence[str] | None = None,
) -> CoverageReport:
    """Judge sets of classes.

    Parameters
    ----------
    sets
        bool ``N x C``.
    targets
        Class index of each row, ``N``.
    labels
        The ``C`` classes.
    promised
        The share that was to hold the truth.
    weight
        ``N`` weights, >= 0.
    groups
        ``N`` names of groups to judge one by one, too.

    Raises
    ------
    InputError
        If there are no rows, or lengths differ.
    """
    sets, targets = np.asarray(sets, bool), np.asarray(targets, np.int64)
    if sets.ndim != 2 or sets.shape != (len(targets), len(labels)):
        raise InputError(f"sets have shape {sets.shape} for {len(targets)} targets of {len(labels)} classes")
    hit, size = sets[np.arange(len(targets)), targets], sets.sum(axis=1)
    named = {f"class {label}": targets == c for c, label in enumerate(labels)}
    return _report("sets", promised, hit, size, as_weight(weight, len(targets)), {**named, **_grouped(groups)})


def coverage_of_intervals(
    intervals: Array,
    targets: Array,
    promised: float,
    *,
    weight: Array | None = None,
    groups: Sequence[str] | None = None,
) -> CoverageReport:
    """Judge intervals (float64 ``N x 2``) of values (``N``); else as `coverage_of_sets`."""
    ends, targets = np.asarray(intervals, np.float64), np.asarray(targets, np.float64)
    if ends.shape != (len(targets), 2):
        raise InputError(f"intervals have shape {ends.shape} for {len(targets)} targets; give low and high of each")
    hit = (ends[:, 0] <= targets) & (targets <= ends[:, 1])
    return _report(
        "intervals", promised, hit, ends[:, 1] - ends[:, 0], as_weight(weight, len(targets)), _grouped(groups)
    )


def _grouped(groups: Sequence[str] | None) -> dict[str, Array]:
    names = np.asarray([] if groups is None else groups, object)
    return {str(name): names == name for name in sorted(set(names))}


def _report(
    kind: str, promised: float, hit: Array, size: Array, weight: Array, parts: dict[str, Array]
) -> CoverageReport:
    if not len(hit):
        raise InputError("there are no rows to judge; give at least one")
    whole = _covered("all", np.ones(len(hit), bool), hit, size, weight)
    found = (_covered(name, own, hit, size, weight) for name, own in parts.items() if weight[own].any())
    return CoverageReport(kind, promised, whole, tuple(found))


def _covered(name: str, own: Array, hit: Array, size: Array, weight: Array) -> Covered:
    mass = weight[own] / weight[own].sum()
    share = float(mass @ hit[own])
    low, high = wilson(np.asarray(share), np.asarray(1 / (mass @ mass)))
    return Covered(
        name,
        int(own.sum()),
        Span(share, float(low), float(high)),
        float(mass @ size[own]),
        float(mass @ (size[own] <= 0)),
    )
