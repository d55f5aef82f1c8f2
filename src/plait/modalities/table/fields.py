"""What is asked of a column (`Choice`), what is counted of it (`Tally`), and what is learned of it (`Field`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from statistics import NormalDist
from typing import Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column, Json
from plait.data.sketch import Sketch
from plait.errors import ConfigError, unknown
from plait.modalities.table.calendar import PARTS, SIZES, calendar
from plait.modalities.table.cells import DAY, KINDS, Kind, count_levels, values

__all__ = ["LIMIT", "Choice", "Field", "Tally"]

Clean = Literal["none", "zscore", "robust", "quantile", "clip"]
Missing = Literal["keep", "impute", "drop"]

LIMIT = 3e38  # the widest a float32 holds
_LEVELS = np.linspace(0, 1, 129)  # quantiles behind normal scores
_WORST = NormalDist().inv_cdf(0.999)  # no score lies further out


@dataclass(frozen=True)
class Choice:
    """The options of one column; `Table` says what they mean."""

    kind: Kind | None = None
    clean: Clean = "none"
    missing: Missing = "keep"
    max_levels: int = 1_000
    min_count: int | None = None

    @classmethod
    def of(cls, column: str, options: Mapping[str, Json]) -> Self:
        """Check what the schema says of a column.

        Raises
        ------
        ConfigError
            If an option or its value is not known.
        """
        allowed: dict[str, tuple[str, ...]] = {"as": KINDS, "clean": get_args(Clean), "missing": get_args(Missing)}
        counts = ("max_levels", "min_count")
        for name, value in options.items():
            if name not in (*allowed, *counts):
                raise unknown(f"option of column {column!r}", name, (*allowed, *counts))
            if name in allowed and value not in allowed[name]:
                raise unknown(f"value of option {name!r} of column {column!r}:", value, allowed[name])
            if name in counts and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ConfigError(f"option {name!r} of column {column!r} is {value!r}; give a whole number from 1 on")
        return cls(**{"kind" if name == "as" else name: value for name, value in options.items()})


class Tally:
    """What is counted of one column, chunk by chunk; the result does not depend on where the chunks were cut."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.rows = 0
        self.counts: Counter[str] = Counter()
        self.sketch = Sketch()  # of the numbers; of dates: days since 1970
        self.ages = Sketch()  # of dates: days before the row's time
        self.parts = np.zeros((len(PARTS), max(SIZES)), bool)  # calendar parts seen

    @property
    def present(self) -> int:
        return self.counts.total() if self.kind == "category" else self.sketch.count

    def add(self, column: Column) -> None:
        start, self.rows = self.rows, self.rows + len(column)
        if self.kind == "category":
            count_levels(column, self.counts)
            return
        found, _ = values(column, self.kind)
        found[np.abs(found) > LIMIT] = np.nan  # a fault in `transform`
        if self.kind != "date":
            self.sketch.add(found, start)
            return
        self.sketch.add(found / DAY, start)
        if column.row_time is not None:
            self.ages.add((column.row_time - found) / DAY, start)
        parts = calendar(found[~np.isnan(found)])
        for seen, values_of_part in zip(self.parts, parts.T, strict=True):
            seen[values_of_part] = True


