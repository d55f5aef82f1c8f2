"""Splits that keep the future, and the neighbours of a row, out of what it is judged by.

The functions on arrays are numpy alone, since rooms and learners use them inside their fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, FitContext
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["folds", "holdout", "inner_folds", "inner_pairs", "split"]

Rows: TypeAlias = npt.NDArray[np.int64]
Pair: TypeAlias = tuple[Rows, Rows]


def split(
    frame: pd.DataFrame,
    *,
    time: str | None = None,
    label_time: str | None = None,
    group: str | None = None,
    stratify: str | None = None,
    test: float = 0.25,
    at: object = None,
    embargo: object = None,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide rows into training and test rows that never overlap; both keep the order of `frame`.

    Parameters
    ----------
    frame
        At least two rows.
    time
        Column of dates, date text or numbers: test rows are the latest, and equal times stay together.
    label_time
        Column saying when a row's outcome became known: a row whose outcome was not known before the first test row, or
        is not known when, leaves the training rows. Needs `time`.
    group
        Column whose equal cells never stand on both sides; with `time`, training rows of a tested group are dropped
        (where that would leave less to train on than to test, only a share of the groups is tested). A missing cell
        is a group of its own.
    stratify
        Column of classes whose shares both sides keep; not together with `time` or `group`.
    test
        Share of rows to test on, above 0 and below 1; met as nearly as times and groups allow.
    at
        The first moment of the test rows, instead of `test`: a date, or a number for a column of numbers. Needs `time`.
    embargo
        Training rows nearer than this before the first test moment are dropped: a duration such as ``"30D"``, or a
        number for a column of numbers. Needs `time`.
    seed
        For splits without `time`.

    Raises
    ------
    ConfigError
        If the arguments do not go together or are out of range, or a column is unknown.
    DataError
        If a time does not parse or is missing, or one side would be empty.
    """
    from plait.data.frame import as_frame

    frame = as_frame(frame)
    for name in (time, label_time, group, stratify):
        if name is not None and name not in frame.columns:
            raise unknown("column", name, frame.columns)
    if not 0 < test < 1:
        raise ConfigError(f"test={test!r} is out of range; give a share of the rows above 0 and below 1")
    if time is None and (label_time, at, embargo) != (None, None, None):
        raise ConfigError("label_time, at and embargo need time, the column to cut by")
    if stratify is not None and (time is not None or group is not None):
        raise ConfigError("stratify does not go with time or group; choose one")
    rng = np.random.default_rng(seed)
    groups = None if group is None else _codes(frame[group])
    if time is not None:
        train, later = _by_time(frame, time, label_time, groups, test, at, embargo, rng)
    else:
        train, later = _at_random(len(frame), test, groups, None if stratify is None else _codes(frame[stratify]), rng)
    if not len(train) or not len(later):
        side = "train" if not len(train) else "test"
        raise DataError(
            f"the split leaves no row to {side} on, of {len(frame)}; change test, at or embargo, or the roles"
        )
    return frame.iloc[train], frame.iloc[later]


def _by_time(
    frame: pd.DataFrame,
    time: str,
    label_time: str | None,
    groups: Rows | None,
    test: float,
    at: object,
    embargo: object,
    rng: np.random.Generator,
) -> Pair:
    import pandas as pd

    from plait.data.frame import seconds

    moments = seconds(frame[time])
    lost = np.flatnonzero(~np.isfinite(moments))
    if len(lost):
        raise DataError(
            f"time column {time!r} is missing in {len(lost)} row(s), the first at {lost[0]}; drop or fill them"
        )
    number = pd.api.types.is_numeric_dtype(frame[time])
    if at is not None:
        cut = _number("at", at) if number else float(seconds(pd.Series([at]), "at")[0])
    else:
        found = _boundary(moments, 1 - test)
        if found is None:
            raise DataError(f"time column {time!r} has fewer than two distinct times; nothing lies after a cut")
        cut = found
    gap = 0.0
    if embargo is not None:
        gap = _number("embargo", embargo) if number else _duration(embargo)
        if not gap >= 0:
            raise ConfigError(f"embargo={embargo!r} is out of range; give 0 or more")
    known = None if label_time is None else seconds(frame[label_time])
    return _around(moments, cut, gap, known, groups, test, rng)


