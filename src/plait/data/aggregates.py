"""Columns that are averages, sums or counts of the target over groups, the row's own label among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column
from plait.data.findings import Finding
from plait.data.leaks import Aim, levels

__all__ = ["aggregates_of_the_target"]

LOOK = 2000  # rows on which it is first checked that a column has one value a group
SAME = 0.02  # residual variance, as a share of what the draw of labels gives, up to which nothing is left to chance
EXACT = 0.001  # the same for few groups, where nothing is fitted
GROUPS = 12  # from which the form of the aggregate is fitted: sums, counts, smoothed means
FEWEST = 3  # groups under which even an exact mean may be chance

Codes = npt.NDArray[np.int64]


def aggregates_of_the_target(
    cells: Mapping[str, Column], aim: Aim, names: Sequence[str], groups: Sequence[str]
) -> Iterator[Finding]:
    """Numbers of `names` that could only be computed from the labels of the very rows they stand in.

    A mean of the target over groups, computed elsewhere, misses the means of these rows by the chance of the draw; one
    computed on these rows hits them exactly. With ``n`` rows and the sum of labels ``S`` in a group, the column ``c``
    counts as made of them if ``S`` is a linear function of ``nc``, ``c`` and ``n`` up to 2% of the variance that
    drawing labels gives: this covers means, sums, counts, and means smoothed towards the base rate. A mean over the
    *other* rows of the group is told by having one value for each group and label.

    Parameters
    ----------
    names, groups
        Columns that may be aggregates, and columns that they may go by; the equal cells of the aggregate itself serve
        as groups, too, since the grouping column is often gone.
    """
    known = {name: codes for name in groups if name in cells and (codes := _codes(cells[name], aim)) is not None}
    for name in names:
        if name not in cells or cells[name].values.dtype.kind != "f":
            continue
        own = cells[name].take(aim.rows)
        rows = np.flatnonzero(own.present & np.isfinite(np.where(own.present, own.values, 0.0)))
        if len(rows) < 2 * GROUPS or np.ptp(own.values[rows]) == 0:
            continue
        found = _found(name, own.values[rows], aim, rows, {k: v[rows] for k, v in known.items() if k != name})
        if found is not None:
            yield found


def _codes(cells: Column, aim: Aim) -> Codes | None:
    own = cells.take(aim.rows)
    if not own.present.all():
        return None
    return levels(own.values)


def _found(name: str, values: Array, aim: Aim, rows: Codes, groups: Mapping[str, Codes]) -> Finding | None:
    targets = list(aim.goals) if aim.classes else [aim.labels]
    own = levels(values)
    for goal in targets:
        wanted = goal[rows]
        if own is not None and _made_of(values, wanted, own):
            return _say(name, None)
        for group, codes in groups.items():
            if _one_value_each(values, codes):
                if _made_of(values, wanted, codes):
                    return _say(name, group)
            elif aim.classes and _of_the_others(values, wanted, codes):
                return _say(name, group)
    return None


def _say(name: str, group: str | None) -> Finding:
    over = "" if group is None else f" over {group!r}"
    said = (
        f"likely leak: an aggregate of the target{over}, the row's own label included; compute it on other rows "
        "(out of fold, or earlier in time), or give the group itself to the model"
    )
    return Finding("target_mean", (name,) if group is None else (name, group), "leak", said)


def _made_of(values: Array, goal: Array, codes: Codes) -> bool:
    counts = np.bincount(codes).astype(np.float64)
    sums = np.bincount(codes, goal)
    value = np.bincount(codes, values) / counts
    spread: Array = _within(goal, codes, sums, counts) * counts  # variance of a group's sum
    used = (counts > 1) & (spread > 0)
    if used.sum() < FEWEST:
        return False
    plain = float(np.mean((sums - counts * value)[used] ** 2 / spread[used]))
    if plain <= EXACT:
        return True
    if used.sum() < GROUPS:
        return False
    scale = 1.0 / np.sqrt(spread[used])
    terms = np.stack([counts * value, value, counts, np.ones_like(counts)], axis=1)[used]
    size = np.abs(terms).max(axis=0)
    size[size == 0] = 1.0
    design = terms / size * scale[:, None]
    fitted, *_ = np.linalg.lstsq(design, sums[used] * scale, rcond=None)
    left = sums[used] * scale - design @ fitted
    return bool((left**2).sum() <= SAME * (used.sum() - design.shape[1]))


def _within(goal: Array, codes: Codes, sums: Array, counts: Array) -> float:
    """Variance of a label around the mean of its group."""
    free = len(goal) - len(counts)
    return float(((goal - (sums / counts)[codes]) ** 2).sum() / free) if free > 0 else float(goal.var())


def _one_value_each(values: Array, codes: Codes) -> bool:
    for rows in (slice(LOOK), slice(None)):
        low = np.full(codes.max() + 1, np.inf)
        high = np.full(codes.max() + 1, -np.inf)
        np.minimum.at(low, codes[rows], values[rows])
        np.maximum.at(high, codes[rows], values[rows])
        with np.errstate(invalid="ignore"):
            if not (high - low <= 1e-9 * (1 + np.abs(high)))[np.isfinite(low)].all():
                return False
    return True


def _of_the_others(values: Array, goal: Array, codes: Codes) -> bool:
    """Whether a column has one value for each group and label, though groups hold both: the others' mean does."""
    both = codes * 2 + goal.astype(np.int64)
    if not _one_value_each(values, both):
        return False
    counts = np.bincount(codes)
    ones = np.bincount(codes, goal)
    mixed = np.flatnonzero((ones >= 2) & (counts - ones >= 2))
    return len(mixed) >= FEWEST