@dataclass(frozen=True)
class Field:
    """What is learned of one column.

    Parameters
    ----------
    name, kind
        The column and how its cells are read.
    indicated
        Missing cells are filled with `fill`, and a feature says so.
    fill
        Median, or the code of the most frequent level.
    low, high, centre, scale
        Cleaning of numbers: clip to ``low..high``, then ``(x - centre) / scale``.
    scored
        Cleaning of numbers by normal scores instead.
    knots
        float64 ``2 x P``: numbers, ascending, and their normal scores.
    aged, origin
        A date counts in days before the row's time; otherwise in days since `origin` (days since 1970).
    parts
        Indices of the calendar parts that vary.
    levels, counts
        Known levels, frequent first; rows of each code (missing, rare, then the levels): int64 ``L + 2``.
    spread
        Mean rows of a level that is too rare to be known.
    """

    name: str
    kind: Kind
    indicated: bool = False
    fill: float = 0.0
    low: float = -LIMIT
    high: float = LIMIT
    centre: float = 0.0
    scale: float = 1.0
    scored: bool = False
    aged: bool = False
    origin: float = 0.0
    parts: tuple[int, ...] = ()
    levels: tuple[str, ...] = ()
    spread: float = 1.0
    knots: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 1)))
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))

    @classmethod
    def learn(cls, name: str, choice: Choice, tally: Tally) -> Self | None:
        """Sum up a column; None if it is to be dropped, being mostly missing."""
        if choice.missing == "drop" and tally.present * 2 < tally.rows:
            return None
        indicated = choice.missing == "impute"
        if tally.kind == "category":
            return cls._category(name, choice, tally, indicated)
        aged = tally.ages.count > 0
        sketch = tally.ages if aged else tally.sketch
        sample = sketch.sample()
        origin = 0.0
        if tally.kind == "date" and not aged and len(sample):
            origin = float(np.median(sample))
            sample = sample - origin
        low, high, centre, scale = _affine(choice.clean, sample)
        return cls(
            name,
            tally.kind,
            indicated=indicated,
            fill=float(np.median(sample)) if len(sample) else 0.0,
            low=low,
            high=high,
            centre=centre,
            scale=scale,
            scored=choice.clean == "quantile",
            aged=aged,
            origin=origin,
            parts=_varying(tally.parts),
            knots=_normal_scores(sample),
        )

    @classmethod
    def _category(cls, name: str, choice: Choice, tally: Tally, indicated: bool) -> Self:
        least = choice.min_count or max(2, min(10, tally.rows // 1_000))
        ranked = sorted(tally.counts.items(), key=lambda pair: (-pair[1], pair[0]))
        known = [(level, n) for level, n in ranked[: choice.max_levels] if n >= least]
        rare = tally.present - sum(n for _, n in known)
        return cls(
            name,
            tally.kind,
            indicated=indicated,
            fill=2.0 if known else 1.0,
            levels=tuple(level for level, _ in known),
            counts=np.array([tally.rows - tally.present, rare, *(n for _, n in known)], np.int64),
            spread=rare / max(1, len(ranked) - len(known)),
        )

    @property
    def codes(self) -> int:
        """Number of codes: missing, rare or unknown, then the levels."""
        return len(self.levels) + 2

    def log_frequency(self) -> npt.NDArray[np.float64]:
        """Log rows a level by code, relative to the most frequent: float64, at most 0."""
        rows = self.counts.astype(np.float64)
        rows[:2] = max(self.spread, 0.5)
        return np.asarray(np.log(rows / rows.max()), np.float64)

    def score(self, numbers: Array) -> npt.NDArray[np.float64]:
        """Normal scores of numbers; NaN stays NaN."""
        return np.asarray(np.interp(numbers, self.knots[0], self.knots[1]), np.float64)

    def to_json(self) -> dict[str, Json]:
        """Everything but the arrays `knots` and `counts`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("knots", "counts")}

    @classmethod
    def from_json(cls, values: Mapping[str, Json], arrays: Mapping[str, Array]) -> Self:
        lists = {name: tuple(values[name]) for name in ("parts", "levels")}
        return cls(**{**values, **lists, **arrays})


def _affine(clean: Clean, sample: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Clip and scale of a cleaning: low, high, centre, scale."""
    if not len(sample) or clean in ("none", "quantile"):
        return -LIMIT, LIMIT, 0.0, 1.0
    if clean == "clip":
        low, high = np.quantile(sample, [0.01, 0.99])
        return float(low), float(high), 0.0, 1.0
    if clean == "zscore":
        centre, scale = sample.mean(), sample.std()
    else:
        lower, centre, upper = np.quantile(sample, [0.25, 0.5, 0.75])
        scale = upper - lower
    return -LIMIT, LIMIT, float(centre), float(scale) if scale > 0 else 1.0


def _normal_scores(sample: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Knots of the map to a standard normal; a value that fills several quantiles stands at their middle."""
    if not len(sample):
        return np.zeros((2, 1))
    at, which = np.unique(np.quantile(sample, _LEVELS), return_inverse=True)
    middle = np.bincount(which, weights=_LEVELS) / np.bincount(which)
    normal = NormalDist()
    scores = [normal.inv_cdf(level) if 0 < level < 1 else (_WORST if level else -_WORST) for level in middle]
    return np.array([at, np.clip(scores, -_WORST, _WORST)])


def _varying(parts: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    """Calendar parts with more than one value; weekdays only if days vary (of monthly dates they say nothing)."""
    vary = dict(zip(PARTS, parts.sum(axis=1) > 1, strict=True))
    vary["weekday"] &= vary["day"]
    return tuple(i for i, part in enumerate(PARTS) if vary[part])