def _number(what: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{what}={value!r}: the time column holds numbers, so give a number") from None


def _duration(value: Any) -> float:
    import pandas as pd

    try:
        if isinstance(value, int | float):
            raise ValueError
        return float(pd.Timedelta(value).total_seconds())
    except ValueError:
        raise ConfigError(f"embargo={value!r} is not a duration; the time column holds dates: give '30D'") from None


def _codes(cells: pd.Series[Any]) -> Rows:
    """A number for each distinct cell, in order of appearance; every missing cell gets one of its own."""
    import pandas as pd

    codes, known = pd.factorize(cells)
    missing = codes < 0
    return np.where(missing, len(known) + np.cumsum(missing), codes).astype(np.int64)


def _boundary(time: Array, share: float, after: float = -np.inf) -> float | None:
    """The distinct time that has nearest to `share` of the rows before it and, if one has, lies beyond `after`."""
    moments, counts = np.unique(time[np.isfinite(time)], return_counts=True)
    if len(moments) < 2:
        return None
    distance = np.abs(np.cumsum(counts)[:-1] - share * counts.sum())
    allowed = moments[1:] > after
    if allowed.any():
        distance[~allowed] = np.inf
    return float(moments[1 + distance.argmin()])


def _around(
    time: Array,
    cut: float,
    gap: float,
    known: Array | None,
    groups: Rows | None,
    share: float,
    rng: np.random.Generator,
) -> Pair:
    """Rows before and from `cut`; rows of unknown time are in neither."""
    future = time >= cut
    past = (time < cut) & (cut - time >= gap)
    if known is not None:
        past &= known < cut
    if groups is not None:
        apart = past & ~np.isin(groups, groups[future])
        if apart.sum() < future.sum():  # most groups live on both sides: divide the groups, too
            _, tested = _by_group(groups, share, rng)
            chosen = np.isin(groups, groups[tested])
            apart, future = past & ~chosen, future & chosen
        past = apart
    return np.flatnonzero(past), np.flatnonzero(future)


def _at_random(n: int, share: float, groups: Rows | None, classes: Rows | None, rng: np.random.Generator) -> Pair:
    if n < 2:
        return np.arange(n), np.zeros(0, np.int64)
    if groups is not None:
        return _by_group(groups, share, rng)
    wanted = min(max(round(share * n), 1), n - 1)
    chosen = rng.permutation(n)[:wanted] if classes is None else _of_each(classes, share, wanted, rng)
    inside = np.zeros(n, bool)
    inside[chosen] = True
    return np.flatnonzero(~inside), np.flatnonzero(inside)


def _of_each(classes: Rows, share: float, wanted: int, rng: np.random.Generator) -> Rows:
    """About `wanted` rows in which every class has its share; the last row of a class is never taken."""
    _, codes, counts = np.unique(classes, return_inverse=True, return_counts=True)
    exact = share * counts
    take = np.minimum(np.floor(exact).astype(np.int64), counts - 1)
    order = np.argsort(take - exact, kind="stable")  # largest remainder first
    more = order[(take < counts - 1)[order]][: max(wanted - int(take.sum()), 0)]
    take[more] += 1
    shuffled = rng.permutation(len(classes))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    rank = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return by_class[rank < np.repeat(take, counts)]


def _by_group(groups: Rows, share: float, rng: np.random.Generator) -> Pair:
    """Whole groups, drawn at random until the share is met as nearly as the drawn order allows."""
    _, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return np.arange(len(groups)), np.zeros(0, np.int64)
    order = rng.permutation(len(counts))
    distance = np.abs(np.cumsum(counts[order])[:-1] - share * len(groups))
    chosen = np.zeros(len(counts), bool)
    chosen[order[: 1 + distance.argmin()]] = True
    inside = chosen[codes]
    return np.flatnonzero(~inside), np.flatnonzero(inside)


def folds(
    n: int, k: int = 5, *, targets: Array | None = None, groups: Array | None = None, seed: int = 0
) -> npt.NDArray[np.int64]:
    """Deal `n` rows into at most `k` folds of nearly equal size.

    Parameters
    ----------
    n, k
        Rows, and folds wanted; there are never more folds than rows or groups.
    targets
        int ``N`` class of each row: folds keep the shares of the classes.
    groups
        int ``N`` group of each row: a group stays in one fold.
    seed
        Same seed, same folds.

    Returns
    -------
    ndarray
        int64 ``N``: fold of each row, 0, 1, ...; all -1 (never held out) if there is nothing to divide.
    """
    return _deal(n, k, targets, groups, np.random.default_rng(seed))


def _deal(n: int, k: int, targets: Array | None, groups: Array | None, rng: np.random.Generator) -> Rows:
    if k < 2:
        raise ConfigError(f"k={k!r} folds are out of range; give 2 or more")
    classes = np.zeros(n, np.int64) if targets is None else np.unique(targets, return_inverse=True)[1]
    if groups is not None and n:
        return _deal_groups(np.unique(groups, return_inverse=True)[1], classes, k, rng)
    if n < 2:
        return np.full(n, -1, np.int64)
    shuffled = rng.permutation(n)
    dealt = np.empty(n, np.int64)
    dealt[shuffled[np.argsort(classes[shuffled], kind="stable")]] = np.arange(n) % min(k, n)
    return dealt


def _deal_groups(groups: Rows, classes: Rows, k: int, rng: np.random.Generator) -> Rows:
    """Largest group first, each to the fold in which its classes and rows are rarest; no fold stays empty."""
    counts = np.zeros((groups.max() + 1, classes.max() + 1))
    np.add.at(counts, (groups, classes), 1)
    if len(counts) < 2:
        return np.full(len(groups), -1, np.int64)
    k = min(k, len(counts))
    sizes = counts.sum(axis=1, keepdims=True) / counts.sum()
    counts = np.hstack([counts / counts.sum(axis=0), sizes])  # every class weighs the same
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    held = np.zeros((k, counts.shape[1]))
    fold = np.empty(len(counts), np.int64)
    for group in order:
        # the sum of squares over folds grows least here
        fold[group] = (held @ counts[group]).argmin()
        held[fold[group]] += counts[group]
    return fold[groups]


def inner_folds(context: FitContext, k: int = 5) -> npt.NDArray[np.int64]:
    """Folds of the training rows for out-of-fold work (int64 ``N``): stratified for classes, groups kept whole.

    All are -1 (never held out) where there are fewer than two rows or groups.
    """
    classes = None if context.task == "regression" else context.targets.astype(np.int64)
    return _deal(len(context), k, classes, context.groups, context.rng("inner folds"))


def holdout(context: FitContext, fraction: float = 0.2) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Divide training rows into rows to fit and rows to judge (int64 positions, ascending).

    With times, the judged rows are the latest: equal times stay together, a row whose outcome was not known before
    them is in neither part, nor is a row of unknown time or one whose group is judged. Without, whole groups or
    stratified random rows are judged. Where it is possible, every class keeps a row to fit on. A part may be empty:
    the rows to judge for fewer than two rows or groups, the rows to fit if no outcome was known in time.
    """
    rng = context.rng("holdout")
    classes = None if context.task == "regression" else context.targets.astype(np.int64)
    if context.time is not None:
        cut = _boundary(context.time, 1 - fraction, _all_seen(context.time, classes))
        if cut is not None:
            return _around(context.time, cut, 0.0, context.label_time, context.groups, fraction, rng)
    return _at_random(len(context), fraction, context.groups, classes, rng)


def inner_pairs(context: FitContext, *, few: int = 4_000, cuts: int = 3) -> list[Pair]:
    """Divide training rows several times into rows to fit and rows to judge, for choices that must not see the test.

    With times: `cuts` steps walking forward (the last fifth of the rows is the last window; with three, fitting ends
    after .5, .65 and .8 of them). Without: five folds below `few` rows, else one holdout of a fifth. Where too few
    outcomes were known in time to judge forward, folds are used instead. Both sides of every pair have rows of
    weight above 0, the one to fit of at least two classes; the list is empty if nothing can be divided.
    """
    pairs: list[Pair] = []
    if context.time is not None:
        pairs = _walk(context, cuts)
        if sum(len(fit) for fit, _ in pairs) < 0.2 * len(pairs) * len(context):
            pairs = []
    elif len(context) >= few:
        pairs = [holdout(context)]
    pairs = [pair for pair in pairs if _usable(context, *pair)]
    if not pairs:
        fold = inner_folds(context)
        pairs = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold[fold >= 0])]
    return [pair for pair in pairs if _usable(context, *pair)]


def _walk(context: FitContext, cuts: int) -> list[Pair]:
    """Fit on the past of each cut, judge the rows up to the next one."""
    time = context.time
    assert time is not None
    shares = [0.8 - 0.15 * step for step in reversed(range(cuts))]
    bounds = sorted({bound for share in shares if (bound := _boundary(time, share)) is not None})
    pairs = []
    for i, bound in enumerate(bounds):
        fit, judge = _around(time, bound, 0.0, context.label_time, context.groups, 0.2, context.rng(f"walk {i}"))
        if i + 1 < len(bounds):
            judge = judge[time[judge] < bounds[i + 1]]
        pairs.append((fit, judge))
    return pairs


def _usable(context: FitContext, fit: Rows, judge: Rows) -> bool:
    """Whether both sides have rows that count, and there are classes to tell apart on the side to fit."""
    fit = fit[context.weight[fit] > 0]
    if not len(fit) or not context.weight[judge].any():
        return False
    return context.task == "regression" or len(np.unique(context.targets[fit])) > 1


def _all_seen(time: Array, classes: Rows | None) -> float:
    """The first moment at which every class has been seen."""
    if classes is None:
        return -np.inf
    first = np.full(classes.max(initial=0) + 1, np.inf)
    np.minimum.at(first, classes, np.where(np.isfinite(time), time, np.inf))
    return float(first[np.isfinite(first)].max(initial=-np.inf))
