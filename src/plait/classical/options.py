"""What options may be: checks, and the one error that names an option, its value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from plait.errors import ConfigError

__all__ = ["above_zero", "check", "count", "number", "share"]


def number(value: Any) -> bool:
    """Whether it is a finite number, 0 or more."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < inf


def above_zero(value: Any) -> bool:
    """Whether it is a finite number above 0."""
    return number(value) and value > 0


def share(value: Any) -> bool:
    """Whether it is a number above 0, at most 1."""
    return number(value) and 0 < value <= 1


def count(value: Any, least: int = 1) -> bool:
    """Whether it is a whole number, `least` or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def check(part: Any, right: Mapping[str, tuple[object, str]]) -> None:
    """Check the options of a part, given for each whether it is right and what is allowed.

    Raises
    ------
    ConfigError
        For the first that is not.
    """
    for option, (fits, allowed) in right.items():
        if not fits:
            raise ConfigError(f"{part.name}: {option}={getattr(part, option)!r} is out of range (allowed: {allowed})")
