"""What is asked of a column (`Choice`), what is counted of it (`Tally`), and what is learned of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from statistics import NormalDist
from typing import Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column, Json
from plait.data.sketch import Sketch
from plait.errors import ConfigError, unknown
from plait.modalities.table.calendar import PARTS, SIZES, calendar
from plait.modalities.table.cells import DAY, KINDS, Kind, count_levels, values

__all__ = ["LIMIT", "Category", "Choice", "Quantity", "Tally"]

Clean = Literal["none", "zscore", "robust", "quantile", "clip"]
Missing = Literal["keep", "impute", "drop"]

ENCODERS = ("auto", "columns", "conv_columns")
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
    encoder: str = "auto"

    @classmethod
    def of(cls, column: str, options: Mapping[str, Json]) -> Self:
        """Check what the schema says of a column.

        Raises
        ------
        ConfigError
            If an option or its value is not known.
        """
        allowed: dict[str, tuple[str, ...]] = {
            "as": KINDS,
            "clean": get_args(Clean),
            "missing": get_args(Missing),
            "encoder": ENCODERS,
        }
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
        """Rows whose cell could be read."""
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
class Cleaning:
    """Clip to ``low..high``, then ``(x - centre) / scale``; or, if `scored`, normal scores."""

    low: float = -LIMIT
    high: float = LIMIT
    centre: float = 0.0
    scale: float = 1.0
    scored: bool = False

    @classmethod
    def learn(cls, clean: Clean, sample: npt.NDArray[np.float64]) -> Self:
        if not len(sample) or clean in ("none", "quantile"):
            return cls(scored=clean == "quantile")
        if clean == "clip":
            low, high = np.quantile(sample, [0.01, 0.99])
            return cls(low=float(low), high=float(high))
        if clean == "zscore":
            centre, scale = sample.mean(), sample.std()
        else:
            lower, centre, upper = np.quantile(sample, [0.25, 0.5, 0.75])
            scale = upper - lower
        return cls(centre=float(centre), scale=float(scale) if scale > 0 else 1.0)


@dataclass(frozen=True)
class Quantity:
    """What is learned of a column of numbers, booleans, dates or durations.

    Parameters
    ----------
    name, kind
        The column and how its cells are read.
    indicated
        Missing cells are filled with `fill`, the median, and a feature says so.
    knots
        float64 ``2 x P``: numbers, ascending, and their normal scores.
    aged, origin
        A date counts in days before the row's time; otherwise in days since `origin` (days since 1970).
    parts
        Indices of the calendar parts that vary.
    """

    name: str
    kind: Kind
    indicated: bool
    fill: float
    cleaning: Cleaning
    knots: npt.NDArray[np.float64]
    aged: bool = False
    origin: float = 0.0
    parts: tuple[int, ...] = ()

    @classmethod
    def learn(cls, name: str, choice: Choice, tally: Tally) -> Self:
        aged = tally.ages.count > 0
        sample = (tally.ages if aged else tally.sketch).sample()
        origin = float(np.median(sample)) if tally.kind == "date" and not aged and len(sample) else 0.0
        sample = sample - origin
        return cls(
            name,
            tally.kind,
            choice.missing == "impute",
            float(np.median(sample)) if len(sample) else 0.0,
            Cleaning.learn(choice.clean, sample),
            _normal_scores(sample),
            aged,
            origin,
            _varying(tally.parts),
        )

    @property
    def example(self) -> Json:
        """A made cell in the middle of those that were seen, rounded so that it is nobody's."""
        if self.kind == "date":
            return "2026-01-31"
        return self.fill >= 0.5 if self.kind == "boolean" else float(f"{self.fill:.2g}")

    def days(self, column: Column, moments: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Dates (seconds since 1970) in days before the row's time, or since `origin`."""
        if not self.aged:
            return moments / DAY - self.origin
        if column.row_time is None:
            return np.full(len(moments), np.nan)
        return (column.row_time - moments) / DAY

    def score(self, numbers: Array) -> npt.NDArray[np.float64]:
        """Normal scores of numbers; NaN stays NaN."""
        return np.asarray(np.interp(numbers, self.knots[0], self.knots[1]), np.float64)

    def to_json(self) -> dict[str, Json]:
        """Everything but `knots`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "knots"} | {
            "cleaning": asdict(self.cleaning)
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Json], knots: Array) -> Self:
        cleaning, parts = Cleaning(**values["cleaning"]), tuple(values["parts"])
        return cls(**{**values, "cleaning": cleaning, "parts": parts, "knots": knots})


@dataclass(frozen=True)
class Category:
    """What is learned of a column of categories. A cell's code is 0 (missing), 1 (rare or unknown), or its level's.

    Parameters
    ----------
    indicated
        Missing cells are filled with the most frequent level, and a feature says so.
    levels
        Known levels, frequent first; the first has code 2.
    spread
        Mean rows of a level too rare to be known.
    counts
        Rows by code: int64 ``L + 2``.
    """

    name: str
    indicated: bool
    levels: tuple[str, ...]
    spread: float
    counts: npt.NDArray[np.int64]

    @classmethod
    def learn(cls, name: str, choice: Choice, tally: Tally) -> Self:
        least = choice.min_count or max(2, min(10, tally.rows // 1_000))
        ranked = sorted(tally.counts.items(), key=lambda pair: (-pair[1], pair[0]))
        known = [(level, n) for level, n in ranked[: choice.max_levels] if n >= least]
        rare = tally.present - sum(n for _, n in known)
        return cls(
            name,
            choice.missing == "impute",
            tuple(level for level, _ in known),
            rare / max(1, len(ranked) - len(known)),
            np.array([tally.rows - tally.present, rare, *(n for _, n in known)], np.int64),
        )

    @property
    def codes(self) -> int:
        """Number of codes."""
        return len(self.levels) + 2

    @property
    def fill(self) -> int:
        """The code of the most frequent level."""
        return 2 if self.levels else 1

    def log_frequency(self) -> npt.NDArray[np.float64]:
        """Log rows of a level by code, relative to the most frequent: float64, at most 0."""
        rows = self.counts.astype(np.float64)
        rows[:2] = max(self.spread, 0.5)
        return np.asarray(np.log(rows / rows.max()), np.float64)

    def to_json(self) -> dict[str, Json]:
        """Everything but `counts`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "counts"}

    @classmethod
    def from_json(cls, values: Mapping[str, Json], counts: Array) -> Self:
        return cls(**{**values, "levels": tuple(values["levels"]), "counts": counts})


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
