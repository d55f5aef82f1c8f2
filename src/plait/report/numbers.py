"""Numbers as reports write them."""

from __future__ import annotations

import math

__all__ = ["between", "count", "number", "percent", "signed"]

NONE, MINUS = "–", "\N{MINUS SIGN}"


def number(value: float | None) -> str:
    """Three decimals of a figure around 1, fewer of large ones; a dash where it is undefined."""
    if value is None or math.isnan(value):
        return NONE
    size = abs(value)
    if 0 < size < 0.0005:
        told = f"{value:.0e}"
    elif size < 10:
        told = f"{value:.3f}"
    else:
        told = f"{value:,.1f}" if size < 1000 else f"{value:,.0f}"
    return told.replace("-", MINUS)


def signed(value: float | None) -> str:
    """As `number`, with its sign."""
    told = number(value)
    return told if told == NONE or told.startswith(MINUS) else f"+{told}"


def between(low: float | None, high: float | None) -> str:
    """An interval; a dash where it is undefined."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return NONE
    return f"[{number(low)}, {number(high)}]"


def percent(share: float | None) -> str:
    if share is None or math.isnan(share):
        return NONE
    return (f"{share:.1%}" if 0 < abs(share) < 0.9995 else f"{share:.0%}").replace("-", MINUS)


def count(value: float) -> str:
    return f"{value:,.0f}"
