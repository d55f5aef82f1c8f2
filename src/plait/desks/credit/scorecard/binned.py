"""The bins of one variable: which cells fall where, how many were good and bad there, and what that is worth."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Json
from plait.desks.credit.scorecard.cells import Cells, Kind, Levels
from plait.errors import ArtifactError

__all__ = ["REST", "TRENDS", "Bins", "Floats", "Rows", "Trend"]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
Trend: TypeAlias = Literal["monotone", "rising", "falling", "peak", "valley", "any"]

TRENDS: tuple[Trend, ...] = ("monotone", "rising", "falling", "peak", "valley", "any")
REST = "*"  # in a group: every level that is named nowhere
EQUAL = 1e-12  # rates nearer than this are equal


@dataclass(frozen=True)
class Bins:
    """The bins of a variable and what training rows fell into them.

    Bins stand in the order: ranges by value or groups of levels by bad rate; special codes; missing. Every cell falls
    into exactly one: a range holds its lower edge and not its upper one; a level that is named nowhere falls into the
    group with ``"*"``, and where there is none, into missing.

    Parameters
    ----------
    name
        Column of the frame.
    kind
        ``"numbers"``, ``"days"`` (a date, as days before the row's time) or ``"levels"``.
    edges
        Of numbers and days: rising inner edges, one less than there are ranges.
    groups
        Of levels: the levels of each group.
    special
        Name to codes, each name a bin of its own.
    trend
        The trend of the bad rate over ranges that was asked for.
    fixed
        Whether a person's file said where the bins lie.
    least
        Weight that a special or missing bin must have to say anything.
    good, bad
        Weight of good and of bad training rows in each bin.
    """

    name: str
    kind: Kind
    edges: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    special: Mapping[str, tuple[float | str, ...]]
    trend: Trend
    fixed: bool
    least: float
    good: tuple[float, ...]
    bad: tuple[float, ...]

    @property
    def regular(self) -> int:
        """How many bins are ranges or groups."""
        return len(self.groups) if self.kind == "levels" else len(self.edges) + 1

    def __len__(self) -> int:
        return self.regular + len(self.special) + 1

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What each bin is called."""
        if self.kind == "levels":
            named = [", ".join("all other levels" if each == REST else each for each in group) for group in self.groups]
        else:
            ends = ["-inf", *(f"{edge:.15g}" for edge in self.edges), "inf"]
            named = [f"{'(' if i == 0 else '['}{ends[i]}, {ends[i + 1]})" for i in range(self.regular)]
        return (*named, *(f"special: {name}" for name in self.special), "missing")

    @cached_property
    def count(self) -> Floats:
        """Weight of the training rows in each bin: float64 ``B``."""
        return np.add(self.good, self.bad)

    @cached_property
    def bad_rate(self) -> Floats:
        """Share of bad ones in each bin: float64 ``B``, NaN where no row fell."""
        rates: Floats = np.divide(self.bad, self.count, out=np.full(len(self), np.nan), where=self.count > 0)
        return rates

    @cached_property
    def woe(self) -> Floats:
        """Weight of evidence of each bin, ``ln(share of the good / share of the bad)``: float64 ``B``.

        Above 0: safer than the rows as a whole (Good, 1950; Siddiqi, 2017). A range or group without a good or a bad
        row gets half a row of each. A special or missing bin says nothing, 0, if it lacks either or weighs less than
        `least`.
        """
        good, bad = np.array(self.good), np.array(self.bad)
        odds = good.sum() / bad.sum()
        pure = (good == 0) | (bad == 0)
        half = np.where(pure, 0.5, 0.0)
        ranges = np.arange(len(self)) < self.regular
        told = (self.count > 0) & (ranges | (~pure & (self.count >= self.least)))
        ratio = np.divide(good + half, (bad + half) * odds, out=np.ones(len(self)), where=told)
        return np.asarray(np.log(ratio))

    @cached_property
    def information(self) -> Floats:
        """What each bin adds to the information value: float64 ``B`` (Kullback's J-divergence, 1951)."""
        good, bad = np.array(self.good), np.array(self.bad)
        return np.asarray((good / good.sum() - bad / bad.sum()) * self.woe)

    @property
    def iv(self) -> float:
        """Information value over all bins."""
        return float(self.information.sum())

    @cached_property
    def monotone(self) -> bool:
        """Whether the bad rate only rises, or only falls, from one range or group to the next."""
        rates = self.bad_rate[: self.regular]
        steps = np.diff(rates[~np.isnan(rates)])
        return bool((steps >= -EQUAL).all() or (steps <= EQUAL).all())

    @property
    def why_not_monotone(self) -> str:
        """The reason for a bad rate that turns; empty where it does not."""
        if self.monotone:
            return ""
        return "a person's file fixes its bins" if self.fixed else f"the trend {self.trend!r} was asked for"

    @cached_property
    def breaks(self) -> tuple[Floats, Rows]:
        """Of numbers and days: where the bin changes, and the bin of each stretch; the last break is NaN.

        A special code is a stretch of one number. ``bin = at[searchsorted(breaks, values, "right")]``.
        """
        codes = {float(code): self.regular + i for i, each in enumerate(self.special.values()) for code in each}
        points = sorted({*self.edges, *codes, *(float(np.nextafter(code, np.inf)) for code in codes)})
        starts = [-np.inf, *points]
        at = [codes.get(start, bisect_right(self.edges, start)) for start in starts]
        return np.array([*points, np.nan]), np.array([*at, len(self) - 1])

    @cached_property
    def of_level(self) -> dict[str, int]:
        """Of levels: the bin of each that is named."""
        named = {each: i for i, group in enumerate(self.groups) for each in group if each != REST}
        return named | {str(code): self.regular + i for i, each in enumerate(self.special.values()) for code in each}

    @property
    def of_others(self) -> int:
        """Of levels: the bin of one that is named nowhere."""
        return next((i for i, group in enumerate(self.groups) if REST in group), len(self) - 1)

    def find(self, cells: Cells) -> Rows:
        """The bin of each cell: int64 ``N``."""
        if isinstance(cells, Levels):
            at = [self.of_level.get(name, self.of_others) for name in cells.names]
            return np.array([*at, len(self) - 1])[cells.codes]  # code -1, missing, is the last one
        breaks, at_break = self.breaks
        return at_break[np.searchsorted(breaks, cells, "right")]

    def to_json(self) -> dict[str, Json]:
        """What `from_json` reads."""
        return {
            "name": self.name,
            "kind": self.kind,
            "edges": list(self.edges),
            "groups": [list(group) for group in self.groups],
            "special": {name: list(codes) for name, codes in self.special.items()},
            "trend": self.trend,
            "fixed": self.fixed,
            "least": self.least,
            "good": list(self.good),
            "bad": list(self.bad),
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """The bins that were written down.

        Raises
        ------
        ArtifactError
            If they do not fit together.
        """
        bins = cls(
            name=str(saved["name"]),
            kind=saved["kind"],
            edges=tuple(map(float, saved["edges"])),
            groups=tuple(tuple(map(str, group)) for group in saved["groups"]),
            special={str(name): tuple(codes) for name, codes in saved["special"].items()},
            trend=saved["trend"],
            fixed=bool(saved["fixed"]),
            least=float(saved["least"]),
            good=tuple(map(float, saved["good"])),
            bad=tuple(map(float, saved["bad"])),
        )
        rising = all(low < high for low, high in pairwise(bins.edges))
        fits = bins.kind in ("numbers", "days", "levels") and bins.trend in TRENDS
        if not (fits and rising and len(bins.good) == len(bins.bad) == len(bins)):
            raise ArtifactError(f"the bins of {bins.name!r} do not fit together; write the scorecard anew")
        return bins
