"""The scorecard itself: variables in bins, each bin worth points, compiled to tables that are looked up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from plait.contracts import Json
from plait.data.frame import as_frame, seconds
from plait.desks.credit.scorecard.binned import Bins, Floats
from plait.desks.credit.scorecard.cells import DAY, Levels, level, one_moment, one_number, read
from plait.desks.credit.scorecard.points import Points
from plait.errors import ArtifactError, DataError, PlaitError
from plait.metrics.shown import aligned, chance, count, number

__all__ = ["LeftOut", "Scorecard", "Variable"]

VERSION = 1
LABEL = 60  # characters of a bin in the table


@dataclass(frozen=True)
class LeftOut:
    """A candidate that is no part of the scorecard, why, and its bins where it has any."""

    name: str
    why: str
    bins: Bins | None = None


@dataclass(frozen=True)
class Variable:
    """A variable of the scorecard: its bins and its weight.

    Parameters
    ----------
    bins
        The bins; ``bins.woe`` is their evidence.
    coefficient
        What a unit of weight of evidence adds to the log-odds of default: below 0.
    standard_error, p_value
        Of the coefficient, by Wald; they take the bins as given, though these were found on the same rows.
    crossed_p_value
        The p-value where no row's evidence comes from bins that have seen it; the choice of variables goes by this one.
    mean_woe
        Mean weight of evidence of the training rows.
    """

    bins: Bins
    coefficient: float
    standard_error: float
    p_value: float
    crossed_p_value: float
    mean_woe: float

    @property
    def name(self) -> str:
        """The column of the frame."""
        return self.bins.name

    @cached_property
    def log_odds(self) -> Floats:
        """Log-odds of default that each bin adds, relative to the training rows' mean: float64 ``B``."""
        return self.coefficient * (self.bins.woe - self.mean_woe)

    def to_json(self) -> dict[str, Json]:
        """What `from_json` reads."""
        return {
            "bins": self.bins.to_json(),
            "coefficient": self.coefficient,
            "standard_error": self.standard_error,
            "p_value": self.p_value,
            "crossed_p_value": self.crossed_p_value,
            "mean_woe": self.mean_woe,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """The variable that was written down."""
        named = ("coefficient", "standard_error", "p_value", "crossed_p_value", "mean_woe")
        return cls(Bins.from_json(saved["bins"]), *(float(saved[name]) for name in named))


@dataclass(frozen=True)
class Scorecard:
    """A fitted scorecard. Log-odds are those of default; points rise with safety.

    Parameters
    ----------
    variables
        Most information first.
    intercept
        Log-odds of default of a row whose weights of evidence are all 0.
    points
        The scale.
    time
        The column of the rows' moment, where a variable is a date; else None.
    left_out
        Candidates that are no part of it, and why.
    notes
        What a person should look at.
    """

    variables: tuple[Variable, ...]
    intercept: float
    points: Points
    time: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the frame that it reads."""
        return (*(variable.name for variable in self.variables), *([] if self.time is None else [self.time]))

    @cached_property
    def base(self) -> float:
        """Log-odds of default where no variable says more than the mean of the training rows."""
        return self.intercept + sum(each.coefficient * each.mean_woe for each in self.variables)

    @property
    def binned(self) -> tuple[Bins, ...]:
        """Bins of all candidates that have any, those of the scorecard first."""
        return (*(each.bins for each in self.variables), *(each.bins for each in self.left_out if each.bins))

    def log_odds(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of default: float64 ``N``.

        A missing cell has its own bin. A level that is named in no bin falls into the group of all other levels, and
        where there is none, into missing.

        Raises
        ------
        DataError
            If a column is missing, or a cell of numbers or dates is none.
        """
        total = np.full(len(frame), self.base)
        for part in self._parts(frame):
            total += part
        return total

    def score(self, frame: pd.DataFrame) -> Floats:
        """Points: float64 ``N``; see `log_odds`."""
        return self.points.of(self.log_odds(frame))

    def shares(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of default that each variable adds, relative to its training mean: float64 ``N x V``.

        ``base + shares(frame).sum(1)`` is ``log_odds(frame)``.
        """
        return np.stack([*self._parts(frame)], axis=1)

    def _parts(self, frame: pd.DataFrame) -> Any:
        frame = as_frame(frame)
        if absent := [name for name in self.columns if name not in frame.columns]:
            raise DataError(f"the frame lacks column(s) that the scorecard reads: {', '.join(map(repr, absent))}")
        moments = None if self.time is None else seconds(frame[self.time], self.time)
        for variable, table in zip(self.variables, self._tables, strict=True):
            cells = read(frame, variable.name, variable.bins.kind, moments)
            if isinstance(cells, Levels):
                yield variable.log_odds[variable.bins.find(cells)]
            else:
                breaks, worth = table
                yield worth[np.searchsorted(breaks, cells, "right")]

    @cached_property
    def _tables(self) -> tuple[tuple[Floats, Floats], ...]:
        """Per variable the breaks of its numbers, and what each stretch between them is worth."""
        made = []
        for each in self.variables:
            breaks, at = each.bins.breaks if each.bins.kind != "levels" else (np.zeros(0), np.zeros(0, np.int64))
            made.append((breaks, each.log_odds[at]))
        return tuple(made)

    def score_row(self, row: Mapping[str, Any]) -> float:
        """Points of one row: column to value, None or NaN where missing; in real time, without a frame.

        Raises
        ------
        DataError
            If a column is missing, or a value of numbers or dates is none.
        """
        total = self.base
        try:
            moment = 0.0 if self.time is None else one_moment(row[self.time], self.time)
            for each in self._lookups:
                total += each.worth(row[each.name], moment)
        except KeyError as error:
            raise DataError(f"the row lacks the column {error} that the scorecard reads") from None
        return self.points.of(total)

    @cached_property
    def _lookups(self) -> tuple[_Lookup, ...]:
        return tuple(_Lookup.of(each, table) for each, table in zip(self.variables, self._tables, strict=True))

    def bin_points(self, variable: Variable) -> Floats:
        """Points of each bin of a variable: float64 ``B``; those of a row's bins add up to its score.

        The points of the intercept and of even odds are dealt to the variables in equal parts (Siddiqi, 2017).
        """
        dealt = self.points.of(self.intercept) / len(self.variables)
        return dealt - self.points.factor * variable.coefficient * variable.bins.woe

    def table(self) -> pd.DataFrame:
        """A row a bin: variable, bin, count, bad_rate, woe, iv, points, coefficient, p_value."""
        parts = []
        for each in self.variables:
            told: dict[str, Any] = {"variable": each.name, "bin": each.bins.labels, "count": each.bins.count}
            told |= {"bad_rate": each.bins.bad_rate, "woe": each.bins.woe, "iv": each.bins.information}
            told |= {"points": self.bin_points(each), "coefficient": each.coefficient, "p_value": each.p_value}
            parts.append(pd.DataFrame(told))
        return pd.concat(parts, ignore_index=True)

    def __str__(self) -> str:
        scale = self.points
        lines = [
            f"{len(self.variables)} variables; {scale.at:g} points are odds of {scale.odds:g} good to 1 bad, "
            f"{scale.pdo:g} points double them"
        ]
        for each in self.variables:
            bins = each.bins
            lines += [
                "",
                f"{each.name}: IV {number(bins.iv)}, coefficient {each.coefficient:+.3f} "
                f"(standard error {each.standard_error:.3f}), p {chance(each.p_value)}, "
                f"crossed {chance(each.crossed_p_value)}",
            ]
            if not bins.monotone:
                lines[-1] += f"; not monotone: {bins.why_not_monotone}"
            worth = self.bin_points(each)
            rows = [("bin", "count", "bad rate", "WOE", "IV", "points")]
            for i, label in enumerate(bins.labels):
                if i < bins.regular or bins.count[i] > 0:
                    rate = "-" if np.isnan(bins.bad_rate[i]) else f"{bins.bad_rate[i]:.1%}"
                    told = (count(bins.count[i]), rate, f"{bins.woe[i]:+.3f}", f"{bins.information[i]:.4f}")
                    rows.append((f"  {_cut(label)}", *told, f"{worth[i]:.1f}"))
            lines += aligned(rows)
        if self.left_out:
            lines += ["", "left out", *aligned([(f"  {each.name}", f"  {each.why}") for each in self.left_out])]
        return "\n".join([*lines, *(["", "note"] if self.notes else []), *(f"  {note}" for note in self.notes)])

    def to_json(self) -> dict[str, Json]:
        """What `from_json` reads, every digit kept."""
        return {
            "version": VERSION,
            "variables": [each.to_json() for each in self.variables],
            "intercept": self.intercept,
            "points": self.points.to_json(),
            "time": self.time,
            "left_out": [
                {"name": each.name, "why": each.why, "bins": None if each.bins is None else each.bins.to_json()}
                for each in self.left_out
            ],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """The scorecard that was written down.

        Raises
        ------
        ArtifactError
            If it is damaged, or was written by a newer version.
        """
        try:
            if saved["version"] > VERSION:
                raise ArtifactError(f"the scorecard has version {saved['version']}, newer than {VERSION}; update plait")
            return cls(
                variables=tuple(Variable.from_json(each) for each in saved["variables"]),
                intercept=float(saved["intercept"]),
                points=Points.from_json(saved["points"]),
                time=saved["time"],
                left_out=tuple(
                    LeftOut(each["name"], each["why"], None if each["bins"] is None else Bins.from_json(each["bins"]))
                    for each in saved["left_out"]
                ),
                notes=tuple(saved["notes"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, PlaitError):
                raise
            raise ArtifactError(f"the scorecard is damaged: {type(error).__name__} {error}; write it anew") from None


class _Lookup(NamedTuple):
    """A variable for one row at a time, in plain Python: numpy would take longer to call than to look up."""

    name: str
    dated: bool
    breaks: list[float]
    stretches: list[float]
    of_level: dict[str, float] | None
    of_others: float
    missing: float

    @classmethod
    def of(cls, variable: Variable, table: tuple[Floats, Floats]) -> _Lookup:
        bins, worth = variable.bins, variable.log_odds.tolist()
        breaks, stretches = (part.tolist() for part in table)
        of_level = {name: worth[at] for name, at in bins.of_level.items()} if bins.kind == "levels" else None
        others = worth[bins.of_others]
        return cls(variable.name, bins.kind == "days", breaks[:-1], stretches, of_level, others, worth[-1])

    def worth(self, value: Any, moment: float) -> float:
        """Log-odds of default that a value adds."""
        if self.of_level is not None:
            if isinstance(value, str):
                return self.of_level.get(value, self.of_others)
            absent = value is None or value is pd.NA or value != value
            return self.missing if absent else self.of_level.get(level(value), self.of_others)
        if self.dated:
            value = (moment - one_moment(value, self.name)) / DAY
        elif type(value) is not float:
            value = one_number(value, self.name)
        return self.stretches[bisect_right(self.breaks, value)] if value == value else self.missing


def _cut(label: str) -> str:
    return label if len(label) <= LABEL else f"{label[: LABEL - 3]}..."
