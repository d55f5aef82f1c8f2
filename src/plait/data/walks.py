"""Splits for data in time that leave no label on both sides: purged walk-forward, and combinatorial purged.

A row's label lives from the row's time until it is known. Rows to fit whose labels live at the same time as those of
rows to judge, or that follow these too closely, are purged (Lopez de Prado, Advances in Financial Machine Learning,
2018, chapters 7 and 12).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CombinatorialPurged", "PurgedWalkForward", "Span", "SplitPlan"]

Rows: TypeAlias = npt.NDArray[np.int64]
Moments: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]
TimeOf: TypeAlias = "str | Array | pd.Series[object]"


@dataclass(frozen=True)
class Span:
    """Rows of one split that have one use.

    Parameters
    ----------
    use
        ``"fit"``, ``"judge"``, or ``"purged"`` (in time to be fitted, but left out).
    split
        Which split, from 0.
    begin, end
        First and last moment of these rows: seconds since 1970, or the numbers that the rows have as times.
    rows
        How many they are.
    """

    use: Literal["fit", "judge", "purged"]
    split: int
    begin: float
    end: float
    rows: int


@dataclass(frozen=True)
class SplitPlan:
    """Which stretches of time each split fits and judges: what a report draws.

    Parameters
    ----------
    spans
        By split and time; a split that fits around its judged rows has several spans to fit.
    dated
        Whether moments are seconds since 1970.
    """

    spans: tuple[Span, ...]
    dated: bool

    @classmethod
    def of(cls, time: Moments, pairs: Iterable[tuple[Rows, Rows]], *, dated: bool) -> Self:
        """The plan of any splits: `time` of all rows (float64 ``N``), and rows to fit and to judge of each split.

        A row between those that a split fits and judges, or among them, that has no use counts as purged.
        """
        spans: list[Span] = []
        for number, (fit, judge) in enumerate(pairs):
            use = np.full(len(time), "", dtype="U6")
            used = time[np.concatenate([fit, judge])]
            use[(time >= used.min()) & (time <= used.max())] = "purged"
            use[fit], use[judge] = "fit", "judge"
            spans += _spans(time, use, number)
        return cls(tuple(spans), dated)

    @property
    def splits(self) -> int:
        return 1 + max((span.split for span in self.spans), default=-1)

    def rows(self) -> list[dict[str, str]]:
        """One dict of texts a span, in order, for a table."""
        return [
            {
                "split": str(span.split + 1),
                "use": span.use,
                "from": self._said(span.begin),
                "to": self._said(span.end),
                "rows": f"{span.rows:,}",
            }
            for span in self.spans
        ]

    def _said(self, moment: float) -> str:
        return str(np.datetime64(int(moment), "s").astype("datetime64[D]")) if self.dated else f"{moment:.10g}"

    def __str__(self) -> str:
        rows = self.rows()
        table = [list(rows[0]), *(list(row.values()) for row in rows)] if rows else []
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
        )

    def to_json(self) -> Json:
        return {
            "dated": self.dated,
            "spans": [
                {"use": s.use, "split": s.split, "begin": s.begin, "end": s.end, "rows": s.rows} for s in self.spans
            ],
        }


@dataclass(frozen=True)
class _Clock:
    """When rows are and when their labels are known, float64 ``N``, and whether these are dates."""

    now: Moments
    known: Moments
    dated: bool

    def gap(self, said: float | str, what: str) -> float:
        """A duration in the unit of the times: seconds for dates."""
        import pandas as pd

        try:
            gap = float(pd.Timedelta(said).total_seconds()) if isinstance(said, str) else float(said)
        except ValueError:
            raise ConfigError(f"{what}={said!r} is not a duration; give one such as '30D', or a number") from None
        if isinstance(said, str) and not self.dated:
            raise ConfigError(f"{what}={said!r}: the times are numbers, so give a number")
        if not isinstance(said, str) and self.dated and gap:
            raise ConfigError(f"{what}={said!r}: the times are dates, so give a duration such as '30D'")
        if not 0 <= gap < np.inf:
            raise ConfigError(f"{what}={said!r} is out of range; give 0 or more")
        return gap


class _Purged(ABC):
    """What both splitters share: when rows and their labels are, and which rows to fit must go."""

    time: TimeOf
    label_time: TimeOf | None
    embargo: float | str

    def split(self, X: object, y: object = None, groups: object = None) -> Iterator[tuple[Rows, Rows]]:
        """Rows to fit and rows to judge of each split: int64 positions, ascending.

        Parameters
        ----------
        X, y
            Rows; `y` is not looked at.
        groups
            A group of each row: rows to fit whose group is judged are left out.

        Raises
        ------
        DataError
            If times are missing or too few, a label is known before its row, or nothing is left to fit.
        """
        clock = self._clock(X)
        gap = clock.gap(self.embargo, "embargo")
        codes = None if groups is None else _codes(groups, len(clock.now))
        for judge in self._judged(clock):
            inside = self._reach(clock, judge) & ~_overlapping(clock, judge, gap)
            if codes is not None:
                inside &= ~np.isin(codes, codes[judge])
            fit = np.flatnonzero(inside)
            if not len(fit):
                raise DataError(
                    f"no row is left to fit for {len(judge):,} rows to judge; "
                    "take fewer splits, a longer window, or a shorter embargo"
                )
            yield fit, judge

    def plan(self, X: object, y: object = None, groups: object = None) -> SplitPlan:
        """The stretches of time that each split fits, judges and purges."""
        clock = self._clock(X)
        return SplitPlan.of(clock.now, self.split(X, y, groups), dated=clock.dated)

    @abstractmethod
    def _judged(self, clock: _Clock) -> Iterator[Rows]:
        """Rows to judge of each split."""

    @abstractmethod
    def _reach(self, clock: _Clock, judge: Rows) -> Flags:
        """Rows that could be fitted, as far as their own time goes."""

    def _clock(self, X: object) -> _Clock:
        now, dated = _moments(X, self.time, "time")
        if self.label_time is None:
            return _Clock(now, now, dated)
        known, other = _moments(X, self.label_time, "label_time")
        if other != dated:
            raise DataError("time and label_time must both be dates or both be numbers")
        early = known < now
        if early.any():
            raise DataError(
                f"label_time lies before time in {int(early.sum()):,} row(s), the first at {early.argmax()}"
            )
        return _Clock(now, known, dated)


class PurgedWalkForward(_Purged):
    """Fit on the past, judge the next stretch of time, walk on: expanding or rolling, purged, with an embargo.

    The last ``n_splits`` of ``n_splits + 1`` stretches are judged, each once; equal times are never divided. A row is
    fitted only if its label was known before the first judged row, by `embargo` at least.

    Parameters
    ----------
    time, label_time
        A column of `X`, or an array: the moment of a row, and when its label became known (at once if None). Dates,
        date text or numbers.
    n_splits
        How many stretches are judged.
    window
        Fit on rows no older than this before the judged ones (rolling): a duration such as ``"365D"`` for dates, a
        number for numbers; None: on the whole past (expanding).
    embargo
        What must lie between a label that is fitted and the first judged row: a duration, or a number.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> import plait
    >>> loans = plait.samples.loans(400)
    >>> walk = PurgedWalkForward("issued_at", n_splits=3, embargo="30D")
    >>> [len(fit) for fit, _ in walk.split(loans)]
    [89, 191, 291]
    """

    def __init__(
        self,
        time: TimeOf,
        label_time: TimeOf | None = None,
        *,
        n_splits: int = 5,
        window: float | str | None = None,
        embargo: float | str = 0.0,
    ) -> None:
        if not isinstance(n_splits, int | np.integer) or n_splits < 1:
            raise ConfigError(f"n_splits={n_splits!r} is out of range; give a whole number of 1 or more")
        self.time = time
        self.label_time = label_time
        self.n_splits = n_splits
        self.window = window
        self.embargo = embargo

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """How many splits there are."""
        return self.n_splits

    def _judged(self, clock: _Clock) -> Iterator[Rows]:
        stretch = _stretches(clock.now, self.n_splits + 1)
        for number in range(1, self.n_splits + 1):
            yield np.flatnonzero(stretch == number)

    def _reach(self, clock: _Clock, judge: Rows) -> Flags:
        start = clock.now[judge].min()
        reach = clock.now < start
        if self.window is not None:
            reach &= clock.now >= start - clock.gap(self.window, "window")
        return np.asarray(reach)


class CombinatorialPurged(_Purged):
    """Judge every choice of `n_judged` out of `n_blocks` stretches of time, fitting on all others, purged.

    Each stretch is judged ``comb(n_blocks - 1, n_judged - 1)`` times, so that predictions of the splits make up that
    many whole paths through time (`paths`): a distribution of a backtest, not a single one.

    Parameters
    ----------
    time, label_time
        A column of `X`, or an array: the moment of a row, and when its label became known (at once if None).
    n_blocks, n_judged
        Stretches of time of nearly equally many rows, and how many are judged together.
    embargo
        Rows that begin no later than this after the last label of a judged stretch are not fitted: a duration for
        dates, a number for numbers. It is kept before judged rows, too.
    """

    def __init__(
        self,
        time: TimeOf,
        label_time: TimeOf | None = None,
        *,
        n_blocks: int = 6,
        n_judged: int = 2,
        embargo: float | str = 0.0,
    ) -> None:
        if not (
            isinstance(n_judged, int | np.integer)
            and isinstance(n_blocks, int | np.integer)
            and 1 <= n_judged < n_blocks
        ):
            raise ConfigError(
                f"n_judged={n_judged!r} of n_blocks={n_blocks!r}; judge a whole number of 1 or more, and fewer than all"
            )
        self.time = time
        self.label_time = label_time
        self.n_blocks = n_blocks
        self.n_judged = n_judged
        self.embargo = embargo

    @property
    def n_paths(self) -> int:
        """How many whole paths the splits make up."""
        return comb(self.n_blocks - 1, self.n_judged - 1)

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """How many splits there are."""
        return comb(self.n_blocks, self.n_judged)

    def paths(self, X: object, scores: Sequence[Array]) -> Array:
        """Whole paths through time, of what each split predicted for its judged rows.

        Parameters
        ----------
        X
            The rows that were divided.
        scores
            For each split in order: one entry a judged row, of any further shape.

        Returns
        -------
        ndarray
            ``n_paths x N x ...``: path ``p`` takes each stretch from the ``p``-th split that judged it.

        Raises
        ------
        DataError
            If there are not as many scores as splits, or not as many entries as judged rows.
        """
        now = self._clock(X).now
        block = _stretches(now, self.n_blocks)
        if len(scores) != self.get_n_splits():
            raise DataError(f"{len(scores)} scores for {self.get_n_splits()} splits; give one of each, in order")
        first = np.asarray(scores[0])
        out = np.zeros((self.n_paths, len(now), *first.shape[1:]), first.dtype)
        met = np.zeros(self.n_blocks, np.int64)
        for chosen, given in zip(combinations(range(self.n_blocks), self.n_judged), scores, strict=True):
            judge = np.flatnonzero(np.isin(block, chosen))
            if len(given) != len(judge):
                raise DataError(f"a split that judged {len(judge)} rows has {len(given)} scores")
            for one in chosen:
                own = block[judge] == one
                out[met[one], judge[own]] = np.asarray(given)[own]
                met[one] += 1
        return out

    def _judged(self, clock: _Clock) -> Iterator[Rows]:
        block = _stretches(clock.now, self.n_blocks)
        for chosen in combinations(range(self.n_blocks), self.n_judged):
            yield np.flatnonzero(np.isin(block, chosen))

    def _reach(self, clock: _Clock, judge: Rows) -> Flags:
        reach = np.ones(len(clock.now), bool)
        reach[judge] = False
        return reach


def _moments(X: object, said: object, what: str) -> tuple[Moments, bool]:
    """Times of the rows as numbers, and whether they are dates."""
    import pandas as pd

    from plait.data.frame import as_frame, seconds

    if isinstance(said, str):
        frame = as_frame(X)
        if said not in frame.columns:
            raise unknown("column", said, frame.columns)
        cells = frame[said]
    else:
        cells = pd.Series(np.asarray(said), name=what)
        length = len(X)  # type: ignore[arg-type]
        if len(cells) != length:
            raise DataError(f"{what} has {len(cells)} entries for {length} rows")
    moments = seconds(cells, str(cells.name))
    lost = int((~np.isfinite(moments)).sum())
    if lost:
        raise DataError(f"{what} is missing or infinite in {lost:,} of {len(moments):,} rows; drop or fill them")
    return moments, not pd.api.types.is_numeric_dtype(cells)


def _stretches(now: Moments, count: int) -> Rows:
    """Which of `count` stretches of time each row lies in: nearly equally many rows, equal times together."""
    moments, place, rows = np.unique(now, return_inverse=True, return_counts=True)
    if len(moments) < count:
        raise DataError(f"{len(moments)} distinct times cannot be divided into {count} stretches; take fewer")
    before = np.cumsum(rows) - rows
    wanted = np.arange(1, count) * len(now) / count
    starts = np.empty(count - 1, np.int64)
    for i, share in enumerate(wanted):
        least = 1 if i == 0 else starts[i - 1] + 1
        most = len(moments) - (count - 1 - i)
        starts[i] = least + int(np.abs(before[least : most + 1] - share).argmin())
    return np.searchsorted(starts, place, side="right").astype(np.int64)


def _overlapping(clock: _Clock, judge: Rows, gap: float) -> Flags:
    """Rows whose labels live while those of judged rows do, or nearer to them than `gap`.

    Judged rows are taken stretch by stretch: rows between two judged stretches may be fitted.
    """
    order = judge[np.argsort(clock.now[judge], kind="stable")]
    begin, end = clock.now[order], np.maximum.accumulate(clock.known[order])
    others = np.sort(clock.now)
    between = np.searchsorted(others, begin[1:], "left") > np.searchsorted(others, end[:-1], "right")
    first = np.flatnonzero(np.append(True, between))
    last = np.append(first[1:], len(order)) - 1
    out = np.zeros(len(clock.now), bool)
    for low, high in zip(begin[first], end[last], strict=True):
        out |= (clock.now <= high + gap) & (clock.known >= low - gap)
    return out


def _codes(groups: object, length: int) -> Rows:
    import pandas as pd

    codes = pd.factorize(np.asarray(groups))[0].astype(np.int64)
    if len(codes) != length:
        raise DataError(f"groups has {len(codes)} entries for {length} rows")
    alone = codes < 0  # a missing group is one of its own
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return codes


def _spans(now: Moments, use: npt.NDArray[np.str_], split: int) -> list[Span]:
    """Runs of rows of one use, in order of time."""
    order = np.lexsort((use, now))
    order = order[use[order] != ""]
    if not len(order):
        return []
    uses = use[order]
    first = np.flatnonzero(np.append(True, uses[1:] != uses[:-1]))
    last = np.append(first[1:], len(order)) - 1
    return [
        Span(uses[i].item(), split, float(now[order[i]]), float(now[order[j]]), int(j - i + 1))
        for i, j in zip(first, last, strict=True)
    ]
