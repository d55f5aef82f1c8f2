"""Sections that any run's report has: what they tell a reader to watch is what they find."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from plait.desks.credit.validation.findings import RULES, Finding, Part
from plait.desks.credit.validation.run import CreditRun
from plait.report.sections import SECTIONS

__all__ = ["reused"]

# Section -> the rule behind the lines that are to be watched.
WATCHED: Mapping[str, str] = {
    "quality": "faults",
    "leaks": "leaks",
    "privacy": "personal",
    "metrics": "rival",
    "slices": "slice",
    "calibration": "calibration",
    "drift": "drift",
    "importance": "idle",
}


def reused(key: str) -> Callable[[CreditRun], Part]:
    """The writer of a section of `plait.report.sections`."""

    def part(run: CreditRun) -> Part:
        section = SECTIONS[key](run)
        rule = WATCHED.get(key, key)
        return Part(section, tuple(Finding(rule, key, RULES[rule], line) for line in section.watch))

    return part
