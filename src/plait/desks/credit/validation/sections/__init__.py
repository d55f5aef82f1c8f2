"""The sections of a validation pack, by what a validator asks, in the order in which they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from plait.desks.credit.validation.findings import Part
from plait.desks.credit.validation.run import CreditRun
from plait.desks.credit.validation.sections import (
    calibration,
    design,
    fairness,
    grades,
    limits,
    performance,
    reasons,
    repeat,
    scorecard,
    sensitivity,
    stability,
)
from plait.desks.credit.validation.sections.reused import reused

__all__ = ["LAYOUT", "SECTIONS", "Write"]

Write: TypeAlias = Callable[[CreditRun], Part]

# Question -> key of a section -> what writes it.
LAYOUT: Mapping[str, Mapping[str, Write]] = {
    "data": {key: reused(key) for key in ("data", "splits", "leaks", "quality", "privacy")},
    "design": {"design": design.part, "scorecard": scorecard.part, "importance": reused("importance")},
    "performance": {
        "performance": performance.part,
        "metrics": reused("metrics"),
        "slices": reused("slices"),
        "decisions": reused("decisions"),
    },
    "calibration": {"calibration": calibration.part, "grades": grades.part},
    "stability": {"stability": stability.part, "drift": reused("drift")},
    "fairness": {"fairness": fairness.part},
    "sensitivity": {"sensitivity": sensitivity.part, "robustness": reused("robustness")},
    "reasons": {"cases": reasons.part},
    "limits": {"limits": limits.part},
    "reproduction": {"repeat": repeat.part, "reproduction": reused("reproduction")},
}
SECTIONS: Mapping[str, Write] = {key: write for own in LAYOUT.values() for key, write in own.items()}
