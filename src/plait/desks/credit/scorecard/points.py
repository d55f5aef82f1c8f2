"""Points: the scale on which scorecards are read, rising with safety."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.contracts import Json

__all__ = ["Points"]

Value = TypeVar("Value", float, "np.ndarray[tuple[int, ...], np.dtype[np.float64]]")


@dataclass(frozen=True)
class Points:
    """A linear scale for log-odds of default: ``points = offset - factor * log_odds``.

    Siddiqi, Intelligent Credit Scoring (2nd ed., 2017), chapter 10. With the defaults, 600 points mean odds of 50 good
    to 1 bad, and every 20 points double the odds.

    Parameters
    ----------
    at
        The points that mean `odds`.
    odds
        Good to bad, above 0.
    pdo
        Points to double the odds, above 0.

    Raises
    ------
    ConfigError
        If one of them is not a finite number, or `odds` or `pdo` is not above 0.
    """

    at: float = 600.0
    odds: float = 50.0
    pdo: float = 20.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not number or (name != "at" and value <= 0):
                raise ConfigError(f"points: {name} must be a number{'' if name == 'at' else ' above 0'}, not {value!r}")

    @property
    def factor(self) -> float:
        """Points that one unit of log-odds is worth."""
        return self.pdo / math.log(2.0)

    @property
    def offset(self) -> float:
        """The points of even odds."""
        return self.at - self.factor * math.log(self.odds)

    def of(self, log_odds: Value) -> Value:
        """Points of log-odds of default, a number or an array of any shape."""
        return self.offset - self.factor * log_odds

    def log_odds(self, points: Value) -> Value:
        """The log-odds of default that points stand for: the inverse of `of`."""
        return (self.offset - points) / self.factor

    def to_json(self) -> dict[str, Json]:
        """What `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Json]) -> Points:
        """The scale that was written down.

        Raises
        ------
        ConfigError
            If a key is not one of its own, or a value is not allowed.
        """
        names = tuple(each.name for each in fields(cls))
        for name in said:
            if name not in names:
                raise unknown("key of points", name, names)
        return cls(**said)
